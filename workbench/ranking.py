"""A variant, a query and documents to prompts, encodings, scores and a ranking; two rankings to moves.

Knows nothing of doors, models' insides or judgements: it joins what templates and scorers each do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.errors import PromptInvalid, ScoreFailed, WorkbenchError
from workbench.scorers import Scorer, Stop, never
from workbench.template import Renderer, flatten, split_facts
from workbench.types import (
    JSON,
    Document,
    Encoding,
    Family,
    Media,
    Pair,
    Query,
    Ranking,
    RenderedPrompt,
    Row,
    ScoreResult,
    ScoreTemplate,
    Variant,
)

APART = "this model reads query and document as they are, without a template"
UNREAD = "the template never reads it"


@dataclass(frozen=True, slots=True)
class Move:
    """One document in two rankings. Ranks are 1-based; None where that side has no score for it.

    `tie`: it changed places, but with no document that both sides tell apart by more than the noise.
    """

    index: int
    document: Document
    rank_a: int | None
    rank_b: int | None
    logit_a: float | None = None
    logit_b: float | None = None
    tie: bool = False

    @property
    def moved(self) -> bool:
        """Whether its place changed by more than noise."""
        return self.climb != 0 and not self.tie

    @property
    def climb(self) -> int:
        """Places gained from A to B (negative: lost); 0 where either side has no rank."""
        return self.rank_a - self.rank_b if self.rank_a and self.rank_b else 0


def make_pair(renderer: Renderer, scorer: Scorer, variant: Variant, query: Query, document: Document) -> Pair:
    """The prompts of one document, in the order every recipe shares: raw text cut, template rendered.

    A model whose layout is pair takes the two texts as they are unless a template with words of its own is given; one whose
    layout is separate always does. Raises TemplateInvalid, TemplateLimit, RequestInvalid or PromptInvalid.
    """
    template, limits = variant.template or scorer.family.template, variant.limits
    placeholders = scorer.family.template.placeholders  # what stands for a picture is the model's, not the text's
    texts: list[str] = []
    media: list[tuple[Media, ...]] = []
    cuts: list[str] = []
    for name, content, most in (
        ("query", query.content, limits.max_tokens_per_query),
        ("document", document.content, limits.max_tokens_per_doc),
    ):
        text, parts = flatten(content, placeholders, variant.parity)
        if most is not None and (shorter := scorer.cut_text(text, most)) != text:
            text = shorter
            cuts.append(name)
        texts.append(text)
        media.append(parts)
    told = {} if variant.instruction is None else {"instruction": variant.instruction}
    variables: Mapping[str, JSON] = {**told, **variant.variables}
    if takes_template(scorer.family, template):
        prompt = renderer.render(
            template,
            *texts,
            instruction=variant.instruction,
            variables=variant.variables,
            special_tokens=scorer.special_tokens,
            media=(*media[0], *media[1]),
        )
        prompts: tuple[RenderedPrompt, ...] = (prompt,)
    else:
        unused = tuple(name for name, value in variables.items() if value is not None)
        prompts = tuple(RenderedPrompt(t, m, None, unused, APART) for t, m in zip(texts, media, strict=True))
    return Pair(query, document, prompts, variables, limits, variant.parity, variant.media_options, tuple(cuts))


def takes_template(family: Family, template: ScoreTemplate) -> bool:
    """Whether a template shapes what this family's models read: never where they read query and document apart."""
    if family.template.layout == "joint":
        return True
    return family.template.layout == "pair" and bool(split_facts(template.body)[1].strip())


def encode_rows(
    renderer: Renderer, scorer: Scorer, variant: Variant, query: Query, rows: Sequence[Row]
) -> Iterator[Encoding | WorkbenchError]:
    """The preview: what would be scored for each row, or why it cannot be. No weights are touched."""
    for row in rows:
        try:
            yield row if isinstance(row, WorkbenchError) else _encode(renderer, scorer, variant, query, row)
        except WorkbenchError as error:
            yield error


def _encode(renderer: Renderer, scorer: Scorer, variant: Variant, query: Query, document: Document) -> Encoding:
    if not document.content:
        raise PromptInvalid("is empty", where=document.id or "document", hint="Give it a text, a picture or a clip.")
    return scorer.encode(make_pair(renderer, scorer, variant, query, document))


