"""The top bar: brand, model menu, target, what the model is, light or dark.

Knows nothing of the tabs below it beyond the two templates a new model may replace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.pool import Bench
from workbench.ui.loop import Loop
from workbench.ui.page_view import BRAND, KEYS, LANGUAGE, THEME, knows_html, notice_html, status_html
from workbench.ui.widgets import WORK, panel

# A script that says: fields were written from elsewhere.
MOVED = """() => {
  document.querySelector('#moved i').dispatchEvent(new CustomEvent('tell', {bubbles: true, detail: {event: 'click', data: {}}}));
}"""


@dataclass
class Top:
    """`model` is the menu; `current` the model in use, which stays when another cannot be had.

    `knows` is rendered by the tab that has room for it. `moved` shows nothing: it is clicked by `MOVED`, and stands here since
    the bar is there whichever tab is open.
    """

    model: gr.Dropdown
    target: gr.Dropdown
    status: gr.HTML
    notice: gr.HTML
    knows: gr.HTML
    current: gr.State
    moved: gr.HTML
    hint: str  # the default instruction of the first model

    def opens(self, templates: list[gr.Code], instructions: list[gr.Textbox]) -> list[Any]:
        """What a change of the model writes, in `Loop.on_model`'s order."""
        return [self.current, self.model, self.status, self.notice, *templates, *instructions, self.knows]

    def wire(self, loop: Loop, templates: list[gr.Code], instructions: list[gr.Textbox]) -> Any:
        """The menu changes the model, and the editors that still hold the old one's template; the caller adds what follows."""
        return gr.on(
            [self.model.input],
            loop.on_model,
            [self.model, self.current, *templates],
            self.opens(templates, instructions),
            **{**WORK, "trigger_mode": "always_last"},
        )


def build(bench: Bench) -> Top:
    """The bar as the page first shows it. A default model that cannot be had is said in the notice."""
    current = gr.State(bench.model)
    status, notice, knows, hint = "", "", "", ""
    try:
        scorer = bench.pool.get(bench.model)
        status, knows, hint = (
            status_html(scorer),
            knows_html(scorer, bench.pool.shipped),
            scorer.family.default_instruction,
        )
    except WorkbenchError as error:
        notice = notice_html(error)
    offered = list(dict.fromkeys([bench.model, *bench.pool.offered()]))
    with gr.Row(elem_id="top"):
        panel(BRAND, name="brand")
        model = gr.Dropdown(
            offered, value=bench.model, elem_id="model", label="Model", show_label=False, container=False,
            allow_custom_value=not bench.pool.offered_only, filterable=True,
        )  # fmt: skip
        target = gr.Dropdown(
            [("as the reference", "reference"), ("as vLLM", "vllm")], value=bench.parity, elem_id="target", label="Target",
            show_label=False, container=False, filterable=False,
        )  # fmt: skip
        pill = panel(status, name="status")
        panel(LANGUAGE + KEYS + THEME, name="theme")
        said = panel(notice, name="notice")
        moved = panel("<i hidden></i>", name="moved", events=True)
    return Top(model, target, pill, said, panel(knows, name="knows", render=False), current, moved, hint)
