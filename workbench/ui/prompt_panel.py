"""The prompt panel: which side and which document is drawn, and its prompt.

Knows nothing of what is drawn in it or of what listens to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from workbench.ui.widgets import panel


@dataclass
class PromptPanel:
    """`view`: {"side": "a" | "b", "at": index of the document}, and what was chosen since (`preview.View`)."""

    head: gr.HTML
    prompt: gr.HTML
    view: gr.State


def build() -> PromptPanel:
    view = gr.State({"side": "b", "at": 0})
    with gr.Column(elem_id="preview", elem_classes="sheet"):
        return PromptPanel(
            panel(name="preview-head", events=True, classes="head"), panel(name="prompt", events=True), view
        )
