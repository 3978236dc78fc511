"""Features of pictures on disk: a restart looks at none again, and nothing on that disk can break a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.scorers.conftest import Maker, document, query
from workbench.media import Library
from workbench.pool import Bench
from workbench.ranking import make_pair
from workbench.scorers import load
from workbench.scorers._checkpoint import open_checkpoint
from workbench.scorers._features import Features
from workbench.scorers._packed import Visual
from workbench.types import Score, Variant

CPU = torch.device("cpu")


def opened(bench: Bench, folder: Path, features: tuple[Path, int] | None) -> Any:
    library = Library(bench.library._folder, bench.library._worker)
    library.features = features
    return load(open_checkpoint(str(folder), bench.families), library, device="cpu")


def logits(bench: Bench, scorer: Any, parts: list[Any]) -> list[float]:
    batch = [
        scorer.encode(make_pair(bench.renderer, scorer, Variant(scorer.name), query("a cat"), document(part, id=str(i))))
        for i, part in enumerate(parts)
    ]
    found = dict(scorer.score(batch))
    return [s.logit if isinstance(s := found[i], Score) else pytest.fail(str(s)) for i in range(len(batch))]


def test_a_restart_looks_at_nothing_again(
    bench: Bench, tiny_qwen3_vl: Path, picture: Maker, clip: Maker, tmp_path: Path
) -> None:
    parts = [picture(64, 64, 41), picture(96, 64, 42), clip(seed=43)]
    kept = (tmp_path / "features", 1 << 30)
    first = opened(bench, tiny_qwen3_vl, kept)
    expected = logits(bench, first, parts)
    assert first.spent()["looks"] == 3
    again = opened(bench, tiny_qwen3_vl, kept)
    assert logits(bench, again, parts) == pytest.approx(expected, abs=1e-6)
    assert again.spent()["looks"] == 0
    for file in kept[0].iterdir():  # a disk that lost its head
        file.write_bytes(file.read_bytes()[:40])
    broken = opened(bench, tiny_qwen3_vl, kept)
    assert logits(bench, broken, parts) == pytest.approx(expected, abs=1e-6)
    assert broken.spent()["looks"] == 3


def test_other_weights_find_nothing(tmp_path: Path) -> None:
    visual = Visual(torch.ones(4, 8), torch.zeros(1, 4, 8))
    Features(tmp_path, 1 << 20, "one").put("x", visual)
    found = Features(tmp_path, 1 << 20, "one").get("x", CPU)
    assert found is not None and torch.equal(found.features, visual.features) and torch.equal(found.deep, visual.deep)
    assert Features(tmp_path, 1 << 20, "another").get("x", CPU) is None


def test_what_was_read_least_lately_goes_first(tmp_path: Path) -> None:
    import os

    visual = Visual(torch.ones(64, 64), torch.zeros(0, 64, 64))
    kept = Features(tmp_path, 3 * 17_000, "one")
    for at, name in enumerate("abc"):
        kept.put(name, visual)
        os.utime(kept._path(name), (at, at))
    assert kept.get("a", CPU) is not None  # read now, so it stays
    kept.put("d", visual)
    assert [kept.get(name, CPU) is not None for name in "abcd"] == [True, False, True, True]
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 3 * 17_000


def test_a_disk_that_takes_nothing_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = Features(tmp_path / "file" / "features", 1 << 20, "one")
    kept.put("x", Visual(torch.ones(2, 2), torch.zeros(0, 2, 2)))
    assert kept.get("x", CPU) is None
