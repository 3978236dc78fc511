"""Draws how scores spread over the grades, one plot a side, with a threshold that the page's script moves and counts at.

Knows nothing of Gradio. A threshold cuts logits, since each prompt has a scale of its own.
"""

from __future__ import annotations

from workbench.metrics import RELEVANT
from workbench.types import Ranking
from workbench.ui.figures import Face, esc
from workbench.ui.ranking_view import SIDES, Run

WIDTH, LEFT, RIGHT, TOP, ROW = 560, 62, 16, 4, 30
ROWS: tuple[int | None, ...] = (3, 2, 1, 0, None)
STEPS = 1000  # of the slider
SAID = {"logit": "threshold", "precision": "precision", "recall": "recall", "f1": "F1", "above": "above"}


def spread_html(run: Run) -> str:
    """Dots by logit, a row for each grade. Grades from 1 on count as relevant; unjudged rows are drawn and not counted."""
    if not (run.a and run.b and run.a.ranked and run.b.ranked):
        return '<p class="empty">The spread appears here once both sides are scored.</p>'
    if all(face.grade is None for face in run.faces):
        return '<p class="empty">Grade some documents (0 to 3) to see which scores they get.</p>'
    sides = "".join(_side(s, side, run) for s, side in zip(SIDES, (run.a, run.b), strict=True))
    return f'<div class="spread">{sides}</div>'


def _side(side: str, ranking: Ranking, run: Run) -> str:
    logits = [r.score.logit for r in ranking.ranked if r.score]
    room = max((max(logits) - min(logits)) * 0.06, 0.1)
    low, high = min(logits) - room, max(logits) + room
    shown = [g for g in ROWS if g is not None or any(f.grade is None for f in run.faces)]
    height = TOP + ROW * len(shown) + 22
    dots = "".join(
        _dot(r.document.id, run.faces[r.index], r.score.logit, _x(r.score.logit, low, high), shown)
        for r in ranking.ranked
        if r.score
    )
    place = f'data-low="{low!r}" data-high="{high!r}" data-left="{LEFT}" data-right="{WIDTH - RIGHT}"'
    return (
        f'<figure data-threshold="{side}" {place}>'
        f'<figcaption class="in-{side}">{side.upper()}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Logits under {side.upper()} by grade">'
        f"{_rows(shown)}{_axis(low, high, height)}{dots}"
        f'<path class="cut" d="M{LEFT} {TOP}V{height - 18}"/></svg>{_controls(side)}</figure>'
    )


def _x(logit: float, low: float, high: float) -> float:
    return LEFT + (logit - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _rows(shown: list[int | None]) -> str:
    lines = ""
    for i, grade in enumerate(shown):
        y, name = TOP + ROW * i + ROW / 2, "unjudged" if grade is None else f"grade {grade}"
        lines += f'<path class="grid" d="M{LEFT} {y:g}H{WIDTH - RIGHT}"/><text x="0" y="{y + 4:g}">{name}</text>'
    return lines


def _axis(low: float, high: float, height: int) -> str:
    places = (low + (high - low) * step / 4 for step in range(5))
    return "".join(f'<text x="{_x(v, low, high):.1f}" y="{height - 3}" text-anchor="middle">{v:.1f}</text>' for v in places)


def _dot(name: str, face: Face, logit: float, x: float, shown: list[int | None]) -> str:
    y = TOP + ROW * shown.index(face.grade) + ROW / 2
    kind, judged = ("open", "") if face.grade is None else (f"g{face.grade}", f' data-relevant="{int(face.grade >= RELEVANT)}"')
    return (
        f'<g class="dot {kind}" data-doc="{esc(name)}" data-logit="{logit!r}"{judged}>'
        f'<title translate="no">{esc(face.label)}: {logit:.3f}</title><circle cx="{x:.1f}" cy="{y:g}" r="5"/></g>'
    )


def _controls(side: str) -> str:
    numbers = "".join(f'<span>{name} <b data-is="{key}"></b></span>' for key, name in SAID.items())
    return (
        f'<input type="range" min="0" max="{STEPS}" value="{STEPS // 2}" aria-label="threshold of {side.upper()}">'
        f'<p class="at" aria-live="polite">{numbers}<button type="button" class="small" data-best>best F1</button></p>'
    )
