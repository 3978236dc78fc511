"""How far the logits of one model move by themselves: the same pairs scored alone, together, and in another order.

Knows nothing of rankings or of who asked; differences below this floor are said and drawn as ties.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from workbench.scorers import Explains, Scorer, Stop, afresh, never
from workbench.types import Encoding

LEAST = 1e-4  # logits closer than this are one number, whatever was measured: eight pairs do not show the worst case
PAIRS = 8
TOKENS = 4096  # of all pairs together
HALF = 0.05  # half precision that is not measured: a bfloat16 logit near 10 has steps of 0.0625
DTYPES = {"bfloat16": HALF, "float16": HALF}
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Floor:
    """Logits: what two of them must differ by to be two numbers. `measured`: on this model, else by its dtype."""

    value: float = LEAST
    measured: bool = False


UNKNOWN = Floor()


@dataclass
class Floors:
    """The floor of every model that was measured, by name, device and dtype."""

    _known: dict[Key, Floor] = field(default_factory=dict)
    _measuring: threading.Lock = field(default_factory=threading.Lock)

    def of(self, scorer: Scorer) -> Floor:
        """At once: measured, else the one to assume of its dtype."""
        return self._known.get(_key(scorer)) or Floor(DTYPES.get(scorer.facts().dtype, LEAST))

    def wanted(self, scorer: Scorer) -> bool:
        """Whether this model can be measured and was not. A server's scores are its own: nothing is sent just to see."""
        return not isinstance(scorer, Explains) and _key(scorer) not in self._known

    def learn(self, scorer: Scorer, encodings: Sequence[Encoding], stop: Stop = never) -> Floor:
        """Measures once per model, waiting where that is under way; as `of` where it was done, was stopped or gave nothing."""
        with self._measuring:
            if self.wanted(scorer) and (found := measure(scorer, few(encodings), stop)) is not None:
                self._known[_key(scorer)] = Floor(max(found, LEAST), True)
        return self.of(scorer)


def _key(scorer: Scorer) -> Key:
    facts = scorer.facts()
    return scorer.name, facts.device, facts.dtype


def few(encodings: Sequence[Encoding]) -> list[Encoding]:
    """The shortest ones, at most PAIRS and TOKENS; one at least."""
    short = sorted(encodings, key=lambda e: len(e.token_ids))[:PAIRS]
    while len(short) > 1 and sum(len(e.token_ids) for e in short) > TOKENS:
        short.pop()
    return short


def measure(scorer: Scorer, encodings: Sequence[Encoding], stop: Stop = never) -> float | None:
    """The largest difference between two logits of one pair, computed anew in each batching; None when stopped or too few."""
    low, high = dict[int, float](), dict[int, float]()
    for rows in _batchings(len(encodings)):
        if stop():
            return None
        for at, score in afresh(scorer, [encodings[i] for i in rows]).items():
            low[rows[at]] = min(low.get(rows[at], score.logit), score.logit)
            high[rows[at]] = max(high.get(rows[at], score.logit), score.logit)
    return max(high[i] - low[i] for i in low) if len(low) > 1 else None


def _batchings(count: int) -> Iterator[list[int]]:
    """Together, each alone, in two halves backwards."""
    rows = list(range(count))
    yield rows
    yield from ([i] for i in rows)
    yield rows[::-2]
    yield rows[-2::-2]
