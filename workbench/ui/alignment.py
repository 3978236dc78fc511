"""Aligns two sequences (token ids, lines, words): what both have, and the stretches where they differ.

Knows nothing of what the elements mean. After Myers, "An O(ND) Difference Algorithm and Its Variations" (1986): the fewest
insertions and deletions, found in time that grows with their number and not with the length of what is alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

MOST = 400  # insertions and deletions that are looked for: some 30 ms; beyond, the middle is one stretch
Pairs = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Block:
    """a[a0:a1] stands where b[b0:b1] stands; `alike`: they are equal."""

    a0: int
    a1: int
    b0: int
    b1: int
    alike: bool

    @property
    def size(self) -> int:
        return max(self.a1 - self.a0, self.b1 - self.b0)


@dataclass(frozen=True, slots=True)
class Alignment:
    """Blocks that cover both sequences in order. `exact` False: too much differs, nothing between head and tail was aligned."""

    blocks: tuple[Block, ...]
    exact: bool = True

    @property
    def differing(self) -> int:
        """Elements that differ, a replaced one counted once."""
        return sum(block.size for block in self.blocks if not block.alike)

    def twins(self) -> dict[int, int]:
        """Position in `a` → position in `b` of what stands there, equal or put in its place."""
        return {
            block.a0 + i: block.b0 + i
            for block in self.blocks
            for i in range(min(block.a1 - block.a0, block.b1 - block.b0))
        }


def align(a: Sequence[Hashable], b: Sequence[Hashable], most: int = MOST) -> Alignment:
    head = _alike(a, b)
    tail = _alike(a[head:][::-1], b[head:][::-1])
    inner_a, inner_b = a[head : len(a) - tail], b[head : len(b) - tail]
    found = _matches(inner_a, inner_b, most)
    pairs = [(i, i) for i in range(head)]
    pairs += [(x + head, y + head) for x, y in found or ()]
    pairs += [(len(a) - i, len(b) - i) for i in range(tail, 0, -1)]
    return Alignment(tuple(_blocks(pairs, len(a), len(b))), found is not None)


def _alike(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Length of what both begin with."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _matches(a: Sequence[Hashable], b: Sequence[Hashable], most: int) -> Pairs | None:
    """Positions of equal elements on a path with the fewest edits; None where it takes more than `most`."""
    furthest, trace = {1: 0}, list[dict[int, int]]()
    for edits in range(min(len(a) + len(b), most) + 1):
        trace.append(dict(furthest))
        for k in range(-edits, edits + 1, 2):
            x = _step(furthest, k, edits)
            while x < len(a) and 0 <= x - k < len(b) and a[x] == b[x - k]:
                x += 1
            furthest[k] = x
            if x >= len(a) and x - k >= len(b):
                return _walked(trace, len(a), len(b))
    return None


def _step(furthest: dict[int, int], k: int, edits: int) -> int:
    """Where diagonal k (x - y) is entered: by an insertion from above, or by a deletion from the left."""
    down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
    return furthest[k + 1] if down else furthest[k - 1] + 1


def _walked(trace: list[dict[int, int]], x: int, y: int) -> Pairs:
    """The path read backwards from its end."""
    pairs: Pairs = []
    for edits, furthest in reversed(list(enumerate(trace))):
        k = x - y
        down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
        before = k + 1 if down else k - 1
        start = furthest[before]
        while x > start and y > start - before and (x > 0 and y > 0):
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = start, start - before
    return pairs[::-1]


def _blocks(pairs: Pairs, end_a: int, end_b: int) -> Iterator[Block]:
    """Runs of neighbouring pairs, and what lies between them."""
    a = b = start_a = start_b = 0
    for x, y in [*pairs, (end_a, end_b)]:
        if (x, y) != (a, b) or (x, y) == (end_a, end_b):
            if a > start_a:
                yield Block(start_a, a, start_b, b, True)
            if x > a or y > b:
                yield Block(a, x, b, y, False)
            start_a, start_b = x, y
        a, b = x + 1, y + 1
