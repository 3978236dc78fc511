"""Draws the document tray and the query's picture: one chip per row, folded to a strip or opened to a list.

Knows nothing of Gradio; a row that cannot be read is drawn with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.types import Document, Row, Text
from workbench.ui.figures import Face, count, esc, sentence
from workbench.ui.grade_view import pills


def tray_html(rows: Sequence[Row], faces: Sequence[Face]) -> str:
    """Chips with `data-row`; the page's script turns clicks and typing on them into events."""
    if not rows:
        return '<span class="muted tray-empty">No documents yet: drop pictures, clips or a list of texts here.</span>'
    chips = (_chip(i, row, face) for i, (row, face) in enumerate(zip(rows, faces, strict=True)))
    return f'<span class="muted tray-count">{count(len(rows), "row")}</span>' + "".join(chips)


def _chip(index: int, row: Row, face: Face) -> str:
    bad = not isinstance(row, Document)
    name = row.id if isinstance(row, Document) else f"row {index + 1}"
    inner = f'<span class="ell" title="{esc(face.label)}">{esc(face.label)}</span>'
    if isinstance(row, Document):
        texts = [p.text for p in row.content if isinstance(p, Text)]
        if texts:
            inner += (
                f'<textarea rows="1" data-edit="{index}" aria-label="text of document {index + 1}">'
                f"\n{esc(chr(10).join(texts))}</textarea>"
            )
    else:
        inner += f'<span class="why" title="{sentence(row)}">{sentence(row)}</span>'
    grade = "" if bad else pills(name, face.grade)
    return (
        f'<span class="doc-row{" bad" if bad else ""}" data-row="{esc(name)}">{face.picture}{inner}{grade}'
        f'<button type="button" data-do="remove" data-index="{index}" aria-label="remove {esc(face.label)}">×</button></span>'
    )


def gallery_html(labels: Sequence[str], pictures: Sequence[str]) -> str:
    """Shipped scenes as a grid of buttons; the page's script lets the arrow keys walk over them."""
    tiles = (
        f'<button type="button" class="scene" data-do="scene" data-index="{i}" title="add {esc(label)}">{picture}'
        f"<span>{esc(label.rsplit(', ', 1)[0])}</span></button>"
        for i, (label, picture) in enumerate(zip(labels, pictures, strict=True))
    )
    return f'<div class="gallery" role="group" aria-label="scenes to add">{"".join(tiles)}</div>'


def query_media_html(pictures: Sequence[str], labels: Sequence[str]) -> str:
    """The query's own pictures and clips, each with a cross."""
    return "".join(
        f'<span class="q-media" title="{esc(label)}">{picture}<button type="button" data-do="unpicture" '
        f'data-index="{i}" aria-label="remove {esc(label)} from the query">×</button></span>'
        for i, (picture, label) in enumerate(zip(pictures, labels, strict=True))
    )
