"""The pairs a bundle proves itself with: chosen, prompted as production will, scored here, with what each mistake would give.

Knows nothing of files or targets. Prompts are made by vLLM's recipe from the template that leaves: that is what is served.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.errors import WorkbenchError
from workbench.export._probes import PROBES, Case, synthetic_picture, synthetic_text
from workbench.export._suspects import suspects
from workbench.pool import Bench, Pool
from workbench.ranking import make_pair
from workbench.scorers import RunsStock, Scorer
from workbench.scorers._jobs import asked_of, contents
from workbench.types import (
    JSON,
    ContentPart,
    Document,
    Encoding,
    Image,
    Query,
    Row,
    Score,
    ScoreTemplate,
    Text,
    Variant,
)

FEWEST, MOST, SUSPECTED = 10, 50, 4
MEDIA_BYTES = 2 << 20  # of pictures and clips in a bundle, before they are written as data URLs
LARGE = 2_000_000_000  # parameters whose weights are not read a second time for this
TOLERANCE = 1e-3  # of a float32 logit between two machines; vLLM's agree to 1e-4
UNMEASURED = 0.25  # what half precision does to a logit where it cannot be tried: two of its coarsest common steps
LIMITS = ("max_tokens_per_query", "max_tokens_per_doc", "truncate_prompt_tokens", "truncation_side")


@dataclass(frozen=True, slots=True)
class Golden:
    """One pair with its answer. `noise`: what half precision may do to the logit; `suspects`: what a mistake would give."""

    case: Case
    request: Mapping[str, JSON]
    encoding: Encoding
    score: Score
    noise: float
    suspects: tuple[Mapping[str, JSON], ...] = ()

    def row(self) -> dict[str, JSON]:
        return {
            "covers": self.case.covers,
            "request": dict(self.request),
            "prompt_sha256": hashlib.sha256(self.encoding.prompt.text.encode()).hexdigest(),
            "token_ids": list(self.encoding.token_ids),
            "logit": self.score.logit,
            "score": self.score.value,
            "tolerance": tolerance(self.score.logit),
            "noise": self.noise,
            "suspects": [dict(s) for s in self.suspects],
        }


def tolerance(logit: float) -> float:
    return TOLERANCE * max(1.0, abs(logit))


def make_golden(
    bench: Bench, scorer: Scorer, tuned: Variant, baked: ScoreTemplate, query: Query, rows: Sequence[Row], synthetic: bool
) -> tuple[Golden, ...]:
    """10 to 50 pairs. `synthetic`: nothing that the caller wrote leaves but the template and its instruction.

    Raises what scoring raises, and the first error where fewer than ten pairs can be prompted.
    """
    served = replace(tuned, template=baked, instruction=None, variables={}, parity="vllm")
    own = [Case("given", query, r) for r in rows if isinstance(r, Document) and r.content] if query.content else []
    cases = _within(bench, _hidden(bench, own) if synthetic else own)
    encoded, error = _encoded(bench, scorer, served, [*PROBES, *cases])
    if len(encoded) < FEWEST and error is not None:
        raise error
    chosen = _chosen(encoded)
    scores = _scores(bench, scorer, [e for _, e in chosen])
    noise = _noise(bench, scorer, [e for _, e in chosen], scores)
    suspected = _suspects(bench, scorer, tuned, served, chosen[:SUSPECTED])
    return tuple(
        Golden(case, _request(bench, case, served), encoding, score, noise, tuple(suspected.get(i, ())))
        for i, ((case, encoding), score) in enumerate(zip(chosen, scores, strict=True))
    )


# ---------------------------------------------------------------- which pairs
def _hidden(bench: Bench, cases: Iterable[Case]) -> Iterator[Case]:
    """The same shapes in words of ours; a picture becomes one of ours, a clip is left out."""
    picture = bench.library.add(synthetic_picture(), "synthetic picture")

    def side(content: Sequence[ContentPart]) -> tuple[ContentPart, ...]:
        texts = (Text(synthetic_text(p.text)) if isinstance(p, Text) else p for p in content)
        return tuple(picture if isinstance(p, Image) else p for p in texts if isinstance(p, Text | Image))

    for case in cases:
        query = replace(case.query, content=side(case.query.content))
        document = replace(case.document, content=side(case.document.content))
        if query.content and document.content:
            yield replace(case, query=query, document=document)


def _within(bench: Bench, cases: Iterable[Case]) -> list[Case]:
    """The pairs whose pictures and clips fit into a bundle together."""
    kept, size = [], 0
    for case in cases:
        media = [p for p in (*case.query.content, *case.document.content) if not isinstance(p, Text)]
        more = sum(bench.library.path(p).stat().st_size for p in media)
        if size + more <= MEDIA_BYTES:
            kept.append(case)
            size += more
    return kept


def _encoded(
    bench: Bench, scorer: Scorer, served: Variant, cases: Sequence[Case]
) -> tuple[list[tuple[Case, Encoding]], WorkbenchError | None]:
    """Every case that can be prompted, and the first error."""
    found, first = [], None
    for case in cases:
        variant = replace(served, instruction=case.instruction)
        try:
            found.append((case, scorer.encode(make_pair(bench.renderer, scorer, variant, case.query, case.document))))
        except WorkbenchError as error:
            first = first or error
    return found, first


def _chosen(encoded: Sequence[tuple[Case, Encoding]]) -> list[tuple[Case, Encoding]]:
    """At most fifty: all probes, the longest and shortest given pair, one of each branch and script, then in their order."""
    probes, given = encoded[: len(PROBES)], encoded[len(PROBES) :]
    by_length = sorted(given, key=lambda ce: len(ce[1].token_ids))
    seen, wanted = set(), [*by_length[-1:], *by_length[:1]]
    for case, encoding in given:
        branch = (_words(encoding), encoding.prompt.text.isascii(), bool(encoding.media))
        if branch not in seen:
            seen.add(branch)
            wanted.append((case, encoding))
    first: dict[tuple[object, ...], tuple[Case, Encoding]] = {}
    for case, encoding in (*probes, *wanted, *given):  # the same question is asked once
        first.setdefault((case.query.content, case.document.content, case.instruction), (case, encoding))
    return list(first.values())[:MOST]


def _words(encoding: Encoding) -> str:
    """The template's own words in a prompt: where it branches, they differ."""
    prompt = encoding.prompt
    return "\0".join(
        prompt.text[s.start : s.end] for s in prompt.segments or () if s.kind in ("system", "template", "suffix")
    )


