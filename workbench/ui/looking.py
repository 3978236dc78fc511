"""Where the reader of the prompt panel is: which view, side and document, and in which order documents come.

Knows nothing of Gradio or HTML. What a browser sends is checked here; nonsense leaves everything as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.pool import Bench
from workbench.ui import desk
from workbench.ui.preview import View, aligned
from workbench.ui.preview_head import ORDERS, TABS
from workbench.ui.ranking_view import SIDES

MOST = 200  # documents compared for an order without a run; those behind keep their place


def turned(bench: Bench, asked: desk.Asked, view: View, data: Mapping[str, Any], scored: Mapping[str, Any]) -> View:
    """The view after a click on one of the panel's own switches."""
    do, rows = data.get("do"), max(len(asked.rows), 1)
    if do == "side" and data.get("side") in SIDES:
        return {**view, "side": data["side"]}
    if do == "tab" and data.get("tab") in TABS:
        return {**view, "tab": data["tab"], "first": 0}
    if do == "glyphs":
        return {**view, "glyphs": not view.get("glyphs")}
    if do == "page" and (first := _number(data.get("to"))) is not None:
        return {**view, "first": first}
    if do == "at" and (at := _number(data.get("at"))) is not None and at < rows:
        return {**view, "at": at, "tab": "prompt"}
    if do == "order" and data.get("order") in ORDERS:
        return _ordered(bench, asked, {**view, "by": data["order"], "of": None}, scored, jump=True)
    if do == "step":
        return _stepped(_ordered(bench, asked, view, scored), 1 if data.get("by") == "1" else -1, rows)
    return view


def _number(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 9 else None


def _stepped(view: View, by: int, rows: int) -> View:
    order = view.get("order") or list(range(rows))
    place = order.index(view["at"]) if view["at"] in order else 0
    return {**view, "at": order[(place + by) % rows]}


def _ordered(bench: Bench, asked: desk.Asked, view: View, scored: Mapping[str, Any], jump: bool = False) -> View:
    """The view with the order its documents come in, made anew where the fields changed; `jump`: to the first of them."""
    if view.get("by", "listed") == "listed":
        return {k: v for k, v in view.items() if k not in ("order", "of", "by")}
    prints = dict(asked.prints)
    if view.get("of") != prints or len(view.get("order") or ()) != len(asked.rows):
        change = _changes(bench, asked, scored)
        view = {**view, "of": prints, "order": sorted(range(len(asked.rows)), key=lambda i: -change[i])}
    return {**view, "at": view["order"][0]} if jump and view["order"] else view


def _changes(bench: Bench, asked: desk.Asked, scored: Mapping[str, Any]) -> list[int]:
    """How much each document changes from A to B: in ranks where these very fields were scored, else in tokens."""
    climbs = scored.get("climbs")
    if climbs and all(scored.get(side) == asked.prints[side] for side in SIDES):
        return [abs(climbs.get(i, 0)) for i in range(len(asked.rows))]
    rows = asked.rows[:MOST]
    sides = {side: bench.preview(variant, asked.query, rows) for side, variant in asked.variants.items()}
    found = []
    for a, b in zip(sides["a"], sides["b"], strict=True):
        alignment = aligned({"a": a, "b": b})
        found.append(alignment.differing if alignment else 0)
    return found + [0] * (len(asked.rows) - len(found))
