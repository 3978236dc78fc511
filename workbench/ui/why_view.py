"""Draws what a score stands on: words, tiles and frames by how the logit moves without them.

Knows nothing of Gradio or of how effects came about. What speaks for the document stands clear, the rest is veiled; what speaks
against it has a dashed edge: no colour is needed to read it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from workbench.errors import WorkbenchError
from workbench.media import Library
from workbench.occlusion import GRID, Effect, Piece
from workbench.types import Document, Image, MediaInput, Text, Video
from workbench.ui.figures import count, esc, sentence
from workbench.ui.inspector_view import frames_html

PICTURE = 220  # pixels
NAMES = {"text": "piece of text", "tile": "tile", "frames": "frame group"}


def offer_html(document_id: str, forwards: Mapping[str, int], seconds: float | None, matches: bool) -> str:
    """What it costs, said before it is asked for: so many pairs scored per side."""
    if matches:
        return (
            '<section class="why"><h3>Why</h3><p class="muted">Every query token looks for its best document token.</p>'
            f'<span class="row">{_buttons(document_id, forwards)}</span></section>'
        )
    most = max(forwards.values(), default=0)
    if not most:
        return '<section class="why"><h3>Why</h3><p class="muted">Nothing can be left out of it: it is one word.</p></section>'
    about = f", about <b>{_time(seconds * most)}</b>" if seconds else ""
    return (
        '<section class="why"><h3>Why</h3><p class="muted">Leaves out one piece after another and looks how the logit moves. '
        f"Approximate. <span>{count(most, 'forward')} a side{about}</span></p>"
        f'<span class="row">{_buttons(document_id, forwards)}</span></section>'
    )


def _buttons(document_id: str, sides: Mapping[str, int]) -> str:
    return "".join(
        f'<button type="button" class="small" data-do="why" data-side="{s}" data-doc="{esc(document_id)}">'
        f'Why <span class="in-{s}">{s.upper()}</span></button>'
        for s in sides
    )


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def effects_html(
    library: Library, side: str, document: Document, media: Sequence[MediaInput], found: Sequence[Piece],
    effects: Sequence[Effect], *, done: bool,
) -> str:  # fmt: skip
    """The document with what is known so far."""
    changes = {effect.piece: effect.change for effect in effects}
    most = max((abs(c) for c in changes.values()), default=0.0)
    given = {item.part.digest: item for item in media}
    parts = ""
    for at, part in enumerate(document.content):
        here = [piece for piece in found if piece.part == at]
        if not here:
            continue
        match part:
            case Text():
                parts += _text(part.text, here, changes, most)
            case Image():
                parts += _tiles(library, part, here, changes, most)
            case Video():
                parts += _frames(library, given[part.digest], here, changes, most)
    return f'<div class="effects">{_head(side, len(found), len(effects), most, done)}{parts}</div>'


def _head(side: str, expected: int, got: int, most: float, done: bool) -> str:
    name = f'<b class="in-{side}">{side.upper()}</b>'
    if got < expected and not done:
        stop = '<button type="button" class="small" data-do="stop">Stop</button>'
        return f'<p class="row"><span class="run" data-say="status">{name} {got} of {expected}</span>{stop}</p>'
    part = "" if got == expected else f'<span class="flag">stopped: {got} of {expected}</span>'
    words = f"<span>The largest moves the logit by <b>{most:.2f}</b>.</span> "
    words += "<span>Approximate: what is left out may stand elsewhere too.</span>"
    return f'<p class="muted">{name} {words} {part}</p>'


def _weight(change: float | None, most: float) -> tuple[float, str, str]:
    """(share of the largest change, its class, its words)"""
    if change is None:
        return 0.0, "unknown", "not known yet"
    share = abs(change) / most if most else 0.0
    kind = "for" if change >= 0 else "against"
    return share, kind, f"{'+' if change >= 0 else '−'}{abs(change):.3f}"


def _text(text: str, here: Sequence[Piece], changes: Mapping[Piece, float], most: float) -> str:
    out, at = "", 0
    for piece in here:
        start, end = piece.at
        share, kind, words = _weight(changes.get(piece), most)
        out += esc(text[at:start])
        told = f'style="--share:{share:.3f}" title="{words}" data-change="{words}"'
        out += f'<mark class="{kind}" {told}>{esc(text[start:end])}</mark>'
        at = end
    return f'<p class="full" dir="auto" translate="no">{out}{esc(text[at:])}</p>'


def _tiles(library: Library, part: Image, here: Sequence[Piece], changes: Mapping[Piece, float], most: float) -> str:
    tiles = ""
    for piece in here:
        share, kind, words = _weight(changes.get(piece), most)
        shown = words[: -2 if most >= 1 else None] if share >= 0.25 else ""  # a tile has room for few digits
        tiles += f'<i class="{kind}" style="--share:{share:.3f}" title="{words}" data-change="{words}"><b>{shown}</b></i>'
    return grid_html(library, part, tiles, GRID, GRID)


def grid_html(library: Library, part: Image, tiles: str, rows: int, columns: int) -> str:
    """A picture under a veil of tiles, in rows from the top left."""
    try:
        picture = base64.b64encode(library.thumbnail(part, PICTURE)).decode()
    except WorkbenchError as error:
        return f'<p class="error">{sentence(error)}</p>'
    return (
        f'<div class="tiles" style="--rows:{rows};--columns:{columns}"><img alt="" src="data:image/jpeg;base64,{picture}">'
        f'<div class="veil">{tiles}</div></div>'
    )


def _frames(
    library: Library, item: MediaInput, here: Sequence[Piece], changes: Mapping[Piece, float], most: float
) -> str:
    notes = [""] * len(item.frames)
    for piece in here:
        share, kind, words = _weight(changes.get(piece), most)
        for i in range(*piece.at):
            notes[i] = f'class="{kind}" data-change="{words}" title="{words}" style="--share:{share:.3f}"'
    return frames_html(library, item, notes)


def why_error_html(error: WorkbenchError | None) -> str:
    return f'<p class="error" data-say="alert">{sentence(error)}</p>' if error else ""


