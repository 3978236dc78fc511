"""The Export tab, guided: choose a side, check it, choose what serves it, download.

Knows nothing of how a bundle is made; what does not render is a sentence in place of the files.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.export import (
    Outgoing,
    TargetRow,
    compatibility,
    files_of,
    linted,
    outgoing,
    prove,
    prove_sound,
    zip_bundle,
)
from workbench.export.targets import TARGETS
from workbench.template import split_facts
from workbench.types import Document, Query, Text
from workbench.ui import aims, desk
from workbench.ui.export_view import files_html, findings_html, offers_html, targets_html, working_html
from workbench.ui.figures import sentence
from workbench.ui.loop import Loop
from workbench.ui.preview import View
from workbench.ui.tune import Tune, follow
from workbench.ui.widgets import LIVE, SCORE, panel

KEPT = 4  # checked prompts, so that another target of one is there at once
Checked = tuple[Outgoing, tuple[TargetRow, ...]]
OFF: dict[str, Any] = {"value": None, "interactive": False}


@dataclass
class Export:
    """Handlers of the tab. `folder` holds downloads until the program ends; each lies under a name nobody can guess.

    `checked` remembers what was scored, by what was asked.
    """

    loop: Loop
    folder: TemporaryDirectory[str] = field(default_factory=lambda: TemporaryDirectory(prefix="workbench-export-"))
    checked: OrderedDict[str, Checked] = field(default_factory=OrderedDict)

    def on_look(self, side: str, target: str, synthetic: bool, *values: Any) -> tuple[Any, ...]:
        """(files drawn, bundle button, template button): the whole bundle where this was checked before, else its template."""
        try:
            asked = desk.read(self.loop.bench, *values)
            if (done := self.checked.get(_key(asked, side, synthetic))) is not None:
                return self._whole(side, target, done, values[0])
            variant, baked = prove(self.loop.bench, asked.variants[side], asked.query, asked.rows)
            prove_sound(self.loop.bench, variant, asked.query, asked.rows)
            found = linted(self.loop.bench, variant, baked, asked.query, asked.rows)
        except WorkbenchError as error:
            return _refused(error)
        own = desk.body_of(self.loop.bench, values[0])
        alone = (
            bool(variant.instruction) and variant.template is not None and split_facts(variant.template.body)[1] == own
        )
        files = {**_template(baked), "request.json": _request(asked, side)}
        offers = offers_html(variant.instruction or "", files["request.json"]) if alone else ""
        drawn = findings_html(found) + offers + files_html(files)
        return drawn, gr.update(**OFF), self._alone(baked)

    def on_check(self, side: str, target: str, synthetic: bool, *values: Any) -> Iterator[tuple[Any, ...]]:
        """As `on_look`, once the golden pairs are scored and every target is asked for its tokens."""
        yield working_html(), gr.update(**OFF), gr.skip()
        try:
            bench = self.loop.bench
            asked = desk.read(bench, *values)
            prove_sound(bench, asked.variants[side], asked.query, asked.rows)
            out = outgoing(
                bench, asked.variants[side], asked.query, asked.rows, synthetic=synthetic, grades=_grades(asked)
            )
            done = self.checked[_key(asked, side, synthetic)] = (out, compatibility(bench, out))
            while len(self.checked) > KEPT:
                self.checked.popitem(last=False)
            yield self._whole(side, target, done, values[0])
        except WorkbenchError as error:
            yield _refused(error)

    def on_told(self, side: str, synthetic: bool, view: View, *values: Any) -> Any:
        """The preview's view, which now knows what the check said of this prompt, for the linter. (view)"""
        with contextlib.suppress(WorkbenchError):
            asked = desk.read(self.loop.bench, *values)
            if (done := self.checked.get(_key(asked, side, synthetic))) is not None:
                return aims.told(view, asked.prints[side], done[1])
        return gr.skip()

    def _whole(self, side: str, target: str, done: Checked, model: str) -> tuple[Any, ...]:
        out, rows = done
        drawn = findings_html(out.findings) + targets_html(rows, target, len(out.golden))
        template = self._alone(out.template)
        if not next(r for r in rows if r.name == target).ok:
            return drawn, gr.update(**OFF), template
        files = files_of(self.loop.bench, out.aimed(target), rows)
        name = re.sub(r"\W+", "-", model.rstrip("/").rsplit("/", 1)[-1]).strip("-") or "reranker"
        return drawn + files_html(files), self._download(f"{name}-{side}.zip", zip_bundle(files)), template

    def _alone(self, template: str) -> Any:
        """The template's own download; off where the model reads its tokenizer's pair and there is none."""
        return self._download("template.jinja", template.encode()) if template else gr.update(**OFF)

    def _download(self, name: str, data: bytes) -> Any:
        place = Path(self.folder.name) / secrets.token_hex(8)
        place.mkdir()
        (place / name).write_bytes(data)
        return gr.update(value=str(place / name), interactive=True)


