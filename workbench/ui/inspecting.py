"""The handlers of the inspector: one pair opened from a card, and why its score is what it is.

Knows nothing of layout; the pair is that of the fields as they are now, scored now, so it is never that of an edited past.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from workbench import occlusion
from workbench.errors import PromptInvalid, WorkbenchError
from workbench.scorers import Scorer
from workbench.store import Kept
from workbench.types import Document, Encoding, Row, ScoreResult
from workbench.ui import desk, inspector_view, pair_code, why_view
from workbench.ui.desk import Asked
from workbench.ui.figures import sentence
from workbench.ui.inspector_view import Seen, section
from workbench.ui.loop import Loop
from workbench.ui.matches_view import matches_html
from workbench.ui.owner import owner_of
from workbench.ui.page_view import tail_words
from workbench.ui.past import past_of, question_of
from workbench.ui.ranking_view import SIDES
from workbench.ui.rows import face_of, parts_of
from workbench.ui.widgets import Stops

RUNS = 24  # earlier runs of the pair that are shown


@dataclass
class Inspector:
    """Handlers over one loop. Which pair is open is told by the page with every question."""

    loop: Loop
    stops: Stops = field(default_factory=Stops)

    # ------------------------------------------------------------ one pair
    def on_open(self, event: gr.EventData, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """(its name, title, body, sides, more, why, its answer) of the row a card stands for, of what needs no model run: it is
        there at once, whatever is being scored. The name is "" where nothing is to be scored for it."""
        data = event._data if isinstance(event._data, dict) else {}
        if data.get("do") != "open":
            return ("", *(gr.skip() for _ in range(6)))
        try:
            asked = desk.read(self.loop.bench, *values)
            name = str(data.get("doc"))
            at = _place(asked, name)
            title = inspector_view.title_html(
                face_of(asked.items[at], desk.no_thumb).label, f"document {at + 1} of {len(asked.items)}"
            )
            return (name, title, *self._known(request, asked, at), "", "")
        except WorkbenchError as error:
            said = f'<p class="error" data-say="alert">{sentence(error)}</p>'
            return "", inspector_view.title_html("", ""), said, "", "", "", ""

    def on_score(self, request: gr.Request, name: str, *values: Any) -> tuple[Any, Any]:
        """(sides, why) of the pair that is open when its turn at the model comes; nothing where it was closed or left."""
        stop, ended = self.stops.start(str(request.session_hash))
        try:
            if not name:
                return gr.skip(), gr.skip()
            asked = desk.read(self.loop.bench, *values)
            at = _place(asked, name)
            row, outcomes = _readable(asked.rows[at]), desk.preview(self.loop.bench, asked, at)
            results = {
                s: next(iter(self.loop.bench.rank(asked.variants[s], asked.query, [row], stop)), None) for s in SIDES
            }
            if stop():
                return gr.skip(), gr.skip()
            offer = self._offer(asked, row, outcomes, results, self._past(request, asked))
            return self._sides(asked, outcomes, results), offer
        except WorkbenchError as error:
            return f'<p class="error" data-say="alert">{sentence(error)}</p>', ""
        finally:
            ended()

    def on_halt(self, request: gr.Request) -> None:
        """Whatever this session still asks of a pair is over."""
        self.stops.ask(str(request.session_hash))

    def _known(self, request: gr.Request, asked: Asked, at: int) -> tuple[str, str, str]:
        """(body, sides, more) without a score."""
        row, library = _readable(asked.rows[at]), self.loop.bench.library
        outcomes = desk.preview(self.loop.bench, asked, at)
        seen = [s for kept in self._past(request, asked) for s in _seen(kept, row)]
        media = next((o.media for o in outcomes.values() if isinstance(o, Encoding)), ())
        own = [item for item in media if item.part in row.content]
        body = section("Document", inspector_view.content_html(library, row.content), "content") + section(
            "What the model gets", inspector_view.gets_html(library, own)
        )
        more = section("Earlier runs", inspector_view.past_html(seen[-RUNS:])) + self._code(request, asked, row)
        return body, self._sides(asked, outcomes, None), more

    def _sides(
        self, asked: Asked, outcomes: Mapping[str, Encoding | WorkbenchError],
        results: Mapping[str, ScoreResult | None] | None,
    ) -> str:  # fmt: skip
        """Both sides; without `results` each says that its score is on the way."""
        scorer = self.loop.bench.pool.get(asked.variants["a"].model)
        drawn = (
            inspector_view.side_html(
                s, outcomes[s], None if results is None else results[s], tail_words(outcomes[s], scorer.token),
                waits=results is None,
            )
            for s in SIDES
        )  # fmt: skip
        return f'<div class="pairs">{"".join(drawn)}</div>'

    def _past(self, request: gr.Request, asked: Asked) -> list[Kept]:
        """Runs of this query by this owner, the oldest first. Where they cannot be read there are none to show."""
        store = self.loop.store
        try:
            return store.asked(owner_of(request), question_of(parts_of(asked.query.content))) if store else []
        except WorkbenchError:
            return []

    def _code(self, request: gr.Request, asked: Asked, row: Document) -> str:
        """curl and Python for B, the side that is being worked on; it is A too where both ask the same."""
        bench, variant = self.loop.bench, asked.variants["b"]
        body = variant.template.body if variant.template else ""
        template = None if body == desk.body_of(bench, variant.model) else body
        said: str | WorkbenchError
        try:
            given = pair_code.body_of(bench.library, variant, asked.query.content, row.content, template)
            said = pair_code.curl(given, _address(request))
        except WorkbenchError as error:
            said = error
        shipped = bench.pool.shipped
        model = f"assets/{shipped.name}" if shipped and shipped.name == variant.model else variant.model
        lines = pair_code.python(model, variant, asked.query.content, row.content, template)
        drawn = inspector_view.code_html("B as curl", said) + inspector_view.code_html("B as Python", lines)
        return f'<div class="codes">{drawn}</div>'

    # ------------------------------------------------------------ why
    def _offer(
        self, asked: Asked, row: Document, outcomes: Mapping[str, Encoding | WorkbenchError],
        results: Mapping[str, ScoreResult | None], past: list[Kept],
    ) -> str:  # fmt: skip
        """The buttons that ask why, with what it costs."""
        good = {s: o for s, o in outcomes.items() if isinstance(o, Encoding) and (r := results[s]) and r.score}
        if not good:
            return ""
        found = occlusion.pieces(row, next(iter(good.values())).media)
        matched = any("matches" in r.score.detail for r in results.values() if r and r.score)
        times = [s["seconds"] / len(s["ranked"]) for k in past if k.model == asked.variants["a"].model
                 for s in k.body["sides"].values() if s["ranked"]]  # fmt: skip
        costs = dict.fromkeys(good, occlusion.forwards(found))
        return why_view.offer_html(row.id, costs, max(times, default=None), matched)

    def on_why(self, event: gr.EventData, request: gr.Request, *values: Any) -> Iterator[Any]:
        """What the score of one side stands on, drawn as it becomes known."""
        data = event._data if isinstance(event._data, dict) else {}
        side = data.get("side")
        if data.get("do") != "why" or side not in SIDES:
            yield gr.skip()
            return
        stop, ended = self.stops.start(str(request.session_hash))
        try:
            asked = desk.read(self.loop.bench, *values)
            at = _place(asked, str(data.get("doc")))
            row, encoding = asked.rows[at], desk.preview(self.loop.bench, asked, at)[side]
            for given in (row, encoding):
                if isinstance(given, WorkbenchError):
                    raise given
            assert isinstance(row, Document) and isinstance(encoding, Encoding)
            yield from self._why(asked, side, row, encoding, stop)
        except WorkbenchError as error:
            yield why_view.why_error_html(error)
        finally:
            ended()

    def _why(self, asked: Asked, side: str, row: Document, encoding: Encoding, stop: Any) -> Iterator[str]:
        bench, variant = self.loop.bench, asked.variants[side]
        scorer: Scorer = bench.pool.get(variant.model)
        result = next(iter(bench.rank(variant, asked.query, [row], stop)), None)
        if result and result.score and (matches := result.score.detail.get("matches")):
            yield matches_html(bench.library, side, encoding, matches, scorer.token)
            return
        found = occlusion.pieces(row, encoding.media)
        effects: list[occlusion.Effect] = []

        def drawn(done: bool) -> str:
            return why_view.effects_html(bench.library, side, row, encoding.media, found, effects, done=done)

        yield drawn(False)
        for effect in occlusion.effects(bench, variant, asked.query, row, found, stop):
            effects.append(effect)
            if len(effects) % 4 == 0:
                yield drawn(False)
        yield drawn(True)


def _place(asked: Asked, name: str) -> int:
    """The row of a card, checked: its name comes from the browser. A row that could not be read is named by its place."""
    names = [item["id"] for item in asked.items]
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(names) and asked.items[int(name)]["error"]:
        return int(name)
    raise PromptInvalid("this document is no longer in the list", hint="Score again.")


def _readable(row: Row) -> Document:
    if isinstance(row, WorkbenchError):
        raise row
    return row


def _seen(kept: Kept, row: Document) -> Iterator[Seen]:
    """The same content in an earlier run, whatever it was called there."""
    wanted = [p[:2] for p in parts_of(row.content)]
    try:
        past = past_of(kept)
        places = {i for i, item in enumerate(past.items) if [list(p[:2]) for p in item["parts"]] == wanted}
        for side, ranking in past.rankings.items():
            for rank, result in enumerate(ranking.ranked, 1):
                if result.index in places and result.score:
                    told = ranking.variant.instruction or ""
                    yield Seen(kept.at, side, told, rank, len(ranking.ranked), result.score.logit)
    except WorkbenchError:
        return


def _address(request: gr.Request) -> str:
    host = (getattr(request, "headers", None) or {}).get("host", "127.0.0.1:7860")
    return f"http://{host}" if all(c.isalnum() or c in ".-:[]" for c in host) else "http://127.0.0.1:7860"
