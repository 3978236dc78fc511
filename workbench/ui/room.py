"""The focus switch: which part of the Tune tab has the room. The page itself moves it and remembers the choice.

Knows nothing of what stands in the parts.
"""

from __future__ import annotations

import gradio as gr

from workbench.ui.widgets import panel

ROOMS = {"template": "Template", "balanced": "Balanced", "ranking": "Ranking"}


def build() -> gr.HTML:
    buttons = "".join(
        f'<button type="button" data-room="{name}" aria-pressed="{"true" if name == "balanced" else "false"}">{title}</button>'
        for name, title in ROOMS.items()
    )
    return panel(f'<div class="rooms" role="group" aria-label="room on the page">{buttons}</div>', name="rooms")
