"""Draws the run as a table that the page's script sorts and copies; and beside it, for itself, every metric with its range.

Knows nothing of Gradio.
"""

from __future__ import annotations

from workbench.metrics import DEPTH, MEASURES, label, span
from workbench.ranking import Move
from workbench.types import Ranking, Score
from workbench.ui.figures import Face, count, esc
from workbench.ui.grade_view import pills
from workbench.ui.ranking_view import SIDES, Run
from workbench.ui.verdict_view import between, judged

COLUMNS = {
    "document": "document", "a": "rank A", "b": "rank B", "logit-a": "logit A", "logit-b": "logit B", "score-a": "score A",
    "score-b": "score B", "grade": "grade",
}  # fmt: skip
SPANNED = 200  # documents up to which ranges of every metric are worked out


def table_html(run: Run) -> str:
    """One row per document, in B's order. `data-v` is what a column is sorted by and what is copied."""
    ranked = [m for m in run.moves if m.rank_a or m.rank_b]
    if not ranked:
        return '<p class="empty">The table appears here once both sides are scored.</p>'
    scores = {s: _scores(side) for s, side in zip(SIDES, (run.a, run.b), strict=True)}
    heads = "".join(_head(key, name) for key, name in COLUMNS.items())
    rows = "".join(_row(m, run.faces[m.index], scores["a"].get(m.index), scores["b"].get(m.index)) for m in ranked)
    return (
        '<div class="table-wrap"><table class="rows">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        '</div><p class="table-foot"><button type="button" class="small" data-tsv>Copy as TSV</button></p>'
    )


def _scores(side: Ranking | None) -> dict[int, Score]:
    return {r.index: r.score for r in side.ranked if r.score} if side else {}


def _head(key: str, name: str) -> str:
    side = f' class="in-{key[-1]}"' if key[-2:] in ("a", "b", "-a", "-b") else ""
    return (
        f'<th scope="col" aria-sort="{"ascending" if key == "b" else "none"}"><button type="button" data-sort="{key}"{side}>'
        f"{name}</button></th>"
    )


def _row(move: Move, face: Face, a: Score | None, b: Score | None) -> str:
    name = esc(move.document.id)
    cells = [
        f'<td class="doc" data-v="{esc(face.label)}" translate="no"><span class="ell" title="{esc(face.label)}">'
        f"{esc(face.label)}</span></td>",
        *(_cell(rank, "0") for rank in (move.rank_a, move.rank_b)),
        *(_cell(s.logit if s else None, "4") for s in (a, b)),
        *(_cell(s.value if s else None, "4") for s in (a, b)),
    ]
    return (
        f'<tr data-doc="{name}">{"".join(cells)}<td>{pills(move.document.id, face.grade)}</td></tr>'
    )


def _cell(value: float | None, digits: str) -> str:
    if value is None:
        return '<td class="n" data-v="">–</td>'
    return f'<td class="n" data-v="{value!r}">{value:.{digits}f}</td>'


def metrics_html(run: Run) -> str:
    """Each metric from the worst to the best that missing grades can make of it."""
    if not (run.a and run.b) or run.a.failed or run.b.failed or run.a.partial or run.b.partial:
        return ""
    missing = sum(face.grade is None for face in run.faces)
    if missing == len(run.faces):
        return ""
    if missing and len(run.faces) > SPANNED:
        return f'<p class="muted metrics">Ranges of all metrics are worked out for up to {SPANNED} documents.</p>'
    sides = [judged(side, run) for side in (run.a, run.b)]
    rows = "".join(
        f'<tr data-metric="{name}"><th scope="row">{label(name, DEPTH)}</th>'
        + "".join(
            f'<td class="n in-{s}">{between(found) if (found := span(name, side)) else "–"}</td>'
            for s, side in zip(SIDES, sides, strict=True)
        )
        + "</tr>"
        for name in MEASURES
    )
    rest = f", whatever {count(missing, 'missing grade')} will be" if missing else ""
    return (
        f'<table class="metrics"><caption>This query only{rest}. Relevant: grade 1 and more.</caption><thead><tr><th></th>'
        f'<th class="in-a" scope="col">A</th><th class="in-b" scope="col">B</th></tr></thead><tbody>{rows}</tbody></table>'
    )
