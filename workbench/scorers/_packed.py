"""Rows through a decoder with nothing computed twice and nothing padded: shared fronts once, the last layer for last tokens only.

Knows nothing of prompts or of what a hidden state means. The model is transformers' own: its attention function is registered
(`_attention`), its linear layers on a CPU are packed (`_linear`), its last layer is asked for fewer tokens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from workbench.scorers import Stop, never
from workbench.scorers import _attention as attention
from workbench.scorers import _layer as layer
from workbench.scorers import _linear as linear
from workbench.scorers import _norm as norm
from workbench.scorers._packs import Pack, Packer
from workbench.scorers._prefixes import Prefixes
from workbench.scorers._tree import Symbols, tree

DECODERS = frozenset({"qwen2", "qwen3", "llama", "mistral", "gemma", "qwen3_vl_text"})  # the attention here is all they do
FRESH = 32 << 20  # bytes: glibc asks the system for larger arrays each time, and a fresh page costs more than it saves
TOKENS = {"cpu": 1024}  # in one pack, at most
MORE = 8192  # on an accelerator, where attention over a pack is one call, behind one mask of that size at worst
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Visual:
    """What the vision tower makes of one picture or clip: `features` [tokens, hidden], `deep` [levels, tokens, hidden]."""

    features: torch.Tensor
    deep: torch.Tensor

    def bytes(self) -> int:
        return self.features.nbytes + self.deep.nbytes


@dataclass(frozen=True, slots=True)
class PackedRow:
    """One prompt. `symbols` are its ids with media tokens named by content; `positions` int64 [3, tokens] where there are
    media; `places`: which tokens stand for media; `visuals` in their order."""

    ids: Symbols
    symbols: Symbols
    positions: torch.Tensor | None = None
    places: Symbols = field(default_factory=lambda: np.empty(0, np.int64))
    visuals: tuple[Visual, ...] = ()


@dataclass(slots=True)
class Counts:
    """Tokens asked and computed; `forwards` through the decoder; `finals`: tokens that the last layer ran for."""

    asked: int = 0
    computed: int = 0
    forwards: int = 0
    finals: int = 0


class Packed(Generic[Key]):
    """One backbone, made ready once. All calls happen behind the device's one door."""

    def __init__(self, backbone: Any) -> None:
        self._text = getattr(backbone, "language_model", backbone)
        self._device = next(backbone.parameters()).device
        config = self._text.config
        attention.register()
        config._attn_implementation = attention.NAME
        self._deep = len(getattr(getattr(backbone.config, "vision_config", None), "deepstack_visual_indexes", ()))
        self._cut = config.num_hidden_layers > self._deep
        packed = self._device.type == "cpu" and _on_cpu(backbone, self._text, self._cut)
        if self._cut and not packed:
            self._text.layers[-1] = Finals(self._text.layers[-1])
        self._most = TOKENS.get(self._device.type, MORE)
        if self._device.type == "cpu":
            self._most = min(self._most, FRESH // (4 * config.intermediate_size))
        self._prefixes = Prefixes()
        self.counts = Counts()

    @torch.inference_mode()
    def hidden(
        self, rows: Mapping[Key, PackedRow], budget: Callable[[], int], run: Callable[[Callable[[], Any], int], Any],
        stop: Stop = never,
    ) -> Iterator[dict[Key, torch.Tensor]]:  # fmt: skip
        """float32 [hidden] at each row's last token, on the CPU, as packs finish.

        `run(forward, tokens)` calls `forward` at a time of its choosing; None from it means that it did not fit, and half as
        much is tried. Ends early when `stop` says so. Raises MemoryError where even a few tokens do not fit.
        """
        names, given = list(rows), list(rows.values())
        self.counts.asked += sum(len(r.ids) for r in given)
        root = tree([r.symbols for r in given])
        packer = Packer(root)
        self._prefixes.attach(packer, root, given)
        most = sys.maxsize
        try:
            while packer:
                pack = packer.take(min(most, budget(), self._most))
                found = run(lambda p=pack: self._forward(p, given, stop), len(pack))  # type: ignore[misc]
                if found is None:
                    packer.put_back()
                    most = len(pack) // 2
                    if most < 8:
                        raise MemoryError
                    continue
                self._prefixes.add(pack, given)
                packer.ran(pack)
                yield {names[i]: found[at] for at, (node, _) in enumerate(pack.finals()) for i in node.ends}
        except attention.Stopped:
            return
        finally:
            packer.close()

    def forget(self) -> None:
        self._prefixes = Prefixes()

    def _forward(self, pack: Pack, rows: Sequence[PackedRow], stop: Stop) -> torch.Tensor:
        """float32 [finals, hidden] on the CPU."""
        plan = attention.plan(pack, self._device, stop)
        self.counts.computed += len(pack)
        self.counts.forwards += 1
        self.counts.finals += len(plan.finals)
        ids = np.concatenate([rows[n.row].ids[n.start : n.end] for n in pack.nodes])
        inputs = self._text.embed_tokens(torch.from_numpy(ids).to(self._device))
        if self._device.type == "cpu":
            inputs = inputs.float()
        more = self._visuals(pack, rows, inputs)
        hidden = self._text(
            inputs_embeds=inputs[None], position_ids=self._positions(pack, rows), attention_mask=None, use_cache=False,
            plan=plan, **more,
        ).last_hidden_state[0]  # fmt: skip
        if not self._cut:
            hidden = hidden[torch.tensor(plan.finals, dtype=torch.long)]
        return hidden.float().cpu()  # type: ignore[no-any-return]

    def _positions(self, pack: Pack, rows: Sequence[PackedRow]) -> torch.Tensor:
        """int64 [1, tokens], or [3, 1, tokens] where a row has media."""
        parts = []
        if any(rows[n.row].positions is not None for n in pack.nodes):
            for n in pack.nodes:
                own = rows[n.row].positions
                parts.append(torch.arange(n.start, n.end).expand(3, -1) if own is None else own[:, n.start : n.end])
            return torch.cat(parts, 1)[:, None].to(self._device)
        return torch.cat([torch.arange(n.start, n.end) for n in pack.nodes])[None].to(self._device)

    def _visuals(self, pack: Pack, rows: Sequence[PackedRow], inputs: torch.Tensor) -> dict[str, Any]:
        """Sets the media tokens of `inputs`; what deeper layers add to them is returned as the model's own arguments."""
        at: list[np.ndarray[Any, Any]] = []
        shown: list[Visual] = []
        for node in pack.nodes:
            row = rows[node.row]
            low, high = np.searchsorted(row.places, (node.start, node.end))
            if low < high:
                at.append(row.places[low:high] - node.start + pack.places[node])
                shown.append(_cut(row.visuals, int(low), int(high)))
        if not shown:
            return {}
        where = torch.from_numpy(np.concatenate(at)).to(self._device)
        inputs[where] = torch.cat([v.features for v in shown]).to(inputs)
        if not self._deep:
            return {}
        mask = torch.zeros(1, len(pack), dtype=torch.bool, device=self._device)
        mask[0, where] = True
        deep = torch.cat([v.deep for v in shown], 1).to(inputs)
        return {"visual_pos_masks": mask, "deepstack_visual_embeds": list(deep)}


@torch.inference_mode()
def _on_cpu(backbone: Any, text: Any, cut: bool) -> bool:
    """Packed linear layers in the weights' own dtype, float32 between them; all in float32 where there are no such layers. True
    where the last layer answers for finals alone if `cut` says so: packed layers do."""
    norm.fuse(backbone)
    if not linear.available(backbone.dtype):
        backbone.float()
        return False
    packed = layer.replace(text.layers, text.rotary_emb, cut)
    config = text.config
    linear.pack(backbone, str(getattr(config, "hidden_act", None) or getattr(config, "hidden_activation", "")))
    return packed


def _cut(visuals: Sequence[Visual], low: int, high: int) -> Visual:
    """Media tokens [low, high) of a row, counted over all its media."""
    parts, deep, at = [], [], 0
    for visual in visuals:
        n = len(visual.features)
        a, b = max(low - at, 0), min(high - at, n)
        if a < b:
            parts.append(visual.features[a:b])
            deep.append(visual.deep[:, a:b])
        at += n
    return Visual(torch.cat(parts), torch.cat(deep, 1))


class Finals(torch.nn.Module):
    """A decoder layer that is the last: keys and values of all tokens, everything else for the plan's finals alone."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, hidden: torch.Tensor, *, position_embeddings: Any, plan: attention.Plan, **more: Any) -> Any:
        """[1, tokens, hidden] → [1, finals, hidden]"""
        own = self.layer.self_attn
        normed = self.layer.input_layernorm(hidden)
        shape = (*hidden.shape[:-1], -1, own.head_dim)
        keys, values = own.k_proj(normed).view(shape), own.v_proj(normed).view(shape).transpose(1, 2)
        keys = (own.k_norm(keys) if hasattr(own, "k_norm") else keys).transpose(1, 2)
        cos, sin = position_embeddings
        rotate = sys.modules[type(own).__module__].apply_rotary_pos_emb
        _, keys = rotate(keys[:, :1], keys, cos, sin)
        finals = plan.finals
        if not finals:
            attention.keep(plan.pack, int(own.layer_idx), keys[0], values[0])
            return hidden[:, :0]
        plan.last = keys, values
        more.pop("position_ids", None)
        return self.layer(hidden[:, finals], position_embeddings=(cos[:, finals], sin[:, finals]), plan=plan, **more)


def serves(config: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's config is of a decoder whose every layer attends to all that stands before."""
    text = config.get("text_config") or config
    layers = set(text.get("layer_types") or ["full_attention"])
    slides = bool(text.get("sliding_window")) and text.get("use_sliding_window", text.get("model_type") == "mistral")
    return text.get("model_type") in DECODERS and layers == {"full_attention"} and not slides
