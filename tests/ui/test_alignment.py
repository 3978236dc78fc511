"""Alignment: nothing lost, nothing called alike that is not, as few edits as there can be, and an end to the search."""

from __future__ import annotations

import random

from workbench.ui.alignment import align


def common(a: list[int], b: list[int]) -> int:
    """Length of the longest common subsequence, the slow and certain way."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def test_blocks_cover_both_and_keep_as_much_as_can_be_kept() -> None:
    chance = random.Random(1)
    for _ in range(400):
        a, b = ([chance.randrange(4) for _ in range(chance.randrange(12))] for _ in "ab")
        found, x, y = align(a, b), 0, 0
        for block in found.blocks:
            assert (block.a0, block.b0) == (x, y) and block.size > 0
            assert block.alike == (a[block.a0 : block.a1] == b[block.b0 : block.b1])
            x, y = block.a1, block.b1
        assert (x, y) == (len(a), len(b)) and found.exact
        assert sum(block.size for block in found.blocks if block.alike) == common(a, b)


def test_a_change_that_alters_three_tokens_shows_exactly_those() -> None:
    a, b = [1, 2, 3, 4, 5, 6], [1, 2, 9, 8, 7, 5, 6]
    found = align(a, b)
    assert [(k.a0, k.a1, k.b0, k.b1) for k in found.blocks if not k.alike] == [(2, 4, 2, 5)]
    assert found.differing == 3
    assert found.twins() == {0: 0, 1: 1, 2: 2, 3: 3, 4: 5, 5: 6}


def test_equal_sequences_differ_in_nothing() -> None:
    assert align([1, 2], [1, 2]).differing == 0 and align([], []).blocks == ()


def test_what_differs_too_much_is_one_stretch_and_said_to_be() -> None:
    a, b = [0, *range(1000, 3000), 1], [0, *range(5000, 7000), 1]
    found = align(a, b)
    assert not found.exact and [k.alike for k in found.blocks] == [True, False, True]
    assert found.differing == 2000