def _template(text: str) -> dict[str, bytes]:
    return {"template.jinja": text.encode()} if text else {}


def _key(asked: desk.Asked, side: str, synthetic: bool) -> str:
    """What the files of a bundle depend on: the grades too, which the results do not."""
    return f"{asked.prints[side]} {synthetic} {_grades(asked)}"


def _grades(asked: desk.Asked) -> list[int | None]:
    return [item["grade"] for item in asked.items]


def _refused(error: WorkbenchError) -> tuple[Any, ...]:
    return f'<p class="error" data-say="alert">Nothing goes out: {sentence(error)}</p>', gr.update(**OFF), gr.update(**OFF)


def _request(asked: desk.Asked, side: str) -> bytes:
    """The question on the screen as a body of /rerank: texts only, since a server needs media as data URLs."""
    query = _text(asked.query)
    documents = [_text(r) for r in asked.rows if isinstance(r, Document)]
    body = {"query": query or "query", "documents": [d for d in documents if d][:10] or ["document"]}
    if word := asked.variants[side].instruction:
        body["instruction"] = word
    return (json.dumps(body, ensure_ascii=False, indent=1) + "\n").encode()


def _text(side: Query | Document) -> str:
    return "\n".join(p.text for p in side.content if isinstance(p, Text))


def build(loop: Loop, tune: Tune, tab: gr.Tab) -> None:
    """Lays the tab out from left to right: choose, check, target, download. It is made anew whenever it is opened."""
    export = Export(loop)
    with gr.Row(elem_id="export-row", elem_classes="sheet"):
        side = gr.Radio(
            [("A · Baseline", "a"), ("B · Draft", "b")], value="b", elem_id="export-side", label="Which side",
            show_label=False, container=False,
        )  # fmt: skip
        synthetic = gr.Checkbox(
            False, elem_id="export-synthetic", label="Made-up documents", container=False, min_width=0
        )
        check = gr.Button("Check", elem_id="export-check", size="sm", min_width=0)
        target = gr.Dropdown(
            [(t.title.replace("`", ""), name) for name, t in TARGETS.items()], value="vllm", elem_id="export-target",
            label="Target", show_label=False, container=False, filterable=False, min_width=200,
        )  # fmt: skip
        archive = gr.DownloadButton(
            "Download bundle", elem_id="export-zip", size="sm", variant="primary", min_width=0, interactive=False
        )
        template = gr.DownloadButton(
            "template.jinja", elem_id="export-template", size="sm", min_width=0, interactive=False
        )
    files = panel(name="export-files")
    fields, shown = [side, target, synthetic, *tune.fields], [files, archive, template]
    for event in (tab.select, side.input, target.input, synthetic.input):
        event(export.on_look, fields, shown, **LIVE)
    checked = check.click(export.on_check, fields, shown, **SCORE)
    view = tune.prompt.view
    told = checked.then(export.on_told, [side, synthetic, view, *tune.fields], view, **LIVE)
    follow(told)
