"""From the values of the fields to what is asked of the bench, and the runs and previews that answer it.

Knows nothing of Gradio's components: it is what every handler of the screen is made of.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.errors import PromptInvalid, WorkbenchError
from workbench.pool import Bench
from workbench.ranking import missing, ranking
from workbench.scorers import Explains
from workbench.template import split_facts
from workbench.types import (
    ContentPart,
    Document,
    Encoding,
    Media,
    Parity,
    Query,
    Ranking,
    Row,
    ScoreResult,
    ScoreTemplate,
    Text,
    Variant,
    Video,
)
from workbench.ui.figures import Face, Thumb
from workbench.ui.ranking_view import SIDES, Run
from workbench.ui.recipe_view import OTHER
from workbench.ui.rows import Item, content_of, face_of, row_of

STRIP = 6  # frames in the thumbnail of a clip
STREAM = 0.12  # seconds between two drawings of a run
PER_ROW = 0.002  # and more where each drawing is long
LONG = 60_000  # characters of a prompt that is not tokenized a second time at every key
SHORT = 0.5  # seconds a run may take before A is drawn without B: what is over sooner would only flicker


@dataclass(frozen=True, slots=True)
class Asked:
    """All the fields of the screen as nouns. `prints` tell whether a side is still what was scored."""

    query: Query
    rows: tuple[Row, ...]
    items: Sequence[Item]
    variants: Mapping[str, Variant]
    prints: Mapping[str, str]


def recipe(bench: Bench, model: str) -> ScoreTemplate:
    """What a side starts from: the template given to the program, else the model's own."""
    return bench.template_for(bench.variant(model=model))


def body_of(bench: Bench, model: str) -> str:
    """What an editor starts with: the prompt beneath the facts, which render nothing and go back on at the export."""
    return split_facts(recipe(bench, model).body)[1]


def read(
    bench: Bench, model: str, target: Parity, query: str, query_parts: Sequence[Sequence[str]], items: Sequence[Item],
    template_a: str, instruction_a: str, template_b: str, instruction_b: str,
) -> Asked:  # fmt: skip
    """Raises ModelUnavailable. An empty instruction is one that is not given."""
    own = recipe(bench, model)
    variants = {
        side: bench.variant(
            model=model, template=replace(own, body=body or ""), instruction=instruction or None, parity=target
        )
        for side, body, instruction in (("a", template_a, instruction_a), ("b", template_b, instruction_b))
    }
    content: tuple[ContentPart, ...] = content_of(query_parts)
    if query:
        content = (*content, Text(query))
    shared = [model, target, query, list(query_parts), [[i["parts"], i["error"]] for i in items]]
    prints = {s: _print([*shared, v.template.body if v.template else "", v.instruction]) for s, v in variants.items()}
    return Asked(Query("query", content), tuple(map(row_of, items)), items, variants, prints)


def _print(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()[:16]


def thumb(bench: Bench) -> Thumb:
    def draw(part: Media) -> tuple[bytes, int, float]:
        facts = bench.library.probe(part)
        frames = min(facts.frames, STRIP) if isinstance(part, Video) else 1
        return bench.library.thumbnail(part), frames, facts.width / facts.height

    return draw


def no_thumb(part: Media) -> tuple[bytes, int, float]:
    """For faces of which only the words are wanted."""
    return b"", 1, 1.0


def read_rows(items: Sequence[Item]) -> list[Row]:
    return [row_of(item) for item in items]


def faces(bench: Bench, items: Sequence[Item]) -> list[Face]:
    return [face_of(item, thumb(bench)) for item in items]


def checked(bench: Bench, row: Row) -> Row:
    """The row, or the reason one of its files cannot be decoded; found now, so that it is said where the file came in."""
    if isinstance(row, WorkbenchError):
        return row
    for part in row.content:
        if not isinstance(part, Text):
            try:
                bench.library.thumbnail(part)
            except WorkbenchError as error:
                return error
    return row


def row_at(asked: Asked, at: int) -> Row:
    """The row that is looked at. Without documents one stands in, so that the prompt can still be read."""
    return (asked.rows[at : at + 1] or asked.rows[-1:] or (Document("none", (Text("(no document yet)"),)),))[0]


def preview(bench: Bench, asked: Asked, at: int) -> dict[str, Encoding | WorkbenchError]:
    """Both sides of one row."""
    rows = [row_at(asked, at)]
    return {side: bench.preview(variant, asked.query, rows)[0] for side, variant in asked.variants.items()}


def otherwise(bench: Bench, asked: Asked, side: str, shown: Encoding) -> Encoding | WorkbenchError | None:
    """The same pair by the other recipe; None where the prompt is so long that typing would be kept waiting."""
    if len(shown.prompt.text) > LONG:
        return None
    variant = asked.variants[side]
    [found] = bench.preview(replace(variant, parity=OTHER[variant.parity]), asked.query, [shown.pair.document])
    return found


def barred(bench: Bench, asked: Asked, side: str) -> tuple[str, list[str]]:
    """(why, labels of the documents) that this side's template cannot be scored with, which only a server's model knows."""
    variant = asked.variants[side]
    scorer = bench.pool.get(variant.model)
    why = scorer.text_only(bench.template_for(variant)) if isinstance(scorer, Explains) else ""
    if not why:
        return "", []
    seen = [_media(asked.query.content) or (isinstance(row, Document) and _media(row.content)) for row in asked.rows]
    return why, [face_of(item, no_thumb).label for item, foreign in zip(asked.items, seen, strict=True) if foreign]


def scored(asked: Asked, run: Run) -> dict[str, object]:
    """What a run belongs to: a print per side, how many ranks each document moved from A to B, the logits of whole sides."""
    whole = {side: found for side, found in (("a", run.a), ("b", run.b)) if found is not None and not found.partial}
    logits = {f"logits-{side}": [r.score.logit for r in found.ranked if r.score is not None] for side, found in whole.items()}
    return {**asked.prints, "climbs": {move.index: move.climb for move in run.moves}, **logits}


def _media(content: Sequence[ContentPart]) -> bool:
    return not all(isinstance(part, Text) for part in content)


def runs(bench: Bench, asked: Asked, stop: Callable[[], bool]) -> Iterator[Run]:
    """A, then B, drawn as results come; the last Run is complete, or partial where `stop` cut in.

    Raises ModelUnavailable, or PromptInvalid when there is nothing to score.
    """
    if not asked.query.content:
        raise PromptInvalid("the query is empty", hint="Write one, or add a picture.")
    if not asked.rows:
        raise PromptInvalid("there are no documents", hint="Add texts, pictures or clips to the tray.")
    run, began = Run(None, None, faces(bench, asked.items)), time.perf_counter()
    for side in SIDES:
        for done in _one(bench, asked, side, stop):
            run = replace(run, a=done) if side == "a" else replace(run, b=done)
            if side == "b" or time.perf_counter() - began > SHORT:
                yield run


def _one(bench: Bench, asked: Asked, side: str, stop: Callable[[], bool]) -> Iterator[Ranking]:
    variant, results, began = asked.variants[side], list[ScoreResult](), time.perf_counter()
    drawn = began
    for result in bench.rank(variant, asked.query, asked.rows, stop):
        results.append(result)
        if time.perf_counter() - drawn > max(STREAM, PER_ROW * len(asked.rows)):
            drawn = time.perf_counter()
            yield ranking(variant, asked.query, results, seconds=drawn - began)
    left = bool(missing(len(asked.rows), results))
    yield ranking(variant, asked.query, results, seconds=time.perf_counter() - began, partial=left)
