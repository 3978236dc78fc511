"""Runs a Qwen3-VL over packed rows: equal pictures through the vision tower together, then the stock text model.
Knows nothing of questions, losses or files; equals transformers' own forward pair by pair (tested)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

from workbench.demo.packing import Packed
from workbench.demo.pool import MERGE, PATCH, Item, patches, units

Features = tuple[torch.Tensor, list[torch.Tensor]]


def tower(visual: Any, pixels: torch.Tensor, rows: int, columns: int) -> Features:
    """Patches [unit, rows·columns, 1536] of one size → features [unit, tokens, hidden] and the deepstack ones.

    transformers attends picture by picture; all of one size go together here, which is what makes training fast.
    """
    count, length, _ = pixels.shape
    grid = torch.tensor([[1, rows, columns]])
    index, weight = get_vision_interpolation_indices_and_weights(
        grid, num_grid_per_side=visual.num_grid_per_side, mode=visual.interpolation_mode,
        align_corners=visual.interpolation_align_corners, spatial_merge_size=MERGE, kwargs={},
    )  # fmt: skip
    embed = visual.patch_embed.proj
    x = F.linear(pixels, embed.weight.flatten(1), embed.bias)
    x = x + (visual.pos_embed(index) * weight[:, :, None]).sum(1)
    cos, sin = visual.rotary_pos_emb(x, get_vision_position_ids(grid, MERGE, kwargs={}))
    deep = []
    for number, block in enumerate(visual.blocks):
        attention, heads = block.attn, block.attn.num_heads
        q, k, v = attention.qkv(block.norm1(x)).view(count, length, 3, heads, -1).unbind(2)
        q, k = apply_rotary_pos_emb_vision(q, k, cos, sin)
        mixed = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        x = x + attention.proj(mixed.transpose(1, 2).reshape(count, length, -1))
        x = x + block.mlp(block.norm2(x))
        if number in visual.deepstack_visual_indexes:
            merger = visual.deepstack_merger_list[visual.deepstack_visual_indexes.index(number)]
            deep.append(merger(x).view(count, length // MERGE**2, -1))
    return visual.merger(x).view(count, length // MERGE**2, -1), deep


def see(visual: Any, items: Sequence[Item], gain: float = 0.0) -> tuple[Features, torch.Tensor, list[int]]:
    """Features of all items in order, flat [tokens, hidden]; the mean of each unit; the item of each unit.

    `gain`: how far brightness may vary (training).
    """
    buckets: dict[tuple[int, int], list[tuple[int, torch.Tensor]]] = defaultdict(list)
    owner: list[int] = []
    for number, item in enumerate(items):
        for unit in units(item):
            buckets[item.size].append((len(owner), unit))
            owner.append(number)
    places: list[torch.Tensor | None] = [None] * len(owner)
    flat: list[list[torch.Tensor]] = []
    means, order, offset = [], [], 0
    for (height, width), members in buckets.items():
        frames = torch.stack([unit for _, unit in members])
        bright = 1 + gain * (2 * torch.rand(len(members)) - 1) if gain else None
        merged, deep = tower(visual, patches(frames, bright), height // PATCH, width // PATCH)
        flat.append([t.flatten(0, 1) for t in (merged, *deep)])
        means.append(merged.mean(1))
        for i, (unit_number, _) in enumerate(members):
            order.append(unit_number)
            places[unit_number] = torch.arange(merged.shape[1]) + offset + i * merged.shape[1]
        offset += merged.shape[0] * merged.shape[1]
    index = torch.cat([p for p in places if p is not None])
    first, *rest = (torch.cat(level)[index] for level in zip(*flat, strict=True))
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return (first, rest), torch.cat(means)[back], owner


class Memory:
    """What a tower that does not learn says of each item of a pool: asked once, then kept in half precision."""

    def __init__(self, visual: Any) -> None:
        self.visual = visual
        self._kept: dict[int, torch.Tensor] = {}  # [tokens, levels, hidden]

    @torch.no_grad()
    def features(self, items: Sequence[Item]) -> Features:
        """As `see`, without a gradient."""
        fresh = list({i.number: i for i in items if i.number not in self._kept}.values())
        if fresh:
            (first, rest), _, _ = see(self.visual, fresh)
            parts = torch.split(torch.stack([first, *rest], 1).half(), [i.groups * i.tokens for i in fresh])
            self._kept |= {i.number: part.clone() for i, part in zip(fresh, parts, strict=True)}
        first, *rest = torch.cat([self._kept[i.number] for i in items]).float().unbind(1)
        return first, rest


def read(model: Any, packed: Packed, features: Features | None, pads: set[int]) -> torch.Tensor:
    """Last hidden states [R, L, hidden] of packed rows."""
    return layers(model, packed, features, pads)[-1]


def layers(model: Any, packed: Packed, features: Features | None, pads: set[int]) -> tuple[torch.Tensor, ...]:
    """Hidden states [R, L, hidden] of packed rows: the embeddings, after each layer, and last those after the norm."""
    text = model.model.language_model
    embeds = text.embed_tokens(packed.ids)
    visible, deep = None, None
    if features is not None:
        visible = torch.isin(packed.ids, torch.tensor(sorted(pads)))
        embeds = embeds.masked_scatter(visible[..., None], features[0].to(embeds.dtype))
        deep = features[1]
    out = text(inputs_embeds=embeds, attention_mask=packed.mask(), position_ids=packed.positions, use_cache=False,
               output_hidden_states=True, visual_pos_masks=visible, deepstack_visual_embeds=deep)  # fmt: skip
    return (*out.hidden_states[:-1], out.last_hidden_state)


def margins(model: Any, hidden: torch.Tensor, ends: torch.Tensor, yes: int, no: int) -> torch.Tensor:
    """Yes minus no at the last token of each branch, float32."""
    weight = model.model.language_model.embed_tokens.weight
    last = hidden[ends[:, 0], ends[:, 1]].float()
    margin: torch.Tensor = last @ (weight[yes].float() - weight[no].float())
    return margin
