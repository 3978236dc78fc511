"""Draws the scores of A against those of B, one dot per document, as inline SVG in the page's own colours.

Knows nothing of Gradio; axes are logits, since a probability near 0 or 1 hides what moved.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.ranking import Move
from workbench.ui.figures import Face, esc, shorten
from workbench.ui.ranking_view import Run

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 400, 52, 40, 26, 20
CHARACTER, LINE = 6.2, 13  # pixels: width of a letter, height of a label


def scatter_html(run: Run) -> str:
    """Logit under A (across) and under B (up); on the dashed line nothing changed. Judged dots are filled by grade."""
    dots = [m for m in run.moves if m.logit_a is not None and m.logit_b is not None]
    if not dots:
        return '<p class="empty">Scores appear here once both sides are scored.</p>'
    values = [v for m in dots for v in (m.logit_a, m.logit_b) if v is not None]
    low, high = _padded(min(values), max(values))
    body = _grid(low, high) + _dots(dots, run, low, high)
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
    return lines + f'<text class="axis in-b" x="{left - 30}" y="{ceiling - 12}">↑ logit under B</text>'


def _dots(moves: Sequence[Move], run: Run, low: float, high: float) -> str:
    """Dots from top to bottom; a label that would lie on one before it moves down."""
    drawn, boxes = "", list[tuple[float, float, float]]()  # of labels: left, right, baseline
    for move in sorted(moves, key=lambda m: -(m.logit_b or 0)):
        x, y = _x(move.logit_a or 0, low, high), _y(move.logit_b or 0, low, high)
        label = shorten(run.faces[move.index].label, 34)
        width = CHARACTER * len(label)
        left = x - 10 - width if x + width > WIDTH - RIGHT else x + 10
        base = y + 4
        while any(left < r and left + width > lf and abs(base - b) < LINE for lf, r, b in boxes):
            base += 1
        boxes.append((left, left + width, base))
        drawn += _dot(move, run.faces[move.index], (x, y), (left, left + width, base), label)
    return drawn


def _dot(move: Move, face: Face, at: tuple[float, float], place: tuple[float, float, float], label: str) -> str:
    kind = "open" if face.grade is None else f"g{face.grade}"
    title = f"{face.label}: A {move.logit_a:.3f}, B {move.logit_b:.3f}"
    x, anchor = (place[1], "end") if place[0] < at[0] else (place[0], "start")
    return (
        f'<g class="dot {kind}" data-doc="{esc(move.document.id)}"><title translate="no">{esc(title)}</title>'
        f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="5"/>'
        f'<text translate="no" x="{x:.1f}" y="{place[2]:.1f}" text-anchor="{anchor}">{esc(label)}</text></g>'
    )
