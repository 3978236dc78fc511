"""The handlers by which documents and the query's pictures come in: tray, uploads, paste.

Knows nothing of layout or scoring; whatever cannot be read becomes a row that says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.paste import Pasted, read_paste
from workbench.scenario import Scene, read_scenes
from workbench.types import Document, RequestInvalid, Row, Text, WorkbenchError
from workbench.ui import desk
from workbench.ui.figures import count, esc, picture_of, sentence
from workbench.ui.loop import Loop
from workbench.ui.page_view import look_html
from workbench.ui.rows import Item, named, parts_of, with_text
from workbench.ui.tray_view import gallery_html

LISTS = {".txt", ".tsv", ".json", ".jsonl", ".ndjson", ".md", ".csv"}
MOST = 1000


@dataclass
class Intake:
    """Handlers that change the tray. Each returns (items, tray) first."""

    loop: Loop
    skip: Any = field(default_factory=gr.skip)

    def on_tray(self, event: gr.EventData, items: list[Item]) -> tuple[Any, ...]:
        """A cross: the row goes. (items, tray)"""
        index = _index(event, len(items))
        if index is None or (event._data or {}).get("do") != "remove":
            return self.skip, self.skip
        items = [*items[:index], *items[index + 1 :]]
        return items, self.loop.tray(items)

    def on_edit(self, event: gr.EventData, items: list[Item]) -> Any:
        """Typing in a row: the text changes, and nothing is written back to where it is typed. (items)"""
        index = _index(event, len(items))
        if index is None:
            return self.skip
        return [with_text(item, str(event._data["text"])) if i == index else item for i, item in enumerate(items)]

    def on_text(self, items: list[Item]) -> tuple[Any, ...]:
        """An empty row to type in. (items, tray)"""
        items = named(items, [Document("", (Text(""),))])
        return items, self.loop.tray(items)

    def on_files(self, files: Sequence[str] | None, items: list[Item]) -> tuple[Any, ...]:
        """Uploads: pictures, clips, and lists of texts. (items, tray)"""
        rows: list[Row] = [row for file in files or () for row in self._file(Path(file))]
        items = named(items, rows[: max(MOST - len(items), 0)])
        return items, self.loop.tray(items)

    def on_query_files(self, files: Sequence[str] | None, parts: list[list[str]]) -> tuple[Any, ...]:
        """Pictures and clips of the query. (parts, drawn, said)"""
        rows = [row for file in files or () for row in self._file(Path(file))]
        good = [p for row in rows if isinstance(row, Document) for p in parts_of(row.content) if p[0] != "text"]
        bad = [row for row in rows if isinstance(row, WorkbenchError)]
        said = "".join(f'<span class="error" role="alert">{sentence(error)}</span>' for error in bad)
        return [*parts, *good], self.loop.query_media([*parts, *good]), said

    def on_query_media(self, event: gr.EventData, parts: list[list[str]]) -> tuple[Any, ...]:
        """A cross at a picture of the query. (parts, drawn)"""
        index = _index(event, len(parts))
        if index is None:
            return self.skip, self.skip
        parts = [*parts[:index], *parts[index + 1 :]]
        return parts, self.loop.query_media(parts)

    def _file(self, path: Path) -> list[Row]:
        """The rows of one upload; its temporary copy goes."""
        try:
            data = path.read_bytes()
            path.unlink(missing_ok=True)
            if path.suffix.lower() in LISTS:
                return list(read_paste(data.decode("utf-8-sig"), self.loop.bench).rows)
            part = self.loop.bench.library.add(data, path.name)
            return [desk.checked(self.loop.bench, Document("", (part,)))]
        except WorkbenchError as error:
            return [error if error.where else RequestInvalid(error.message, where=path.name, hint=error.hint)]
        except (OSError, UnicodeDecodeError) as error:
            return [RequestInvalid(f"cannot be read ({error})", where=path.name)]

    # ------------------------------------------------------------ scenes
    def on_gallery(self, drawn: bool) -> tuple[Any, Any]:
        """The shipped scenes, drawn when they are first asked for. (gallery, it is drawn)"""
        if drawn:
            return self.skip, self.skip
        try:
            scenes = self._scenes()
            media = [self.loop.bench.library.add_file(scene.path) for scene in scenes]
        except WorkbenchError as error:
            return f'<span class="error" role="alert">{sentence(error)}</span>', self.skip
        pictures = [picture_of([part], desk.thumb(self.loop.bench)) for part in media]
        return gallery_html([scene.label for scene in scenes], pictures), True

    def on_scene(self, event: gr.EventData, items: list[Item]) -> tuple[Any, ...]:
        """A click on a scene: a row as an upload makes it, under the scene's label, without a grade. (items, tray, said)"""
        try:
            scenes = self._scenes()
            index = _index(event, len(scenes))
            if index is None or len(items) >= MOST:
                return (self.skip,) * 3
            scene = scenes[index]
            row = desk.checked(self.loop.bench, Document("", (self.loop.bench.library.add_file(scene.path),)))
        except WorkbenchError as error:
            return self.skip, self.skip, f'<span class="error" role="alert">{sentence(error)}</span>'
        items = named(items, [row], [scene.label])
        said = f'<span class="ok" role="status">added {esc(scene.label)}: {count(len(items), "row")}</span>'
        return items, self.loop.tray(items), said

    def _scenes(self) -> tuple[Scene, ...]:
        return read_scenes(self.loop.scenes) if self.loop.scenes else ()

    # ------------------------------------------------------------ paste
    def on_paste(self, text: str, items: list[Item]) -> tuple[Any, ...]:
        """(items, tray, said, look, query, query parts, query media, instruction B, template B).

        Text with a query replaces what is on the screen; documents alone are put behind the others.
        """
        try:
            pasted = read_paste(text or "", self.loop.bench)
        except WorkbenchError as error:
            return (
                self.skip,
                self.skip,
                f'<span class="error" role="alert">{sentence(error)}</span>',
                *[self.skip] * 6,
            )
        rows = [desk.checked(self.loop.bench, row) for row in pasted.rows]
        new = named(items if pasted.query is None else [], rows[:MOST], grades=pasted.grades)
        said = f'<span class="ok">{_said(pasted)}</span>'
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
