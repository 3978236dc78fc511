"""The handlers on what was scored: grades, the views that follow from them, the noise floor, the runs before, saving.

Knows nothing of layout. None of these scores anything for a ranking: grades and looks never touch the model.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.types import Encoding
from workbench.ui import desk
from workbench.ui.charts import scatter_html
from workbench.ui.figures import esc, sentence
from workbench.ui.grade_view import GRADES, note_html
from workbench.ui.judged import judged_lines
from workbench.ui.loop import Loop
from workbench.ui.outcome import Outcome, Tile, tile_of, with_tile
from workbench.ui.ranking_view import results_html
from workbench.ui.rows import Item, face_of
from workbench.ui.spread_view import spread_html
from workbench.ui.strip_view import strip_html
from workbench.ui.table_view import metrics_html, table_html
from workbench.ui.verdict_view import settled, verdict_html


@dataclass
class Review:
    loop: Loop

    # ------------------------------------------------------------ grades
    def on_grade(
        self, event: gr.EventData, items: list[Item], outcome: Outcome | None, tiles: list[Tile]
    ) -> tuple[Any, ...]:
        """(items, verdict, spread, metrics, strip, note). The event carries every click that was not answered yet."""
        data = event._data if isinstance(event._data, dict) else {}
        items = graded(items, data.get("changes"))
        upto = data.get("upto")
        return items, *self._views(items, outcome, tiles, upto if isinstance(upto, int) else 0)

    def on_scored(self, items: list[Item], outcome: Outcome | None, tiles: list[Tile]) -> tuple[Any, ...]:
        """(tiles, lists, scores, table, then `_views`) after a run; what came late is put right in the lists."""
        if outcome is None:
            return (gr.skip(),) * 9
        tiles = with_tile(tiles, tile_of(outcome, time.time(), time.monotonic()))
        run, lists = outcome.with_grades(items), (gr.skip(), gr.skip())
        if [f.grade for f in run.faces] != [f.grade for f in outcome.run.faces]:
            lists = self._drawn(items, outcome)
        return tiles, *lists, table_html(run), *self._views(items, outcome, tiles, 0)

    def on_named(self, items: list[Item], outcome: Outcome | None) -> tuple[Any, Any, Any]:
        """(lists, scores, table) where a row is called something else than they say."""
        if outcome is None:
            return (gr.skip(),) * 3
        run = outcome.with_grades(items)
        if [f.label for f in run.faces] == [f.label for f in outcome.run.faces]:
            return (gr.skip(),) * 3
        return *self._drawn(items, outcome), table_html(run)

    def _views(self, items: Sequence[Item], outcome: Outcome | None, tiles: Sequence[Tile], upto: int) -> tuple[Any, ...]:
        """(verdict, spread, metrics, strip, note)"""
        grades = {item["id"]: item["grade"] for item in items}
        if outcome is None:
            return (*(gr.skip() for _ in range(4)), note_html(grades, (), upto))
        run, rows = outcome.with_grades(items), len(outcome.names)
        return (
            verdict_html(run, rows) if settled(run, rows) else gr.skip(), spread_html(run), metrics_html(run),
            strip_html(tiles, grades, outcome), note_html(grades, run.disagree, upto),
        )  # fmt: skip

    def _drawn(self, items: Sequence[Item], outcome: Outcome) -> tuple[str, str]:
        """(lists, scores) with the pictures of the rows that are still there."""
        run = outcome.with_grades(items, lambda item: face_of(item, desk.thumb(self.loop.bench)).picture)
        return results_html(run), scatter_html(run)

    # ------------------------------------------------------------ noise
    def on_noise(self, *values: Any) -> None:
        """Measures the model in use unless that was done; gives way to any run that begins, and is tried again after it."""
        try:
            scorer, later = self.loop.bench.pool.get(values[0]), self.loop.stops.later()
            if not self.loop.floors.wanted(scorer):
                return
            asked = desk.read(self.loop.bench, *values)
            found = self.loop.bench.preview(asked.variants["b"], asked.query, asked.rows[:64])
            self.loop.floors.learn(scorer, [e for e in found if isinstance(e, Encoding)], later)
        except WorkbenchError:
            return  # what cannot be rendered now has been said where it stands

    def on_again(self, model: str, items: list[Item], outcome: Outcome | None, tiles: list[Tile]) -> tuple[Any, ...]:
        """(outcome, lists, scores, table, then `_views`) where the floor is not the one they were drawn by."""
        nothing = (gr.skip(),) * 9
        if outcome is None or outcome.run.b is None or outcome.run.b.variant.model != model:
            return nothing
        floor = self.loop.floors.of(self.loop.bench.pool.get(model))
        if floor == outcome.run.floor:
            return nothing
        outcome = outcome.quieter(floor)
        run = outcome.with_grades(items)
        return outcome, *self._drawn(items, outcome), table_html(run), *self._views(items, outcome, tiles, 0)

    # ------------------------------------------------------------ runs before, and out
    def on_back(self, event: gr.EventData, tiles: list[Tile]) -> tuple[Any, Any]:
        """(template B, instruction B) of a tile; scoring them again finds every score remembered."""
        data = event._data if isinstance(event._data, dict) else {}
        index = str(data.get("index", ""))
        if data.get("do") != "back" or not index.isdecimal() or int(index) >= len(tiles):
            return gr.skip(), gr.skip()
        return tiles[int(index)]["template"], tiles[int(index)]["instruction"]

    def on_add(self, event: gr.EventData, *values: Any) -> Any:
        """A link that the page's script follows: the query as it stands, its documents and their grades, as a line of JSON."""
        if not isinstance(event._data, dict) or event._data.get("do") != "add":
            return gr.skip()
        try:
            line = judged_lines(self.loop.bench, desk.read(self.loop.bench, *values))
        except WorkbenchError as error:
            return f'<span class="error" data-say="alert">{sentence(error)}</span>'
        data = base64.b64encode(line.encode()).decode()
        name = f'data-save="{time.monotonic_ns()}" download="judged.jsonl"'
        return f'<a hidden {name} href="data:application/x-ndjson;base64,{esc(data)}">judged.jsonl</a>'


def graded(items: list[Item], changes: object) -> list[Item]:
    """Rows with new grades; what the browser sends is checked, and what makes no sense changes nothing."""
    given: dict[str, int | None] = {}
    for change in changes if isinstance(changes, list) else ():
        match change:
            case [str(name), None]:
                given[name] = None
            case [str(name), int(grade)] if grade in GRADES and not isinstance(grade, bool):
                given[name] = grade
    return [{**item, "grade": given[item["id"]]} if item["id"] in given else item for item in items]
