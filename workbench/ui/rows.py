"""Rows of the tray as the plain values a session keeps, and back to documents.

Knows nothing of Gradio or HTML; media are digests, which only the session that added them holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.types import (
    ContentPart,
    Document,
    Image,
    RequestInvalid,
    Row,
    Text,
    Video,
    WorkbenchError,
)
from workbench.ui.figures import Face, Thumb, label_of, picture_of, shorten

Item = dict[str, Any]  # id, label, grade, parts: [kind, text or digest, source], error: None or [message, where, hint]


def item_of(row: Row, name: str, label: str = "", grade: int | None = None) -> Item:
    """`label` "" means the row's own words, which then follow the text when it is edited."""
    if isinstance(row, WorkbenchError):
        return {"id": name, "label": label or row.where or "unreadable", "grade": grade, "parts": [],
                "error": [row.message, row.where, row.hint]}  # fmt: skip
    return {"id": name, "label": label, "grade": grade, "parts": parts_of(row.content), "error": None}


def row_of(item: Item) -> Row:
    if item["error"]:
        message, where, hint = item["error"]
        return RequestInvalid(message, where=where, hint=hint)
    return Document(item["id"], content_of(item["parts"]))


def face_of(item: Item, thumb: Thumb) -> Face:
    content = content_of(item["parts"])
    if item["error"]:
        return Face(shorten(item["label"]), '<span class="th th-bad" aria-hidden="true">!</span>', item["grade"])
    return Face(shorten(item["label"] or label_of(content)), picture_of(content, thumb), item["grade"])


def parts_of(content: Sequence[ContentPart]) -> list[list[str]]:
    found = []
    for part in content:
        match part:
            case Text():
                found.append(["text", part.text, ""])
            case Image():
                found.append(["image", part.digest, part.source])
            case Video():
                found.append(["video", part.digest, part.source])
    return found


def content_of(parts: Sequence[Sequence[str]]) -> tuple[ContentPart, ...]:
    return tuple(map(_part, parts))


def _part(part: Sequence[str]) -> ContentPart:
    kind, value, source = part
    if kind == "text":
        return Text(value)
    return Image(value, source) if kind == "image" else Video(value, source)


def named(
    items: Sequence[Item], fresh: Sequence[Row], labels: Sequence[str] = (), grades: Sequence[int | None] = ()
) -> list[Item]:
    """`items` with `fresh` rows behind them, under ids that no other row has."""
    taken = {item["id"] for item in items}
    found, number = list(items), len(items)
    for i, row in enumerate(fresh):
        name = row.id if isinstance(row, Document) and row.id not in taken else ""
        while not name or name in taken:
            number += 1
            name = f"d{number}"
        taken.add(name)
        label = labels[i] if i < len(labels) else ""
        found.append(item_of(row, name, label, grades[i] if i < len(grades) else None))
    return found


def with_text(item: Item, text: str) -> Item:
    """The row with all its text replaced; its pictures and clips stay, and its grade, which was about them too, goes."""
    parts = [p for p in item["parts"] if p[0] != "text"]
    if text.strip() or not parts:
        parts.append(["text", text, ""])
    return {**item, "parts": parts, "label": "", "grade": None}
