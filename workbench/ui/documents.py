"""The Documents tab: every row in full, over the same rows as the tray of the Tune tab.

Knows nothing of how rows are drawn or changed. Each tab is drawn when it is opened, so what changed in the other is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from workbench.ui.documents_handlers import Documents
from workbench.ui.loop import Loop
from workbench.ui.tune import Tune
from workbench.ui.uploads import Uploads
from workbench.ui.widgets import CLICK, FILES, LIVE, ROWS, WORK, panel


@dataclass
class DocumentsTab:
    """`undo`: changes that can be taken back; `page`: which rows are drawn; `into`: the row that the next file is added to."""

    listing: gr.HTML
    said: gr.HTML
    figures: gr.HTML
    files: gr.UploadButton
    folder: gr.UploadButton
    part: gr.UploadButton
    undo: gr.State
    page: gr.State
    into: gr.State


def build() -> DocumentsTab:
    undo, page, into = gr.State([]), gr.State(0), gr.State("")
    with gr.Column(elem_id="rows-sheet", elem_classes="sheet"):
        listing = panel(name="rows", events=True)
        said = panel(name="rows-said")
        figures = panel(name="rows-figures")
        with gr.Row(elem_id="rows-uploads"):  # the page's script opens these
            files = _upload("rows-files", "multiple")
            folder = _upload("rows-folder", "directory")
            part = _upload("rows-part", "multiple", ["image", "video"])
    return DocumentsTab(listing, said, figures, files, folder, part, undo, page, into)


def _upload(name: str, several: Literal["multiple", "directory"], types: list[str] | None = None) -> gr.UploadButton:
    """A button in a box of its own: Gradio puts the field of the files beside it, without a name."""
    with gr.Column(elem_id=name):
        return gr.UploadButton(name, file_count=several, file_types=types)


def wire(demo: gr.Blocks, loop: Loop, tab: DocumentsTab, tune: Tune, opened: gr.Tab) -> None:
    """Connects the tab's fields to its handlers. Nothing here writes into the field that is typed in."""
    handlers, uploads, tray = Documents(loop), Uploads(loop), tune.tray
    state = [tray.items, tab.undo, tab.page, tune.top.current]
    drawn = [tray.items, tab.undo, tab.page, tab.listing, tab.said]
    waiting = [tray.incoming, tray.taken]
    typed = tab.listing.input(handlers.on_type, tray.items, tray.items, **ROWS)
    clicked = tab.listing.click(handlers.on_list, state, drawn, **ROWS)
    tab.listing.click(handlers.on_into, tab.into, tab.into, **CLICK)
    pasted = tab.listing.submit(handlers.on_paste, state, [*drawn, *tune.pasted], **ROWS)
    changes = [typed, clicked, pasted]
    for button, read in ((tab.files, uploads.on_files), (tab.folder, uploads.on_folder)):
        came = button.upload(read, [button, *waiting], tray.incoming, **FILES)
        changes.append(came.then(handlers.on_take, [*state, *waiting], [*drawn, tray.taken], **ROWS))
    came = tab.part.upload(uploads.on_files, [tab.part, *waiting], tray.incoming, **FILES)
    changes.append(came.then(handlers.on_part, [*state, *waiting, tab.into], [*drawn, tray.taken], **ROWS))
    shown = opened.select(handlers.on_show, state, tab.listing, **LIVE)
    figures: dict[str, Any] = {
        "fn": handlers.on_figures, "inputs": [tab.page, *tune.fields], "outputs": tab.figures, **WORK,
        "trigger_mode": "always_last",
    }  # fmt: skip
    for change in (*changes, shown):
        change.then(**figures)
    tune.ask.scenario.select(lambda: ([], 0), None, [tab.undo, tab.page], **LIVE)  # other rows: nothing of before comes back
    demo.unload(uploads.on_leave)
