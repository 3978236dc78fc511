"""Draws one query over its runs: a line per document through its rank in each run, as inline SVG.

Knows nothing of Gradio or the store; a document is known by its content, whatever it was called in a run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.ui.figures import Face, esc, label_of, shorten
from workbench.ui.past import Past
from workbench.ui.rows import Item, content_of
from workbench.ui.times import timed, utc

ROWS = 14  # places that are drawn
LINE, LEFT, TOP, COLUMN, LABELS = 22, 26, 22, 64, 190  # pixels


@dataclass(frozen=True, slots=True)
class Track:
    """One document: its place in each run (None where it has none), its label and grade as the last run has them."""

    label: str
    grade: int | None
    ranks: tuple[int | None, ...]


def keys(items: Sequence[Item]) -> list[Hashable]:
    """What tells the rows of a tray apart across runs: their content, and which of several equal ones."""
    seen: Counter[Hashable] = Counter()
    found: list[Hashable] = []
    for item in items:
        content = (tuple((kind, value) for kind, value, _ in item["parts"]), bool(item["error"]))
        found.append((content, seen[content]))
        seen[content] += 1
    return found


def face(item: Item) -> Face:
    """The row's label and grade without its picture."""
    label = item["label"] or label_of(content_of(item["parts"]))
    return Face(shorten(label), "", item["grade"])


def tracks(pasts: Sequence[Past], side: str) -> list[Track]:
    """The documents of all runs in the order of the last one; those that never came among the first ROWS are left out."""
    places: list[dict[Hashable, int]] = []
    faces: dict[Hashable, Face] = {}
    for past in pasts:
        names = keys(past.items)
        faces |= {name: face(item) for name, item in zip(names, past.items, strict=True)}
        ranking = past.rankings.get(side)
        places.append({names[r.index]: rank for rank, r in enumerate(ranking.ranked, 1)} if ranking else {})
    found = [Track(f.label, f.grade, tuple(p.get(name) for p in places)) for name, f in faces.items()]
    shown = [t for t in found if any(rank and rank <= ROWS for rank in t.ranks)]
    return sorted(shown, key=lambda t: t.ranks[-1] or 10**6)


def bump_html(pasts: Sequence[Past], side: str, current: str) -> str:
    """`pasts` from the oldest to the newest; `current` is the run that is open. Nothing for a single run."""
    if len(pasts) < 2:
        return ""
    try:
        drawn = tracks(pasts, side)
    except (WorkbenchError, KeyError, TypeError, ValueError, IndexError):
        return '<p class="error">One of the runs of this query cannot be read, so they are not drawn.</p>'
    width = LEFT + COLUMN * (len(pasts) - 1) + LABELS
    height = TOP + LINE * ROWS + 6
    body = "".join(_column(past, i, past.kept.id == current, height) for i, past in enumerate(pasts))
    body += "".join(_track(track, len(pasts)) for track in drawn)
    ranks = "".join(f'<text class="rank" x="8" y="{_y(r) + 4}">{r}</text>' for r in range(1, ROWS + 1) if _used(drawn, r))
    return (
        f'<div class="bump-head"><h3>This query over its runs</h3>{_switch(side)}</div><div class="bump">'
        f'<svg width="{width}" height="{_height(drawn)}" viewBox="0 0 {width} {_height(drawn)}" role="group" '
        f'aria-label="rank of each document in each run">{ranks}{body}</svg></div>'
    )


def _used(drawn: Sequence[Track], rank: int) -> bool:
    return rank <= max((r for t in drawn for r in t.ranks if r), default=0)


def _height(drawn: Sequence[Track]) -> int:
    return TOP + LINE * min(ROWS, max((r for t in drawn for r in t.ranks if r), default=1)) + 6


def _switch(side: str) -> str:
    return "".join(
        f'<button type="button" data-do="bump" data-side="{s}" class="switch in-{s}{" on" if s == side else ""}" '
        f'aria-pressed="{"true" if s == side else "false"}">{s.upper()}</button>'
        for s in ("a", "b")
    )


def _x(at: int) -> int:
    return LEFT + 14 + COLUMN * at


def _y(rank: int) -> int:
    return TOP + LINE * rank - LINE // 2


def _column(past: Past, at: int, current: bool, height: int) -> str:
    told = " ".join(past.typed("b")[1].split())
    scored, title = past.kept.at, f"{utc(past.kept.at, 'day')} · {past.kept.name or told}"
    return (
        f'<g class="col{" on" if current else ""}" data-do="open" data-run="{esc(past.kept.id)}">'
        f'<title translate="no" {timed(scored, "day")}>{esc(title)}</title>'
        f'<rect x="{_x(at) - 24}" y="0" width="48" height="{height}" rx="6"/>'
        f'<text x="{_x(at)}" y="14" text-anchor="middle" {timed(scored, "clock")}>{utc(scored, "clock")}</text></g>'
    )


def _track(track: Track, count: int) -> str:
    """Pieces of a line where the document is ranked in neighbouring runs; a dot in each."""
    points = [(at, min(rank, ROWS + 1)) for at, rank in enumerate(track.ranks) if rank]
    path, last = "", -2
    for at, rank in points:
        x, y = _x(at), _y(rank)
        before = _x(at) - COLUMN // 2
        path += f"M{x} {y}" if at != last + 1 else f"C{before} {_y(dict(points)[last])} {before} {y} {x} {y}"
        last = at
    dots = "".join(f'<circle cx="{_x(at)}" cy="{_y(rank)}" r="3.5"/>' for at, rank in points if rank <= ROWS)
    kind = "open" if track.grade is None else f"g{track.grade}"
    title = f"{track.label}: {' → '.join(str(r) if r else '–' for r in track.ranks)}"
    end = track.ranks[-1]
    label = (
        f'<text translate="no" x="{_x(count - 1) + 12}" y="{_y(end) + 4}">{esc(shorten(track.label, 30))}</text>'
        if end and end <= ROWS
        else ""
    )
    return (
        f'<g class="track {kind}" translate="no" tabindex="0" role="img" aria-label="{esc(title)}"><title>{esc(title)}</title>'
        f'<path class="hit" d="{path}"/><path class="line" d="{path}"/>{dots}{label}</g>'
    )
