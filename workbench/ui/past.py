"""From a finished run to what is remembered of it, and back to rankings, rows and fields.

Knows nothing of layout; the store keeps plain values, and this module alone knows what stands in them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.media import Library
from workbench.metrics import DEPTH, ndcg
from workbench.pool import Bench
from workbench.ranking import compare
from workbench.snapshot import plain, ranking_of
from workbench.store import Entry, Kept, Store
from workbench.template import split_facts
from workbench.types import JSON, Document, Query, Ranking, Text, Variant
from workbench.ui import desk
from workbench.ui.desk import Asked
from workbench.ui.figures import esc, label_of
from workbench.ui.owner import owner_of
from workbench.ui.ranking_view import SIDES, Run
from workbench.ui.rows import Item, content_of, parts_of
from workbench.ui.shelf import Shelf

WORDS = 200_000  # characters a search looks at


@dataclass(frozen=True, slots=True)
class Past:
    """One remembered run, opened: `items` are rows of the tray, `query` the parts of its query, `sides` as `plain` wrote them."""

    kept: Kept
    query: list[list[str]]
    items: list[Item]
    sides: Mapping[str, JSON]

    @property
    def rankings(self) -> dict[str, Ranking]:
        query, rows = Query("query", content_of(self.query)), list(map(document_of, range(len(self.items)), self.items))
        return {side: ranking_of(value, query, rows) for side, value in self.sides.items()}

    @property
    def variants(self) -> dict[str, Variant]:
        return {side: ranking.variant for side, ranking in self.rankings.items()}

    def run(self, bench: Bench) -> Run:
        """What the result views draw."""
        found = self.rankings
        return Run(found.get("a"), found.get("b"), desk.faces(bench, self.items))

    def lost(self, library: Library) -> int:
        """Pictures and clips of it that are no longer kept."""
        sides = [self.query, *(item["parts"] for item in self.items)]
        media = {part for side in sides for part in content_of(side) if not isinstance(part, Text)}
        return sum(not library.has(part) for part in media)

    def typed(self, side: str) -> tuple[str, str]:
        """(template as the editor shows it, instruction)"""
        variant = self.variants.get(side) or next(iter(self.variants.values()))
        return split_facts(variant.template.body)[1] if variant.template else "", variant.instruction or ""


def document_of(at: int, item: Item) -> Document:
    """As `ranking.rerank` names it: a row that could not be read by its place, without content."""
    return Document(f"{at}", ()) if item["error"] else Document(item["id"], content_of(item["parts"]))


def past_of(kept: Kept) -> Past:
    """The run as it was asked and answered. Raises WorkbenchError where the file holds something else."""
    try:
        query, *contents = kept.contents
        items = [{**item, "parts": parts} for item, parts in zip(kept.body["items"], contents, strict=True)]
        return Past(kept, query, items, kept.body["sides"])
    except (KeyError, TypeError, ValueError) as error:
        raise WorkbenchError("this run cannot be read", where="history", hint=f"It was written otherwise ({error}).") from error


# ---------------------------------------------------------------- remembering
@dataclass(frozen=True, slots=True)
class Keeper:
    """Writes finished runs. Without a store nothing is remembered."""

    bench: Bench
    store: Store | None = None
    shelf: Shelf = field(default_factory=Shelf)

    def keeping(self, request: gr.Request, asked: Asked, runs: Iterator[Run]) -> Iterator[tuple[Run, str]]:
        """Each run as it comes; the finished one only once it is kept, with what went wrong if it could not be."""
        held: Run | None = None
        for run in runs:
            if held is not None:
                yield held, ""
            held = run if _ended(run, len(asked.rows)) else None
            if held is None:
                yield run, ""
        if held is not None:
            yield held, self._keep(request, asked, held)

    def _keep(self, request: gr.Request, asked: Asked, run: Run) -> str:
        if self.store is None:
            return ""
        try:
            live = typing_of(request, asked)
            self.store.add(replace(entry_of(self.bench, owner_of(request), asked, run), draft=live))
        except (WorkbenchError, ValueError) as error:  # ValueError: a number that JSON has no word for
            return f' <span class="flag" data-say="alert">Not in the history: <span translate="no">{esc(error)}</span></span>'
        with contextlib.suppress(WorkbenchError):  # the next run tries again
            self.shelf.tidy()
        return ""


def _ended(run: Run, expected: int) -> bool:
    return run.b is not None and (run.b.partial or len(run.b.ranked) + len(run.b.failed) >= expected)


def entry_of(bench: Bench, owner: str, asked: Asked, run: Run) -> Entry:
    """Everything that brings the run back, and a head for lists."""
    sides = {side: plain(ranking) for side, ranking in (("a", run.a), ("b", run.b)) if ranking}
    scorer = bench.pool.get(asked.variants["b"].model)
    facts, query = scorer.facts(), parts_of(asked.query.content)
    items = [{k: v for k, v in item.items() if k != "parts"} for item in asked.items]
    body = {
        "sides": sides, "items": items, "revision": str(getattr(scorer, "revision", "")), "device": facts.device,
        "dtype": facts.dtype,
    }  # fmt: skip
    contents = [query, *([list(p) for p in item["parts"]] for item in asked.items)]
    timeless = {s: {k: v for k, v in value.items() if k != "seconds"} for s, value in sides.items()}
    return Entry(
        owner=owner,
        mark=_print([body | {"sides": timeless}, contents]),
        question=question_of(query),
        model=asked.variants["b"].model,
        words=_words(asked),
        head=_head(asked, run),
        body=body,
        contents=contents,
    )


LIVE_HEADER = "x-workbench-live"


def typing_of(request: gr.Request, asked: Asked) -> str:
    """What is typed at, where the page scored by itself after a key: all that no key changes. "" where somebody asked for it."""
    if (getattr(request, "headers", None) or {}).get(LIVE_HEADER) != "1":
        return ""
    variant = asked.variants["b"]
    return _print([variant.model, variant.parity, [[item["parts"], item["error"]] for item in asked.items]])


def question_of(query: Sequence[Sequence[str]]) -> str:
    """Runs of the same query, whatever its files are called, are runs of one question."""
    return _print([[kind, value] for kind, value, _ in query])


def _print(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True, sort_keys=True).encode()).hexdigest()[:32]


def _words(asked: Asked) -> str:
    """What a search looks at: query, instructions, model, and the documents' own words."""
    parts = [label_of(asked.query.content)]
    for variant in asked.variants.values():
        parts += [variant.model, variant.instruction or ""]
    for item in asked.items:
        parts += [item["label"], *(value if kind == "text" else source for kind, value, source in item["parts"])]
    return "\n".join(dict.fromkeys(parts)).lower()[:WORDS]


