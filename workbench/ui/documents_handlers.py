"""The handlers of the Documents tab: each change of rows, what it says, and what undoes it.

Knows nothing of layout. Rows are named by their ids, never by where they stood when the page was drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.types import Document, Text
from workbench.ui import desk, edits
from workbench.ui.documents_figures import figures_html
from workbench.ui.documents_view import PAGE, Listing, listing_html
from workbench.ui.figures import count, esc, sentence
from workbench.ui.intake import Intake
from workbench.ui.loop import Loop
from workbench.ui.rows import OWN, Item, plain_rows
from workbench.ui.uploads import MOST, fitted, take

Data = dict[str, Any]
Changed = tuple[list[Item], str]  # rows, what was done
MOST_ASKED = {"fps": 60.0, "frames": 768, "min_pixels": 1 << 26, "max_pixels": 1 << 26}


@dataclass
class Documents:
    """Handlers over one bench. `on_list` and its kin return (items, changes to undo, page, list, said)."""

    loop: Loop
    skip: Any = field(default_factory=gr.skip)

    def on_show(self, items: list[Item], undo: list[edits.Change], page: int, model: str) -> str:
        """The list as it is, when its tab is opened."""
        return self._drawn(items, undo, page, model)

    def on_list(
        self, event: gr.EventData, items: list[Item], undo: list[edits.Change], page: int, model: str
    ) -> tuple[Any, ...]:
        """A click, key or drag on the list."""
        data = event._data if isinstance(event._data, dict) else {}
        do = str(data.get("do"))
        if do == "page":
            page = min(max(_whole(data.get("to")), 0), max(len(items) - 1, 0) // PAGE)
            return self.skip, self.skip, page, self._drawn(items, undo, page, model), ""
        if do == "undo" and undo:
            change = undo[-1]
            items = edits.undone(items, change)
            return self._answer(items, undo[:-1], page, model, f"taken back: {change['said']}")
        if do not in CHANGES:
            return (self.skip,) * 5
        after, said = CHANGES[do](items, data)
        page = max(len(after) - 1, 0) // PAGE if do == "text" else page  # a new row is shown
        return self._changed(items, after, undo, page, model, said)

    def on_type(self, event: gr.EventData, items: list[Item]) -> Any:
        """Typing in a part or in a label: nothing is drawn anew. (items)"""
        data = event._data if isinstance(event._data, dict) else {}
        if data.get("edit") == "label":
            return edits.called(items, str(data.get("id")), str(data.get("text", "")))
        return edits.written(items, str(data.get("id")), _whole(data.get("edit")), str(data.get("text", "")))

    def on_into(self, event: gr.EventData, into: str) -> Any:
        """Which row the next picture or clip is added to. (into)"""
        data = event._data if isinstance(event._data, dict) else {}
        return str(data.get("id")) if data.get("do") == "into" else self.skip

    def on_take(
        self, items: list[Item], undo: list[edits.Change], page: int, model: str, incoming: list[Any], taken: list[str]
    ) -> tuple[Any, ...]:
        """What was read of uploads is put in; the page with the last of it is shown. (…, taken)"""
        after, taken, over = take(items, incoming, taken)
        said = f"added {count(len(after) - len(items), 'row')}" if len(after) > len(items) else ""
        page = max(len(after) - 1, 0) // PAGE
        return *self._changed(items, after, undo, page, model, " · ".join(filter(None, [said, over]))), taken

    def on_part(
        self, items: list[Item], undo: list[edits.Change], page: int, model: str, incoming: list[Any], taken: list[str],
        into: str,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Pictures and clips for one row: they become its parts; a file that cannot be read is a row of its own, and so are all
        where that row is gone. (…, taken)"""
        if all(item["id"] != into for item in items):
            return self.on_take(items, undo, page, model, incoming, taken)
        fresh = [row for batch in incoming if batch["key"] not in taken for row in batch["rows"]]
        good = [part for row in fresh if not row["error"] for part in row["parts"]]
        after, over = fitted(edits.part_added(items, into, good), [row for row in fresh if row["error"]])
        said = " · ".join(filter(None, [f"added {count(len(good), 'part')}" if good else "", over]))
        return *self._changed(items, after, undo, page, model, said), [batch["key"] for batch in incoming]

    def on_paste(
        self, event: gr.EventData, items: list[Item], undo: list[edits.Change], page: int, model: str, request: gr.Request
    ) -> tuple[Any, ...]:
        """Text pasted anywhere in the tab. (…, look, query, query parts, query media, instruction B, template B)"""
        data = event._data if isinstance(event._data, dict) else {}
        after, _, said, *filled = Intake(self.loop).on_paste(str(data.get("text", "")), items, request)
        if not isinstance(after, list):
            return self.skip, self.skip, self.skip, self.skip, said, *filled
        page = max(len(after) - 1, 0) // PAGE
        return *self._changed(items, after, undo, page, model, "pasted")[:-1], said, *filled

    def on_figures(self, page: int, *values: Any) -> str:
        """What the rows of this page cost in B's prompt; `values` as `desk.read` takes them."""
        bench = self.loop.bench
        try:
            asked = desk.read(bench, *values)
            part = slice(PAGE * page, PAGE * page + PAGE)
            rows, variant = asked.rows[part], asked.variants["b"]
            window = bench.pool.get(variant.model).window(variant.parity)
            names = [item["id"] for item in asked.items[part]]
            return figures_html(names, rows, bench.preview(variant, asked.query, rows), window)
        except WorkbenchError as error:
            return f'<span class="error" data-say="alert">{sentence(error)}</span>'

    # ------------------------------------------------------------ what they share
    def _changed(
        self, before: list[Item], after: list[Item], undo: list[edits.Change], page: int, model: str, said: str
    ) -> tuple[Any, ...]:
        if after == before:
            return self.skip, self.skip, self.skip, self.skip, esc(said)
        undo = [*undo, edits.change_of(before, after, said)][-edits.KEPT :]
        return self._answer(after, undo, page, model, said)

    def _answer(
        self, items: list[Item], undo: list[edits.Change], page: int, model: str, said: str
    ) -> tuple[Any, ...]:
        page = min(page, max(len(items) - 1, 0) // PAGE)
        return items, undo, page, self._drawn(items, undo, page, model), f'<span data-say="status">{esc(said)}</span>'

    def _drawn(self, items: Sequence[Item], undo: Sequence[edits.Change], page: int, model: str) -> str:
        bench = self.loop.bench
        try:
            family = bench.pool.get(model).family
            image, video = family.image, family.video
        except WorkbenchError:
            image, video = None, None
        last = undo[-1]["said"] if undo else ""
        return listing_html(Listing(items, page, edits.twins(items), last, image, video), desk.thumb(bench))


# ---------------------------------------------------------------- changes by name
def _names(items: Sequence[Item], data: Data) -> set[str]:
    """The rows an event names, those that are there: it comes from the browser."""
    try:
        named = json.loads(data["ids"]) if data.get("ids") else [data.get("id")]
    except (TypeError, ValueError):
        named = []
    return {item["id"] for item in items} & {str(name) for name in (named if isinstance(named, list) else [])}


def _whole(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return -1


def _remove(items: list[Item], data: Data) -> Changed:
    names = _names(items, data)
    return edits.removed(items, names), f"deleted {count(len(names), 'row')}"


def _duplicate(items: list[Item], data: Data) -> Changed:
    names = _names(items, data)
    if len(items) + len(names) > MOST:
        return items, f"no room: there may be {MOST:,} rows"
    return edits.duplicated(items, names), f"duplicated {count(len(names), 'row')}"


def _move(items: list[Item], data: Data) -> Changed:
    """Dropped in front of the row `before`, or behind the row `after`."""
    names, before = _names(items, data), str(data.get("before") or "")
    at = edits.place(items, str(data.get("after")))
    if at is not None:
        behind = [item["id"] for item in items[at + 1 :] if item["id"] not in names]
        before = behind[0] if behind else ""
    elif edits.place(items, before) is None:
        return items, ""
    return edits.moved(items, names, before), "moved"


def _step(items: list[Item], data: Data) -> Changed:
    return edits.stepped(items, _names(items, data), -1 if data.get("by") == "-1" else 1), "moved"


def _grade(items: list[Item], data: Data) -> Changed:
    grade = _whole(data.get("grade"))
    return (edits.graded(items, str(data.get("id")), grade), "graded") if 0 <= grade <= 3 else (items, "")


def _clear(items: list[Item], _: Data) -> Changed:
    return [], f"deleted {count(len(items), 'row')}"


def _twins(items: list[Item], _: Data) -> Changed:
    same = edits.twins(items)
    return edits.removed(items, same.keys()), f"deleted {count(len(same), 'duplicate')}"


def _text(items: list[Item], _: Data) -> Changed:
    after, over = fitted(items, plain_rows([Document("", (Text(""),))]))
    return after, over or "added 1 row"


def _words(items: list[Item], data: Data) -> Changed:
    return edits.part_added(items, str(data.get("id")), [["text", "", ""]]), "added 1 part"


def _part_step(items: list[Item], data: Data) -> Changed:
    by = -1 if data.get("by") == "-1" else 1
    return edits.part_moved(items, str(data.get("id")), _whole(data.get("at")), by), "moved a part"


def _part_remove(items: list[Item], data: Data) -> Changed:
    return edits.part_removed(items, str(data.get("id")), _whole(data.get("at"))), "removed a part"


def _own(items: list[Item], data: Data) -> Changed:
    """What a picture or clip asks for itself; an empty field takes it back."""
    what, text = str(data.get("what")), str(data.get("value", "")).strip()
    try:
        value = float(text or 0)
    except ValueError:
        return items, f"{text} is no number"
    if not any(what in names for names in OWN.values()) or not 0 <= value <= MOST_ASKED[what]:
        return items, f"{text} is out of range: at most {MOST_ASKED.get(what, 0):g}"
    exact = value if what == "fps" else int(value)
    return edits.part_asked(items, str(data.get("id")), _whole(data.get("at")), what, exact), "changed the sampling"


CHANGES: dict[str, Callable[[list[Item], Data], Changed]] = {
    "remove": _remove, "duplicate": _duplicate, "move": _move, "step": _step, "grade": _grade, "clear": _clear,
    "twins": _twins, "text": _text, "words": _words, "part-step": _part_step, "part-remove": _part_remove, "own": _own,
}  # fmt: skip
