"""The Tune tab: query, documents, two editors, the prompt, two rankings, and who listens to whom.

Knows nothing of how anything is computed or drawn: fields in, handlers between, panels out. Each part is a file of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.ui import ask, editors, inspector, prompt_panel, results_panel, tray
from workbench.ui.ask import Ask
from workbench.ui.changes import Changes
from workbench.ui.drafts import READ, SAVE, Drafts
from workbench.ui.editors import Editors
from workbench.ui.loop import Loop
from workbench.ui.prompt_panel import PromptPanel
from workbench.ui.results_panel import Results
from workbench.ui.returning import Return
from workbench.ui.top import MOVED, Top
from workbench.ui.tray import Tray
from workbench.ui.widgets import CLICK, COMPOSED, LIVE, QUIET, SCORE, WORK
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
    sheet: inspector.Sheet

    @property
    def fields(self) -> list[Any]:
        return [
            self.top.current, self.top.target, self.ask.query, self.ask.parts, self.tray.items, *self.editors.written
        ]  # fmt: skip

    @property
    def pasted(self) -> list[Any]:
        """What a pasted question fills beside the rows, in `Intake.on_paste`'s order."""
        b = self.editors.b
        return [self.ask.look, self.ask.query, self.ask.parts, self.ask.media, b.instruction, b.template]

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
        inspector.build(),
    )


# ---------------------------------------------------------------- who listens to whom
def wire(demo: gr.Blocks, loop: Loop, tune: Tune, tabs: gr.Tabs) -> None:
    """Connects fields to handlers. Nothing here writes into the field that is typed in."""
    _wire_preview(loop, tune)
    _wire_changes(loop, tune)
    _wire_intake(loop, tune)
    _wire_return(loop, tune, tabs)
    _wire_scoring(demo, loop, tune)
    inspector.wire(loop, tune.sheet, tune.fields)


def filled(tune: Tune) -> list[Any]:
    """What opening a whole question writes, in `Loop.on_scenario`'s order."""
    ask, tray, written = tune.ask, tune.tray, tune.editors.written
    return [ask.look, ask.query, ask.parts, ask.media, *tray.shown, *written, tune.prompt.view]


def follow(change: Any) -> None:
    """What comes after fields were written from elsewhere: the same as after typing, and by the same event. A page takes longer
    to open with every event that it carries."""
    change.then(None, None, None, js=MOVED, **QUIET)


def _preview(loop: Loop, tune: Tune) -> dict[str, Any]:
    return {
        "fn": loop.on_preview, "inputs": [tune.prompt.view, tune.results.scored, *tune.fields], "outputs": tune.previews
    }  # fmt: skip


def _past(loop: Loop, tune: Tune) -> dict[str, Any]:
    outputs = [tune.results.stale, tune.top.status]
    return {"fn": loop.on_ended, "inputs": [tune.results.scored, *tune.fields], "outputs": outputs}


def _lint(loop: Loop, tune: Tune) -> dict[str, Any]:
    sides = [tune.editors.a.lint, tune.editors.b.lint]
    return {"fn": Changes(loop).on_lint, "inputs": [tune.prompt.view, tune.results.scored, *tune.fields], "outputs": sides}


def _settled(loop: Loop, tune: Tune) -> dict[str, Any]:
    """Typing and turning the view overlap: whichever answers last must have drawn what is there now."""
    inputs = [tune.prompt.head, tune.prompt.view, tune.results.scored, *tune.fields]
    return {"fn": loop.on_settled, "inputs": inputs, "outputs": [tune.prompt.head, tune.prompt.prompt, tune.results.stale]}


def _after(event: Any, loop: Loop, tune: Tune) -> None:
    """What follows every preview: what is stale, what would mend what was found, and the draft that the browser keeps."""
    kept = [tune.ask.scenario, tune.top.model, tune.ask.query, *tune.editors.written]
    event.then(None, kept, None, js=SAVE, **QUIET)
    event.then(**_settled(loop, tune), **LIVE)
    event.then(**_lint(loop, tune), **LIVE)


def _wire_changes(loop: Loop, tune: Tune) -> None:
    editors, tray = tune.editors, tune.tray
    inputs = [editors.steps, tune.prompt.view, tune.results.scored, *tune.fields]
    outputs = [editors.steps, editors.b.undo, tray.tray, tune.ask.query, tray.items, *editors.written]
    for panel in editors.clicked:
        follow(panel.click(Changes(loop).on_click, inputs, outputs, **CLICK))


