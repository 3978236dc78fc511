"""The query row: which scenario, the query with its pictures, Score and Stop, and the notes beneath.

Knows nothing of documents or editors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.scenario import titles
from workbench.ui import room
from workbench.ui.intake import Intake
from workbench.ui.loop import Loop
from workbench.ui.top import Top
from workbench.ui.widgets import CLICK, FILES, button, line, panel

# Pressed by the page's script, which scores after the last key where the last score was quick enough.
LIVE_SWITCH = (
    '<button type="button" class="small" data-live-switch aria-pressed="true" '
    'title="score by itself, 0.4 s after the last key, while scoring takes under 0.3 s">Live <i>●</i></button>'
)


@dataclass
class Ask:
    """`parts`: the query's pictures and clips as plain values; `look`: the need and what to look at."""

    scenario: gr.Dropdown
    query: gr.Textbox
    files: gr.UploadButton
    media: gr.HTML
    score: gr.Button
    stop: gr.Button
    look: gr.HTML
    parts: gr.State
    restored: gr.HTML  # that a draft was restored
    kept: gr.Textbox  # never seen: what the browser sends along at the opening


def build(loop: Loop, top: Top) -> Ask:
    found, parts = titles(loop.scenarios), gr.State([])
    with gr.Column(elem_id="ask", elem_classes="sheet"):
        with gr.Row(elem_id="ask-row"):
            scenario = gr.Dropdown(
                [(title, name) for name, title in found.items()], value=next(iter(found), None), elem_id="scenario",
                label="Scenario", show_label=False, container=False, filterable=False,
            )  # fmt: skip
            media = panel(name="query-media", events=True)
            query = line("query", placeholder="Query", label="Query", most=4)
            files = gr.UploadButton(
                "+ picture", elem_id="query-files", file_types=["image", "video"], file_count="multiple", size="sm",
                variant="secondary", min_width=0,
            )  # fmt: skip
            room.build()
            panel(LIVE_SWITCH, name="live")
            score = button("Score", name="score", go=True)
            stop = button("Stop", name="stop")
        with gr.Row(elem_id="notes"):
            look = panel(name="look")
            top.knows.render()
            restored = panel(name="restored", events=True)
            kept = gr.Textbox(visible=False)
    return Ask(scenario, query, files, media, score, stop, look, parts, restored, kept)


def wire(loop: Loop, ask: Ask, said: gr.HTML) -> list[Any]:
    """The events that change the query's pictures, for the caller to add what follows."""
    intake, media = Intake(loop), [ask.parts, ask.media]
    return [
        ask.files.upload(intake.on_query_files, [ask.files, ask.parts], [*media, said], **FILES),
        ask.media.click(intake.on_query_media, ask.parts, media, **CLICK),
    ]
