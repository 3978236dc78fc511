"""Draws the document tray and the query's picture: one chip per row, folded to a strip or opened to a list.

Knows nothing of Gradio; a row that cannot be read is drawn with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.types import Document, Row, Text
from workbench.ui.figures import Face, count, esc, renewed, sentence
from workbench.ui.grade_view import pills

SHOWN = 60  # chips: the Documents tab pages through all rows


def tray_html(rows: Sequence[Row], faces: Sequence[Face], names: Sequence[str]) -> str:
    """Chips with `data-row`, the row's id; the page's script turns clicks and typing on them into events. Of long lists, those
    that cannot be read come first into what is shown."""
    if not rows:
        return '<span class="muted tray-empty">No documents yet: drop pictures, clips or a list of texts here.</span>'
    shown = sorted(sorted(range(len(rows)), key=lambda i: isinstance(rows[i], Document))[:SHOWN])
    chips = "".join(_chip(i, rows[i], names[i], faces[i]) for i in shown)
    more = f'<span class="muted tray-more"><b>{len(rows) - SHOWN:,}</b> more in Documents</span>' if len(rows) > SHOWN else ""
    return f'<span class="muted tray-count">{count(len(rows), "row")}</span>{renewed((names, rows), chips)}{more}'


def _chip(index: int, row: Row, name: str, face: Face) -> str:
    bad = not isinstance(row, Document)
    inner = f'<span class="ell" translate="no" title="{esc(face.label)}">{esc(face.label)}</span>'
    if isinstance(row, Document):
        texts = [p.text for p in row.content if isinstance(p, Text)]
        if texts:
            inner += (
                f'<textarea rows="1" translate="no" data-edit="text" data-id="{esc(name)}" '
                f'aria-label="text of document {index + 1}">'
                f"\n{esc(chr(10).join(texts))}</textarea>"
            )
    else:
        inner += f'<span class="why" title="{sentence(row)}">{sentence(row)}</span>'
    grade = "" if bad else pills(name, face.grade)
    return (
        f'<span class="doc-row{" bad" if bad else ""}" data-row="{esc(name)}">{face.picture}{inner}{grade}'
        f'<button type="button" data-do="remove" data-id="{esc(name)}" aria-label="remove {esc(face.label)}">×</button></span>'
    )


def gallery_html(labels: Sequence[str], pictures: Sequence[str]) -> str:
    """Shipped scenes as a grid of buttons; the page's script lets the arrow keys walk over them."""
    tiles = (
        f'<button type="button" class="scene" data-do="scene" data-index="{i}" title="add {esc(label)}">{picture}'
        f"<span translate=\"no\">{esc(label.rsplit(', ', 1)[0])}</span></button>"
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
