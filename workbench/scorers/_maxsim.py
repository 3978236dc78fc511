"""MaxSim: every query token finds its best document token; the sum of the similarities, and who found whom.

Knows nothing of models: it gets vectors of length one and the encoding they are of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from workbench.errors import ScoreFailed, WorkbenchError
from workbench.types import Encoding, Image, Score

TOGETHER = 1 << 16  # document tokens in one product

@dataclass(frozen=True, slots=True)
class Candidate:
    """A document's vectors [tokens, dimension] in the encoding they are of; `counted`: places of those that count."""

    encoding: Encoding
    vectors: torch.Tensor
    counted: Sequence[int]


def maxsims(
    query: torch.Tensor, candidates: Sequence[Candidate], *, image_id: int = -1, merge: int = 1
) -> Iterator[Score | WorkbenchError]:
    """Of one query [tokens, dimension] against each, in products over as many documents as TOGETHER tokens hold. Ids and places
    of all matches are kept in `detail`.

    A token of a picture (`image_id`) is one tile of it: its row and column are kept too. `merge`: patches along a tile's edge.
    """
    todo = list(candidates)
    while todo:
        taken, tokens = 0, 0
        while taken < len(todo) and (not taken or tokens + len(todo[taken].counted) <= TOGETHER):
            tokens += len(todo[taken].counted)
            taken += 1
        part, todo = todo[:taken], todo[taken:]
        for candidate, (values, places) in zip(part, _best(query, part), strict=True):
            yield _score(candidate, values, places, _tiles(candidate.encoding, image_id, merge))


def _best(query: torch.Tensor, candidates: Sequence[Candidate]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """By candidate, for every query token: its largest similarity and the counted token it is to; empty where none counts."""
    lengths = [len(c.counted) for c in candidates]
    similar = query @ torch.cat([c.vectors[list(c.counted)] for c in candidates]).T
    for part in torch.split(similar, lengths, 1):
        yield part.max(-1) if part.shape[1] else (part.new_empty(0), part.new_empty(0, dtype=torch.long))


def _score(
    candidate: Candidate, values: torch.Tensor, places: torch.Tensor, tiles: Mapping[int, dict[str, Any]]
) -> Score | WorkbenchError:
    if not candidate.counted:
        return ScoreFailed("has no token that counts", hint="Its words are all on the checkpoint's skip list.")
    total = float(values.sum())
    if total != total:
        return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
    at, ids = candidate.encoding.query_tokens, candidate.encoding.token_ids
    matches: list[dict[str, Any]] = []
    for i, (j, similarity) in enumerate(zip(places.tolist(), values.tolist(), strict=True)):
        place = at + candidate.counted[j]
        matches.append(
            {"query": i, "document": place, "query_id": ids[i], "document_id": ids[place], "similarity": similarity}
            | tiles.get(place, {})
        )
    return Score(total, total, {"matches": matches})


def _tiles(encoding: Encoding, image_id: int, merge: int) -> dict[int, dict[str, Any]]:
    """For every place that is a picture's: {"tile": [row, column], "tiles": [rows, columns]}."""
    places = iter([i for i, t in enumerate(encoding.token_ids) if t == image_id])
    found: dict[int, dict[str, Any]] = {}
    for item in encoding.media:
        if not isinstance(item.part, Image):
            continue
        rows, columns = item.grid[1] // merge, item.grid[2] // merge
        for n, place in zip(range(item.tokens), places, strict=False):
            found[place] = {"tile": [n // columns, n % columns], "tiles": [rows, columns]}
    return found
