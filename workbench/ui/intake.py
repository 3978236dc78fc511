"""The handlers by which documents and the query's pictures come in: tray, uploads, paste.

Knows nothing of layout or scoring; whatever cannot be read becomes a row that says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.paste import Pasted, read_paste
from workbench.scenario import Scene, read_scenes
from workbench.types import Document, Text
from workbench.ui import desk
from workbench.ui.edits import place, removed
from workbench.ui.figures import count, esc, picture_of, sentence
from workbench.ui.loop import Loop
from workbench.ui.page_view import look_html
from workbench.ui.quota import pasted_bytes
from workbench.ui.rows import Item, parts_of, plain_rows, row_of, with_text
from workbench.ui.tray_view import gallery_html
from workbench.ui.uploads import Uploads, fitted, take


@dataclass
class Intake:
    """Handlers that change the tray. Each returns (items, tray) first."""

    loop: Loop
    skip: Any = field(default_factory=gr.skip)

    def on_tray(self, event: gr.EventData, items: list[Item]) -> tuple[Any, ...]:
        """A cross: the row goes. (items, tray)"""
        data = event._data if isinstance(event._data, dict) else {}
        left = removed(items, {str(data.get("id"))})
        if data.get("do") != "remove" or len(left) == len(items):
            return self.skip, self.skip
        return left, self.loop.tray(left)

    def on_edit(self, event: gr.EventData, items: list[Item]) -> Any:
        """Typing in a row: the text changes, and nothing is written back to where it is typed. (items)"""
        data = event._data if isinstance(event._data, dict) else {}
        at = place(items, str(data.get("id")))
        if at is None:
            return self.skip
        return [with_text(item, str(data["text"])) if i == at else item for i, item in enumerate(items)]

    def on_text(self, items: list[Item]) -> tuple[Any, ...]:
        """An empty row to type in. (items, tray, said)"""
        items, said = fitted(items, plain_rows([Document("", (Text(""),))]))
        return items, self.loop.tray(items), said

    def on_take(self, items: list[Item], incoming: list[Any], taken: list[str]) -> tuple[Any, ...]:
        """What was read of uploads is put in. (items, tray, said, taken)"""
        items, taken, said = take(items, incoming, taken)
        return items, self.loop.tray(items), said, taken

    def on_query_files(
        self, files: Sequence[str] | None, parts: list[list[Any]], request: gr.Request
    ) -> tuple[Any, ...]:
        """Pictures and clips of the query. (parts, drawn, said)"""
        uploads, session = Uploads(self.loop), str(request.session_hash)
        rows = [row_of(item) for file in files or () for item in uploads.items(Path(file), session)]
        good = [p for row in rows if isinstance(row, Document) for p in parts_of(row.content) if p[0] != "text"]
        bad = [row for row in rows if isinstance(row, WorkbenchError)]
        said = "".join(f'<span class="error" data-say="alert">{sentence(error)}</span>' for error in bad)
        return [*parts, *good], self.loop.query_media([*parts, *good]), said

    def on_query_media(self, event: gr.EventData, parts: list[list[Any]]) -> tuple[Any, ...]:
        """A cross at a picture of the query. (parts, drawn)"""
        index = _index(event, len(parts))
        if index is None:
            return self.skip, self.skip
        parts = [*parts[:index], *parts[index + 1 :]]
        return parts, self.loop.query_media(parts)

    # ------------------------------------------------------------ scenes
    def on_gallery(self, drawn: bool) -> tuple[Any, Any]:
        """The shipped scenes, drawn when they are first asked for. (gallery, it is drawn)"""
        if drawn:
            return self.skip, self.skip
        try:
            scenes = self._scenes()
            media = [self.loop.bench.library.add_file(scene.path) for scene in scenes]
        except WorkbenchError as error:
            return f'<span class="error" data-say="alert">{sentence(error)}</span>', self.skip
        pictures = [picture_of([part], desk.thumb(self.loop.bench)) for part in media]
        return gallery_html([scene.label for scene in scenes], pictures), True

    def on_scene(self, event: gr.EventData, items: list[Item]) -> tuple[Any, ...]:
        """A click on a scene: a row as an upload makes it, under the scene's label, without a grade. (items, tray, said)"""
        try:
            scenes = self._scenes()
            index = _index(event, len(scenes))
            if index is None:
                return (self.skip,) * 3
            scene = scenes[index]
            row = desk.checked(self.loop.bench, Document("", (self.loop.bench.library.add_file(scene.path),)))
        except WorkbenchError as error:
            return self.skip, self.skip, f'<span class="error" data-say="alert">{sentence(error)}</span>'
        items, over = fitted(items, plain_rows([row], [scene.label]))
        said = over or f'added <span translate="no">{esc(scene.label)}</span>: {count(len(items), "row")}'
        return items, self.loop.tray(items), f'<span class="ok" data-say="status">{said}</span>'

    def _scenes(self) -> tuple[Scene, ...]:
        return read_scenes(self.loop.scenes) if self.loop.scenes else ()

    # ------------------------------------------------------------ paste
    def on_paste(self, text: str, items: list[Item], request: gr.Request) -> tuple[Any, ...]:
        """(items, tray, said, look, query, query parts, query media, instruction B, template B).

        Text with a query replaces what is on the screen; documents alone are put behind the others.
        """
        try:
            if sent := pasted_bytes(text or ""):
                self.loop.quota.take(str(request.session_hash), sent, "the paste")
            pasted = read_paste(text or "", self.loop.bench)
        except WorkbenchError as error:
            return (
                self.skip,
                self.skip,
                f'<span class="error" data-say="alert">{sentence(error)}</span>',
                *[self.skip] * 6,
            )
        rows = [desk.checked(self.loop.bench, row) for row in pasted.rows]
        new, over = fitted(items if pasted.query is None else [], plain_rows(rows, pasted.labels, pasted.grades))
        said = f'<span class="ok">{_said(pasted)}</span>' + (f' <span class="flag">{over}</span>' if over else "")
        return (new, self.loop.tray(new), said, *self._query(pasted), *_draft(pasted, self.skip))

    def _query(self, pasted: Pasted) -> tuple[Any, ...]:
        if pasted.query is None:
            return (self.skip,) * 4
        text = "\n".join(p.text for p in pasted.query.content if isinstance(p, Text))
        parts = parts_of([p for p in pasted.query.content if not isinstance(p, Text)])
        return look_html(), text, parts, self.loop.query_media(parts)


def _draft(pasted: Pasted, skip: Any) -> tuple[Any, Any]:
    """What the text brought for B; A is the baseline and stays."""
    return (
        skip if pasted.instruction is None else pasted.instruction,
        skip if pasted.template is None else pasted.template,
    )


def _said(pasted: Pasted) -> str:
    parts = [f"{pasted.kind}: {count(len(pasted.rows), 'document')}"]
    graded = sum(g is not None for g in pasted.grades)
    parts += [count(graded, "grade")] if graded else []
    parts += ["instruction → B"] if pasted.instruction is not None else []
    parts += ["template → B"] if pasted.template is not None else []
    return esc(" · ".join([*parts, *pasted.notes]))


def _index(event: gr.EventData, length: int) -> int | None:
    """The row an event names, checked: it comes from the browser."""
    raw = (event._data or {}).get("index") if isinstance(event._data, dict) else None
    try:
        index = int(str(raw))
    except ValueError:
        return None
    return index if 0 <= index < length else None
