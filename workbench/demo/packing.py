"""Packs questions into rows in which the documents share the prompt in front of them, as branches of a tree.
Knows nothing of weights or labels; the ids of a branch are exactly those of the pair's whole prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from workbench.demo.pool import MERGE, PATCH, Item
from workbench.demo.prompts import CLOSE, OPEN, ask, clip_group, clip_text, picture_text

TRUNK, PADDING = -1, -2


@dataclass(frozen=True, slots=True)
class Branch:
    """Token ids with their M-RoPE positions relative to where the branch begins."""

    ids: tuple[int, ...]
    positions: tuple[tuple[int, int, int], ...]
    length: int  # how far the positions after it move on


@dataclass(frozen=True, slots=True)
class Row:
    """A trunk (may be empty) and its branches, with the media that each shows, in order."""

    trunk: Branch
    branches: tuple[Branch, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows as tensors: ids [R, L], positions [3, R, L], branch numbers [R, L], ends [branch, 2] (row, last token)."""

    ids: torch.Tensor
    positions: torch.Tensor
    branch: torch.Tensor
    ends: torch.Tensor
    items: tuple[Item, ...]

    def mask(self) -> torch.Tensor:
        """bool [R, 1, L, L]: who sees whom. A branch sees the trunk and itself."""
        length = self.ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        own = self.branch[:, :, None] == self.branch[:, None, :]
        return ((own | (self.branch == TRUNK)[:, None, :]) & causal)[:, None]


def media_text(item: Item) -> str:
    return clip_text(item.seconds, clip_group(item.tokens)) if item.seconds else picture_text(item.tokens)


class Packer:
    """Turns prompts into ids and positions; keeps what it has tokenized."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        ids = tokenizer.convert_tokens_to_ids
        self.pads = {int(ids("<|image_pad|>")), int(ids("<|video_pad|>"))}
        self.branch = lru_cache(maxsize=200_000)(self._branch)

    def _branch(self, text: str, grid: tuple[int, int] = (0, 0)) -> Branch:
        """`grid`: merged rows and columns of each picture or group in the text (they are all of one size)."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        positions, here, i = [], 0, 0
        while i < len(ids):
            if ids[i] in self.pads:
                rows, columns = grid
                positions += [(here, here + r, here + c) for r in range(rows) for c in range(columns)]
                here, i = here + max(rows, columns), i + rows * columns
            else:
                positions.append((here, here, here))
                here, i = here + 1, i + 1
        return Branch(tuple(ids), tuple(positions), here)

    def side(self, before: str, item: Item | None, after: str) -> Branch:
        if item is None:
            return self._text(before + after)
        height, width = item.size
        grid = (height // (PATCH * MERGE), width // (PATCH * MERGE))
        return self.branch(before + media_text(item) + after, grid)

    def _text(self, text: str) -> Branch:
        return self.branch(text)

    def question(self, instruction: str, query: str | Item, documents: Sequence[str | Item], opening: str = OPEN,
                 closing: str = CLOSE, wrap: tuple[str, str] = ("", "")) -> Row:  # fmt: skip
        """`opening`: what stands before the instruction (a short one early in training). `closing`, `wrap` (around each
        document): the faults that a check tries."""
        before, after = (ask(instruction, "\0")).split("\0")
        seen = query if isinstance(query, Item) else None
        told = "" if isinstance(query, Item) else query
        asked, head = self.side(before, seen, told + after), self.branch(opening)
        moved = tuple((t + head.length, h + head.length, w + head.length) for t, h, w in asked.positions)
        trunk = Branch(head.ids + asked.ids, head.positions + moved, head.length + asked.length)
        front, back = wrap[0], wrap[1] + closing
        branches = [self.side(front, d, back) if isinstance(d, Item) else self.branch(front + d + back) for d in documents]
        items = ([seen] if seen else []) + [d for d in documents if isinstance(d, Item)]
        return Row(trunk, tuple(branches), tuple(items))

    def caption(self, item: Item, text: str) -> Branch:
        """A picture or clip and what it shows, for the captioning loss."""
        return self.side("", item, text + "<|im_end|>")


def pack(rows: Sequence[Row], pad: int = 0) -> Packed:
    """Rows padded to the longest of them."""
    longest = max(len(r.trunk.ids) + sum(len(b.ids) for b in r.branches) for r in rows)
    longest = -(-longest // 16) * 16
    ids, positions, branch, ends = [], [], [], []
    for number, row in enumerate(rows):
        line, where, own = list(row.trunk.ids), list(row.trunk.positions), [TRUNK] * len(row.trunk.ids)
        start = row.trunk.length
        for k, part in enumerate(row.branches):
            line += part.ids
            where += [(t + start, h + start, w + start) for t, h, w in part.positions]
            own += [k] * len(part.ids)
            ends.append((number, len(line) - 1))
        room = longest - len(line)
        ids.append(line + [pad] * room)
        positions.append(where + [(0, 0, 0)] * room)
        branch.append(own + [PADDING] * room)
    items = tuple(item for row in rows for item in row.items)
    return Packed(torch.tensor(ids), torch.tensor(positions).permute(2, 0, 1), torch.tensor(branch),
                  torch.tensor(ends), items)  # fmt: skip
