"""The prefix tree holds every row once, whatever the rows are."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.scorers._tree import Node, Symbols, common, tree


def rows(*texts: str) -> list[Symbols]:
    return [np.array([ord(c) for c in t], dtype=np.int64) for t in texts]


def spelled(root: Node, given: list[Symbols]) -> dict[int, list[int]]:
    """Each row as its nodes spell it, from the root down."""
    found = {}
    for node in root.walk():
        for row in node.ends:
            nodes = [*node.path(), node]
            found[row] = [int(t) for n in nodes for t in given[n.row][n.start : n.end]]
    return found


def assert_whole(given: list[Symbols], worth: int = 1) -> Node:
    root = tree(given, worth)
    assert spelled(root, given) == {i: r.tolist() for i, r in enumerate(given) if len(r)}
    assert all(c.parent is n and c.start == n.end for n in root.walk() for c in n.children)
    return root


def size(root: Node) -> int:
    return sum(len(n) for n in root.walk())


def test_a_shared_front_is_held_once() -> None:
    root = assert_whole(rows("query: bees", "query: ants", "query: wasps"))
    assert size(root) == len("query: ") + len("bees") + len("ants") + len("wasps")


def test_variants_of_the_tail_share_their_document() -> None:
    heads = ["sys doc one ", "sys doc two "]
    root = assert_whole(rows(*(h + t for h in heads for t in ("ab", "cd", "ef"))))
    assert size(root) == len("sys doc ") + 2 * len("one ") + 6 * 2


def test_equal_rows_end_at_one_node() -> None:
    root = assert_whole(rows("same", "same", "other", "same"))
    assert sorted(next(n.ends for n in root.walk() if 0 in n.ends)) == [0, 1, 3]


def test_a_row_that_is_the_front_of_another_ends_inside() -> None:
    root = assert_whole(rows("abcdef", "abc", "abcd"))
    assert size(root) == 6


def test_branches_not_worth_it_are_dissolved() -> None:
    given = rows("ab1", "ab2", "ab3")
    assert size(assert_whole(given, worth=4)) == 2 + 3
    assert size(assert_whole(given, worth=5)) == 9


def test_rows_without_tokens_end_nowhere() -> None:
    assert size(assert_whole(rows("", "a"))) == 1
    assert not tree([]).children


def test_a_cut_node_spells_the_same() -> None:
    given = rows("abcdefgh", "abcdefxy")
    root = tree(given, 1)
    root.children[0].split(3)
    assert spelled(root, given) == {i: r.tolist() for i, r in enumerate(given)}


@pytest.mark.parametrize("seed", range(8))
def test_any_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = [rng.integers(-2, 2, rng.integers(0, 12)).astype(np.int64) for _ in range(60)]
    fresh = assert_whole(given)
    distinct = {r[: i + 1].tobytes() for r in given for i in range(len(r))}
    assert size(fresh) == len(distinct)  # every distinct front once: the smallest tree there is
    assert_whole(given, worth=6)


def test_common() -> None:
    a, b = rows("abcx", "abcyz")
    assert (common(a, b), common(a, a), common(a, a[:2])) == (3, 4, 2)
