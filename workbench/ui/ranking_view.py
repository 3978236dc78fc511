"""Draws two rankings side by side: cards with score bars and moves, a slope chart between them, the verdict above.

Knows nothing of Gradio or of how scores came about; grades arrive on the faces and belong to the stated need.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.ranking import Move, compare
from workbench.types import Ranking, ScoreResult
from workbench.ui.figures import NOISE, Face, count, esc, numbers, sentence

CARD = 52  # pixels, as in the style sheet
SLOPE = 132
METRIC_DEPTH = 5
SIDES = ("a", "b")


@dataclass(frozen=True, slots=True)
class Run:
    """What one press of Score gave so far. A side is None until its first result."""

    a: Ranking | None
    b: Ranking | None
    faces: Sequence[Face]

    @property
    def moves(self) -> tuple[Move, ...]:
        return compare(self.a, self.b) if self.a and self.b else ()


def results_html(run: Run) -> str:
    """Both lists with the slope between them; a list that has nothing yet says so."""
    climbs = {m.index: m.climb for m in run.moves}
    low, high = _extremes(run)
    lists = [_list(r, side, run.faces, climbs, low, high) for r, side in ((run.a, "a"), (run.b, "b"))]
    return f'<div class="res">{lists[0]}<div class="slope">{slope_svg(run)}</div>{lists[1]}</div>'


def _extremes(run: Run) -> tuple[float, float]:
    logits = [r.score.logit for side in (run.a, run.b) if side for r in side.ranked if r.score]
    return (min(logits), max(logits)) if logits else (0.0, 0.0)


def _list(
    ranking: Ranking | None, side: str, faces: Sequence[Face], climbs: Mapping[int, int], low: float, high: float
) -> str:
    if ranking is None or not (ranking.ranked or ranking.failed):
        return f'<ol class="list {side.upper()}" data-side="{side}"><li class="empty">not scored yet</li></ol>'
    shown = numbers([r.score.value for r in ranking.ranked if r.score])
    cards = [
        _card(r, rank, side, faces[r.index], text, climbs.get(r.index, 0) if side == "b" else 0, _width(r, low, high))
        for rank, (r, text) in enumerate(zip(ranking.ranked, shown, strict=True), 1)
    ]
    cards += [_failed(r, side, faces[r.index]) for r in ranking.failed]
    return f'<ol class="list {side.upper()}" data-side="{side}">{"".join(cards)}</ol>'


def _width(result: ScoreResult, low: float, high: float) -> float:
    """Percent of the bar: the logit between the run's extremes, so that a tiny probability still has a length."""
    if result.score is None or high - low < NOISE:
        return 100.0
    return 2 + 98 * (result.score.logit - low) / (high - low)


def _card(result: ScoreResult, rank: int, side: str, face: Face, value: str, climb: int, width: float) -> str:
    assert result.score is not None
    move = f' <span class="mv">{"▲" if climb > 0 else "▼"}{abs(climb)}</span>' if climb else ""
    return (
        f'<li class="card" data-doc="{esc(result.document.id)}" data-rank="{rank}" data-side="{side}">'
        f'<span class="r">{rank}</span>{face.picture}'
        f'<span class="what"><span class="ell" title="{esc(face.label)}">{esc(face.label)}</span>{move}'
        f'<span class="meter"><i style="width:{width:.1f}%"></i></span></span>'
        f'<span class="num"><span class="val" title="logit {result.score.logit:.4f}">{value}</span>{_grade(face)}</span></li>'
    )


def _grade(face: Face) -> str:
    if face.grade is None:
        return ""
    return f'<span class="grade g{face.grade}" title="grade {face.grade} of 3 for the stated need">{face.grade}</span>'


def _failed(result: ScoreResult, side: str, face: Face) -> str:
    why = sentence(result.error) if result.error else "gave no score"
    return (
        f'<li class="card failed" data-doc="{esc(result.document.id)}" data-rank="" data-side="{side}">'
        f'<span class="r">–</span>{face.picture}<span class="what"><span class="ell">{esc(face.label)}</span>'
        f'<span class="why" title="{why}">{why}</span></span></li>'
    )


# ---------------------------------------------------------------- slope
def slope_svg(run: Run) -> str:
    """One line per document from its place under A to its place under B: an arrowhead at B, dashed when it falls."""
    both = [m for m in run.moves if m.rank_a and m.rank_b]
    if not both:
        return ""
    height = CARD * max(max(m.rank_a or 0, m.rank_b or 0) for m in both)
    lines = "".join(_line(m, run.faces[m.index]) for m in sorted(both, key=lambda m: m.climb != 0))
    moved = sum(m.climb != 0 for m in both)
    return (
        f'<svg width="{SLOPE}" height="{height}" viewBox="0 0 {SLOPE} {height}" role="img" '
        f'aria-label="{moved} of {len(both)} documents change places from A to B">{lines}</svg>'
    )


