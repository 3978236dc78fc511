"""The Tune tab: query, documents, two editors, the prompt, two rankings, and who listens to whom.

Knows nothing of how anything is computed or drawn: fields in, handlers between, panels out. Each part is a file of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.ui import ask, editors, prompt_panel, results_panel, tray
from workbench.ui.ask import Ask
from workbench.ui.editors import Editors
from workbench.ui.loop import Loop
from workbench.ui.prompt_panel import PromptPanel
from workbench.ui.results_panel import Results
from workbench.ui.top import Top
from workbench.ui.tray import Tray
from workbench.ui.widgets import CLICK, COMPOSED, LIVE, SCORE, WORK
from workbench.ui.world import Border


@dataclass
class Tune:
    """The tab's parts; `fields` are what every question to the bench is read from, in `desk.read`'s order."""

    top: Top
    ask: Ask
    tray: Tray
    editors: Editors
    prompt: PromptPanel
    results: Results

    @property
    def fields(self) -> list[Any]:
        return [
            self.top.current, self.top.target, self.ask.query, self.ask.parts, self.tray.items, *self.editors.written
        ]  # fmt: skip

    @property
    def previews(self) -> list[Any]:
        """What `Loop.on_preview` draws, in its order."""
        a, b = self.editors.a, self.editors.b
        return [
            a.silent,
            b.silent,
            a.head,
            a.lint,
            b.head,
            b.lint,
            self.prompt.head,
            self.prompt.prompt,
            self.results.stale,
        ]


def build(loop: Loop, top: Top) -> Tune:
    """Lays the tab out from top to bottom."""
    return Tune(
        top,
        ask.build(loop, top),
        tray.build(loop),
        editors.build(top.hint),
        prompt_panel.build(),
        results_panel.build(),
    )


# ---------------------------------------------------------------- who listens to whom
def wire(demo: gr.Blocks, loop: Loop, tune: Tune) -> None:
    """Connects fields to handlers. Nothing here writes into the field that is typed in."""
    _wire_preview(loop, tune)
    _wire_intake(loop, tune)
    _wire_scoring(demo, loop, tune)


def _preview(loop: Loop, tune: Tune) -> dict[str, Any]:
    return {
        "fn": loop.on_preview, "inputs": [tune.prompt.view, tune.results.scored, *tune.fields], "outputs": tune.previews
    }  # fmt: skip


def _stale(loop: Loop, tune: Tune) -> dict[str, Any]:
    return {"fn": loop.on_stale, "inputs": [tune.results.scored, *tune.fields], "outputs": tune.results.stale}


def _settled(loop: Loop, tune: Tune) -> dict[str, Any]:
    """Typing and turning the view overlap: whichever answers last must have drawn what is there now."""
    inputs = [tune.prompt.head, tune.prompt.view, tune.results.scored, *tune.fields]
    return {"fn": loop.on_settled, "inputs": inputs, "outputs": [tune.prompt.head, tune.prompt.prompt]}


def _wire_preview(loop: Loop, tune: Tune) -> None:
    # A Textbox of Gradio 6.31 says `input` at key presses alone: a paste, a cut, Backspace would leave the preview behind.
    boxes, templates = (tune.ask.query, *tune.editors.instructions), tune.editors.templates
    typed = [*(box.change for box in boxes), *(template.input for template in templates), tune.top.target.input]
    drawn = gr.on(typed, **_preview(loop, tune), **LIVE, js=COMPOSED)
    drawn.then(**_stale(loop, tune), **LIVE)
    drawn.then(**_settled(loop, tune), **LIVE)
    looked = [tune.prompt.view, tune.results.scored, *tune.fields]
    for part in (tune.prompt.head, tune.prompt.prompt):
        turned = part.click(loop.on_view, looked, [tune.prompt.view, *tune.previews], **CLICK)
        turned.then(**_settled(loop, tune), **LIVE)


def _wire_intake(loop: Loop, tune: Tune) -> None:
    b = tune.editors.b
    pasted = [tune.ask.look, tune.ask.query, tune.ask.parts, tune.ask.media, b.instruction, b.template]
    changes = [*tray.wire(loop, tune.tray, pasted), *ask.wire(loop, tune.ask, tune.tray.said)]
    for change in changes:
        change.then(**_preview(loop, tune), **LIVE).then(**_stale(loop, tune), **LIVE)


def _wire_scoring(demo: gr.Blocks, loop: Loop, tune: Tune) -> None:
    results, templates, instructions = tune.results, tune.editors.templates, tune.editors.instructions
    rank: dict[str, Any] = {
        "fn": loop.on_rank, "inputs": tune.fields,
        "outputs": [results.verdict, results.lists, results.scores, results.scored, results.stale, tune.top.status],
    }  # fmt: skip
    filled = [
        tune.ask.look, tune.ask.query, tune.ask.parts, tune.ask.media, *tune.tray.shown, *tune.editors.written, tune.prompt.view
    ]  # fmt: skip
    opening = {
        "fn": loop.on_scenario,
        "inputs": [tune.ask.scenario, tune.top.current, tune.prompt.view],
        "outputs": filled,
    }
    border = Border(loop)
    judge: dict[str, Any] = {"fn": border.on_judge, "inputs": tune.fields, "outputs": results.foreign}
    tune.ask.score.click(**rank, **SCORE).then(**_stale(loop, tune), **LIVE)
    tune.ask.score.click(**judge, **LIVE)
    tune.ask.stop.click(loop.on_stop, **CLICK)
    demo.unload(loop.on_stop)
    # `select`, since `input` also fires when the menu is only looked at and closed, which would undo what was typed.
    for start in (demo.load(**opening, **WORK), tune.ask.scenario.select(**opening, **WORK)):
        start.then(**_preview(loop, tune), **LIVE)
        start.then(**rank, **SCORE).then(**_stale(loop, tune), **LIVE)
        start.then(**judge, **LIVE)
        start.then(lambda: "", None, tune.tray.said, **LIVE)  # what was said of the rows before
    chosen = results.foreign.click(
        border.on_offer, [tune.top.current, *templates], tune.top.opens(templates, instructions), **WORK
    )
    for opened in (tune.top.wire(loop, templates, instructions), chosen):
        opened.then(**_preview(loop, tune), **LIVE).then(**_stale(loop, tune), **LIVE)
        opened.then(**judge, **LIVE)
