"""Draws the Documents tab: a page of rows built from parts, with what each can be told, and what each costs in tokens.

Knows nothing of Gradio; the page's script turns clicks, typing, keys and drags on it into events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.errors import RequestInvalid
from workbench.types import ClipSampling, PixelLimits
from workbench.ui.edits import LABEL
from workbench.ui.figures import Thumb, count, esc, picture_of, renewed, sentence
from workbench.ui.rows import OWN, Item, content_of

PAGE = 50  # rows drawn at once
EMPTY = "Drop pictures, clips, lists of texts or whole folders anywhere here, or paste them."
READS = "The model reads clips first, then pictures, then the texts."
COPY = (
    '<svg viewBox="0 0 16 16" width="13" height="13" fill="none" stroke="currentColor" stroke-width="1.4" aria-hidden="true">'
    '<path d="M5.5 5.5h8v8h-8z M10.5 2.5h-8v8"/></svg>'
)
ASKS = {"fps": "frames a second", "frames": "frames", "min_pixels": "pixels from", "max_pixels": "to"}


@dataclass(frozen=True, slots=True)
class Listing:
    """What is drawn: one page of the rows, which of them repeat an earlier one, what Undo takes back, how the model samples."""

    items: Sequence[Item]
    page: int
    twins: Mapping[str, str]
    undo: str
    image: PixelLimits | None
    video: ClipSampling | None

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.items) // PAGE))

    @property
    def first(self) -> int:
        return PAGE * min(max(self.page, 0), self.pages - 1)


def listing_html(listing: Listing, thumb: Thumb) -> str:
    number = {item["id"]: i for i, item in enumerate(listing.items, 1)}
    rows = [
        _row(listing, i, item, number, thumb)
        for i, item in enumerate(listing.items[listing.first : listing.first + PAGE], listing.first + 1)
    ]
    body = f'<ol class="d-list" start="{listing.first + 1}">{"".join(rows)}</ol>' if rows else f'<p class="d-empty">{EMPTY}</p>'
    shown = [(item["id"], item["parts"]) for item in listing.items[listing.first : listing.first + PAGE]]
    return f"{_bar(listing)}{renewed(shown, body)}{_pager(listing)}"


def _bar(listing: Listing) -> str:
    picks = "".join(
        f'<button type="button" class="small" data-pick="{name}">{words}</button>'
        for name, words in (("files", "+ files"), ("folder", "+ folder"))
    )
    undo = (
        f'<button type="button" class="small" data-do="undo" title="{esc(listing.undo)}">Undo</button>' if listing.undo else ""
    )
    twins = (
        f'<button type="button" class="small" data-do="twins">Remove duplicates <b>{len(listing.twins)}</b></button>'
        if listing.twins
        else ""
    )
    clear = '<button type="button" class="small" data-do="clear">Clear all</button>' if listing.items else ""
    chosen = (
        '<span class="d-chosen" hidden><b data-chosen></b> <span>selected</span> '
        '<button type="button" class="small" data-chosen-do="duplicate">Duplicate</button>'
        '<button type="button" class="small" data-chosen-do="remove">Delete</button></span>'
    )
    return (
        f'<div class="d-bar"><span class="d-count" data-say="status">{count(len(listing.items), "row")}</span>'
        f'<button type="button" class="small" data-do="text">+ text</button>{picks}{chosen}<span class="grow"></span>'
        f"{twins}{undo}{clear}</div>"
    )


def _pager(listing: Listing) -> str:
    if listing.pages == 1:
        return ""
    at, last = listing.first // PAGE, listing.pages - 1
    back, on = (' disabled="disabled"' if stuck else "" for stuck in (at == 0, at == last))
    end = min(listing.first + PAGE, len(listing.items))
    return (
        f'<div class="d-pager"><button type="button" class="small" data-do="page" data-to="{at - 1}"{back} '
        f'aria-label="page before">◂</button><span>{listing.first + 1:,}–{end:,} of {len(listing.items):,}</span>'
        f'<button type="button" class="small" data-do="page" data-to="{at + 1}"{on} aria-label="next page">▸</button></div>'
    )


# ---------------------------------------------------------------- one row
def _row(listing: Listing, number: int, item: Item, numbers: Mapping[str, int], thumb: Thumb) -> str:
    name = esc(item["id"])
    inner = _bad(item) if item["error"] else _parts(listing, number, item, numbers, thumb)
    return (
        f'<li class="d-row{" bad" if item["error"] else ""}" data-row="{name}" data-at="{number - 1}" tabindex="0" '
        f'aria-label="row {number}"><span class="d-handle" draggable="true" title="Drag, or Alt+↑ and Alt+↓" '
        f'aria-hidden="true">⠿</span><span class="d-no">{number}</span><div class="d-body">{inner}</div>'
        f'<div class="d-figures" data-figure="{name}"></div>{"" if item["error"] else _grades(item)}'
        f'<span class="d-acts"><button type="button" data-do="duplicate" data-id="{name}" title="Duplicate" '
        f'aria-label="duplicate row {number}">{COPY}</button>'
        f'<button type="button" data-do="remove" data-id="{name}" title="Delete" aria-label="delete row {number}">×</button>'
        "</span></li>"
    )


def _bad(item: Item) -> str:
    message, where, hint = item["error"]
    why = sentence(RequestInvalid(message, where=where, hint=hint))
    return f'<span class="th th-bad" aria-hidden="true">!</span><span class="d-why">{why}</span>'


def _grades(item: Item) -> str:
    pills = "".join(
        f'<button type="button" class="grade g{g}{" on" if item["grade"] == g else ""}" data-do="grade" data-grade="{g}" '
        f'data-id="{esc(item["id"])}" aria-pressed="{"true" if item["grade"] == g else "false"}">{g}</button>'
        for g in range(4)
    )
    return f'<span class="d-grades" role="group" aria-label="grade">{pills}</span>'


def _parts(listing: Listing, number: int, item: Item, numbers: Mapping[str, int], thumb: Thumb) -> str:
    parts, twin = item["parts"], listing.twins.get(item["id"])
    mixed = len(parts) > 1
    same = f'<span class="flag d-twin">same as row {numbers[twin]}</span>' if twin else ""
    alone = len(parts) == 1 and parts[0][0] != "text"  # a picture or clip by itself carries the row's label
    label = _label(number, item)
    head = "" if alone else f'<div class="d-head">{label}{same}</div>'
    drawn = "".join(_part(listing, number, item, at, thumb, label + same if alone else "") for at in range(len(parts)))
    if mixed and all(part[0] != "text" for part in parts):
        drawn += f'<div class="d-part">{_text(number, item["id"], len(parts), "", "caption")}{_add(item)}</div>'
    if mixed and any(part[0] != "text" for part in parts):
        drawn += f'<div class="d-reads">{READS}</div>'
    return head + drawn


def _label(number: int, item: Item) -> str:
    """The field of what a row is called. The style sheet hides it while it is empty and nobody asked for it."""
    words = " ".join(part[1] for part in item["parts"] if part[0] == "text").strip()
    label = "" if item["label"].strip("“”") == words else item["label"]
    return (
        f'<input class="d-label" data-edit="label" data-id="{esc(item["id"])}" value="{esc(label)}" placeholder="label" '
        f'maxlength="{LABEL}" translate="no" spellcheck="false" aria-label="label of row {number}">'
    )


def _add(item: Item) -> str:
    """The ways to add a part; a picture without a text has its caption to write in."""
    name = esc(item["id"])
    words = f'<button type="button" data-do="words" data-id="{name}" title="Add a text to this row">+ text</button>'
    words = words if any(part[0] == "text" for part in item["parts"]) else ""
    hint = "Add a picture or clip to this row, or drop it here"
    return (
        f'<span class="d-add"><button type="button" data-label-of="{name}" title="Call this row something">+ label</button>'
        f'{words}<button type="button" data-do="into" data-pick="part" data-id="{name}" title="{hint}">'
        f"+ media</button></span>"
    )


def _part(listing: Listing, number: int, item: Item, at: int, thumb: Thumb, label: str) -> str:
    part, several = item["parts"][at], len(item["parts"]) > 1
    tools = _tools(item["id"], at, len(item["parts"])) if several else ""
    last = at == len(item["parts"]) - 1
    captioned = any(p[0] == "text" for p in item["parts"]) or not several
    more = _add(item) if last and captioned else ""
    if part[0] == "text":
        return f'<div class="d-part">{_text(number, item["id"], at, part[1], "text")}{tools}{more}</div>'
    picture = picture_of(content_of([part]), thumb)
    source = f'<span class="d-source ell" translate="no" title="{esc(part[2])}">{esc(part[2] or "untitled")}</span>'
    figure = f'<span class="d-size" data-figure="{esc(item["id"])}/{at}"></span>'
    line = f'<div class="d-line">{label}{source}{figure}{_asks(listing, item["id"], at, part)}{tools}{more}</div>'
    caption = "" if several else _text(number, item["id"], at + 1, "", "caption")
    return f'<div class="d-part d-media">{picture}<div class="d-what">{line}{caption}</div></div>'


def _text(number: int, name: str, at: int, text: str, what: str) -> str:
    hint = ' placeholder="caption"' if what == "caption" else ""
    return (
        f'<textarea rows="1" translate="no" data-edit="{at}" data-id="{esc(name)}"{hint} spellcheck="false" '
        f'aria-label="{what} of row {number}">\n{esc(text)}</textarea>'
    )


def _tools(name: str, at: int, length: int) -> str:
    def tool(do: str, by: int, sign: str, words: str, there: bool) -> str:
        off = "" if there else ' disabled="disabled"'
        return (
            f'<button type="button" data-do="{do}" data-id="{esc(name)}" data-at="{at}" data-by="{by}"{off} title="{words}" '
            f'aria-label="{words}">{sign}</button>'
        )

    up, down = tool("part-step", -1, "↑", "part up", at > 0), tool("part-step", 1, "↓", "part down", at < length - 1)
    return f'<span class="d-tools">{up}{down}{tool("part-remove", 0, "×", "remove this part", True)}</span>'


def _asks(listing: Listing, name: str, at: int, part: Sequence[Any]) -> str:
    """What a picture or clip may ask for itself, where this model samples by such rules at all."""
    rules = listing.image if part[0] == "image" else listing.video
    if rules is None:
        return ""
    own: Mapping[str, Any] = part[3] if len(part) > 3 else {}
    fields = "".join(
        f'<label><span>{ASKS[what]}</span><input type="number" min="0" step="any" data-own="{what}" data-id="{esc(name)}" '
        f'data-at="{at}" value="{own.get(what, "")}" placeholder="{_usual(rules, what)}"></label>'
        for what in OWN[part[0]]
    )
    return f'<span class="d-asks">{fields}</span>'


def _usual(rules: PixelLimits | ClipSampling, what: str) -> str:
    return "auto" if what == "frames" else f"{getattr(rules, what):g}" if what == "fps" else str(getattr(rules, what))
