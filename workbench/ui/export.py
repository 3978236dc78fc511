"""The Export tab: choose A or B, see every file that goes out, take the bundle or the template alone.

Knows nothing of how a bundle is made; one that does not render is a sentence in place of the files.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from workbench.export import bundle, zip_bundle
from workbench.types import WorkbenchError
from workbench.ui import desk
from workbench.ui.export_view import files_html
from workbench.ui.figures import sentence
from workbench.ui.loop import Loop
from workbench.ui.tune import Tune
from workbench.ui.widgets import LIVE, panel


@dataclass
class Export:
    """Handlers of the tab. `folder` holds downloads until the program ends; each lies under a name nobody can guess."""

    loop: Loop
    folder: TemporaryDirectory[str] = field(default_factory=lambda: TemporaryDirectory(prefix="workbench-export-"))

    def on_export(self, side: str, *values: Any) -> tuple[Any, ...]:
        """(files drawn, bundle button, template button)"""
        off = gr.update(value=None, interactive=False)
        try:
            asked = desk.read(self.loop.bench, *values)
            files = bundle(self.loop.bench, asked.variants[side], asked.query, asked.rows)
        except WorkbenchError as error:
            return f'<p class="error" role="alert">Nothing goes out: {sentence(error)}</p>', off, off
        name = re.sub(r"\W+", "-", values[0].rstrip("/").rsplit("/", 1)[-1]).strip("-") or "reranker"
        place = Path(self.folder.name) / secrets.token_hex(8)
        place.mkdir()
        archive, template = place / f"{name}-{side}.zip", place / "template.jinja"
        archive.write_bytes(zip_bundle(files))
        template.write_bytes(files["template.jinja"])
        on = [gr.update(value=str(path), interactive=True) for path in (archive, template)]
        return files_html(files), *on


def build(loop: Loop, tune: Tune, tab: gr.Tab) -> None:
    """Lays the tab out; it is made anew whenever it is opened or the side changes."""
    export = Export(loop)
    with gr.Row(elem_id="export-row", elem_classes="sheet"):
        side = gr.Radio(
            [("A · Baseline", "a"), ("B · Draft", "b")], value="b", elem_id="export-side", label="Which side",
            show_label=False, container=False,
        )  # fmt: skip
        archive = gr.DownloadButton("Download bundle", elem_id="export-zip", size="sm", variant="primary", min_width=0)
        template = gr.DownloadButton("template.jinja", elem_id="export-template", size="sm", min_width=0)
    files = panel(name="export-files")
    for event in (tab.select, side.input):
        event(export.on_export, [side, *tune.fields], [files, archive, template], **LIVE)
