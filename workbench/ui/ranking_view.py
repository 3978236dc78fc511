"""Draws two rankings side by side: cards with score bars, moves and grades, and a slope chart between them.

Knows nothing of Gradio or of how scores came about; grades arrive on the faces and belong to the stated need.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from workbench.metrics import DEPTH
from workbench.noise import UNKNOWN, Floor
from workbench.ranking import Move, compare, swapped, told_apart
from workbench.types import Ranking, ScoreResult
from workbench.ui.figures import Face, esc, numbers, sentence
from workbench.ui.grade_view import pills

CARD = 52  # pixels, as in the style sheet
SLOPE = 132
SIDES = ("a", "b")
NOTHING = {"moved": "Nothing moved by more than noise.", "disagree": "A and B agree about every document."}


@dataclass(frozen=True)
class Run:
    """What one press of Score gave so far. A side is None until its first result.

    `floor`: what two logits must differ by; `local`: scored on this machine; `same`: both sides were the same prompts, None
    where that is to be found out of the rankings.
    """

    a: Ranking | None
    b: Ranking | None
    faces: Sequence[Face]
    floor: Floor = UNKNOWN
    local: bool = True
    same: bool | None = None

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        return compare(self.a, self.b, self.floor.value) if self.a and self.b else ()

    @cached_property
    def disagree(self) -> frozenset[str]:
        """Documents that A and B put on different sides of the top, or that changed places with one of another grade: one of the
        sides then orders the two against their grades."""
        both = [m for m in self.moves if m.rank_a and m.rank_b]
        return frozenset(m.document.id for m in both if m.moved and (_crosses(m) or self._against(m, both)))

    def _against(self, move: Move, others: Sequence[Move]) -> bool:
        grade = self.faces[move.index].grade
        return grade is not None and any(
            self.faces[other.index].grade not in (None, grade)
            and swapped(move, other)
            and told_apart(move, other, self.floor.value)
            for other in others
        )


def _crosses(move: Move) -> bool:
    return ((move.rank_a or 0) <= DEPTH) != ((move.rank_b or 0) <= DEPTH)


def results_html(run: Run) -> str:
    """Both lists with the slope between them; a list that has nothing yet says so."""
    moves = {m.index: m for m in run.moves}
    low, high = _extremes(run)
    lists = [_list(run, r, side, moves, low, high) for r, side in ((run.a, "a"), (run.b, "b"))]
    none = "".join(f'<p class="empty none" data-none="{show}">{text}</p>' for show, text in NOTHING.items())
    return f'<div class="res">{lists[0]}<div class="slope">{slope_svg(run)}</div>{lists[1]}{none}</div>'


def _extremes(run: Run) -> tuple[float, float]:
    logits = [r.score.logit for side in (run.a, run.b) if side for r in side.ranked if r.score]
    return (min(logits), max(logits)) if logits else (0.0, 0.0)


# ---------------------------------------------------------------- cards
def _list(run: Run, ranking: Ranking | None, side: str, moves: Mapping[int, Move], low: float, high: float) -> str:
    if ranking is None or not (ranking.ranked or ranking.failed):
        return _listed(side, '<li class="empty">not scored yet</li>')
    ties = ties_of(ranking, run.floor.value)
    shown = numbers([r.score.value for r in ranking.ranked if r.score], ties)
    cards = [
        _card(
            r, rank, side, run.faces[r.index], text,
            _place(rank, ties[max(rank - 2, 0) : rank]) + _move(moves.get(r.index) if side == "b" else None),
            _about(moves.get(r.index), run.disagree), _width(r, low, high, run.floor.value),
        )
        for rank, (r, text) in enumerate(zip(ranking.ranked, shown, strict=True), 1)
    ]  # fmt: skip
    cards += [_failed(r, side, run.faces[r.index]) for r in ranking.failed]
    return _listed(side, "".join(cards))


def _listed(side: str, cards: str) -> str:
    return f'<ol class="list {side.upper()}" data-side="{side}" aria-label="{side.upper()}">{cards}</ol>'


def ties_of(ranking: Ranking, noise: float) -> list[bool]:
    """For each ranked document whether the next one's logit is the same within the noise; the last has no next."""
    logits = [r.score.logit for r in ranking.ranked if r.score]
    return [*(a - b <= noise for a, b in pairwise(logits)), False][: len(logits)]


