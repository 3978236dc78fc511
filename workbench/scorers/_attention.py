"""Attention over a pack: every token sees the nodes above its own and what stands before it in its own, and nothing else.

Knows nothing of models beyond what transformers hands an attention function: queries, keys and values of one layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from workbench.scorers._packs import Block, Pack

NAME = "workbench_packed"  # in transformers' registry of attention functions
LARGE = 1 << 20  # scores of one head group: above this a block goes through the tiled kernel, which never holds them all
HIDDEN = float("-inf")


@dataclass(slots=True)
class Plan:
    """Who attends to what in one pack. `finals`: positions that rows end at; the last layer is run for them alone.

    `last`: keys and values of all tokens [1, kv heads, tokens, head] while the last layer runs for the finals.
    """

    pack: Pack
    blocks: list[Block]
    finals: list[int]
    device: torch.device
    last: tuple[torch.Tensor, torch.Tensor] | None = None
    masks: dict[tuple[int, ...], torch.Tensor] = field(default_factory=dict)
    whole: tuple[list[Any], torch.Tensor] | None = None

    def mask(self, lengths: tuple[int, ...]) -> torch.Tensor:
        """0 where a token may see another of its block, -inf elsewhere: float32 [n, n]."""
        if lengths not in self.masks:
            n = sum(lengths)
            owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
            seen = (owner[:, None] == owner[None]) & (torch.arange(n)[:, None] >= torch.arange(n)[None])
            self.masks[lengths] = torch.zeros(n, n).masked_fill_(~seen, HIDDEN).to(self.device)
        return self.masks[lengths]

    def at_once(self) -> tuple[list[Any], torch.Tensor]:
        """Nodes of earlier packs that this one looks at, and who sees what of them and of the pack: bool [tokens, keys]."""
        if self.whole is None:
            nodes = list(dict.fromkeys(n for b in self.blocks for n in b.path if n not in self.pack.places))
            starts, at = {}, 0
            for node in nodes:
                starts[node], at = at, at + len(node)
            starts |= {n: at + p for n, p in self.pack.places.items()}
            seen = torch.zeros(len(self.pack), at + len(self.pack), dtype=torch.bool)
            for block in self.blocks:
                own = slice(block.at, block.at + len(block))
                seen[own, at + block.at : at + block.at + len(block)] = self.mask(block.lengths).cpu() == 0
                for node in block.path:
                    seen[own, starts[node] : starts[node] + len(node)] = True
            self.whole = nodes, seen.to(self.device)
        return self.whole


def plan(pack: Pack, device: torch.device) -> Plan:
    return Plan(pack, pack.blocks(), [at for _, at in pack.finals()], device)


def register() -> None:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, packed_attention)


def packed_attention(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: Any,
    *, scaling: float, plan: Plan, **_: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """query [1, heads, tokens, head], key and value [1, kv heads, tokens, head] → [1, tokens, heads, head].

    Nodes that later packs look at leave their keys and values in `kept`, under the layer's number.
    """
    assert attention_mask is None, "a pack has no padding"
    layer, rows = int(module.layer_idx), None
    if plan.last is not None:
        (key, value), rows = plan.last, plan.finals
    keep(plan.pack, layer, key, value)
    if query.device.type != "cpu":
        return _at_once(plan, layer, query, key, value, rows, scaling), None
    pieces = _Pieces(plan.pack, layer, key[0], value[0])
    out = query.new_empty((query.shape[2], query.shape[1], query.shape[3]))
    at = 0
    for block in plan.blocks:
        mine = _mine(block, rows)
        count = len(block) if mine is None else len(mine)
        if count:
            mask = plan.mask(block.lengths)
            out[at : at + count] = _attend(
                query[0, :, at : at + count], *pieces.of(block), mask if mine is None else mask[mine], scaling
            )
        at += count
    return out[None], None


def keep(pack: Pack, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
    for node in pack.keep:
        at = pack.places[node]
        part = slice(at, at + len(node))
        node.kept[layer] = (key[0, :, part].clone(), value[0, :, part].clone())


def _mine(block: Block, finals: Sequence[int] | None) -> list[int] | None:
    """Which of the block's own tokens are asked about; None: all."""
    return None if finals is None else [f - block.at for f in finals if block.at <= f < block.at + len(block)]


