"""What rows have in common at their front: a tree whose paths from the root are the rows, each shared token in it once.

Knows nothing of models or devices. A row is an int64 array of symbols: token ids, and for the tokens of a picture or clip
numbers made of its content, because their ids are equal whatever they show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Symbols: TypeAlias = npt.NDArray[np.int64]
WORTH = 24  # tokens a branch must save: shorter ones cost more in bookkeeping than they save


@dataclass(eq=False, slots=True)
class Node:
    """Tokens [start, end) of row `row`, which all rows below share. `ends`: rows whose last token is this node's last.

    `kept`: keys and values of its tokens by layer, while nodes below still need them.
    """

    row: int
    start: int
    end: int
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    kept: dict[int, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.end - self.start

    def path(self) -> list[Node]:
        """The nodes above this one that have tokens, topmost first."""
        above: list[Node] = []
        node = self.parent
        while node is not None:
            if len(node):
                above.append(node)
            node = node.parent
        return above[::-1]

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first."""
        todo = [self]
        while todo:
            yield (node := todo.pop())
            todo += node.children[::-1]

    def split(self, at: int) -> Node:
        """Cuts the node in front of token `at` of its row; it keeps the front, and the new node below it the rest."""
        rest = Node(self.row, at, self.end, self, self.children, self.ends)
        for child in rest.children:
            child.parent = rest
        self.end, self.children, self.ends = at, [rest], []
        return rest


def tree(rows: Sequence[Symbols], worth: int = WORTH) -> Node:
    """The root, which has no tokens. Equal rows end at one node; a row without tokens ends nowhere."""
    order = sorted((i for i, r in enumerate(rows) if len(r)), key=lambda i: rows[i].astype(">i8").tobytes())
    root = Node(0, 0, 0)
    path, last = [root], -1
    for i in order:
        shared = common(rows[last], rows[i]) if last >= 0 else 0
        while path[-1].start >= shared and path[-1] is not root:
            path.pop()
        if path[-1].end > shared:
            path[-1].split(shared)
        above, last = path[-1], i
        if len(rows[i]) == shared:  # equal to the row before, whose node it ends at
            above.ends.append(i)
            continue
        leaf = Node(i, shared, len(rows[i]), above, ends=[i])
        above.children.append(leaf)
        path.append(leaf)
    _dissolve(root, worth)
    return root


def common(a: Symbols, b: Symbols) -> int:
    """How many symbols two rows share at their front."""
    n = min(len(a), len(b))
    different = np.flatnonzero(a[:n] != b[:n])
    return int(different[0]) if len(different) else n


def _dissolve(root: Node, worth: int) -> None:
    """Branches that save less than `worth` tokens are given to each of their children instead."""
    for node in reversed(list(root.walk())):
        if node is root or node.ends or len(node) * (len(node.children) - 1) >= worth or not node.children:
            continue
        above = node.parent
        assert above is not None
        for child in node.children:
            child.start, child.parent = node.start, above
        at = above.children.index(node)
        above.children[at : at + 1] = node.children
