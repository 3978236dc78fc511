"""The last shared fronts, kept with their keys and values so that one edited document costs its own tokens only.

Knows nothing of models. Few and small: a front is kept while it is among the latest and all fit the budget.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from workbench.scorers._packs import FRONT, Pack, Packer
from workbench.scorers._tree import WORTH, Node, Symbols, common

ENTRIES = 16
BYTES = 256 << 20


class HasSymbols(Protocol):
    @property
    def symbols(self) -> Symbols: ...


@dataclass(frozen=True, slots=True)
class Front:
    """`kept`: by layer, keys and values [kv heads, tokens, head] of a row's first tokens."""

    symbols: Symbols
    kept: dict[int, tuple[torch.Tensor, torch.Tensor]]

    def bytes(self) -> int:
        return sum(k.nbytes + v.nbytes for k, v in self.kept.values())


class Prefixes:
    """Fronts by falling age, the latest last. Several calls may be on their way at once."""

    def __init__(self) -> None:
        self._fronts: list[Front] = []
        self._lock = threading.Lock()

    def add(self, pack: Pack, rows: Sequence[HasSymbols]) -> None:
        """Keeps the fronts that many rows of the pack share. Its nodes still have their keys and values."""
        with self._lock:
            for node in pack.keep:
                symbols = rows[node.row].symbols[: node.end]
                if len(node.children) >= FRONT and not self._known(symbols):
                    self._fronts.append(Front(symbols.copy(), _joined([*node.path(), node])))
            while len(self._fronts) > ENTRIES or sum(f.bytes() for f in self._fronts) > BYTES:
                self._fronts.pop(0)

    def attach(self, packer: Packer, root: Node, rows: Sequence[HasSymbols]) -> None:
        """Gives the tops of a tree the keys and values that are kept for them."""
        todo = list(root.children)
        while todo:
            node = todo.pop()
            if (found := self._longest(rows[node.row].symbols, node.start)) and _hold(packer, node, *found):
                todo += node.children

    def _longest(self, row: Symbols, start: int) -> tuple[Front, int] | None:
        """The front that has most of its start in common with a row, and how much, where that is worth it beyond `start`; it
        becomes the latest."""
        with self._lock:
            length, at = max(((common(f.symbols, row), i) for i, f in enumerate(self._fronts)), default=(0, 0))
            if length < start + WORTH:
                return None
            self._fronts.append(found := self._fronts.pop(at))
        return found, length

    def _known(self, symbols: Symbols) -> bool:
        return any(len(f.symbols) == len(symbols) == common(f.symbols, symbols) for f in self._fronts)


def _joined(path: Sequence[Node]) -> dict[int, tuple[torch.Tensor, torch.Tensor]]:
    """The keys and values of a path, end to end."""
    layers = path[-1].kept
    return {i: (torch.cat([n.kept[i][0] for n in path], 1), torch.cat([n.kept[i][1] for n in path], 1)) for i in layers}


def _hold(packer: Packer, node: Node, front: Front, length: int) -> bool:
    """Cuts the node where what it has of the front ends; False where a row ends at it, whose last token has to be computed."""
    if node.end > length:
        node.split(length)
    if node.ends:
        return False
    at = slice(node.start, node.end)
    node.kept = {i: (k[:, at], v[:, at]) for i, (k, v) in front.kept.items()}
    packer.hold(node)
    return True
