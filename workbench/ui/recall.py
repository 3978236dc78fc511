"""The handlers of the history: find, open, compare, write on, delete and restore runs.

Knows nothing of layout. Which run is open lives in the page's state; every question is asked for the owner of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.errors import RequestInvalid, WorkbenchError
from workbench.store import Kept, Search, Store
from workbench.types import Text
from workbench.ui import history_view
from workbench.ui.bump import bump_html
from workbench.ui.figures import sentence
from workbench.ui.loop import Loop
from workbench.ui.owner import owner_of
from workbench.ui.page_view import look_html, status_html
from workbench.ui.past import Past, past_of
from workbench.ui.ranking_view import SIDES, results_html
from workbench.ui.rows import content_of, parts_of
from workbench.ui.side_by_side import moves_html, settings_html, together
from workbench.ui.verdict_view import verdict_html

PAGE = 40
RUNS = 24  # of one query that are drawn
View = dict[str, Any]  # text, tag, model, first; opened, other: ids; left, right, bump: sides
NOTHING: View = {
    "text": "", "tag": "", "model": "", "first": 0, "opened": "", "other": "", "left": "b", "right": "b", "bump": "b",
}  # fmt: skip


@dataclass
class Recall:
    """Handlers over one store. Each returns (view, list, filters, run, rankings, chart) unless it says otherwise."""

    loop: Loop
    store: Store

    # ------------------------------------------------------------ looking
    def on_enter(self, request: gr.Request, view: View) -> tuple[Any, ...]:
        """The tab is looked at: the list as it is now, and a run open in it."""
        return self._drawn(request, view)

    def on_link(self, request: gr.Request, view: View) -> tuple[Any, ...]:
        """(the same six, which tab): a page opened with ?s=ID shows that run."""
        wanted = str((getattr(request, "query_params", None) or {}).get("s", ""))
        if not wanted:
            return (*(gr.skip() for _ in range(6)), gr.skip())
        return (*self._drawn(request, {**view, "opened": wanted}), gr.update(selected="history"))

    def on_find(self, request: gr.Request, text: str, view: View) -> tuple[Any, ...]:
        return self._drawn(request, {**view, "text": (text or "")[:200], "first": 0}, lists_only=True)

    def on_click(self, event: gr.EventData, request: gr.Request, view: View) -> tuple[Any, ...]:
        """Any button of the tab; what it means stands in its data."""
        data = event._data if isinstance(event._data, dict) else {}
        do, run = data.get("do"), str(data.get("run", ""))
        side = data.get("side") if data.get("side") in SIDES else "b"
        match do:
            case "open":
                view = {**view, "opened": run, "other": ""}
            case "compare":
                view = {**view, "other": "" if run in (view["other"], view["opened"]) else run}
            case "alone":
                view = {**view, "other": ""}
            case "left" | "right" | "bump":
                view = {**view, do: side}
            case "tag" | "model":
                name = str(data.get("name", ""))
                view = {**view, do: "" if view[do] == name else name, "first": 0}
            case "page":
                view = {**view, "first": max(0, view["first"] + (PAGE if data.get("by") == "1" else -PAGE))}
            case "pin" | "delete":
                return self._changed(request, view, do, run)
            case _:
                return tuple(gr.skip() for _ in range(6))
        return self._drawn(request, view)

    def _changed(self, request: gr.Request, view: View, do: str, run: str) -> tuple[Any, ...]:
        owner, kept = owner_of(request), self._get(run)
        try:
            if do == "delete" and self.store.delete(owner, run):
                view = {**view, "opened": "" if view["opened"] == run else view["opened"], "other": ""}
            elif kept and do == "pin":
                self.store.pin(owner, run, not kept.pinned)
        except WorkbenchError as error:
            return (*(gr.skip() for _ in range(3)), _error(error), gr.skip(), gr.skip())
        return self._drawn(request, view)

    def on_write(self, event: gr.EventData, request: gr.Request, view: View) -> Any:
        """Typing in the name, the tags or the note of the open run. (list)"""
        data = event._data if isinstance(event._data, dict) else {}
        owner, text, run = owner_of(request), str(data.get("text", "")), view["opened"]
        try:
            match data.get("index"):
                case "name":
                    self.store.rename(owner, run, text)
                case "note":
                    self.store.annotate(owner, run, text)
                case "tags":
                    self.store.tag(owner, run, text.split(","))
            return self._lists(request, view)[0]
        except WorkbenchError as error:
            return _error(error)

    # ------------------------------------------------------------ drawing
    def _drawn(self, request: gr.Request, view: View, *, lists_only: bool = False) -> tuple[Any, ...]:
        try:
            if not view["opened"] and not lists_only:
                newest, _ = self.store.page(owner_of(request), _search(view), most=1)
                view = {**view, "opened": newest[0].id if newest else ""}
            lists = self._lists(request, view)
            if lists_only:
                return (view, *lists, *(gr.skip() for _ in range(3)))
            return (view, *lists, *self._opened(request, view))
        except WorkbenchError as error:
            return view, gr.skip(), gr.skip(), _error(error), "", ""

    def _lists(self, request: gr.Request, view: View) -> tuple[str, str]:
        owner = owner_of(request)
        runs, total = self.store.page(owner, _search(view), first=view["first"], most=PAGE)
        tags, models = self.store.labels(owner)
        searched = bool(view["text"] or view["tag"] or view["model"])
        drawn = history_view.list_html(runs, total, view["first"], view["opened"], view["other"], searched=searched)
        return drawn, history_view.filters_html(tags, models, view["tag"], view["model"])

    def _opened(self, request: gr.Request, view: View) -> tuple[str, str, str]:
        """(run, rankings, chart)"""
        if not view["opened"]:
            return "", "", ""
        kept = self._get(view["opened"])
        if kept is None:
            raise RequestInvalid("this run is not there", hint="It was deleted, or the link is not whole.")
        past, mine = past_of(kept), kept.owner == owner_of(request)
        head = history_view.run_html(kept, mine, past.lost(self.loop.bench.library))
        other = self._get(view["other"]) if view["other"] else None
        if other is not None:
            return head, self._compared(past, past_of(other), view), ""
        run = past.run(self.loop.bench)
        rankings = f'<div class="verdict-row">{verdict_html(run, len(past.items))}</div>{results_html(run)}'
        runs = self.store.asked(kept.owner, kept.question, RUNS) if mine else []
        return head, rankings, bump_html([past_of(k) for k in runs], view["bump"], kept.id)

    def _compared(self, left: Past, right: Past, view: View) -> str:
        sides = [s if s in past.sides else next(iter(past.sides)) for past, s in ((left, view["left"]), (right, view["right"]))]
        run = together(self.loop.bench, left, sides[0], right, sides[1])
        return (
            history_view.compare_head_html(left.kept, sides[0], right.kept, sides[1])
            + f'<div class="compared">{settings_html(left, sides[0], right, sides[1])}{moves_html(run)}</div>'
            + f'<div class="neutral">{results_html(run)}</div>'
        )

    def _get(self, run: str) -> Kept | None:
        return self.store.get(run) if 0 < len(run) < 64 else None

    # ------------------------------------------------------------ restoring
    def on_restore(self, event: gr.EventData, current: str) -> tuple[Any, ...]:
        """(look, query, query parts, query media, items, tray, template A, instruction A, template B, instruction B, view of the
        preview, model in use, menu, target, status, said, which tab): the fields as they were."""
        data = event._data if isinstance(event._data, dict) else {}
        if data.get("do") != "restore":
            return tuple(gr.skip() for _ in range(17))
        try:
            kept = self._get(str(data.get("run", "")))
            if kept is None:
                raise RequestInvalid("this run is not there")
            past = past_of(kept)
            return (*self._fields(past), *self._model(past, current), "", gr.update(selected="tune"))
        except WorkbenchError as error:
            return (*(gr.skip() for _ in range(15)), _error(error), gr.skip())

    def _fields(self, past: Past) -> tuple[Any, ...]:
        content = content_of(past.query)
        text = "\n".join(p.text for p in content if isinstance(p, Text))
        parts = parts_of([p for p in content if not isinstance(p, Text)])
        sides = [value for side in SIDES for value in past.typed(side)]
        return (
            look_html(restored=past.kept.at), text, parts, self.loop.query_media(parts), past.items,
            self.loop.tray(past.items), *sides, {"side": "b", "at": 0},
        )  # fmt: skip

    def _model(self, past: Past, current: str) -> tuple[Any, ...]:
        variant = next(iter(past.variants.values()))
        if variant.model == current:
            return gr.skip(), gr.skip(), variant.parity, gr.skip()
        scorer = self.loop.bench.pool.get(variant.model)
        return variant.model, gr.update(value=variant.model), variant.parity, status_html(scorer)


def _search(view: Mapping[str, Any]) -> Search:
    return Search(view["text"], view["tag"], view["model"])


def _error(error: WorkbenchError) -> str:
    return f'<p class="error" data-say="alert">{sentence(error)}</p>'
