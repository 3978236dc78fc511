"""Reads a prepared question (assets/scenarios/*.json) into a query, documents, labels, grades and two ways of asking, and the
list of shipped scenes (assets/scenes/index.json) that can be added to it.

Knows nothing of models or screens; grades belong to the stated need, never to an instruction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from workbench.errors import RequestInvalid, WorkbenchError
from workbench.media import Library, read_content
from workbench.types import JSON, Document, Query, Row

LAST = 1000  # the place in the menu of a scenario that names none


@dataclass(frozen=True, slots=True)
class Side:
    """One way of asking. None: not given, so the model's own template or the template's own instruction holds.

    A file gives a template as `template` (the text) or `template_file` (the path of a Jinja file, relative to the JSON).
    """

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
    """Name → title of every scenario in a folder, by `order` and then by name; a file that cannot be read is left out."""
    found: list[tuple[int, str, str]] = []
    for path in folder.glob("*.json"):
        try:
            value = _load(path)
            found.append((_order(value, path), path.stem, _text(value, "title") or path.stem))
        except RequestInvalid:
            continue
    return {name: title for _, name, title in sorted(found)}


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
        a=_side(value.get("a"), base, f"{path.name}: a"),
        b=_side(value.get("b"), base, f"{path.name}: b"),
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """A shipped picture or clip that can be added to the documents. `label` is what a list calls it."""

    path: Path
    label: str
    kind: Literal["picture", "clip"]


def read_scenes(folder: Path) -> tuple[Scene, ...]:
    """What `index.json` of a folder lists, in its order; () where there is none. RequestInvalid says what is wrong where."""
    path = folder / "index.json"
    if not path.is_file():
        return ()
    value = _json(path)
    if not isinstance(value, list):
        raise RequestInvalid("must hold a list of scenes", where=path.name)
    return tuple(_scene(entry, folder, f"{path.name}[{i}]") for i, entry in enumerate(value))


def _scene(value: JSON, folder: Path, where: str) -> Scene:
    file, label, kind = (value.get(name) for name in ("file", "label", "kind")) if isinstance(value, dict) else (None,) * 3
    if not (isinstance(file, str) and isinstance(label, str) and kind in ("picture", "clip")) or "/" in file:
        hint = 'Expected {"file": "red-star.png", "label": "red star, picture", "kind": "picture" or "clip"}.'
        raise RequestInvalid("is no scene", where=where, hint=hint)
    return Scene(folder / file, label, kind)


def _json(path: Path) -> JSON:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestInvalid(f"cannot be read ({error})", where=path.name) from error


def _load(path: Path) -> dict[str, JSON]:
    value = _json(path)
    if not isinstance(value, dict):
        raise RequestInvalid("must hold one JSON object", where=path.name)
    return value


def _row(value: Mapping[str, JSON], index: int, library: Library, base: Path) -> Row:
    name = _text(value, "id") or f"d{index + 1}"
    try:
        return Document(name, read_content(value.get("content", ""), library, base=base, where=f"documents[{index}]"))
    except WorkbenchError as error:
        return error


def _side(value: JSON, base: Path, where: str) -> Side:
    if value is not None and not isinstance(value, dict):
        raise RequestInvalid("must be an object with `instruction` and perhaps `template`", where=where)
    value = value or {}
    template, file = _text(value, "template"), _text(value, "template_file")
    if template is not None and file is not None:
        raise RequestInvalid("has both `template` and `template_file`", where=where, hint="Keep one of them.")
    return Side(_text(value, "instruction"), template if file is None else _template(base / file, f"{where}: {file}"))


def _template(path: Path, where: str) -> str:
    """The text of a template file byte for byte: in a template every blank may be a token."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestInvalid(f"cannot be read ({error})", where=where) from error


def _order(value: Mapping[str, JSON], path: Path) -> int:
    order = value.get("order", LAST)
    if type(order) is not int:
        raise RequestInvalid(f"`order` must be a whole number, and is {order!r}", where=path.name)
    return order


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