def _wire_preview(loop: Loop, tune: Tune) -> None:
    # A Textbox of Gradio 6.31 says `input` at key presses alone: a paste, a cut, Backspace would leave the preview behind.
    boxes, templates = (tune.ask.query, *tune.editors.instructions), tune.editors.templates
    typed = [*(box.change for box in boxes), *(template.input for template in templates), tune.top.target.input]
    _after(gr.on([*typed, tune.top.moved.click], **_preview(loop, tune), **LIVE, js=COMPOSED), loop, tune)
    looked = [tune.prompt.view, tune.results.scored, *tune.fields]
    for part in (tune.prompt.head, tune.prompt.prompt):
        seen = part.click(loop.on_view, looked, [tune.prompt.view, *tune.previews], **CLICK)
        seen.then(**_settled(loop, tune), **LIVE)
        seen.then(**_lint(loop, tune), **LIVE)


def _ended(run: Any, after: Any, loop: Loop, tune: Tune) -> None:
    """What a run that ended says of fields and of the model may be past; scores that do not spread are found now."""
    after(run.then(**_past(loop, tune), **LIVE))
    run.then(**_lint(loop, tune), **LIVE)


def _wire_intake(loop: Loop, tune: Tune) -> None:
    changes = [*tray.wire(loop, tune.tray, tune.pasted), *ask.wire(loop, tune.ask, tune.tray.said)]
    for change in changes:
        follow(change)


def _wire_return(loop: Loop, tune: Tune, tabs: gr.Tabs) -> None:
    """Rows may have changed in another tab. The tabs' own event, since a tab says `select` when the page opens too."""
    inputs = [tune.tray.items, tune.results.outcome, tune.prompt.view, tune.results.scored, *tune.fields]
    shown = [tune.tray.tray, tune.results.lists, tune.results.scores, tune.results.table]
    _after(tabs.select(Return(loop).on_return, inputs, [*shown, *tune.previews], **LIVE), loop, tune)


def _wire_scoring(demo: gr.Blocks, loop: Loop, tune: Tune) -> None:
    results, templates, instructions = tune.results, tune.editors.templates, tune.editors.instructions
    rank: dict[str, Any] = {
        "fn": loop.on_rank, "inputs": tune.fields,
        "outputs": [
            results.verdict, results.lists, results.scores, results.scored, results.stale, tune.top.status, results.outcome,
        ],
    }  # fmt: skip
    drafts, ask, fills = Drafts(loop), tune.ask, filled(tune)
    chosen_now = [ask.scenario, tune.top.current]
    clean: dict[str, Any] = {"fn": drafts.on_clean, "inputs": [*chosen_now, tune.prompt.view], "outputs": [ask.restored, *fills]}
    loaded = demo.load(
        drafts.on_open, [*chosen_now, ask.kept, tune.prompt.view], [ask.scenario, ask.restored, *fills], js=READ, **LIVE
    )
    border = Border(loop)
    judge: dict[str, Any] = {"fn": border.on_judge, "inputs": tune.fields, "outputs": results.foreign}
    back, after = results_panel.wire(loop, results, tune.fields, [tune.editors.b.template, tune.editors.b.instruction])
    scoring = tune.ask.score.click(**rank, **SCORE)
    _ended(scoring, after, loop, tune)
    tune.ask.score.click(**judge, **LIVE)
    tune.ask.stop.click(loop.on_stop, **CLICK)
    demo.unload(loop.on_stop)
    # `select`, since `input` also fires when the menu is only looked at and closed, which would undo what was typed.
    for start in (loaded, ask.scenario.select(**clean, **WORK), ask.restored.click(**clean, **WORK)):
        follow(start)
        begun = [tune.editors.steps, tune.editors.b.undo, tune.tray.said]  # what was said of the rows and edits before
        start.then(lambda: ([], "", ""), None, begun, **LIVE)
        _ended(start.then(**rank, **SCORE), after, loop, tune)
        start.then(**judge, **LIVE)
    follow(back)
    _ended(back.then(**rank, **SCORE), after, loop, tune)
    chosen = results.foreign.click(
        border.on_offer, [tune.top.current, *templates], tune.top.opens(templates, instructions), **WORK
    )
    for opened in (tune.top.wire(loop, templates, instructions), chosen):
        follow(opened)
        opened.then(**judge, **LIVE)
