"""What a click writes into the editors: Keep, Revert, Reset, Fix, and Undo of each.

Knows nothing of layout: handlers take the values of the fields and return what changes, so a test can call them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.lint import Fix
from workbench.ui import aims, desk, linting
from workbench.ui.lint_view import lint_html
from workbench.ui.loop import Loop
from workbench.ui.page_view import tail_words
from workbench.ui.preview import View
from workbench.ui.ranking_view import SIDES
from workbench.ui.rows import Item

QUERY, ITEMS, TEMPLATE, INSTRUCTION = (
    2,
    4,
    {"a": 5, "b": 7},
    {"a": 6, "b": 8},
)  # places in the values that `desk.read` takes
WRITTEN = (QUERY, ITEMS, 5, 6, 7, 8)
MOST = 30  # clicks that can be taken back
UNDO = '<button type="button" class="tool undo" data-do="undo" title="take the last click back">Undo</button>'
Steps = list[dict[str, Any]]  # per click, the fields it changed as they were: {"7": template B}


@dataclass
class Changes:
    """Handlers of the buttons around the editors. `steps` is a session's own."""

    loop: Loop

    def on_click(
        self, event: gr.EventData, steps: Steps, view: View, scored: dict[str, Any], *values: Any
    ) -> tuple[Any, ...]:
        """(steps, undo button, tray, query, items, template A, instruction A, template B, instruction B)"""
        data = event._data or {}
        try:
            if data.get("do") == "undo":
                return self._shown(steps[:-1], {int(k): v for k, v in steps[-1].items()}) if steps else _nothing()
            new = self._asked(data, view, scored, values)
        except WorkbenchError:
            return _nothing()  # the line under the editor says it
        new = {at: value for at, value in new.items() if value != values[at]}
        if not new:
            return _nothing()
        return self._shown([*steps, {str(at): values[at] for at in new}][-MOST:], new)

    def _asked(
        self, data: Mapping[str, Any], view: View, scored: dict[str, Any], values: tuple[Any, ...]
    ) -> dict[int, Any]:
        """The fields that a click changes, by their place."""
        side = data.get("side")
        if side not in SIDES:
            return {}
        match data.get("do"):
            case "keep":
                return {TEMPLATE["a"]: values[TEMPLATE["b"]], INSTRUCTION["a"]: values[INSTRUCTION["b"]]}
            case "revert":
                return {TEMPLATE["b"]: values[TEMPLATE["a"]], INSTRUCTION["b"]: values[INSTRUCTION["a"]]}
            case "reset":
                return {TEMPLATE[side]: desk.body_of(self.loop.bench, values[0])}
            case "fix":
                asked = desk.read(self.loop.bench, *values)
                said = aims.known(view, asked.prints[side])
                found = linting.whole(self.loop.bench, asked, side, view["at"], scored, said)
                fix = linting.fix_of(found, str(data.get("code")), int(data.get("nth") or 0))
                return _mended(fix, side, values) if fix else {}
        return {}

    def _shown(self, steps: Steps, new: Mapping[int, Any]) -> tuple[Any, ...]:
        tray = self.loop.tray(new[ITEMS]) if ITEMS in new else gr.skip()
        return (steps, UNDO if steps else "", tray, *(new.get(at, gr.skip()) for at in WRITTEN))

    def on_lint(self, view: View, scored: dict[str, Any], *values: Any) -> tuple[Any, ...]:
        """(lint A, lint B) with their fixes."""
        try:
            bench = self.loop.bench
            asked, scorer = desk.read(bench, *values), bench.pool.get(values[0])
            outcomes = desk.preview(bench, asked, view["at"])
            return tuple(
                lint_html(
                    side, outcomes[side], tail_words(outcomes[side], scorer.token),
                    linting.whole(bench, asked, side, view["at"], scored, aims.known(view, asked.prints[side])),
                    values[TEMPLATE[side]] or "",
                )
                for side in SIDES
            )  # fmt: skip
        except WorkbenchError:
            return gr.skip(), gr.skip()


def _mended(fix: Fix, side: str, values: tuple[Any, ...]) -> dict[int, Any]:
    if fix.template is not None:
        return {TEMPLATE[side]: fix.template}
    if fix.clear:
        return {INSTRUCTION[side]: ""}
    wrap = fix.unwrap
    assert wrap is not None
    items = [
        {**item, "parts": [[k, wrap.off(v, "document") if k == "text" else v, s] for k, v, s in item["parts"]]}
        for item in _items(values)
    ]
    return {QUERY: wrap.off(values[QUERY] or "", "query"), ITEMS: items}


def _items(values: tuple[Any, ...]) -> list[Item]:
    return list(values[ITEMS])


def _nothing() -> tuple[Any, ...]:
    return tuple(gr.skip() for _ in range(3 + len(WRITTEN)))
