"""Files to rows: pictures and clips, lists of texts, tables, whole folders; a bad file is a row that says why.

Knows nothing of layout. Reading is one turn, putting the rows in another: what is read has one writer and what is taken
another, so an upload that takes long loses no row that was typed meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.errors import RequestInvalid, WorkbenchError
from workbench.paste import read_paste
from workbench.types import Document, Row, Text
from workbench.ui import desk
from workbench.ui.figures import count, esc
from workbench.ui.loop import Loop
from workbench.ui.rows import Item, joined, plain_rows

LISTS = {".txt", ".tsv", ".json", ".jsonl", ".ndjson", ".md", ".csv"}
TABLES = {".csv", ".tsv"}
TEXTS = {".txt", ".md"}  # of a folder: one document each
HIDDEN = (".", "Thumbs.db", "desktop.ini")  # what file managers leave in folders
MOST = 1000  # rows

Batch = dict[str, Any]  # key; rows as plain values; said: what was left out


@dataclass
class Uploads:
    """Handlers over one bench; what a session sent is counted by its quota."""

    loop: Loop

    def on_files(
        self, files: Sequence[str] | None, incoming: list[Batch], taken: list[str], request: gr.Request
    ) -> list[Batch]:
        """(incoming), with what was read behind what still waits."""
        return self._waiting(incoming, taken, self._batch(files or (), str(request.session_hash)))

    def on_folder(
        self, files: Sequence[str] | None, incoming: list[Batch], taken: list[str], request: gr.Request
    ) -> list[Batch]:
        """As `on_files` for a folder: by name, hidden files left out, each text file one document."""
        found = sorted(files or (), key=lambda file: Path(file).name.lower())
        seen = [file for file in found if not Path(file).name.startswith(HIDDEN)]
        for file in set(found) - set(seen):
            Path(file).unlink(missing_ok=True)
        batch = self._batch(seen, str(request.session_hash), whole=True)
        if len(seen) < len(found):
            batch["said"] = f"{count(len(found) - len(seen), 'hidden file')} left out"
        return self._waiting(incoming, taken, batch)

    def on_leave(self, request: gr.Request) -> None:
        self.loop.quota.forget(str(request.session_hash))

    def _waiting(self, incoming: list[Batch], taken: list[str], batch: Batch) -> list[Batch]:
        return [*(old for old in incoming if old["key"] not in taken), batch]

    def _batch(self, files: Sequence[str], session: str, *, whole: bool = False) -> Batch:
        rows = [item for file in files for item in self.items(Path(file), session, whole=whole)]
        return {"key": uuid.uuid4().hex, "rows": rows, "said": ""}

    def items(self, path: Path, session: str, *, whole: bool = False) -> list[Item]:
        """The rows of one upload as plain values; its temporary copy goes."""
        try:
            self.loop.quota.take(session, path.stat().st_size, path.name)
            return self._read(path, whole)
        except WorkbenchError as error:
            bad = error if error.where else RequestInvalid(error.message, where=path.name, hint=error.hint)
            return plain_rows([bad])
        except (OSError, UnicodeDecodeError) as error:
            return plain_rows([RequestInvalid(f"cannot be read ({error})", where=path.name, hint="Save it as UTF-8.")])
        finally:
            path.unlink(missing_ok=True)

    def _read(self, path: Path, whole: bool) -> list[Item]:
        bench, kind = self.loop.bench, path.suffix.lower()
        if kind not in LISTS:
            row: Row = desk.checked(bench, Document("", (bench.library.add(path.read_bytes(), path.name),)))
            return plain_rows([row])
        text = path.read_bytes().decode("utf-8-sig")
        if whole and kind in TEXTS:
            return plain_rows([Document("", (Text(text.strip()),))], [path.name])
        pasted = read_paste(text, bench, table=kind in TABLES)
        return plain_rows([desk.checked(bench, row) for row in pasted.rows], grades=pasted.grades)


def take(items: list[Item], incoming: list[Batch], taken: list[str]) -> tuple[list[Item], list[str], str]:
    """(items with what waits put in, keys of all that was put in, what to say): never more than MOST rows."""
    fresh = [batch for batch in incoming if batch["key"] not in taken]
    rows = [row for batch in fresh for row in batch["rows"]]
    said = [batch["said"] for batch in fresh if batch["said"]]
    found, over = fitted(items, rows)
    return found, [batch["key"] for batch in incoming], " · ".join([*said, *([over] if over else [])])


def fitted(items: Sequence[Item], fresh: Sequence[Item]) -> tuple[list[Item], str]:
    """(the rows with as many of the fresh ones as there is room for, a sentence when there was not room for all)."""
    room = max(MOST - len(items), 0)
    left = len(fresh) - room
    said = f"{count(left, 'row')} left out: there may be {MOST:,}" if left > 0 else ""
    return joined(items, fresh[:room]), esc(said)