def _line(move: Move, face: Face) -> str:
    y1, y2 = (CARD * (rank or 0) - CARD / 2 for rank in (move.rank_a, move.rank_b))
    kind = "up" if move.climb > 0 else "down" if move.climb < 0 else "still"
    end, bend = SLOPE - 8, SLOPE / 2
    title = f"{face.label}: {move.rank_a} → {move.rank_b}"
    return (
        f'<g class="{kind}" data-doc="{esc(move.document.id)}"><title>{esc(title)}</title>'
        f'<path d="M4 {y1:g} C {bend:g} {y1:g} {bend:g} {y2:g} {end} {y2:g}"/>'
        f'<polygon points="{end},{y2 - 4:g} {end + 7},{y2:g} {end},{y2 + 4:g}"/></g>'
    )


# ---------------------------------------------------------------- verdict
def verdict_html(run: Run, expected: int) -> str:
    """One line: the metric of both sides where everything is judged, how many moved, and how far scoring came."""
    if run.a is None and run.b is None:
        return '<span class="muted">Nothing scored yet. Press Score or Ctrl+Enter.</span>'
    parts = [_metric(run, expected), _moved(run), _progress(run, expected)]
    return f'<span class="verdict" aria-live="polite">{"".join(parts)}</span>'


def _metric(run: Run, expected: int) -> str:
    judged = sum(face.grade is not None for face in run.faces)
    if not judged or not (run.a and run.b) or run.a.partial or run.b.partial or _done(run.b) < expected:
        return ""
    if run.a.failed or run.b.failed:
        return '<span class="muted">rows failed: no metric</span>'
    if judged < expected:
        return f'<span class="muted">{judged} of {expected} judged: no metric</span>'
    a, b = (ndcg([run.faces[r.index].grade or 0 for r in side.ranked], _grades(run)) for side in (run.a, run.b))
    if a is None or b is None:
        return ""
    return (
        f'<span>nDCG@{METRIC_DEPTH} <b class="in-a" data-ndcg="a">A {_short(a)}</b> '
        f'<b class="in-b" data-ndcg="b">B {_short(b)}</b> '
        f'<span class="muted">this query only, {judged} of {expected} judged</span></span>'
    )


def _grades(run: Run) -> list[int]:
    return [face.grade or 0 for face in run.faces]


def ndcg(ranked: Sequence[int], all_grades: Sequence[int], depth: int = METRIC_DEPTH) -> float | None:
    """nDCG with linear gain as in trec_eval; None when no document is relevant. Järvelin & Kekäläinen 2002."""

    def dcg(grades: Sequence[int]) -> float:
        return sum(grade / math.log2(i + 2) for i, grade in enumerate(grades[:depth]))

    ideal = dcg(sorted(all_grades, reverse=True))
    return dcg(ranked) / ideal if ideal else None


def _short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _moved(run: Run) -> str:
    both = [m for m in run.moves if m.rank_a and m.rank_b]
    if not both:
        return ""
    if _same_prompt(run):
        return '<span data-same="prompt"><b>A and B are the same prompt</b>: 0 token ids differ, so neither is better</span>'
    same = all(abs((m.logit_a or 0) - (m.logit_b or 0)) < NOISE for m in both)
    if same:
        return '<span class="muted" data-same="scores">A and B give the same scores: neither is better</span>'
    moved = sum(m.climb != 0 for m in both)
    return f'<span class="muted">{moved} of {len(both)} moved</span>'


def _same_prompt(run: Run) -> bool:
    """Every row was encoded to the same ids and the same media on both sides."""
    a, b = (_prompts(side) for side in (run.a, run.b))
    return bool(a) and a == b


def _prompts(ranking: Ranking | None) -> dict[int, tuple[object, ...]]:
    """What the model read for each row that was encoded."""
    rows = (*ranking.ranked, *ranking.failed) if ranking else ()
    return {
        r.index: (r.encoding.prompt.text, r.encoding.token_ids, r.encoding.media)
        for r in rows
        if r.encoding and r.encoding.token_ids
    }


def _done(ranking: Ranking | None) -> int:
    return len(ranking.ranked) + len(ranking.failed) if ranking else 0


def _progress(run: Run, expected: int) -> str:
    done = [_done(run.a), _done(run.b)]
    stopped = any(side and side.partial for side in (run.a, run.b))
    if stopped:
        return f'<span class="flag">stopped: A {done[0]} of {expected}, B {done[1]} of {expected} scored</span>'
    if min(done) < expected:
        return f'<span class="run" role="status">scoring {sum(done)} of {2 * expected}</span>'
    failed = len({r.index for side in (run.a, run.b) if side for r in side.failed})
    bad = f" · {count(failed, 'row')} failed" if failed else ""
    seconds = sum(side.seconds for side in (run.a, run.b) if side)
    return f'<span class="muted">{_seconds(seconds)}{_remembered(run)}{bad}</span>'


def _remembered(run: Run) -> str:
    """How many scores were not computed anew."""
    scores = [r.score for side in (run.a, run.b) if side for r in side.ranked if r.score]
    kept = sum(s.cached for s in scores)
    return f" · {kept} of {len(scores)} remembered" if kept else ""


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
