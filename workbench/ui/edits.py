"""Changes of the rows that a session keeps: move, duplicate, remove, build from parts, grade, and take a change back.

Knows nothing of Gradio or HTML: plain rows in, new plain rows out; nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from workbench.ui.rows import OWN, Item

Part = list[Any]
Change = dict[str, Any]  # what it takes to undo: `order` of ids before, `rows` by id as they were, `added` ids, `said`
LABEL = 200  # characters
KEPT = 20  # changes that can be taken back


def place(items: Sequence[Item], name: str) -> int | None:
    return next((i for i, item in enumerate(items) if item["id"] == name), None)


# ---------------------------------------------------------------- whole rows
def removed(items: Sequence[Item], names: Collection[str]) -> list[Item]:
    return [item for item in items if item["id"] not in names]


def duplicated(items: Sequence[Item], names: Collection[str]) -> list[Item]:
    """Each of these rows a second time, right behind itself, under an id of its own."""
    taken, found = {item["id"] for item in items}, list[Item]()
    for item in items:
        found.append(item)
        if item["id"] in names:
            found.append({**item, "id": _fresh(item["id"], taken)})
    return found


def _fresh(name: str, taken: set[str]) -> str:
    number = 2
    while (fresh := f"{name}-{number}") in taken:
        number += 1
    taken.add(fresh)
    return fresh


def moved(items: Sequence[Item], names: Collection[str], before: str) -> list[Item]:
    """These rows, in their order, in front of another; "" is the end."""
    mine, others = [i for i in items if i["id"] in names], removed(items, names)
    if before in names:  # dropped on itself
        return list(items)
    at = place(others, before)
    at = len(others) if at is None else at
    return [*others[:at], *mine, *others[at:]]


def stepped(items: Sequence[Item], names: Collection[str], by: int) -> list[Item]:
    """These rows one place up (-1) or down (1), as a block; at the end of the list they stay."""
    found = list(items)
    order = range(len(found)) if by < 0 else range(len(found) - 1, -1, -1)
    for at in order:
        to = at + by
        if found[at]["id"] in names and 0 <= to < len(found) and found[to]["id"] not in names:
            found[at], found[to] = found[to], found[at]
    return found


def called(items: Sequence[Item], name: str, label: str) -> list[Item]:
    """What a row is called from now on, whatever becomes of its parts; "" gives it back its own words. No content changes."""
    label = " ".join(label.split())[:LABEL]
    return _with(items, name, lambda i: i if i["error"] else {**i, "label": label, "called": bool(label)})


def graded(items: Sequence[Item], name: str, grade: int | None) -> list[Item]:
    """The grade of one row; the one it has already is taken away."""
    return _with(items, name, lambda i: {**i, "grade": None if i["grade"] == grade else grade})


# ---------------------------------------------------------------- parts
def written(items: Sequence[Item], name: str, at: int, text: str) -> list[Item]:
    """The text at one place of a row; one place behind the last part, a new text. Pictures are not written over."""

    def write(parts: list[Part]) -> list[Part]:
        if at == len(parts):
            return [*parts, ["text", text, ""]]
        return [*parts[:at], ["text", text, ""], *parts[at + 1 :]] if parts[at][0] == "text" else parts

    return _rebuilt(items, name, at, write, most=1)


def part_added(items: Sequence[Item], name: str, parts: Iterable[Part]) -> list[Item]:
    return _rebuilt(items, name, 0, lambda old: [*old, *parts], most=1)


def part_removed(items: Sequence[Item], name: str, at: int) -> list[Item]:
    return _rebuilt(items, name, at, lambda parts: [*parts[:at], *parts[at + 1 :]])


def part_moved(items: Sequence[Item], name: str, at: int, by: int) -> list[Item]:
    def move(parts: list[Part]) -> list[Part]:
        to = at + by
        if 0 <= to < len(parts):
            parts[at], parts[to] = parts[to], parts[at]
        return parts

    return _rebuilt(items, name, at, move)


def part_asked(items: Sequence[Item], name: str, at: int, what: str, value: float) -> list[Item]:
    """What one picture or clip asks for itself; 0 takes it back. The content is the same, so the grade stays."""

    def ask(item: Item) -> Item:
        parts = list(item["parts"])
        if not 0 <= at < len(parts) or what not in OWN.get(parts[at][0], ()):
            return item
        own = {**(parts[at][3] if len(parts[at]) > 3 else {}), what: value}
        own = {k: v for k, v in own.items() if v}
        parts[at] = [*parts[at][:3], own] if own else parts[at][:3]
        return {**item, "parts": parts}

    return _with(items, name, ask)


def _rebuilt(
    items: Sequence[Item], name: str, at: int, make: Callable[[list[Part]], list[Part]], *, most: int = 0
) -> list[Item]:
    """A row of other parts is another document: its grade, which was about the old one, goes, and a label nobody wrote here.
    `most`: places behind the end."""

    def change(item: Item) -> Item:
        if item["error"] or not 0 <= at < len(item["parts"]) + most:
            return item
        parts = make(list(item["parts"]))
        label = item["label"] if item.get("called") else ""
        return item if parts == item["parts"] else {**item, "parts": parts, "label": label, "grade": None}

    return _with(items, name, change)


def _with(items: Sequence[Item], name: str, change: Callable[[Item], Item]) -> list[Item]:
    return [change(item) if item["id"] == name else item for item in items]


# ---------------------------------------------------------------- equal rows
def twins(items: Sequence[Item]) -> dict[str, str]:
    """Id of each row whose content an earlier row has → id of that row.

    Texts are equal but for white space at their ends, pictures and clips by the digest of their bytes and what they ask for
    themselves. Rows without content are nobody's twin.
    """
    first, found = dict[str, str](), dict[str, str]()
    for item in items:
        content = [_key(part) for part in item["parts"] if part[0] != "text" or part[1].strip()]
        if not content:
            continue
        earlier = first.setdefault(repr(content), item["id"])
        if earlier != item["id"]:
            found[item["id"]] = earlier
    return found


def _key(part: Part) -> tuple[Any, ...]:
    if part[0] == "text":
        return "text", part[1].strip()
    return part[0], part[1], sorted(part[3].items()) if len(part) > 3 else []


# ---------------------------------------------------------------- undo
def change_of(before: Sequence[Item], after: Sequence[Item], said: str) -> Change:
    now = {item["id"]: item for item in after}
    known = {item["id"] for item in before}
    return {
        "said": said,
        "order": [item["id"] for item in before],
        "rows": {item["id"]: item for item in before if now.get(item["id"]) != item},
        "added": [name for name in now if name not in known],
    }


def undone(items: Sequence[Item], change: Change) -> list[Item]:
    """The rows without a change; what came in or was typed since stays."""
    rows = {item["id"]: item for item in items if item["id"] not in change["added"]}
    rows |= change["rows"]
    order = [name for name in change["order"] if name in rows]
    known = set(order)
    return [rows[name] for name in (*order, *(name for name in rows if name not in known))]
