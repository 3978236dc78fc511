"""Attention over a pack: every token sees the nodes above its own and what stands before it in its own, and nothing else.

Knows nothing of models beyond what transformers hands an attention function: queries, keys and values of one layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention

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
    masks: dict[tuple[tuple[int, ...], int], torch.Tensor] = field(default_factory=dict)
    whole: tuple[list[Any], torch.Tensor] | None = None
    turn: torch.Tensor | None = None

    def mask(self, lengths: tuple[int, ...], group: int = 1, rows: list[int] | None = None) -> torch.Tensor:
        """0 where a token may see another of its block, -inf elsewhere: float32 [n · group, n], a row for each of the heads that
        share keys; of the tokens at `rows` alone, where given."""
        if (lengths, group) not in self.masks:
            n = sum(lengths)
            owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
            seen = (owner[:, None] == owner[None]) & (torch.arange(n)[:, None] >= torch.arange(n)[None])
            self.masks[lengths, group] = torch.zeros(n, n).masked_fill_(~seen, HIDDEN).repeat_interleave(group, 0)
        mask = self.masks[lengths, group]
        return mask if rows is None else mask.view(-1, group, mask.shape[1])[rows].flatten(0, 1)

    def rotation(self, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
        """Complex [tokens, 1, head / 2]: what turns two neighbouring dimensions by a token's position. Both come as [1, tokens,
        head] with equal halves."""
        if self.turn is None:
            half = cosines.shape[-1] // 2
            self.turn = torch.complex(cosines[0, :, :half].contiguous(), sines[0, :, :half].contiguous())[:, None]
        return self.turn

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
                seen[own, at + block.at : at + block.at + len(block)] = self.mask(block.lengths) == 0
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
    keep(plan.pack, layer, key[0], value[0])
    if query.device.type != "cpu":
        return _at_once(plan, layer, query, key, value, rows, scaling), None
    (_, heads, count, size), shared = query.shape, key.shape[1]
    grouped = (query[0] * scaling).view(shared, -1, count, size).transpose(1, 2).reshape(shared, -1, size)
    out = over_blocks(plan, layer, grouped, key[0], value[0], rows)
    return out.view(shared, count, -1, size).transpose(0, 1).reshape(1, count, heads, size), None


def over_blocks(
    plan: Plan, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rows: list[int] | None = None
) -> torch.Tensor:
    """On a CPU. query [kv heads, tokens · group, head], scaled, the tokens in order or those at `rows`; key [kv heads, tokens,
    head]; value like key, or [1, tokens, width] for all heads → [kv heads, tokens · group, width]."""
    group = query.shape[1] // (key.shape[1] if rows is None else len(rows))
    pieces = _Pieces(plan.pack, layer, key, value)
    out = query.new_empty(*query.shape[:2], value.shape[2])
    at = 0
    for block in plan.blocks:
        mine = _mine(block, rows)
        count = group * (len(block) if mine is None else len(mine))
        if count:
            part = slice(at, at + count)
            out[:, part] = _attend(query[:, part], *pieces.of(block), plan.mask(block.lengths, group, mine))
        at += count
    return out


def keep(pack: Pack, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
    for node in pack.keep:
        at = pack.places[node]
        part = slice(at, at + len(node))
        node.kept[layer] = (key[:, part].clone(), value[:, part].clone())


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
        rows = max(2 * len(block), 128)
        self._keys = torch.cat([*(k for k, _ in parts), _room(self._key, rows)], 1)
        self._values = torch.cat([*(v for _, v in parts), _room(self._value, rows)], 1)

    def _part(self, node: Any) -> tuple[torch.Tensor, torch.Tensor]:
        at = self._pack.places.get(node)
        if at is None:
            found: tuple[torch.Tensor, torch.Tensor] = node.kept[self._layer]
            return found
        part = slice(at, at + len(node))
        return self._key[:, part], self._value[:, part]


def _room(like: torch.Tensor, rows: int) -> torch.Tensor:
    return like.new_empty(like.shape[0], rows, like.shape[2])


def _attend(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """query [kv heads, n · group, head], keys [kv heads, above + own, head], values the same or [1, above + own, width], mask
    [n · group, own] → [kv heads, n · group, width]."""
    own = mask.shape[1]
    if query.shape[1] * keys.shape[1] > LARGE:
        bias, each = pad(mask, (keys.shape[1] - own, 0)), values.expand(len(keys), -1, -1)
        return scaled_dot_product_attention(query[None], keys[None], each[None], attn_mask=bias, scale=1.0)[0]
    scores = torch.bmm(query, keys.transpose(1, 2))
    scores[..., -own:] += mask
    weights = scores.softmax(-1)
    if len(values) == len(keys):
        return torch.bmm(weights, values)
    return torch.mm(weights.flatten(0, 1), values[0]).view(*weights.shape[:2], -1)
