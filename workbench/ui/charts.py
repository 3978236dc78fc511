"""Draws the scores of A against those of B, one dot per document, as inline SVG in the page's own colours.

Knows nothing of Gradio; axes are logits, since a probability near 0 or 1 hides what moved.
"""

from __future__ import annotations

from workbench.rerank import Move
from workbench.ui.figures import esc
from workbench.ui.ranking_view import Run

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 660, 400, 52, 40, 14, 20


def scatter_html(run: Run) -> str:
    """Logit under A (across) and under B (up); on the dashed line nothing changed. Judged dots are filled by grade."""
    dots = [m for m in run.moves if m.logit_a is not None and m.logit_b is not None]
    if not dots:
        return '<p class="empty">Scores appear here once both sides are scored.</p>'
    values = [v for m in dots for v in (m.logit_a, m.logit_b) if v is not None]
    low, high = _padded(min(values), max(values))
    body = _grid(low, high) + "".join(_dot(m, run, low, high) for m in dots)
    return (
        f'<div class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Logit of each document under A and under B">{body}</svg></div>'
    )


def _padded(low: float, high: float) -> tuple[float, float]:
    room = max((high - low) * 0.08, 0.25)
    return low - room, high + room


def _x(value: float, low: float, high: float) -> float:
    return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - BOTTOM - TOP)


def _grid(low: float, high: float) -> str:
    left, right, floor, ceiling = LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, TOP
    lines = ""
    for step in range(5):
        value = low + (high - low) * step / 4
        x, y = _x(value, low, high), _y(value, low, high)
        lines += f'<path class="grid" d="M{left} {y:.1f}H{right}M{x:.1f} {floor}V{ceiling}"/>'
        lines += f'<text x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{value:.1f}</text>'
        lines += f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>'
    lines += f'<path class="same" d="M{left} {floor}L{right} {ceiling}"/>'
    lines += f'<text class="axis in-a" x="{right}" y="{HEIGHT - 6}" text-anchor="end">logit under A →</text>'
    return lines + f'<text class="axis in-b" x="{left + 8}" y="{ceiling + 10}">↑ logit under B</text>'


def _dot(move: Move, run: Run, low: float, high: float) -> str:
    assert move.logit_a is not None and move.logit_b is not None
    face = run.faces[move.index]
    x, y = _x(move.logit_a, low, high), _y(move.logit_b, low, high)
    kind = "open" if face.grade is None else f"g{face.grade}"
    end = x > WIDTH * 0.7
    label = face.label if len(face.label) <= 34 else face.label[:33] + "…"
    at, anchor = (x - 10, "end") if end else (x + 10, "start")
    title = f"{face.label}: A {move.logit_a:.3f}, B {move.logit_b:.3f}"
    return (
        f'<g class="dot {kind}" data-doc="{esc(move.document.id)}"><title>{esc(title)}</title>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        f'<text x="{at:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{esc(label)}</text></g>'
    )