def _head(asked: Asked, run: Run) -> dict[str, Any]:
    both = [m for m in compare(run.a, run.b) if m.rank_a and m.rank_b] if run.a and run.b else []
    bodies = [v.template.body if v.template else "" for v in asked.variants.values()]
    texts = [p.text for p in asked.query.content if isinstance(p, Text)]
    return {
        "query": " ".join(" ".join(texts).split())[:300],
        "media": [[k, v, s] for k, v, s in parts_of(asked.query.content) if k != "text"][:1],
        "instructions": {side: (v.instruction or "")[:300] for side, v in asked.variants.items()},
        "templates": "one" if len(set(bodies)) == 1 else "two",
        "target": asked.variants["b"].parity,
        "rows": len(asked.rows),
        "failed": len({r.index for s in (run.a, run.b) if s for r in s.failed}),
        "partial": any(s is None or s.partial for s in (run.a, run.b)),
        "moved": sum(m.climb != 0 for m in both),
        "ranked": len(both),
        "ndcg": _metric(run),
        "seconds": sum(s.seconds for s in (run.a, run.b) if s),
    }


def _metric(run: Run) -> dict[str, float] | None:
    """nDCG@5 of both sides where every document is judged and scored; else there is no number."""
    grades = [face.grade for face in run.faces]
    sides = {side: ranking for side, ranking in zip(SIDES, (run.a, run.b), strict=True) if ranking}
    if None in grades or len(sides) < 2 or any(r.partial or r.failed for r in sides.values()):
        return None
    known = [grade or 0 for grade in grades]
    found = {s: ndcg([known[x.index] for x in r.ranked], known, DEPTH) for s, r in sides.items()}
    return {s: v for s, v in found.items() if v is not None} or None
