"""MaxSim of many documents in one product is MaxSim of each by itself."""

from __future__ import annotations

import pytest
import torch

from workbench.errors import ScoreFailed
from workbench.scorers import _maxsim
from workbench.scorers._maxsim import Candidate, maxsims
from workbench.types import Document, Encoding, Pair, Query, Score


def candidate(tokens: int, skipped: frozenset[int], seed: int) -> Candidate:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.nn.functional.normalize(torch.randn(tokens, 8, generator=generator), dim=1)
    encoding = Encoding(Pair(Query("q", ()), Document("d", ()), ()), tuple(range(3 + tokens)), (), query_tokens=3)
    return Candidate(encoding, vectors, [i for i in range(tokens) if i not in skipped])


@pytest.mark.parametrize("together", [1, 20, 1 << 16])
def test_together_is_each_alone(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_maxsim, "TOGETHER", together)
    query = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.Generator().manual_seed(9)), dim=1)
    nothing = candidate(2, frozenset({0, 1}), 50)
    rows = [candidate(n, frozenset({1}), n) for n in (9, 2, 17, 1)]
    found = list(maxsims(query, [rows[0], nothing, *rows[1:]]))
    assert isinstance(found.pop(1), ScoreFailed)
    for row, score in zip(rows, found, strict=True):
        assert isinstance(score, Score)
        similar = query @ row.vectors[row.counted].T
        assert score.logit == pytest.approx(float(similar.max(1).values.sum()), abs=1e-5)
        places = [3 + row.counted[j] for j in similar.argmax(1).tolist()]
        assert [match["document"] for match in score.detail["matches"]] == places
