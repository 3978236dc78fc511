"""The results: the verdict, what is stale, the runs before, what lies outside the model's world, and the views of both rankings.

Knows nothing of what is drawn in them; `wire` takes the fields that its handlers read and write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.ui.loop import Loop
from workbench.ui.review import Review
from workbench.ui.widgets import CLICK, LIVE, WORK, panel

# Every click on a pill is painted by the page's script and told here.
TOLD = "element.dataset.grader = ''; element.addEventListener('graded', (event) => trigger('click', event.detail));"
SHOW = "".join(
    f'<button type="button" data-show="{show}" aria-pressed="{"true" if show == "all" else "false"}" title="{title}">'
    f"{show}</button>"
    for show, title in {
        "all": "every document",
        "moved": "documents that changed places by more than noise",
        "disagree": "documents that one side has in its top 5 and the other has not, or that changed places with a document of "
        "another grade: one of the sides orders the two against their grades",
    }.items()
)


@dataclass
class Results:
    """`scored`: per side a print of the fields that the results belong to; `outcome`: the last run without its pictures;
    `tiles`: the runs before."""

    verdict: gr.HTML
    stale: gr.HTML
    foreign: gr.HTML
    strip: gr.HTML
    lists: gr.HTML
    scores: gr.HTML
    spread: gr.HTML
    table: gr.HTML
    metrics: gr.HTML
    note: gr.HTML
    saved: gr.HTML
    scored: gr.State
    outcome: gr.State
    tiles: gr.State

    @property
    def views(self) -> list[Any]:
        """What follows from grades, in `Review`'s order."""
        return [self.verdict, self.spread, self.metrics, self.strip, self.note]


def build() -> Results:
    scored, outcome, tiles = gr.State({}), gr.State(None), gr.State([])
    with gr.Column(elem_id="results", elem_classes="sheet"):
        with gr.Row(elem_id="verdict-row"):
            verdict, stale = panel(name="verdict", events=True), panel(name="stale")
            saved = panel(name="saved")
            panel(f'<span class="show" role="group" aria-label="show">{SHOW}</span>', name="show")
        strip = panel(name="runs", events=True)
        foreign = panel(name="foreign", events=True)
        with gr.Tabs(elem_id="result-views"):
            with gr.Tab("List", id="list"):
                lists = panel(name="lists")
            with gr.Tab("Scores", id="scores"):
                scores = panel(name="score-chart")
            with gr.Tab("Grades", id="grades"):
                spread = panel(name="spread")
            with gr.Tab("Table", id="table"), gr.Row(elem_id="table-row"):
                table, metrics = panel(name="table"), panel(name="metrics")
        note = panel(name="graded", script=TOLD)
    return Results(verdict, stale, foreign, strip, lists, scores, spread, table, metrics, note, saved, scored, outcome, tiles)


def wire(loop: Loop, results: Results, fields: list[Any], editor_b: list[Any]) -> tuple[Any, Callable[[Any], None]]:
    """(the event after which B is another one and is to be scored, what to hang behind every run).

    `fields`: what a question is read from; `editor_b`: template and instruction of B.
    """
    review, items, model = Review(loop), fields[4], fields[0]
    kept = [items, results.outcome, results.tiles]
    results.note.click(review.on_grade, kept, [items, *results.views], **CLICK)
    results.verdict.click(review.on_add, fields, results.saved, **CLICK)
    back = results.strip.click(review.on_back, results.tiles, editor_b, **CLICK)

    def after(run: Any) -> None:
        drawn = [results.lists, results.scores, results.table, *results.views]
        told = run.then(review.on_scored, kept, [results.tiles, *drawn], **LIVE)
        told.then(review.on_noise, fields, None, **WORK).then(
            review.on_again, [model, *kept], [results.outcome, *drawn], **LIVE
        )

    return back, after
