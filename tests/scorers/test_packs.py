"""Packs hold every token of a tree once, parents before children, and keep what later packs look at."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.scorers._kept import Kept
from workbench.scorers._packs import Pack, Packer
from workbench.scorers._tree import Node, tree


def rows(count: int = 20, front: int = 30) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    head = rng.integers(0, 9, front)
    return [np.concatenate([head, rng.integers(0, 9, rng.integers(1, 40)), [100 + i]]).astype(np.int64) for i in range(count)]


def packs(root: Node, budget: int) -> list[Pack]:
    packer, found = Packer(root), []
    while packer:
        found.append(pack := packer.take(budget))
        for node in pack.keep:
            node.kept[0] = "kept"
        for node in pack.nodes:  # all that stands above is at hand: in this pack, or kept by an earlier one
            assert all(above in pack.places or above.kept for above in node.path())
        packer.ran(pack)
    packer.close()
    return found


@pytest.mark.parametrize("budget", [1, 10, 64, 300, 10_000])
def test_every_token_once_within_the_budget(budget: int) -> None:
    given = rows()
    root = tree(given)
    total = sum(len(n) for n in root.walk())
    found = packs(root, budget)
    assert sum(len(p) for p in found) == total
    assert all(len(p) <= budget for p in found)
    assert sorted(i for p in found for n, _ in p.finals() for i in n.ends) == list(range(len(given)))
    assert not any(n.kept for n in root.walk())


def test_blocks_cover_a_pack() -> None:
    (pack,) = packs(tree(rows()), 10_000)
    at = 0
    for block in pack.blocks():
        assert block.at == at
        at += len(block)
    assert at == len(pack)
    assert max(len(b.lengths) for b in pack.blocks()) > 1  # short siblings go together


def test_a_pack_that_did_not_fit_comes_again() -> None:
    root = tree(rows())
    packer = Packer(root)
    first = packer.take(200)
    packer.put_back()
    again = packer.take(100)
    assert again.nodes[0] is first.nodes[0] and len(again) <= 100
    packer.ran(again)
    rest = []
    while packer:
        rest.append(packer.take(100))
        packer.ran(rest[-1])
    assert len(again) + sum(map(len, rest)) == sum(len(n) for n in root.walk())


def test_what_is_kept_stays_within_its_limit() -> None:
    kept: Kept[str, str] = Kept(5, len)
    kept.put("a", "xx")
    kept.put("b", "yy")
    assert kept.get("a") == "xx"
    kept.put("c", "zz")
    assert (kept.get("b"), kept.get("a"), kept.get("c")) == (None, "xx", "zz")
    kept.put("d", "longer than all")
    assert len(kept) == 1 and kept.get("d")
    kept.clear()
    kept.put("e", "xxxxx")
    assert kept.get("e") and len(kept) == 1
