"""Attention over a pack on a GPU: flash attention over sequences of unequal lengths, a front's keys before each that it serves.

Knows nothing of packs beyond their blocks. Queries are the ends of their sequences: the kernel lets the last query see all keys,
the one before it all but one, and so on, which is what a block below a front asks for. It is used where it gives what the masked
kernel gives; where there is none, or another number comes out, the caller stays with the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

import torch
from torch.nn.functional import scaled_dot_product_attention

from workbench.scorers._packs import Block
from workbench.scorers._tree import Node

Kernel: TypeAlias = Callable[..., Any]
HALF = (torch.bfloat16, torch.float16)
OFF = 0.02  # largest difference in half precision on unit normal input: rounding reaches 0.016, a wrong mask 2 and more


@dataclass(frozen=True, slots=True)
class Sequences:
    """`keys`: int64, which tokens of [earlier nodes, then the pack] stand in each sequence, one after another. `asked` and
    `seen`: int32 [sequences + 1], where the queries and the keys of a sequence begin; `longest` of both."""

    keys: torch.Tensor
    asked: torch.Tensor
    seen: torch.Tensor
    longest: tuple[int, int]


def sequences(
    blocks: Sequence[Block], starts: Mapping[Node, int], above: int, rows: Sequence[int] | None, device: torch.device
) -> Sequences:
    """Of a pack's blocks, or of those that end at one of `rows` with that one query each. `starts`: where a node's tokens stand
    in [earlier nodes, then the pack]; `above`: tokens of the earlier nodes."""
    finals = None if rows is None else set(rows)
    keys, asked, seen = [], [0], [0]
    for block in blocks:
        front = [torch.arange(starts[node], starts[node] + len(node)) for node in block.path]
        at = block.at
        for length in block.lengths:
            at += length
            if finals is not None and at - 1 not in finals:
                continue
            own = torch.arange(above + at - length, above + at)
            keys += [*front, own]
            asked.append(asked[-1] + (length if finals is None else 1))
            seen.append(seen[-1] + sum(map(len, front)) + length)
    most = tuple(max(b - a for a, b in pairwise(at)) for at in (asked, seen))
    begin = [torch.tensor(at, dtype=torch.int32, device=device) for at in (asked, seen)]
    return Sequences(torch.cat(keys).to(device), begin[0], begin[1], (most[0], most[1]))


def attend(
    kernel: Kernel, found: Sequences, query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scaling: float
) -> torch.Tensor:
    """query [heads, rows, head], keys and values [kv heads, earlier + pack tokens, head] → [rows, heads, head]"""
    key, value = (t[:, found.keys].transpose(0, 1).contiguous() for t in (keys, values))
    out: torch.Tensor = kernel(
        query.transpose(0, 1).contiguous(), key, value, found.asked, found.seen, *found.longest,
        scale=scaling, window_size=(-1, 0), enable_gqa=len(query) != len(keys),
    )  # fmt: skip
    return out


@cache
def kernel(device: torch.device, dtype: torch.dtype, heads: int, shared: int, size: int) -> Kernel | None:
    """torch's own, where it is there for such heads and gives what the masked kernel gives; None elsewhere."""
    if device.type != "cuda" or dtype not in HALF:
        return None
    try:
        from torch.nn.attention.varlen import varlen_attn

        return varlen_attn if agrees(varlen_attn, device, dtype, heads, shared, size) else None
    except (ImportError, RuntimeError, NotImplementedError, ValueError):
        return None


@torch.inference_mode()
def agrees(found: Kernel, device: torch.device, dtype: torch.dtype, heads: int, shared: int, size: int) -> bool:
    """Two sequences behind one front, against the masked kernel."""
    front, lengths = 7, (3, 5)
    n = front + sum(lengths)
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(h, n, size, generator=generator).to(device, dtype) for h in (heads, shared, shared)
    )
    node = Node(0, 0, front)
    blocks = [Block(0, (front,), ()), Block(front, lengths, (node,))]
    seen = torch.zeros(n, n, dtype=torch.bool)
    seen[:, :front] = True
    at = 0
    for length in (front, *lengths):
        seen[at : at + length, at : at + length] = torch.ones(length, length).tril().bool()
        at += length
    scale = float(size) ** -0.5
    mask = seen.to(device)[None, None]
    masked = scaled_dot_product_attention(
        query[None], key[None], value[None], attn_mask=mask, scale=scale, enable_gqa=heads != shared
    )
    got = attend(found, sequences(blocks, {node: 0}, 0, None, device), query, key, value, scale)
    return bool((got.transpose(0, 1) - masked[0]).abs().max() <= OFF)
