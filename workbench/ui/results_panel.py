"""The results: the verdict, what is stale, what lies outside the model's world, and the views of both rankings.

Knows nothing of what is drawn in them or of what listens to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from workbench.ui.widgets import panel


@dataclass
class Results:
    """`scored`: per side a print of the fields that the results belong to."""

    verdict: gr.HTML
    stale: gr.HTML
    foreign: gr.HTML
    lists: gr.HTML
    scores: gr.HTML
    scored: gr.State


def build() -> Results:
    scored = gr.State({})
    with gr.Column(elem_id="results", elem_classes="sheet"):
        with gr.Row(elem_id="verdict-row"):
            verdict, stale = panel(name="verdict"), panel(name="stale")
        foreign = panel(name="foreign", events=True)
        with gr.Tabs(elem_id="result-views"):
            with gr.Tab("List", id="list"):
                lists = panel(name="lists")
            with gr.Tab("Scores", id="scores"):
                scores = panel(name="score-chart")
    return Results(verdict, stale, foreign, lists, scores, scored)
