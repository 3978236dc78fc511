"""MaxSim: every query token finds its best document token; the sum of the similarities, and who found whom.

Knows nothing of models: it gets vectors of length one and the encoding they are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from workbench.errors import ScoreFailed, WorkbenchError
from workbench.types import Encoding, Image, Score


def maxsim(
    encoding: Encoding, query: torch.Tensor, document: torch.Tensor, counted: Sequence[int], *, image_id: int = -1, merge: int = 1
) -> Score | WorkbenchError:
    """`counted`: places in the document whose tokens count. Ids and places of all matches are kept in `detail`.

    A token of a picture (`image_id`) is one tile of it: its row and column are kept too. `merge`: patches along a tile's edge.
    """
    at, ids = encoding.query_tokens, encoding.token_ids
    if not counted:
        return ScoreFailed("has no token that counts", hint="Its words are all on the checkpoint's skip list.")
    best, where = (query @ document[list(counted)].T).max(dim=-1)
    total = float(best.sum())
    if total != total:
        return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
    tiles = _tiles(encoding, image_id, merge)
    matches: list[dict[str, Any]] = []
    for i, (j, similarity) in enumerate(zip(where.tolist(), best.tolist(), strict=True)):
        place = at + counted[j]
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
