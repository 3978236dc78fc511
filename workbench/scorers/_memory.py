"""Scores by content: equal encodings are scored once, and not again while their score is remembered.

Knows nothing of models; whoever owns one says what decides a score and how the unknown ones are computed.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from workbench.errors import WorkbenchError
from workbench.scorers._kept import Kept
from workbench.types import Encoding, Score

REMEMBERED = 200_000  # scores
Fresh: TypeAlias = Callable[[Mapping[str, Encoding]], Iterator[tuple[str, Score | WorkbenchError]]]


class Memory:
    """The scores of one scorer. `hits` counts those that were not computed anew."""

    def __init__(self) -> None:
        self._scores: Kept[str, Score] = Kept(REMEMBERED)
        self.hits = 0

    def score(
        self, batch: Sequence[Encoding], name: Callable[[Encoding], str], fresh: Fresh
    ) -> Iterator[tuple[int, Score | WorkbenchError]]:
        """(position in the batch, score or error): what is remembered at once, the rest as `fresh` gives it."""
        same: dict[str, list[int]] = {}
        for i, encoding in enumerate(batch):
            same.setdefault(name(encoding), []).append(i)
        for key, rows in list(same.items()):
            if (known := self._scores.get(key)) is not None:
                self.hits += len(rows)
                yield from ((i, replace(known, cached=True)) for i in same.pop(key))
        for key, score in fresh({key: batch[rows[0]] for key, rows in same.items()}) if same else ():
            if isinstance(score, Score):
                self._scores.put(key, score)
            yield from ((i, score) for i in same[key])

    def clear(self) -> None:
        self._scores.clear()


def content(encoding: Encoding, media: Sequence[str] = ()) -> str:
    """An encoding by all that decides its score; `media` names its pictures and clips as the model gets them."""
    ids = array("q", (*encoding.token_ids, -1, *encoding.type_ids)).tobytes()
    rest = repr((encoding.pair.parity, encoding.query_tokens, tuple(media))).encode()
    return hashlib.blake2b(ids + rest, digest_size=16).hexdigest()
