"""Rankings to numbers: nDCG, reciprocal rank, precision, recall and average precision of one query, and how far each may still
move while documents are unjudged.

Knows nothing of scores' origin or of screens. The formulas are trec_eval's (its names: ndcg_cut, recip_rank, P, recall, map),
written out here: ten documents need no compiled package.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TypeAlias

DEPTH = 5  # ranks that a metric looks at unless told otherwise
BEST = 3  # the highest grade
RELEVANT = 1  # grades from here on count as relevant, as in trec_eval

Grades: TypeAlias = Sequence[int]
Judged: TypeAlias = Sequence[int | None]  # None = unjudged
Measure: TypeAlias = Callable[[Grades, Grades, int], float | None]


@dataclass(frozen=True, slots=True)
class Span:
    """Between what and what a metric lies, whatever the missing judgements turn out to be; `low` = `high` when it is known."""

    low: float
    high: float


# ---------------------------------------------------------------- order
def order(scores: Mapping[str, float]) -> list[str]:
    """Documents as trec_eval ranks them: by falling score in single precision; equal scores by falling document name."""
    return sorted(scores, key=lambda name: (_single(scores[name]), name.encode()), reverse=True)


def _single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


# ---------------------------------------------------------------- measures
# Each takes the grades down the ranking, the grades of all documents of the query, and a depth. None: the measure divides by
# what is relevant, and nothing is.
def ndcg(ranked: Grades, grades: Grades, depth: int = DEPTH) -> float | None:
    """Discounted cumulative gain over that of the ideal order; linear gain. Järvelin & Kekäläinen 2002."""
    ideal = _dcg(sorted(grades, reverse=True), depth)
    return _dcg(ranked, depth) / ideal if ideal else None


def _dcg(grades: Grades, depth: int) -> float:
    return sum(grade / math.log2(i + 2) for i, grade in enumerate(grades[:depth]))


def reciprocal_rank(ranked: Grades, grades: Grades, depth: int = DEPTH) -> float | None:
    """1 / rank of the first relevant document, 0 where none is within the depth. Its mean over queries is MRR."""
    return next((1 / i for i, grade in enumerate(ranked[:depth], 1) if grade >= RELEVANT), 0.0)


def precision(ranked: Grades, grades: Grades, depth: int = DEPTH) -> float | None:
    """Relevant documents within the depth, over the depth, also where the ranking is shorter."""
    return _relevant(ranked[:depth]) / depth


def recall(ranked: Grades, grades: Grades, depth: int = DEPTH) -> float | None:
    """Relevant documents within the depth, over all relevant ones."""
    total = _relevant(grades)
    return _relevant(ranked[:depth]) / total if total else None


def average_precision(ranked: Grades, grades: Grades, depth: int = 0) -> float | None:
    """Mean over all relevant documents of the precision at their rank, 0 for those not ranked; at every depth."""
    total = _relevant(grades)
    places = [i for i, grade in enumerate(ranked, 1) if grade >= RELEVANT]
    return sum(n / place for n, place in enumerate(places, 1)) / total if total else None


def _relevant(grades: Grades) -> int:
    return sum(grade >= RELEVANT for grade in grades)


MEASURES: Mapping[str, Measure] = {
    "nDCG": ndcg, "MRR": reciprocal_rank, "P": precision, "recall": recall, "AP": average_precision,
}  # fmt: skip


def label(name: str, depth: int = DEPTH) -> str:
    """As papers write it: nDCG@5; average precision has no depth."""
    return name if name == "AP" else f"{name}@{depth}"


def per_query(
    measure: Measure, qrels: Mapping[str, Mapping[str, int]], run: Mapping[str, Mapping[str, float]], depth: int = DEPTH
) -> dict[str, float | None]:
    """One value for each query of the run, in TREC shapes; documents without a judgement count as not relevant."""
    found: dict[str, float | None] = {}
    for query, scores in run.items():
        judged = qrels.get(query, {})
        found[query] = measure([judged.get(name, 0) for name in order(scores)], list(judged.values()), depth)
    return found


# ---------------------------------------------------------------- what is not judged yet
def span(name: str, ranked: Judged, depth: int = DEPTH) -> Span | None:
    """The lowest and the highest value of a measure over every way to judge what is unjudged with grades 0 to BEST.

    `ranked` holds all documents of the query. Judgements under which the measure is not defined are left out; None where it is
    defined under none.
    """
    ways = _graded(ranked, depth) if name == "nDCG" else _marked(ranked)
    values = [v for grades in ways if (v := MEASURES[name](grades, grades, depth)) is not None]
    return Span(min(values), max(values)) if values else None


def open_top(ranked: Judged, depth: int = DEPTH) -> bool:
    """Whether something among the first `depth` is unjudged."""
    return any(grade is None for grade in ranked[:depth])


def _marked(ranked: Judged) -> Iterator[list[int]]:
    """The extreme ways to judge for a measure of relevant or not: a relevant document further up never lowers one, so of each
    number of relevant ones only the first and the last places matter."""
    free = [i for i, grade in enumerate(ranked) if grade is None]
    for many in range(len(free) + 1):
        for chosen in {tuple(free[:many]), tuple(free[len(free) - many :])}:
            yield _filled(ranked, dict.fromkeys(chosen, RELEVANT))


def _graded(ranked: Judged, depth: int) -> Iterator[list[int]]:
    """The extreme ways to judge for nDCG.

    Any set of grades gives most in falling order and least in rising order, the ideal being the same. Below the depth a grade
    moves the ideal alone: 0 there for the highest value, BEST for the lowest. What is left are the few places within it.
    """
    free = [i for i, grade in enumerate(ranked) if grade is None]
    near, far = [i for i in free if i < depth], [i for i in free if i >= depth]
    for rising in combinations_with_replacement(range(BEST + 1), len(near)):
        yield _filled(ranked, dict(zip(near, reversed(rising), strict=True)))
        yield _filled(ranked, dict(zip(near, rising, strict=True)) | dict.fromkeys(far, BEST))


def _filled(ranked: Judged, given: Mapping[int, int]) -> list[int]:
    return [given.get(i, 0) if grade is None else grade for i, grade in enumerate(ranked)]
