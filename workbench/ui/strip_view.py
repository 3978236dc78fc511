"""Draws the last runs of a session as a strip of small tiles.

Knows nothing of Gradio; a tile's metric is worked out of the grades as they are now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.metrics import ndcg, open_top, span
from workbench.ui.figures import esc, shorten
from workbench.ui.outcome import Outcome, Tile, key_of
from workbench.ui.times import time_html
from workbench.ui.verdict_view import between, short

WORDS = 26  # characters of the instruction


def strip_html(tiles: Sequence[Tile], grades: Mapping[str, int | None], shown: Outcome) -> str:
    """Nothing for a single run. Grades are about the rows of `shown`: a run of another question has no metric here."""
    if len(tiles) < 2:
        return ""
    drawn = "".join(
        _tile(i, tile, grades if tile["about"] == shown.about else {}, tile["key"] == key_of(shown))
        for i, tile in enumerate(tiles)
    )
    return f'<div class="strip-row" role="group" aria-label="the last runs">{drawn}</div>'


def _tile(index: int, tile: Tile, grades: Mapping[str, int | None], on: bool) -> str:
    words = " ".join(tile["instruction"].split())
    name = f'<span class="ell" translate="no">{esc(shorten(words, WORDS))}</span>' if words else "<i>no instruction</i>"
    return (
        f'<button type="button" class="tile{" on" if on else ""}" data-do="back" data-index="{index}" '
        f'aria-pressed="{"true" if on else "false"}" title="bring this B back"{" data-current" if on else ""}>{name}'
        f"<b>{_metric(tile, grades)}</b><span>{_moved(tile)}</span>"
        f"{time_html(tile['at'], 'clock')}</button>"
    )


def _metric(tile: Tile, grades: Mapping[str, int | None]) -> str:
    ranked = [grades.get(name) for name in tile["order"]]
    if all(grade is None for grade in ranked):
        return "–"
    if open_top(ranked):
        found = span("nDCG", ranked)
        return between(found) if found else "–"
    known = [grade or 0 for grade in ranked]
    value = ndcg(known, known)
    return short(value) if value is not None else "–"


def _moved(tile: Tile) -> str:
    return f"{tile['moved']}↕" if tile["moved"] else "="
