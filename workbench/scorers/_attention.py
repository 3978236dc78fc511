"""Attention over a pack: every token sees the nodes above its own and what stands before it in its own, and nothing else.

Knows nothing of models beyond what transformers hands an attention function: queries, keys and values of one layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention

from workbench.scorers import Stop, never
from workbench.scorers import _varlen as varlen
from workbench.scorers._packs import Block, Pack
from workbench.scorers._tree import Node

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
    stepped: dict[bool, list[tuple[Block, slice, torch.Tensor]]] = field(default_factory=dict)
    seen: torch.Tensor | None = None
    apart: dict[bool, varlen.Sequences] = field(default_factory=dict)
    stop: Stop = never
    turn: torch.Tensor | None = None

    def mask(self, lengths: tuple[int, ...]) -> torch.Tensor:
        """0 where a token may see another of its block, -inf elsewhere: float32 [n, n]."""
        if lengths not in self.masks:
            n = sum(lengths)
            owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
            seen = (owner[:, None] == owner[None]) & (torch.arange(n)[:, None] >= torch.arange(n)[None])
            self.masks[lengths] = torch.zeros(n, n).masked_fill_(~seen, HIDDEN)
        return self.masks[lengths]

    def steps(self, group: int, rows: list[int] | None) -> list[tuple[Block, slice, torch.Tensor]]:
        """Blocks with the queries that are theirs, of all tokens or of those at `rows`, and who of them sees what: float32
        [queries, own]. A token has `group` queries, one for each of the heads that share keys."""
        if (last := rows is not None) not in self.stepped:
            steps, at = [], 0
            for block in self.blocks:
                mask = self.mask(block.lengths)
                if rows is not None:
                    mask = mask[[row - block.at for row in rows if block.at <= row < block.at + len(block)]]
                if len(mask):
                    end = at + group * len(mask)
                    steps.append((block, slice(at, end), mask.repeat_interleave(group, 0)))
                    at = end
            self.stepped[last] = steps
        return self.stepped[last]

    def rotation(self, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
        """Complex [tokens, 1, head / 2]: what turns two neighbouring dimensions by a token's position. Both come as [1, tokens,
        head] with equal halves."""
        if self.turn is None:
            half = cosines.shape[-1] // 2
            self.turn = torch.complex(cosines[0, :, :half].contiguous(), sines[0, :, :half].contiguous())[:, None]
        return self.turn

    def earlier(self) -> list[Node]:
        """Nodes of earlier packs that this one looks at."""
        return list(dict.fromkeys(n for b in self.blocks for n in b.path if n not in self.pack.places))

    def starts(self) -> tuple[dict[Node, int], int]:
        """Where each node's tokens begin in [earlier nodes, then the pack], and how many tokens the earlier ones have."""
        starts, at = {}, 0
        for node in self.earlier():
            starts[node], at = at, at + len(node)
        return starts | {n: at + p for n, p in self.pack.places.items()}, at

    def sequences(self, rows: list[int] | None) -> varlen.Sequences:
        """The pack as sequences of unequal lengths, of all tokens or of those at `rows`."""
        if (last := rows is not None) not in self.apart:
            self.apart[last] = varlen.sequences(self.blocks, *self.starts(), rows, self.device)
        return self.apart[last]

    def whole(self) -> torch.Tensor:
        """Who sees what of the earlier nodes and of the pack: bool [tokens, keys]."""
        if self.seen is None:
            starts, at = self.starts()
            seen = torch.zeros(len(self.pack), at + len(self.pack), dtype=torch.bool)
            for block in self.blocks:
                own = slice(block.at, block.at + len(block))
                seen[own, at + block.at : at + block.at + len(block)] = self.mask(block.lengths) == 0
                for node in block.path:
                    seen[own, starts[node] : starts[node] + len(node)] = True
            self.seen = seen.to(self.device)
        return self.seen


def plan(pack: Pack, device: torch.device, stop: Stop = never) -> Plan:
    """`stop`: asked between two layers, where they can be left."""
    return Plan(pack, pack.blocks(), [at for _, at in pack.finals()], device, stop=stop)


