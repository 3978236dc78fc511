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
    """`door` carries the script's wishes; `sides` and `offer` come with the scores, the rest at once; `offer` and `drawn` are the
    two halves of why. `opened` names the row."""

    door: gr.HTML
    title: gr.HTML
    body: gr.HTML
    sides: gr.HTML
    more: gr.HTML
    offer: gr.HTML
    drawn: gr.HTML
    opened: gr.State


def build() -> Sheet:
    door = panel(DOOR, name="inspect-door", events=True)
    with gr.Column(elem_id="inspector"):
        with gr.Row(elem_id="inspector-head"):
            title = panel(name="inspector-name")
            panel(CLOSE, name="inspector-close")
        body = panel(name="inspector-body")
        sides = panel(name="inspector-sides")
        more = panel(name="inspector-more")
        offer = panel(name="inspector-offer", events=True)
        drawn = panel(name="inspector-why", events=True)
    return Sheet(door, title, body, sides, more, offer, drawn, gr.State(""))


def wire(loop: Loop, sheet: Sheet, fields: list[Any]) -> None:
    """`fields`: what every question to the bench is read from."""
    inspector = Inspector(loop)
    shown = [sheet.opened, sheet.title, sheet.body, sheet.sides, sheet.more, sheet.offer, sheet.drawn]
    for asked in (sheet.door, sheet.drawn):  # a new wish ends what runs for the one before, past the queue it waits in
        asked.click(inspector.on_halt, **CLICK)
    known = sheet.door.click(inspector.on_open, fields, shown, **CLICK)
    known.then(inspector.on_score, [sheet.opened, *fields], [sheet.sides, sheet.offer], **SCORE)
    sheet.offer.click(inspector.on_why, fields, sheet.drawn, **SCORE)