def rerank(
    renderer: Renderer,
    scorer: Scorer,
    variant: Variant,
    query: Query,
    rows: Sequence[Row],
    *,
    stop: Stop = never,
) -> Iterator[ScoreResult]:
    """Results as they come: rows that cannot be scored first, then each micro-batch; every row exactly once unless stopped."""
    encodings: dict[int, Encoding] = {}
    for i, (row, encoding) in enumerate(zip(rows, encode_rows(renderer, scorer, variant, query, rows), strict=True)):
        if stop():
            return
        if isinstance(encoding, WorkbenchError):
            document = row if isinstance(row, Document) else Document(f"{i}", ())
            yield ScoreResult(i, document, error=encoding)
        else:
            encodings[i] = encoding
    positions = list(encodings)
    for at, score in scorer.score([encodings[i] for i in positions], stop):
        i = positions[at]
        document = encodings[i].pair.document
        if isinstance(score, WorkbenchError):
            yield ScoreResult(i, document, encodings[i], error=score)
        else:
            yield ScoreResult(i, document, encodings[i], score)


def ranking(
    variant: Variant,
    query: Query,
    results: Iterable[ScoreResult],
    *,
    seconds: float = 0.0,
    partial: bool = False,
) -> Ranking:
    """Falling float32 logit; equal logits keep the order of the request."""
    done = sorted(results, key=lambda r: r.index)
    ranked = sorted((r for r in done if r.score is not None), key=lambda r: -r.score.logit)  # type: ignore[union-attr]
    failed = tuple(r for r in done if r.score is None)
    said = warnings(r.encoding for r in done if r.encoding)
    return Ranking(variant, query, tuple(ranked), failed, seconds, partial, said)


def warnings(encodings: Iterable[Encoding]) -> tuple[str, ...]:
    """What was asked for and changes nothing in these prompts, a sentence each: silence would look like consent."""
    prompts = [e.pair.prompts[0] for e in encodings]
    return tuple(dict.fromkeys(f"`{name}` changes nothing: {p.reason or UNREAD}." for p in prompts for name in p.unused))


def missing(count: int, results: Iterable[ScoreResult]) -> list[int]:
    """Positions of a request that have neither a score nor an error: those a stop left over."""
    seen = {r.index for r in results}
    return [i for i in range(count) if i not in seen]


def compare(a: Ranking, b: Ranking, noise: float = 0.0) -> tuple[Move, ...]:
    """Every document either side knows, in B's order, then those only A ranked, then the failed.

    `noise`: logits that differ by no more than this are one number.
    """
    ranks_a = {r.index: (i, r) for i, r in enumerate(a.ranked, 1)}
    ranks_b = {r.index: (i, r) for i, r in enumerate(b.ranked, 1)}
    known = [*b.ranked, *a.ranked, *b.failed, *a.failed]
    moves: dict[int, Move] = {}
    for result in known:
        ra, rb = ranks_a.get(result.index), ranks_b.get(result.index)
        moves.setdefault(
            result.index,
            Move(
                result.index,
                result.document,
                ra[0] if ra else None,
                rb[0] if rb else None,
                ra[1].score.logit if ra and ra[1].score else None,
                rb[1].score.logit if rb and rb[1].score else None,
            ),
        )
    both = [m for m in moves.values() if m.rank_a and m.rank_b]
    return tuple(replace(m, tie=_tie(m, both, noise)) if m.climb else m for m in moves.values())


def _tie(move: Move, others: Sequence[Move], noise: float) -> bool:
    passed = [other for other in others if swapped(move, other)]
    return bool(passed) and not any(told_apart(move, other, noise) for other in passed)


def swapped(one: Move, other: Move) -> bool:
    """Whether A and B put two documents in opposite orders."""
    a, b = ((one.rank_a or 0) - (other.rank_a or 0)), ((one.rank_b or 0) - (other.rank_b or 0))
    return a * b < 0


def told_apart(one: Move, other: Move, noise: float) -> bool:
    """Whether both sides put more than noise between two documents that both scored."""
    a, b = (one.logit_a or 0.0) - (other.logit_a or 0.0), (one.logit_b or 0.0) - (other.logit_b or 0.0)
    return min(abs(a), abs(b)) > noise


def first_error(results: Iterable[ScoreResult]) -> WorkbenchError | None:
    """The error of the first failed row, for doors that refuse a request whole."""
    failed = sorted((r for r in results if r.score is None), key=lambda r: r.index)
    return (failed[0].error or ScoreFailed("gave no score")) if failed else None
