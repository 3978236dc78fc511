"""The content of a query or document, as requests and files write it, to the parts the rest of the house speaks.

Knows nothing of requests around it. It reads a plain string; `{"content": [...]}` or the list itself, with vLLM's parts
(text, image_url, video_url); and the dict of the Qwen3-VL-Reranker card, `{"text": …, "image": …, "video": …}`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from workbench.errors import MediaInvalid, RequestInvalid
from workbench.media import _formats
from workbench.media._formats import Kind
from workbench.media._library import Library
from workbench.types import JSON, ContentPart, Media, Text

MAX_TEXT = 2_000_000  # bytes of UTF-8
SHAPES = 'Expected a string, a list of parts, {"content": [...]} or a part such as {"type": "text", "text": "…"}.'
PARTS: dict[str, Kind] = {"image_url": "image", "video_url": "video"}
BARE: dict[str, Kind] = {"video": "video", "video_url": "video", "image": "image", "image_url": "image"}


def read_content(
    value: JSON, library: Library, *, base: Path | None = None, where: str = ""
) -> tuple[ContentPart, ...]:
    """The parts of one side, their media added to `library`.

    Files are read only when `base` is given, relative to it. RequestInvalid for shapes that mean nothing, MediaInvalid for
    media that cannot be taken; both say where, such as `documents[3].content[1]`.
    """
    return tuple(_Reader(library, base).side(value, where))


@dataclass(frozen=True, slots=True)
class _Reader:
    library: Library
    base: Path | None

    def side(self, value: JSON, where: str) -> Iterator[ContentPart]:
        if isinstance(value, dict) and "content" in value:
            value, where = value["content"], f"{where}.content" if where else "content"
        if isinstance(value, list):
            for i, part in enumerate(value):
                yield from self.part(part, f"{where}[{i}]")
        else:
            yield from self.part(value, where)

    def part(self, value: JSON, where: str) -> Iterator[ContentPart]:
        if isinstance(value, str):
            yield _text(value, where)
        elif not isinstance(value, dict):
            raise RequestInvalid(f"is {_json_name(value)}", where=where, hint=SHAPES)
        elif value.get("type") is not None:
            yield self.typed(value, value["type"], where)
        else:
            yield from self.bare(value, where)

    def typed(self, part: dict[str, JSON], name: JSON, where: str) -> ContentPart:
        if name != "text" and not (isinstance(name, str) and name in PARTS):
            hint = "Text, image_url and video_url can be scored."
            raise RequestInvalid(f"has the unknown part type {name!r}", where=where, hint=hint)
        if part.get(name) is None:
            raise RequestInvalid(f'is of type {name} and has no "{name}"', where=where, hint=SHAPES)
        return _text(part["text"], where) if name == "text" else self.media(part[name], PARTS[name], where)

    def bare(self, part: dict[str, JSON], where: str) -> Iterator[ContentPart]:
        """One dict with any of video, image and text, in the card's order; a picture may be a list of pictures."""
        known = [k for k in (*BARE, "text") if part.get(k) is not None]
        if not known:
            keys = ", ".join(repr(k) for k in list(part)[:8]) or "nothing"
            raise RequestInvalid(f"has neither text, image nor video, but {keys}", where=where, hint=SHAPES)
        for key in known:
            if key == "text":
                yield _text(part[key], where)
            elif BARE[key] == "image" and isinstance(part[key], list):
                yield from (self.media(v, "image", f"{where}.{key}[{i}]") for i, v in enumerate(part[key]))
            else:
                yield self.media(part[key], BARE[key], where)

    def media(self, value: JSON, kind: Kind, where: str) -> Media:
        url = value.get("url") if isinstance(value, dict) else value
        if not isinstance(url, str):
            message = f'has {_json_name(value)} for its {kind} instead of {{"url": "data:…"}}'
            raise RequestInvalid(
                message, where=where, hint="A list of frames is not a clip here: send the clip itself."
            )
        try:
            if url[:5].lower() == "data:":
                return self.library.add(*_data(url, kind), kind)
            return self.file(url, kind)
        except MediaInvalid as error:  # the place in the request says more than the name of the file
            place = f"{where} ({error.where})" if where and error.where else where or error.where
            raise MediaInvalid(error.message, where=place, hint=error.hint) from error

    def file(self, url: str, kind: Kind) -> Media:
        scheme = (re.match(r"([a-zA-Z][a-zA-Z0-9+.-]+):", url) or ("", ""))[1].lower()
        label = _label(url)
        if scheme in ("http", "https"):
            hint = "Send the file itself as a data: URL."
            raise MediaInvalid("is a web address, and fetching is off", where=label, hint=hint)
        if scheme not in ("", "file"):
            raise MediaInvalid(f"is a {scheme}: address, which is never opened", where=label, hint="Send a data: URL.")
        if self.base is None:
            hint = "Send the file itself as a data: URL."
            raise MediaInvalid("is the path of a file, and this door reads no files", where=label, hint=hint)
        try:
            path = unquote(urlsplit(url).path) if scheme else url
        except ValueError as error:
            raise MediaInvalid(f"is no address ({error})", where=label) from error
        return self.library.add_file(self.base / path, kind, label)


def _text(value: JSON, where: str) -> Text:
    if not isinstance(value, str):
        raise RequestInvalid(f"has {_json_name(value)} for its text", where=where, hint=SHAPES)
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        message = f"has half a character (the lone surrogate {value[error.start]!a}) at position {error.start}"
        raise RequestInvalid(message, where=where, hint="Send text as valid Unicode.") from error
    if size > MAX_TEXT:
        raise RequestInvalid(f"has {size:,} bytes of text; at most {MAX_TEXT:,} are taken", where=where)
    return Text(value)


def _data(url: str, kind: Kind) -> tuple[bytes, str]:
    """(bytes, label) of a data: URL, base64 or percent-encoded; its media type is only a label."""
    head, comma, body = url[5:].partition(",")
    label = f"data:{_label(head.split(';')[0], 60)}"
    if not comma:
        raise MediaInvalid("is a data: URL without a comma, so without data", where=label)
    if len(body) > _formats.MAX_BYTES[kind] * 3:
        _formats.check_size(len(body) // 3, kind, label)
    if head.lower().replace(" ", "").endswith(";base64"):
        try:
            data = base64.b64decode(re.sub(r"\s+", "", unquote(body) if "%" in body else body), validate=True)
        except (binascii.Error, ValueError) as error:
            raise MediaInvalid(f"is not valid base64 ({error})", where=label) from error
    else:
        try:
            data = unquote_to_bytes(body)
        except UnicodeEncodeError as error:
            raise MediaInvalid("is not percent-encoded data", where=label) from error
    return data, f"{label}, {_amount(len(data))}"


def _label(text: str, most: int = 120) -> str:
    """User text as a name: printable, encodable and short."""
    text = "".join(c if c.isprintable() else "�" for c in text[: most + 1])
    return text if len(text) <= most else text[: most - 1] + "…"


def _amount(size: int) -> str:
    return f"{size} B" if size < 1000 else f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def _json_name(value: JSON) -> str:
    names = ((bool, "true or false"), (int, "a number"), (float, "a number"), (str, "a string"), (list, "a list"))
    return "null" if value is None else next((n for t, n in names if isinstance(value, t)), "an object")