def _at_once(
    plan: Plan, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
    rows: list[int] | None, scaling: float,
) -> torch.Tensor:  # fmt: skip
    """All blocks in one call of the fused kernel, behind one mask: an accelerator waits for launches, not for products."""
    nodes, seen = plan.at_once()
    keys = torch.cat([*(n.kept[layer][0] for n in nodes), key[0]], 1)[None]
    values = torch.cat([*(n.kept[layer][1] for n in nodes), value[0]], 1)[None]
    mask = (seen if rows is None else seen[rows])[None, None]
    grouped = query.shape[1] != key.shape[1]
    out = scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=scaling, enable_gqa=grouped)
    return out.transpose(1, 2)


class _Pieces:
    """Keys and values a block sees, joined; the part above is joined once for blocks that share it."""

    def __init__(self, pack: Pack, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        self._pack, self._layer, self._key, self._value = pack, layer, key, value
        self._path: tuple[Any, ...] | None = None
        self._above = 0
        self._keys = self._values = key.new_empty(0)

    def of(self, block: Block) -> tuple[torch.Tensor, torch.Tensor]:
        """[kv heads, above + own, head] each."""
        own = slice(block.at, block.at + len(block))
        if not block.path:
            return self._key[:, own], self._value[:, own]
        if self._path != block.path:
            self._join(block)
        end = self._above + len(block)
        if end > self._keys.shape[1]:
            self._join(block)
        self._keys[:, self._above : end] = self._key[:, own]
        self._values[:, self._above : end] = self._value[:, own]
        return self._keys[:, :end], self._values[:, :end]

    def _join(self, block: Block) -> None:
        parts = [self._part(node) for node in block.path]
        self._path, self._above = block.path, sum(k.shape[1] for k, _ in parts)
        room = self._key.new_empty((self._key.shape[0], max(2 * len(block), 128), self._key.shape[2]))
        self._keys = torch.cat([*(k for k, _ in parts), room], 1)
        self._values = torch.cat([*(v for _, v in parts), room], 1)

    def _part(self, node: Any) -> tuple[torch.Tensor, torch.Tensor]:
        at = self._pack.places.get(node)
        if at is None:
            found: tuple[torch.Tensor, torch.Tensor] = node.kept[self._layer]
            return found
        part = slice(at, at + len(node))
        return self._key[:, part], self._value[:, part]


def _attend(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, scaling: float
) -> torch.Tensor:
    """query [heads, n, head], keys and values [kv heads, above + own, head], mask [n, own] → [n, heads, head].

    Heads share keys in groups: consecutive ones, as transformers repeats them.
    """
    heads, n, size = query.shape
    kv, own = keys.shape[0], mask.shape[1]
    if heads // kv * n * keys.shape[1] > LARGE or query.dtype != torch.float32:
        above = mask.new_zeros((n, keys.shape[1] - own))
        bias = torch.cat([above, mask], 1).to(query.dtype)
        out = scaled_dot_product_attention(
            query[None], keys[None], values[None], attn_mask=bias, scale=scaling, enable_gqa=heads != kv
        )
        return out[0].transpose(0, 1)
    scores = torch.bmm(query.reshape(kv, -1, size) * scaling, keys.transpose(1, 2)).view(kv, -1, n, keys.shape[1])
    scores[..., -own:] += mask
    mixed = torch.bmm(scores.softmax(-1).view(kv, -1, keys.shape[1]), values)
    return mixed.view(heads, n, size).transpose(0, 1)
