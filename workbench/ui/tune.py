"""The Tune tab: query, documents, two editors, the prompt, two rankings, and who listens to whom.

Knows nothing of how anything is computed or drawn: fields in, handlers between, panels out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.scenario import titles
from workbench.ui.intake import Intake
from workbench.ui.loop import Loop
from workbench.ui.top import Top
from workbench.ui.widgets import CLICK, LIVE, SCORE, WORK, button, editor, line, panel
from workbench.ui.world import Border


@dataclass
class Side:
    """The parts of one editor."""

    head: gr.HTML
    instruction: gr.Textbox
    silent: gr.HTML
    template: gr.Code
    lint: gr.HTML


@dataclass
class Tune:
    """The tab's components; `fields` are what every question to the bench is read from, in `desk.read`'s order."""

    top: Top
    scenario: gr.Dropdown
    query: gr.Textbox
    query_files: gr.UploadButton
    query_media: gr.HTML
    score: gr.Button
    stop: gr.Button
    look: gr.HTML
    tray: gr.HTML
    add_text: gr.Button
    files: gr.UploadButton
    add_scene: gr.Button
    gallery: gr.HTML
    paste: gr.Textbox
    paste_go: gr.Button
    said: gr.HTML
    a: Side
    b: Side
    preview_head: gr.HTML
    preview: gr.HTML
    verdict: gr.HTML
    stale: gr.HTML
    foreign: gr.HTML
    results: gr.HTML
    scores: gr.HTML
    query_parts: gr.State
    items: gr.State
    view: gr.State
    scored: gr.State
    drawn: gr.State

    @property
    def fields(self) -> list[Any]:
        return [
            self.top.current, self.top.target, self.query, self.query_parts, self.items, self.a.template, self.a.instruction,
            self.b.template, self.b.instruction,
        ]  # fmt: skip

    @property
    def previews(self) -> list[Any]:
        return [
            self.a.silent, self.b.silent, self.a.head, self.a.lint, self.b.head, self.b.lint, self.preview_head, self.preview,
            self.stale,
        ]  # fmt: skip


def build(loop: Loop, top: Top) -> Tune:
    """Lays the tab out from top to bottom."""
    parts: dict[str, Any] = {"top": top, "query_parts": gr.State([]), "items": gr.State([])}
    parts |= {"view": gr.State({"side": "b", "at": 0}), "scored": gr.State({})}
    parts |= {"drawn": gr.State(False)}
    parts |= _query_row(loop, top) | _documents(loop)
    with gr.Row(elem_id="editors", equal_height=True):
        parts |= {"a": _side("a", top.hint), "b": _side("b", top.hint)}
    with gr.Column(elem_id="preview", elem_classes="sheet"):
        parts |= {
            "preview_head": panel(name="preview-head", events=True, classes="head"),
            "preview": panel(name="prompt"),
        }
    parts |= _results()
    return Tune(**parts)


def _query_row(loop: Loop, top: Top) -> dict[str, Any]:
    found = titles(loop.scenarios)
    parts: dict[str, Any] = {}
    with gr.Column(elem_id="ask", elem_classes="sheet"):
        with gr.Row(elem_id="ask-row"):
            parts["scenario"] = gr.Dropdown(
                [(title, name) for name, title in found.items()], value=next(iter(found), None), elem_id="scenario",
                label="Scenario", show_label=False, container=False, filterable=False,
            )  # fmt: skip
            parts["query_media"] = panel(name="query-media", events=True)
            parts["query"] = line("query", placeholder="Query", label="Query", most=4)
            parts["query_files"] = gr.UploadButton(
                "+ picture", elem_id="query-files", file_types=["image", "video"], file_count="multiple", size="sm",
                variant="secondary", min_width=0,
            )  # fmt: skip
            parts["score"] = button("Score", name="score", go=True)
            parts["stop"] = button("Stop", name="stop")
        with gr.Row(elem_id="notes"):
            parts["look"] = panel(name="look")
            top.knows.render()
    return parts


def _documents(loop: Loop) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_id="documents", elem_classes="sheet"):
        with gr.Row(elem_id="documents-row"):
            parts["tray"] = panel(name="tray", events=True)
            parts["add_text"] = button("+ text", name="add-text")
            parts["files"] = gr.UploadButton(
                "+ files", elem_id="files", file_count="multiple", size="sm", variant="secondary", min_width=0
            )
            there = loop.scenes is not None and (loop.scenes / "index.json").is_file()
            parts["add_scene"] = button("+ scene", name="add-scene", there=there)
            panel(
                '<button type="button" class="small" data-toggle="paste">Paste</button>'
                '<button type="button" class="small" data-toggle="tray">Edit</button>',
                name="tray-tools",
            )
        parts["gallery"] = panel(name="scenes", events=True)
        with gr.Row(elem_id="paste-row"):
            parts["paste"] = line(
                "paste", label="Paste", lines=3, most=6,
                placeholder="A /rerank body, a curl line, query⇥document⇥grade rows, JSON lines, or one document per line",
            )  # fmt: skip
            parts["paste_go"] = button("Fill the fields", name="paste-go")
        parts["said"] = panel(name="said")
    return parts


def _side(side: str, hint: str) -> Side:
    with gr.Column(elem_id=f"side-{side}", elem_classes=["sheet", "side", side.upper()], min_width=280):
        head = panel(name=f"head-{side}", classes="head")
        with gr.Row(elem_classes="field"):
            panel('<span class="name" aria-hidden="true">Instruction</span>', name=f"label-{side}")
            instruction = line(f"instruction-{side}", label=f"Instruction {side.upper()}", placeholder=hint, most=3)
        silent = panel(name=f"silent-{side}")
        template = editor(f"template-{side}", label=f"Template {side.upper()}")
        lint = panel(name=f"lint-{side}", classes="lint")
    return Side(head, instruction, silent, template, lint)


def _results() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_id="results", elem_classes="sheet"):
        with gr.Row(elem_id="verdict-row"):
            parts["verdict"] = panel(name="verdict")
            parts["stale"] = panel(name="stale")
        parts["foreign"] = panel(name="foreign", events=True)
        with gr.Tabs(elem_id="result-views"):
            with gr.Tab("List", id="list"):
                parts["results"] = panel(name="lists")
            with gr.Tab("Scores", id="scores"):
                parts["scores"] = panel(name="score-chart")
    return parts


# ---------------------------------------------------------------- who listens to whom
def wire(demo: gr.Blocks, loop: Loop, tune: Tune) -> None:
    """Connects fields to handlers. Nothing here writes into the field that is typed in."""
    _wire_preview(loop, tune)
    _wire_intake(loop, tune)
    _wire_scoring(demo, loop, tune)


def _preview(loop: Loop, tune: Tune) -> dict[str, Any]:
    return {"fn": loop.on_preview, "inputs": [tune.view, tune.scored, *tune.fields], "outputs": tune.previews}


def _stale(loop: Loop, tune: Tune) -> dict[str, Any]:
    return {"fn": loop.on_stale, "inputs": [tune.scored, *tune.fields], "outputs": tune.stale}


def _wire_preview(loop: Loop, tune: Tune) -> None:
    # A Textbox of Gradio 6.31 says `input` at key presses alone: a paste, a cut, Backspace would leave the preview behind.
    boxes, editors = (tune.query, tune.a.instruction, tune.b.instruction), (tune.a.template, tune.b.template)
    typed = [*(box.change for box in boxes), *(editor.input for editor in editors), tune.top.target.input]
    gr.on(typed, **_preview(loop, tune), **LIVE).then(**_stale(loop, tune), **LIVE)
    tune.preview_head.click(loop.on_view, [tune.view, tune.scored, *tune.fields], [tune.view, *tune.previews], **CLICK)


def _wire_intake(loop: Loop, tune: Tune) -> None:
    intake, shown = Intake(loop), [tune.items, tune.tray]
    pasted = [
        *shown,
        tune.said,
        tune.look,
        tune.query,
        tune.query_parts,
        tune.query_media,
        tune.b.instruction,
        tune.b.template,
    ]
    media = [tune.query_parts, tune.query_media]
    changes = [
        tune.tray.click(intake.on_tray, tune.items, shown, **CLICK),
        tune.tray.input(intake.on_edit, tune.items, tune.items, **CLICK),
        tune.add_text.click(intake.on_text, tune.items, shown, **CLICK),
        tune.files.upload(intake.on_files, [tune.files, tune.items], shown, **WORK),
        tune.query_files.upload(
            intake.on_query_files, [tune.query_files, tune.query_parts], [*media, tune.said], **WORK
        ),
        tune.query_media.click(intake.on_query_media, tune.query_parts, media, **CLICK),
        tune.gallery.click(intake.on_scene, tune.items, [*shown, tune.said], **CLICK),
        tune.paste_go.click(intake.on_paste, [tune.paste, tune.items], pasted, **WORK),
    ]
    tune.add_scene.click(intake.on_gallery, tune.drawn, [tune.gallery, tune.drawn], **LIVE)
    for change in changes:
        change.then(**_preview(loop, tune), **LIVE).then(**_stale(loop, tune), **LIVE)


def _wire_scoring(demo: gr.Blocks, loop: Loop, tune: Tune) -> None:
    rank: dict[str, Any] = {
        "fn": loop.on_rank, "inputs": tune.fields,
        "outputs": [tune.verdict, tune.results, tune.scores, tune.scored, tune.stale, tune.top.status],
    }  # fmt: skip
    filled = [
        tune.look, tune.query, tune.query_parts, tune.query_media, tune.items, tune.tray, tune.a.template, tune.a.instruction,
        tune.b.template, tune.b.instruction, tune.view,
    ]  # fmt: skip
    opening = {"fn": loop.on_scenario, "inputs": [tune.scenario, tune.top.current], "outputs": filled}
    border = Border(loop)
    judge: dict[str, Any] = {"fn": border.on_judge, "inputs": tune.fields, "outputs": tune.foreign}
    tune.score.click(**rank, **SCORE).then(**_stale(loop, tune), **LIVE)
    tune.score.click(**judge, **LIVE)
    tune.stop.click(loop.on_stop, **CLICK)
    demo.unload(loop.on_stop)
    # `select`, since `input` also fires when the menu is only looked at and closed, which would undo what was typed.
    for start in (demo.load(**opening, **WORK), tune.scenario.select(**opening, **WORK)):
        start.then(**_preview(loop, tune), **LIVE)
        start.then(**rank, **SCORE).then(**_stale(loop, tune), **LIVE)
        start.then(**judge, **LIVE)
        start.then(lambda: "", None, tune.said, **LIVE)  # what was said of the rows before
    sides = (tune.a, tune.b)
    templates, instructions = [s.template for s in sides], [s.instruction for s in sides]
    chosen = tune.foreign.click(
        border.on_offer, [tune.top.current, *templates], tune.top.opens(templates, instructions), **WORK
    )
    for opened in (tune.top.wire(loop, templates, instructions), chosen):
        opened.then(**_preview(loop, tune), **LIVE).then(**_stale(loop, tune), **LIVE)
        opened.then(**judge, **LIVE)
