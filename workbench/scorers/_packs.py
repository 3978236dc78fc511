"""A prefix tree cut into packs: tokens that go through the model in one forward, each after all it can see.

Knows nothing of torch. Whole branches go together where they fit; a branch that waits for a later pack leaves its keys and
values behind until the last node below it has been packed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.scorers._tree import Node

SHORT = 64  # tokens: a pack with less room than this is closed rather than filled with the front of a long node
FRONT = 8  # a node with so many children is a front that the next call may share too, and leaves its keys and values
TOGETHER = 96  # tokens of short sibling leaves that attend as one block, behind a mask


@dataclass(frozen=True, slots=True)
class Block:
    """Tokens [at, at + sum(lengths)) of a pack: siblings one after another, all below the same `path`."""

    at: int
    lengths: tuple[int, ...]
    path: tuple[Node, ...]

    def __len__(self) -> int:
        return sum(self.lengths)


@dataclass(frozen=True, slots=True)
class Pack:
    """Nodes in the order of their tokens, `places` their first token's position; `keep` are those whose keys and values are kept:
    later packs look at them, or the next call may.

    `done`: nodes of earlier packs that nobody looks at any more once this pack has run.
    """

    nodes: tuple[Node, ...]
    places: dict[Node, int]
    keep: tuple[Node, ...]
    done: tuple[Node, ...]

    def __len__(self) -> int:
        return sum(len(n) for n in self.nodes)

    def finals(self) -> list[tuple[Node, int]]:
        """Nodes that rows end at, with the position of their last token in the pack."""
        return [(n, self.places[n] + len(n) - 1) for n in self.nodes if n.ends]

    def blocks(self) -> list[Block]:
        found: list[Block] = []
        before: Node | None = None
        for node in self.nodes:
            last = found[-1] if found else None
            beside = before is not None and before.parent is node.parent and not before.children and not node.children
            if last and beside and len(last) + len(node) <= TOGETHER:
                found[-1] = Block(last.at, (*last.lengths, len(node)), last.path)
            else:
                found.append(Block(self.places[node], (len(node),), tuple(node.path())))
            before = node
        return found


class Packer:
    """Hands out the packs of a tree, depth first, so that few branches wait at a time."""

    def __init__(self, root: Node) -> None:
        self._todo = root.children[::-1]
        self._waiting: set[Node] = set()
        self._before: list[Node] = []

    def __bool__(self) -> bool:
        return bool(self._todo)

    def take(self, budget: int) -> Pack:
        """The next pack, of at most `budget` tokens (at least one)."""
        budget = max(1, budget)
        self._before, room = list(self._todo), budget
        nodes: list[Node] = []
        while self._todo and room > 0:
            node = self._todo[-1]
            if len(node) > room:
                if nodes and (len(node) <= budget or room < SHORT):
                    break
                node.split(node.start + room)
            self._todo.pop()
            nodes.append(node)
            room -= len(node)
            self._todo += node.children[::-1]
        return self._pack(nodes)

    def put_back(self) -> None:
        """Undoes the last `take`: its tokens come again."""
        self._todo = self._before

    def ran(self, pack: Pack) -> None:
        """The pack has run: what nobody needs any more is let go."""
        self._waiting = (self._waiting | set(pack.keep)) - set(pack.done)
        for node in pack.done:
            node.kept.clear()

    def close(self) -> None:
        for node in self._waiting:
            node.kept.clear()

    def hold(self, node: Node) -> None:
        """`node` comes with its keys and values: it needs no pass, and what is below it takes its place."""
        self._todo = [n for top in self._todo for n in (node.children[::-1] if top is node else [top])]
        self._waiting.add(node)

    def _pack(self, nodes: Sequence[Node]) -> Pack:
        places, at = {}, 0
        for node in nodes:
            places[node] = at
            at += len(node)
        needed = _above(self._todo)
        fronts = [n for n in nodes if len(n.children) >= FRONT]
        keep = needed | _above(fronts) | set(fronts)
        gone = tuple(n for n in self._waiting if n not in needed)
        return Pack(tuple(nodes), places, tuple(n for n in nodes if n in keep), gone)


def _above(nodes: Iterable[Node]) -> set[Node]:
    """Every node that lies above one of these."""
    found: set[Node] = set()
    for node in nodes:
        above = node.parent
        while above is not None and above not in found:
            found.add(above)
            above = above.parent
    return found