# ---------------------------------------------------------------- what they score
def _scores(bench: Bench, scorer: Scorer, encodings: Sequence[Encoding]) -> list[Score]:
    found: dict[int, Score] = {}
    for i, score in bench.score_encodings(scorer.name, encodings):
        if isinstance(score, WorkbenchError):
            raise score
        found[i] = score
    return [found[i] for i in range(len(encodings))]


def _noise(bench: Bench, scorer: Scorer, encodings: Sequence[Encoding], scores: Sequence[Score]) -> float:
    """What half precision does to these logits: four times the root mean square, tried here with the same weights.

    Where they are half precision themselves or behind a server, a bound that is not measured.
    """
    if scorer.facts().dtype != "float32" or scorer.facts().parameters > LARGE:
        return UNMEASURED
    pool = bench.pool
    other = Pool(pool.families, pool.library, pool.shipped, pool.device, "bfloat16", pool.offered_only, overrides=pool.overrides)
    halved = other.get(scorer.name)
    if isinstance(halved, RunsStock):  # ours keeps float32 between the layers, and servers do not
        halved.stock()
    gaps = [s.logit - scores[i].logit for i, s in halved.score(encodings) if isinstance(s, Score)]
    halved.sleep()
    if len(gaps) < len(scores):
        return UNMEASURED
    return max(4 * math.sqrt(sum(g * g for g in gaps) / len(gaps)), 10 * TOLERANCE)


# ---------------------------------------------------------------- what mistakes would give
def _suspects(
    bench: Bench, scorer: Scorer, tuned: Variant, served: Variant, chosen: Sequence[tuple[Case, Encoding]]
) -> dict[int, list[dict[str, JSON]]]:
    """By pair: {cause, token_ids, logit} of the prompt that a known mistake would make of it, where it is another prompt."""
    made = suspects(bench, scorer, tuned, served, chosen)
    scores = _scores(bench, scorer, [e for *_, e in made])
    found: dict[int, list[dict[str, JSON]]] = {}
    for (i, cause, encoding), score in zip(made, scores, strict=True):
        row = {"cause": cause, "token_ids": list(encoding.token_ids), "logit": score.logit}
        found.setdefault(i, []).append(row)
    return found


def _request(bench: Bench, case: Case, served: Variant) -> dict[str, JSON]:
    """The body of /rerank that asks this pair."""
    limits = {name: value for name in LIMITS if (value := getattr(served.limits, name)) is not None}
    body: dict[str, JSON] = {
        "query": contents(case.query.content, bench.library), "documents": [contents(case.document.content, bench.library)],
    }  # fmt: skip
    if case.instruction is not None:
        body["instruction"] = case.instruction
    asked = {**served.media_options, **asked_of((*case.query.content, *case.document.content))}
    if asked:
        body["mm_processor_kwargs"] = asked
    return {**body, **limits}
