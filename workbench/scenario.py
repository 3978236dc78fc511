"""Reads a prepared question (assets/scenarios/*.json) into a query, documents, labels, grades and two ways of asking.

Knows nothing of models or screens; grades belong to the stated need, never to an instruction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workbench.media import Library, read_content
from workbench.types import JSON, Document, Query, RequestInvalid, Row, WorkbenchError


@dataclass(frozen=True, slots=True)
class Side:
    """One way of asking. None: not given, so the model's own template or the template's own instruction holds."""

    instruction: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """`labels` and `grades` (0 to 3, None = unjudged) run parallel to `rows`; a row may be the reason it cannot be read."""

    name: str
    title: str
    query: Query
    rows: tuple[Row, ...]
    labels: tuple[str, ...]
    grades: tuple[int | None, ...]
    need: str = ""
    look: str = ""
    a: Side = field(default=Side())
    b: Side = field(default=Side())


def titles(folder: Path) -> dict[str, str]:
    """Name → title of every scenario in a folder, `flip` first; a file that cannot be read is left out."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.json"), key=lambda p: (p.stem != "flip", p.stem)):
        try:
            found[path.stem] = str(_load(path).get("title") or path.stem)
        except RequestInvalid:
            continue
    return found


def read_scenario(path: Path, library: Library) -> Scenario:
    """One scenario; its pictures and clips are found relative to the file. RequestInvalid says what is wrong where."""
    value = _load(path)
    documents = value.get("documents")
    if not isinstance(documents, list) or not all(isinstance(d, dict) for d in documents):
        raise RequestInvalid("`documents` must be a list of objects", where=path.name)
    base = path.parent
    return Scenario(
        name=path.stem,
        title=_text(value, "title") or path.stem,
        query=Query("query", read_content(value.get("query", ""), library, base=base, where="query")),
        rows=tuple(_row(d, i, library, base) for i, d in enumerate(documents)),
        labels=tuple(_text(d, "label") or "" for d in documents),
        grades=tuple(_grade(d, f"{path.name}: documents[{i}]") for i, d in enumerate(documents)),
        need=_text(value, "need") or "",
        look=_text(value, "look") or "",
        a=_side(value.get("a"), f"{path.name}: a"),
        b=_side(value.get("b"), f"{path.name}: b"),
    )


def _load(path: Path) -> dict[str, JSON]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestInvalid(f"is no scenario that can be read ({error})", where=path.name) from error
    if not isinstance(value, dict):
        raise RequestInvalid("must hold one JSON object", where=path.name)
    return value


def _row(value: Mapping[str, JSON], index: int, library: Library, base: Path) -> Row:
    name = _text(value, "id") or f"d{index + 1}"
    try:
        return Document(name, read_content(value.get("content", ""), library, base=base, where=f"documents[{index}]"))
    except WorkbenchError as error:
        return error


def _side(value: JSON, where: str) -> Side:
    if value is not None and not isinstance(value, dict):
        raise RequestInvalid("must be an object with `instruction` and perhaps `template`", where=where)
    return Side(_text(value or {}, "instruction"), _text(value or {}, "template"))


def _text(value: Mapping[str, JSON], name: str) -> str | None:
    text = value.get(name)
    if text is not None and not isinstance(text, str):
        raise RequestInvalid(f"`{name}` must be a text, and is {type(text).__name__}")
    return text


def _grade(value: Mapping[str, JSON], where: str) -> int | None:
    grade = value.get("grade")
    if grade is None or (type(grade) is int and 0 <= grade <= 3):
        return grade
    raise RequestInvalid(f"`grade` must be 0, 1, 2 or 3, and is {grade!r}", where=where)
