"""The handlers of the loop: open a scenario, preview while typing, score, stop, choose a model.

Knows nothing of layout: each handler takes the values of the fields and returns what is shown, so a test can call it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.noise import Floors
from workbench.pool import Bench
from workbench.scenario import Scenario, read_scenario
from workbench.scorers import Explains
from workbench.store import Store
from workbench.types import Encoding, Text
from workbench.ui import aims, desk, linting, looking, preview
from workbench.ui.charts import scatter_html
from workbench.ui.figures import count, esc, sentence
from workbench.ui.lint_view import lint_html
from workbench.ui.outcome import kept
from workbench.ui.page_view import (
    knows_html,
    look_html,
    notice_html,
    stale_html,
    status_html,
    tail_words,
)
from workbench.ui.past import Keeper
from workbench.ui.preview import View
from workbench.ui.quota import Quota
from workbench.ui.ranking_view import SIDES, results_html
from workbench.ui.rows import face_of, named, parts_of
from workbench.ui.shelf import Shelf
from workbench.ui.side_view import barred_html, head_html, lines_changed, silent_html
from workbench.ui.tray_view import query_media_html, tray_html
from workbench.ui.verdict_view import verdict_html
from workbench.ui.widgets import Stops

START: View = {"side": "b", "at": 0}


@dataclass
class Loop:
    """Handlers over one bench. What a session typed lives in its fields and states, never here."""

    bench: Bench
    scenarios: Path
    scenes: Path | None = None  # a folder of pictures and clips that can be added
    store: Store | None = None  # where finished runs are remembered
    stops: Stops = field(default_factory=Stops)
    quota: Quota = field(default_factory=Quota)  # of uploads, by session
    floors: Floors = field(default_factory=Floors)  # noise, by model
    shelf: Shelf = field(default_factory=Shelf)  # the files of pictures and clips, under their limit

    # ------------------------------------------------------------ opening
    def on_scenario(self, name: str | None, model: str, view: View = START) -> tuple[Any, ...]:
        """(look, query, query parts, query media, items, tray, template A, instruction A, template B, instruction B, view)"""
        view = {**START, **{k: view[k] for k in ("tab", "glyphs", "checked") if k in view}}
        try:
            own = desk.body_of(self.bench, model)
            if not name:
                return (look_html(), "", [], "", [], tray_html((), (), ()), own, "", own, "", view)
            scenario = read_scenario(self.scenarios / f"{Path(name).name}.json", self.bench.library)
        except WorkbenchError as error:
            return (notice_html(error), *(gr.skip() for _ in range(10)))
        return (*self._fill(scenario, own), view)

    def _fill(self, scenario: Scenario, own: str) -> tuple[Any, ...]:
        rows = [desk.checked(self.bench, row) for row in scenario.rows]
        items = named([], rows, scenario.labels, scenario.grades)
        text = "\n".join(p.text for p in scenario.query.content if isinstance(p, Text))
        parts = parts_of([p for p in scenario.query.content if not isinstance(p, Text)])
        sides = [v for s in (scenario.a, scenario.b) for v in (s.template or own, s.instruction or "")]
        return (
            look_html(scenario.need, scenario.look), text, parts, self.query_media(parts), items,
            self.tray(items), *sides,
        )  # fmt: skip

    def tray(self, items: list[dict[str, Any]]) -> str:
        return tray_html(desk.read_rows(items), desk.faces(self.bench, items), [item["id"] for item in items])

    def query_media(self, parts: list[list[Any]]) -> str:
        """Each picture and clip of the query by itself."""
        singles = [{"label": "", "grade": None, "error": None, "parts": [part]} for part in parts]
        drawn = [face_of(single, desk.thumb(self.bench)) for single in singles]
        return query_media_html([f.picture for f in drawn], [f.label for f in drawn])

    # ------------------------------------------------------------ preview
    def on_preview(self, view: View, scored: dict[str, Any], *values: Any, fresh: bool = False) -> tuple[Any, ...]:
        """(silent A, silent B, head A, lint A, head B, lint B, preview's head, preview, stale) for the document at `view`.

        `fresh`: the panel shows something else than before, so that no last good render can stay.
        """
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
            said = aims.known(view, asked.prints[side])
            found = linting.quick(self.bench, asked, side, view["at"], outcomes[side], scored, said)
            out.append(head_html(side, lines_changed(body, own), counts[side], counts["a"], same))
            out.append(lint_html(side, outcomes[side], tail_words(outcomes[side], scorer.token), found, body))
        head, body = preview.draw(preview.Look(self.bench, asked, view, outcomes), fresh)
        return (*out, head, gr.skip() if body is None else body, stale_html(asked.prints, scored))

    def on_ended(self, scored: dict[str, Any], *values: Any) -> tuple[Any, str]:
        """(which sides changed since they were scored, the model in use), asked again after every run: one that ends late ends
        with the fields and the model that it began with."""
        try:
            stale = stale_html(desk.read(self.bench, *values).prints, scored)
        except WorkbenchError:
            stale = gr.skip()
        return stale, status_html(self.bench.pool.get(values[0]))

    def on_view(self, event: gr.EventData, view: View, scored: dict[str, Any], *values: Any) -> tuple[Any, ...]:
        """The preview's own switches: which view, which side, which document, in which order."""
        with contextlib.suppress(WorkbenchError):  # the preview says why
            view = looking.turned(self.bench, desk.read(self.bench, *values), view, event._data or {}, scored)
        return (view, *self.on_preview(view, scored, *values, fresh=True))

    def on_settled(self, head: str, view: View, scored: dict[str, Any], *values: Any) -> tuple[Any, Any, Any]:
        """(preview's head, preview, stale) as the fields are now: where previews and runs overlap, the one that answers last may
        have looked at what is past. The preview is drawn again only where `head` belongs to such fields or such a place."""
        try:
            asked = desk.read(self.bench, *values)
        except WorkbenchError:
            return gr.skip(), gr.skip(), gr.skip()
        if preview.mark(asked, view) not in (head or ""):
            return self.on_preview(view, scored, *values, fresh=True)[6:9]
        return gr.skip(), gr.skip(), stale_html(asked.prints, scored)

    # ------------------------------------------------------------ scoring
    def on_rank(self, request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        """(verdict, results, scores, prints of what was scored, stale, status, outcome), once per micro-batch."""
        stop, ended = self.stops.start(str(request.session_hash))
        try:
            asked = desk.read(self.bench, *values)
            scorer = self.bench.pool.get(values[0])
            doing = f"scoring {count(2 * len(asked.rows), 'pair')}" if scorer.facts().loaded else "reading the weights"
            yield f'<span class="run" data-say="status">{doing} …</span>', *(gr.skip() for _ in range(6))
            keeper = Keeper(self.bench, self.store, self.shelf)
            for run, said in keeper.keeping(request, asked, desk.runs(self.bench, asked, stop)):
                run = replace(run, floor=self.floors.of(scorer), local=not isinstance(scorer, Explains))
                yield (
                    verdict_html(run, len(asked.rows)) + said, results_html(run), scatter_html(run), desk.scored(asked, run), "",
                    gr.skip(), kept(run, asked),
                )  # fmt: skip
            yield *(gr.skip() for _ in range(5)), status_html(scorer), gr.skip()
        except WorkbenchError as error:
            yield f'<span class="error" data-say="alert">{sentence(error)}</span>', *(gr.skip() for _ in range(5)), None
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
            note = f'<span class="run" data-say="status">opening {esc(name)} … {esc(box["said"])}</span>'
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