class Stopped(Exception):
    """A pack was left between two layers: its rows have no numbers."""


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
    if plan.stop():
        raise Stopped
    layer, rows = int(module.layer_idx), None
    if plan.last is not None:
        (key, value), rows = plan.last, plan.finals
    keep(plan.pack, layer, key[0], value[0])
    if query.device.type != "cpu":
        return _at_once(plan, layer, query, key, value, rows, scaling), None
    heads, count, size = query.shape[1:]
    shared = key.shape[1]
    grouped = (query[0] * scaling).view(shared, -1, count, size).transpose(1, 2).reshape(shared, -1, size)
    out = over_blocks(plan, layer, grouped, key[0], value[0], rows)
    return out.view(shared, count, -1, size).transpose(0, 1).reshape(1, count, heads, size), None


def over_blocks(
    plan: Plan, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rows: list[int] | None = None
) -> torch.Tensor:
    """On a CPU. query [kv heads, tokens · group, head], scaled, the tokens in order or those at `rows`; key [kv heads, tokens,
    head]; value like key, or [1, tokens, width] for all heads → [kv heads, tokens · group, width]."""
    group = query.shape[1] // (key.shape[1] if rows is None else len(rows))
    seen = _Seen(plan, layer, key, value)
    out = query.new_empty(*query.shape[:2], value.shape[2])
    for block, part, mask in plan.steps(group, rows):
        out[:, part] = _attend(query[:, part], *seen.of(block), mask)
    return out


def keep(pack: Pack, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
    for node in pack.keep:
        at = pack.places[node]
        part = slice(at, at + len(node))
        node.kept[layer] = (key[:, part].clone(), value[:, part].clone())


def _at_once(
    plan: Plan, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
    rows: list[int] | None, scaling: float,
) -> torch.Tensor:  # fmt: skip
    """All blocks in one call of a fused kernel: an accelerator waits for launches, not for products."""
    nodes = plan.earlier()
    keys = torch.cat([*(n.kept[layer][0] for n in nodes), key[0]], 1)
    values = torch.cat([*(n.kept[layer][1] for n in nodes), value[0]], 1)
    heads, shared, size = query.shape[1], key.shape[1], query.shape[3]
    if kernel := varlen.kernel(query.device, query.dtype, heads, shared, size):
        return varlen.attend(kernel, plan.sequences(rows), query[0], keys, values, scaling)[None]
    seen = plan.whole()
    mask = (seen if rows is None else seen[rows])[None, None]
    out = scaled_dot_product_attention(
        query, keys[None], values[None], attn_mask=mask, scale=scaling, enable_gqa=heads != shared
    )
    return out.transpose(1, 2)


class _Seen:
    """Keys and values a block sees, end to end in one place; what it shares with the block before stays where it is."""

    def __init__(self, plan: Plan, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        self._pack, self._layer, self._key, self._value = plan.pack, layer, key, value
        most = max(sum(map(len, b.path)) + len(b) for b in plan.blocks)
        self._keys, self._values = (t.new_empty(t.shape[0], most, t.shape[2]) for t in (key, value))
        self._nodes = {at: node for node, at in plan.pack.places.items()}
        self._there: list[Node] = []  # nodes whose tokens stand in front, in order

    def of(self, block: Block) -> tuple[torch.Tensor, torch.Tensor]:
        """[kv heads or 1, above + own, size] each."""
        own = slice(block.at, block.at + len(block))
        if not block.path:
            return self._key[:, own], self._value[:, own]
        above = self._fill(block.path)
        end = above + len(block)
        self._keys[:, above:end], self._values[:, above:end] = self._key[:, own], self._value[:, own]
        if len(block.lengths) == 1:  # what comes below it finds it there
            self._there.append(self._nodes[block.at])
        return self._keys[:, :end], self._values[:, :end]

    def _fill(self, path: Sequence[Node]) -> int:
        """Puts the path in front; how many tokens it has."""
        at = 0
        for depth, node in enumerate(path):
            end = at + len(node)
            if depth >= len(self._there) or self._there[depth] is not node:
                del self._there[depth:]
                self._keys[:, at:end], self._values[:, at:end] = self._part(node)
                self._there.append(node)
            at = end
        del self._there[len(path) :]
        return at

    def _part(self, node: Node) -> tuple[torch.Tensor, torch.Tensor]:
        at = self._pack.places.get(node)
        if at is None:
            found: tuple[torch.Tensor, torch.Tensor] = node.kept[self._layer]
            return found
        part = slice(at, at + len(node))
        return self._key[:, part], self._value[:, part]


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