def _width(result: ScoreResult, low: float, high: float, noise: float) -> float:
    """Percent of the bar: the logit between the run's extremes, so that a tiny probability still has a length."""
    if result.score is None or high - low < noise:
        return 100.0
    return 2 + 98 * (result.score.logit - low) / (high - low)


def _place(rank: int, ties: Sequence[bool]) -> str:
    """Nothing, or that a neighbour is the same within the noise."""
    return '<span class="eq" title="within the noise of its neighbour">=</span>' if any(ties) else ""


def _move(move: Move | None) -> str:
    if move is None or not move.climb:
        return ""
    if move.tie:
        return '<span class="mv tie" title="changed places only within the noise">tie</span>'
    return f'<span class="mv">{"▲" if move.climb > 0 else "▼"}{abs(move.climb)}</span>'


def _about(move: Move | None, disagree: Collection[str]) -> str:
    """What the filters go by."""
    moved = " data-moved" if move and move.moved else ""
    return moved + (" data-disagree" if move and move.document.id in disagree else "")


def _card(result: ScoreResult, rank: int, side: str, face: Face, value: str, said: str, about: str, width: float) -> str:
    assert result.score is not None
    name = esc(result.document.id)
    return (
        f'<li class="card" data-doc="{name}" data-rank="{rank}" data-side="{side}"{about} tabindex="{0 if rank == 1 else -1}">'
        f'<span class="r">{rank}</span>{face.picture}'
        f'<span class="what"><span class="ell" translate="no" title="{esc(face.label)}">{esc(face.label)}</span>{said}'
        f'<span class="meter"><i style="width:{width:.1f}%"></i></span></span>'
        f'<span class="num"><span class="val" title="logit {result.score.logit:.4f}">{value}</span>'
        f"{pills(result.document.id, face.grade)}</span></li>"
    )


def _failed(result: ScoreResult, side: str, face: Face) -> str:
    """A document that gave no score can be judged all the same; a file that could not be read cannot."""
    why = sentence(result.error) if result.error else "gave no score"
    judged = f'<span class="num">{pills(result.document.id, face.grade)}</span>' if face.there else ""
    return (
        f'<li class="card failed" data-doc="{esc(result.document.id)}" data-rank="" data-side="{side}">'
        f'<span class="r">–</span>{face.picture}<span class="what">'
        f'<span class="ell" translate="no">{esc(face.label)}</span>'
        f'<span class="why" title="{why}">{why}</span></span>{judged}</li>'
    )


# ---------------------------------------------------------------- slope
def slope_svg(run: Run) -> str:
    """One line per document from its place under A to its place under B: an arrowhead at B, dashed when it falls, grey where
    nothing but noise moved it. The page's script draws the lines anew where a filter hides cards."""
    both = [m for m in run.moves if m.rank_a and m.rank_b]
    if not both:
        return ""
    height = CARD * max(max(m.rank_a or 0, m.rank_b or 0) for m in both)
    lines = "".join(_line(m, run.faces[m.index]) for m in sorted(both, key=lambda m: m.moved))
    moved = sum(m.moved for m in both)
    return (
        f'<svg width="{SLOPE}" height="{height}" viewBox="0 0 {SLOPE} {height}" role="img" '
        f'aria-label="{moved} of {len(both)} documents change places from A to B">{lines}</svg>'
    )


def _line(move: Move, face: Face) -> str:
    y1, y2 = (CARD * (rank or 0) - CARD / 2 for rank in (move.rank_a, move.rank_b))
    kind = ("up" if move.climb > 0 else "down") if move.moved else "tie" if move.tie else "still"
    end, bend = SLOPE - 8, SLOPE / 2
    title = f"{face.label}: {move.rank_a} → {move.rank_b}{', a tie' if move.tie else ''}"
    curve = f"M4 {y1:g} C {bend:g} {y1:g} {bend:g} {y2:g} {end} {y2:g}"
    return (
        f'<g class="{kind}" data-doc="{esc(move.document.id)}"><title translate="no">{esc(title)}</title>'
        f'<path class="hit" d="{curve}"/><path class="line" d="{curve}"/>'
        f'<polygon points="{end},{y2 - 4:g} {end + 7},{y2:g} {end},{y2 + 4:g}"/></g>'
    )
