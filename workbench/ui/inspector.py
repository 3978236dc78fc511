"""The inspector's sheet: a dialog at the right edge that a card opens and Escape closes.

Knows nothing of what is drawn in it. Opening, focus and closing are the page's own script, assets/inspector.js.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.ui.inspecting import Inspector
from workbench.ui.loop import Loop
from workbench.ui.widgets import CLICK, SCORE, panel

CLOSE = '<button type="button" class="small" data-inspector-close aria-label="close the inspector">Close</button>'
DOOR = '<button type="button" hidden data-do="open" tabindex="-1"></button><button type="button" hidden data-do="stop"></button>'


@dataclass
class Sheet:
    """`door` carries the script's wishes; `offer` and `drawn` are the two halves of why."""

    door: gr.HTML
    title: gr.HTML
    body: gr.HTML
    offer: gr.HTML
    drawn: gr.HTML


def build() -> Sheet:
    door = panel(DOOR, name="inspect-door", events=True)
    with gr.Column(elem_id="inspector"):
        with gr.Row(elem_id="inspector-head"):
            title = panel(name="inspector-name")
            panel(CLOSE, name="inspector-close")
        body = panel(name="inspector-body")
        offer = panel(name="inspector-offer", events=True)
        drawn = panel(name="inspector-why", events=True)
    return Sheet(door, title, body, offer, drawn)


def wire(loop: Loop, sheet: Sheet, fields: list[Any]) -> None:
    """`fields`: what every question to the bench is read from."""
    inspector = Inspector(loop)
    shown = [sheet.title, sheet.body, sheet.offer, sheet.drawn]
    for asked in (sheet.door, sheet.drawn):  # a new wish ends what runs for the one before, past the queue it waits in
        asked.click(inspector.on_halt, **CLICK)
    sheet.door.click(inspector.on_open, fields, shown, **SCORE)
    sheet.offer.click(inspector.on_why, fields, sheet.drawn, **SCORE)
