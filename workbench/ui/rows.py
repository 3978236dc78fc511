"""Rows of the tray as the plain values a session keeps, and back to documents.

Knows nothing of Gradio or HTML; media are digests, which only the session that added them holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.errors import RequestInvalid, WorkbenchError
from workbench.types import ContentPart, Document, Image, Row, Text, Video
from workbench.ui.figures import Face, Thumb, label_of, picture_of, shorten

# id, label, grade, error: None or [message, where, hint], parts: [kind, text or digest, source], perhaps what it asks for itself;
# called: whether somebody wrote the label
Item = dict[str, Any]
OWN = {"image": ("min_pixels", "max_pixels"), "video": ("fps", "frames")}


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
        return Face(shorten(item["label"]), '<span class="th th-bad" aria-hidden="true">!</span>', item["grade"], False)
    return Face(shorten(item["label"] or label_of(content)), picture_of(content, thumb), item["grade"])


def parts_of(content: Sequence[ContentPart]) -> list[list[Any]]:
    return [_plain(part) for part in content]


def _plain(part: ContentPart) -> list[Any]:
    match part:
        case Text():
            return ["text", part.text, ""]
        case Image():
            plain: list[Any] = ["image", part.digest, part.source]
        case Video():
            plain = ["video", part.digest, part.source]
    own = {name: value for name in OWN[plain[0]] if (value := getattr(part, name))}
    return [*plain, own] if own else plain


def content_of(parts: Sequence[Sequence[Any]]) -> tuple[ContentPart, ...]:
    return tuple(map(_part, parts))


def _part(part: Sequence[Any]) -> ContentPart:
    kind, value, source, *own = part
    if kind == "text":
        return Text(value)
    asked = own[0] if own else {}
    return Image(value, source, **asked) if kind == "image" else Video(value, source, **asked)


def named(
    items: Sequence[Item], fresh: Sequence[Row], labels: Sequence[str] = (), grades: Sequence[int | None] = ()
) -> list[Item]:
    """`items` with `fresh` rows behind them, under ids that no other row has."""
    return joined(items, plain_rows(fresh, labels, grades))


def plain_rows(rows: Sequence[Row], labels: Sequence[str] = (), grades: Sequence[int | None] = ()) -> list[Item]:
    """Rows as plain values under the ids they brought, "" for those without one."""
    padded = zip(rows, (*labels, *[""] * len(rows)), (*grades, *[None] * len(rows)), strict=False)
    return [item_of(row, row.id if isinstance(row, Document) else "", label, grade) for row, label, grade in padded]


def joined(items: Sequence[Item], fresh: Sequence[Item]) -> list[Item]:
    """`items` with `fresh` ones behind them; an id that is missing or taken becomes a new one."""
    taken = {item["id"] for item in items}
    found, number = list(items), len(items)
    for item in fresh:
        name = item["id"]
        while not name or name in taken:
            number += 1
            name = f"d{number}"
        taken.add(name)
        found.append({**item, "id": name})
    return found


def with_text(item: Item, text: str) -> Item:
    """The row with all its text replaced; its pictures and clips stay, and its grade, which was about them too, goes."""
    parts = [p for p in item["parts"] if p[0] != "text"]
    if text.strip() or not parts:
        parts.append(["text", text, ""])
    return {**item, "parts": parts, "label": item["label"] if item.get("called") else "", "grade": None}
