"""Scorers that read query and document apart: every side is computed once, kept, and used in all pairs it stands in.

Knows nothing of what a side's reading is (one vector, or one per token) nor how two of them become a score.
"""

from __future__ import annotations

import abc
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import torch

from workbench.errors import ScoreFailed, WorkbenchError
from workbench.scorers import Stop, never
from workbench.scorers import _engine as engine
from workbench.scorers._kept import Kept
from workbench.scorers._local import Local
from workbench.types import Encoding, MediaInput, Parity, Score, Text

KEPT_BYTES = 256 << 20  # of vectors


@dataclass(frozen=True, slots=True)
class Side:
    """What decides the reading of one side."""

    token_ids: tuple[int, ...]
    type_ids: tuple[int, ...]
    document: bool
    parity: Parity
    media: tuple[MediaInput, ...] = ()


Complete: TypeAlias = tuple[Encoding, torch.Tensor, torch.Tensor]  # with the readings of its query and its document


def vectors() -> Kept[Side, torch.Tensor]:
    """Readings by side, empty."""
    return Kept(KEPT_BYTES, lambda reading: reading.nbytes)


class Apart(Local, abc.ABC):
    """A subclass gives `_open`, `_forward` (a reading per side) and `_match` (two readings as a score)."""

    _vectors: Kept[Side, torch.Tensor]

    @abc.abstractmethod
    def _match(self, encoding: Encoding, query: torch.Tensor, document: torch.Tensor) -> Score | WorkbenchError: ...

    def _side_row(self, side: Side) -> engine.Row:
        return engine.Row(side.token_ids, side.type_ids)

    def forget(self) -> None:
        self._vectors.clear()

    def score(self, batch: Sequence[Encoding], stop: Stop = never) -> Iterator[tuple[int, Score | WorkbenchError]]:
        """Yields (position in the batch, score or the row's error): kept sides at once, then as micro-batches finish."""
        if stop():
            return
        pairs = [_sides(e) for e in batch]
        users: dict[Side, list[int]] = defaultdict(list)
        known: dict[Side, torch.Tensor | WorkbenchError] = {}
        for i, pair in enumerate(pairs):
            for side in dict.fromkeys(pair):
                users[side].append(i)
                if (kept := self._vectors.get(side)) is not None:
                    known[side] = kept
        done: set[int] = set()
        yield from self._complete(batch, pairs, range(len(batch)), known, done)
        for documents in (False, True):  # queries first, so that every document gives a score at once
            lengths = {s: len(s.token_ids) for s in users if s.document == documents and s not in known}
            for side, reading in self._readings(lengths, self._side_row, stop):
                known[side] = reading
                if not isinstance(reading, WorkbenchError):
                    self._vectors.put(side, reading)
                yield from self._complete(batch, pairs, users[side], known, done)

    def _complete(
        self, batch: Sequence[Encoding], pairs: Sequence[tuple[Side, Side]], rows: Sequence[int],
        known: dict[Side, torch.Tensor | WorkbenchError], done: set[int],
    ) -> Iterator[tuple[int, Score | WorkbenchError]]:  # fmt: skip
        """Results of those rows whose two sides are known, or of which one failed."""
        ready: list[int] = []
        for i in rows:
            readings = [known.get(side) for side in pairs[i]]
            failed = next((r for r in readings if isinstance(r, WorkbenchError)), None)
            if i in done or (failed is None and any(r is None for r in readings)):
                continue
            done.add(i)
            if failed is not None:
                yield i, failed
            else:
                ready.append(i)
        complete = [(batch[i], *(known[side] for side in pairs[i])) for i in ready]
        yield from zip(ready, self._matches(complete), strict=True)  # type: ignore[arg-type]

    def _matches(self, rows: Sequence[Complete]) -> Iterator[Score | WorkbenchError]:
        """A score for each; who can match many at once does."""
        return (self._match(*row) for row in rows)

    def _read(self, reading: torch.Tensor) -> Score | WorkbenchError:
        raise NotImplementedError("one side alone is no score")

    def _apart(self, fast: torch.Tensor, slow: torch.Tensor) -> float:
        """One minus the cosine of the same side computed twice."""
        return 1 - float(torch.nn.functional.cosine_similarity(fast.flatten(), slow.flatten(), dim=0))


def by_query(rows: Sequence[Complete]) -> Iterator[tuple[torch.Tensor, list[Complete]]]:
    """Rows that stand together and have one query's reading, with that reading."""
    for _, part in groupby(rows, key=lambda row: id(row[1])):
        found = list(part)
        yield found[0][1], found


def _sides(encoding: Encoding) -> tuple[Side, Side]:
    at, parity, media = encoding.query_tokens, encoding.pair.parity, encoding.media
    first = sum(not isinstance(p, Text) for p in encoding.pair.query.content)
    return (
        Side(encoding.token_ids[:at], encoding.type_ids[:at], False, parity, media[:first]),
        Side(encoding.token_ids[at:], encoding.type_ids[at:], True, parity, media[first:]),
    )


def cosine(a: torch.Tensor, b: torch.Tensor, *, dot: bool = False) -> Score | WorkbenchError:
    """The cosine of two float32 vectors, or their dot product, as a score."""
    value = float(a @ b if dot else torch.nn.functional.cosine_similarity(a, b, dim=0))
    if value != value:
        return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
    return Score(value, value)
