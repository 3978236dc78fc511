"""The tray of documents in the Tune tab, its handlers connected.

Knows nothing of layout elsewhere: `wire` takes the fields that a pasted question fills.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.ui.intake import Intake
from workbench.ui.loop import Loop
from workbench.ui.uploads import Uploads
from workbench.ui.widgets import FILES, LIVE, ROWS, button, line, panel


@dataclass
class Tray:
    """`items`: the rows as plain values (`rows.Item`); `drawn`: whether the scenes to add were drawn yet; `incoming`: what was
    read of uploads; `taken`: keys of what of it has been put in."""

    tray: gr.HTML
    add_text: gr.Button
    files: gr.UploadButton
    add_scene: gr.Button
    gallery: gr.HTML
    paste: gr.Textbox
    paste_go: gr.Button
    said: gr.HTML
    items: gr.State
    drawn: gr.State
    incoming: gr.State
    taken: gr.State

    @property
    def shown(self) -> list[Any]:
        return [self.items, self.tray]


def build(loop: Loop) -> Tray:
    items, drawn = gr.State([]), gr.State(False)
    with gr.Column(elem_id="documents", elem_classes="sheet"):
        with gr.Row(elem_id="documents-row"):
            tray = panel(name="tray", events=True)
            add_text = button("+ text", name="add-text")
            files = gr.UploadButton(
                "+ files", elem_id="files", file_count="multiple", size="sm", variant="secondary", min_width=0
            )
            there = loop.scenes is not None and (loop.scenes / "index.json").is_file()
            add_scene = button("+ scene", name="add-scene", there=there)
            panel(
                '<button type="button" class="small" data-toggle="paste">Paste</button>'
                '<button type="button" class="small" data-toggle="tray">Edit</button>',
                name="tray-tools",
            )
        gallery = panel(name="scenes", events=True)
        with gr.Row(elem_id="paste-row"):
            paste = line(
                "paste", label="Paste", lines=3, most=6,
                placeholder="A /rerank body, a curl line, query⇥document⇥grade rows, JSON lines, or one document per line",
            )  # fmt: skip
            paste_go = button("Fill the fields", name="paste-go")
        said = panel(name="said")
    return Tray(tray, add_text, files, add_scene, gallery, paste, paste_go, said, items, drawn, gr.State([]), gr.State([]))


def wire(loop: Loop, tray: Tray, pasted: list[Any]) -> list[Any]:
    """The events that change rows, for the caller to add what follows. `pasted`: what a pasted question fills beside the rows."""
    intake, uploads, shown = Intake(loop), Uploads(loop), tray.shown
    tray.add_scene.click(intake.on_gallery, tray.drawn, [tray.gallery, tray.drawn], **LIVE)
    read = tray.files.upload(uploads.on_files, [tray.files, tray.incoming, tray.taken], tray.incoming, **FILES)
    return [
        tray.tray.click(intake.on_tray, tray.items, shown, **ROWS),
        tray.tray.input(intake.on_edit, tray.items, tray.items, **ROWS),
        tray.add_text.click(intake.on_text, tray.items, [*shown, tray.said], **ROWS),
        read.then(intake.on_take, [tray.items, tray.incoming, tray.taken], [*shown, tray.said, tray.taken], **ROWS),
        tray.gallery.click(intake.on_scene, tray.items, [*shown, tray.said], **ROWS),
        tray.paste_go.click(intake.on_paste, [tray.paste, tray.items], [*shown, tray.said, *pasted], **ROWS),
    ]
