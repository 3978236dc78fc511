"""The handlers of the loop: open a scenario, preview while typing, score, stop, choose a model.

Knows nothing of layout: each handler takes the values of the fields and returns what is shown, so a test can call it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.pool import Bench
from workbench.scenario import Scenario, read_scenario
from workbench.scorers import Explains, Scorer
from workbench.types import Encoding, TemplateInvalid, Text, WorkbenchError
from workbench.ui import desk, linting
from workbench.ui.charts import scatter_html
from workbench.ui.figures import count, esc, sentence
from workbench.ui.lint_view import lint_html
from workbench.ui.page_view import (
    knows_html,
    look_html,
    notice_html,
    preview_head_html,
    stale_html,
    status_html,
    tail_words,
)
from workbench.ui.prompt_view import budget_html, prompt_html, told_html
from workbench.ui.ranking_view import SIDES, results_html, verdict_html
from workbench.ui.recipe_view import recipe_html
from workbench.ui.rows import face_of, named, parts_of
from workbench.ui.side_view import barred_html, head_html, lines_changed, silent_html
from workbench.ui.tray_view import query_media_html, tray_html
from workbench.ui.widgets import Stops

View = dict[str, Any]  # side: "a" | "b", at: index of the document the preview shows


@dataclass
class Loop:
    """Handlers over one bench. What a session typed lives in its fields and states, never here."""

    bench: Bench
    scenarios: Path
    scenes: Path | None = None  # a folder of pictures and clips that can be added
    stops: Stops = field(default_factory=Stops)

    # ------------------------------------------------------------ opening
    def on_scenario(self, name: str | None, model: str) -> tuple[Any, ...]:
        """(look, query, query parts, query media, items, tray, template A, instruction A, template B, instruction B, view)"""
        try:
            own = desk.body_of(self.bench, model)
            if not name:
                return (look_html(), "", [], "", [], tray_html((), ()), own, "", own, "", {"side": "b", "at": 0})
            scenario = read_scenario(self.scenarios / f"{Path(name).name}.json", self.bench.library)
        except WorkbenchError as error:
            return (notice_html(error), *(gr.skip() for _ in range(10)))
        return self._fill(scenario, own)

    def _fill(self, scenario: Scenario, own: str) -> tuple[Any, ...]:
        rows = [desk.checked(self.bench, row) for row in scenario.rows]
        items = named([], rows, scenario.labels, scenario.grades)
        text = "\n".join(p.text for p in scenario.query.content if isinstance(p, Text))
        parts = parts_of([p for p in scenario.query.content if not isinstance(p, Text)])
        sides = [v for s in (scenario.a, scenario.b) for v in (s.template or own, s.instruction or "")]
        return (
            look_html(scenario.need, scenario.look), text, parts, self.query_media(parts), items,
            self.tray(items), *sides, {"side": "b", "at": 0},
        )  # fmt: skip

    def tray(self, items: list[dict[str, Any]]) -> str:
        return tray_html(desk.read_rows(items), desk.faces(self.bench, items))

    def query_media(self, parts: list[list[str]]) -> str:
        """Each picture and clip of the query by itself."""
        singles = [{"label": "", "grade": None, "error": None, "parts": [part]} for part in parts]
        drawn = [face_of(single, desk.thumb(self.bench)) for single in singles]
        return query_media_html([f.picture for f in drawn], [f.label for f in drawn])

    # ------------------------------------------------------------ preview
    def on_preview(self, view: View, scored: dict[str, Any], *values: Any) -> tuple[Any, ...]:
        """(silent A, silent B, head A, lint A, head B, lint B, preview's head, preview, stale) for the document at `view`."""
        try:
            asked = desk.read(self.bench, *values)
            outcomes = desk.preview(self.bench, asked, view["at"])
            own, scorer = desk.body_of(self.bench, values[0]), self.bench.pool.get(values[0])
        except WorkbenchError as error:
            lint = lint_html("a", error), lint_html("b", error)
            return ("", "", gr.skip(), lint[0], gr.skip(), lint[1], gr.skip(), gr.skip(), gr.skip())
        counts = {s: len(o.token_ids) if isinstance(o, Encoding) else None for s, o in outcomes.items()}
        bodies = {side: asked.variants[side].template.body for side in SIDES}  # type: ignore[union-attr]
        out: list[Any] = [
            silent_html(outcomes[s], scorer.family, bodies[s] == own) + barred_html(*desk.barred(self.bench, asked, s))
            for s in SIDES
        ]
        same = asked.prints["a"] == asked.prints["b"]
        for side in SIDES:
            body = bodies[side]
            found = linting.quick(self.bench, asked, side, view["at"], outcomes[side], scored)
            out.append(head_html(side, lines_changed(body, own), counts[side], counts["a"], same))
            out.append(lint_html(side, outcomes[side], tail_words(outcomes[side], scorer.token), found, body))
        shown = outcomes[view["side"]]
        labels = [face_of(item, desk.no_thumb).label for item in asked.items]
        out.append(preview_head_html(view["side"], view["at"], labels, shown))
        if isinstance(shown, Encoding):
            drawn = self._prompt(asked, view["side"], shown, scorer)
        else:  # the last good render stays; on a row that cannot be read there is none
            drawn = gr.skip() if isinstance(shown, TemplateInvalid) else f'<p class="error">{sentence(shown)}</p>'
        return (*out, drawn, stale_html(asked.prints, scored))

    def _prompt(self, asked: desk.Asked, side: str, shown: Encoding, scorer: Scorer) -> str:
        """The prompt with its counts, where the other recipe parts from it, and what a server tells of it."""
        other = desk.otherwise(self.bench, asked, side, shown)
        told: tuple[str, ...] = ()
        if isinstance(scorer, Explains):
            try:
                shown, told = scorer.explain(shown)
            except WorkbenchError as error:
                told = (str(error),)
        drawn = prompt_html(shown, scorer.control_ids, scorer.token)
        drawn += budget_html(shown, scorer.window(shown.pair.parity), scorer.control_ids)
        drawn += recipe_html(asked.variants[side].parity, shown, other, scorer.token, scorer.family.temperature)
        return drawn + told_html(told)

    def on_stale(self, scored: dict[str, Any], *values: Any) -> str:
        """Which sides changed since they were scored. Asked again after every preview and every run: where these overlap, the one
        that ends last has looked at fields or scores that are past."""
        try:
            return stale_html(desk.read(self.bench, *values).prints, scored)
        except WorkbenchError:
            return gr.skip()  # type: ignore[no-any-return]

    def on_view(self, event: gr.EventData, view: View, scored: dict[str, Any], *values: Any) -> tuple[Any, ...]:
        """The preview's own switches: which side, which document."""
        data = event._data or {}
        rows = max(len(values[4]), 1)
        if data.get("do") == "side" and data.get("side") in SIDES:
            view = {**view, "side": data["side"]}
        elif data.get("do") == "step":
            view = {**view, "at": (view["at"] + (1 if data.get("by") == "1" else -1)) % rows}
        return (view, *self.on_preview(view, scored, *values))

    # ------------------------------------------------------------ scoring
    def on_rank(self, request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        """(verdict, results, scores, prints of what was scored, stale, status), once per micro-batch."""
        stop, ended = self.stops.start(str(request.session_hash))
        try:
            asked = desk.read(self.bench, *values)
            scorer = self.bench.pool.get(values[0])
            doing = f"scoring {count(2 * len(asked.rows), 'pair')}" if scorer.facts().loaded else "reading the weights"
            yield f'<span class="run" role="status">{doing} …</span>', *(gr.skip() for _ in range(5))
            for run in desk.runs(self.bench, asked, stop):
                yield (
                    verdict_html(run, len(asked.rows)), results_html(run), scatter_html(run),
                    linting.remembered(asked, run), "", gr.skip(),
                )  # fmt: skip
            yield *(gr.skip() for _ in range(5)), status_html(scorer)
        except WorkbenchError as error:
            yield f'<span class="error" role="alert">{sentence(error)}</span>', *(gr.skip() for _ in range(5))
        finally:
            ended()

    def on_stop(self, request: gr.Request) -> None:
        self.stops.ask(str(request.session_hash))

    # ------------------------------------------------------------ models
    def on_model(self, name: str, current: str, template_a: str, template_b: str) -> Iterator[tuple[Any, ...]]:
        """(model in use, menu, status, notice, template A, template B, instruction A, instruction B, what it knows).

        The model before stays in use until the new one is there, and when it cannot be had.
        """
        name = (name or "").strip()
        if not name or name == current:
            yield gr.skip(), gr.update(value=current), *(gr.skip() for _ in range(7))
            return
        box: dict[str, Any] = {"said": ""}
        old = desk.body_of(self.bench, current)
        worker = threading.Thread(target=self._open, args=(name, box), daemon=True)
        worker.start()
        while worker.is_alive():
            worker.join(0.25)
            note = f'<span class="run" role="status">opening {esc(name)} … {esc(box["said"])}</span>'
            yield gr.skip(), gr.skip(), note, "", *(gr.skip() for _ in range(5))
        if error := box.get("error"):
            status = status_html(self.bench.pool.get(current))
            yield gr.skip(), gr.update(value=current), status, notice_html(error), *(gr.skip() for _ in range(5))
            return
        scorer = self.bench.pool.get(name)
        own, hint = desk.body_of(self.bench, name), gr.update(placeholder=scorer.family.default_instruction)
        texts = [own if text == old else gr.skip() for text in (template_a, template_b)]
        yield name, gr.skip(), status_html(scorer), "", *texts, hint, hint, knows_html(scorer, self.bench.pool.shipped)

    def _open(self, name: str, box: dict[str, Any]) -> None:
        try:
            self.bench.pool.get(name, lambda said: box.update(said=said))
        except WorkbenchError as error:
            box["error"] = error
