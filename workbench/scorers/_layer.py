"""A decoder layer on a CPU with nothing but its products between two passes over memory: it stands for transformers' own where a
probe gives what that one gives.

Knows nothing of packs beyond their plan. Three things are arranged otherwise than in the layer it stands for, and change no
number beyond rounding. Rotary positions turn neighbouring dimensions, in place: the rows of the query's and the key's matrix are
put in that order once, and the scores between them do not depend on it. The softmax scale goes into the query's turn. And the
last layer mixes its inputs, not their values, for the few tokens asked about: Σ aᵢ (W xᵢ + b) = W (Σ aᵢ xᵢ) + b, as Σ aᵢ = 1.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from workbench.scorers import _attention as attention
from workbench.scorers._linear import PackedLinear
from workbench.scorers._norm import FusedNorm
from workbench.scorers._packs import Pack
from workbench.scorers._tree import Node

PROBE = 5  # tokens


class PackedLayer(torch.nn.Module):
    """Made of one layer of a Qwen, Llama, Mistral or Gemma shape whose norms and MLP are taken as they are."""

    def __init__(self, layer: Any, last: bool) -> None:
        super().__init__()
        own = layer.self_attn
        self.number, self.scaling, self.size, self.last = int(own.layer_idx), float(own.scaling), int(own.head_dim), last
        self.before, self.between, self.mlp = layer.input_layernorm, layer.post_attention_layernorm, layer.mlp
        self.shared, bias = own.k_proj.out_features // self.size, own.v_proj.bias
        self.q, self.k = PackedLinear(_paired(own.q_proj, self.size)), PackedLinear(_paired(own.k_proj, self.size))
        self.v, self.o = None if last else PackedLinear(own.v_proj), PackedLinear(own.o_proj)
        self.q_norm, self.k_norm = _factors(own, "q_norm"), _factors(own, "k_norm")
        self.values = (own.v_proj.weight.detach(), None if bias is None else bias.detach()) if last else None

    def forward(self, hidden: torch.Tensor, *, position_embeddings: Any, plan: attention.Plan, **_: Any) -> torch.Tensor:
        """[1, tokens, hidden] → the same, or [1, finals, hidden] of the last layer. Raises Stopped."""
        if plan.stop():
            raise attention.Stopped
        given = hidden[0]
        x = self.before(given)
        turn = plan.rotation(*position_embeddings)
        key = self._turned(self.k(x), self.k_norm, turn).transpose(0, 1)
        value = x[None] if self.v is None else self.v(x).view(len(x), self.shared, -1).transpose(0, 1)
        attention.keep(plan.pack, self.number, key, value)
        rows = None
        if self.last:
            rows = plan.finals
            if not rows:
                return hidden[:, :0]
            given, x, turn = given[rows], x[rows], turn[rows]
        query = self._turned(self.q(x), self.q_norm, turn * self.scaling).view(len(x), self.shared, -1, self.size)
        grouped = query.transpose(0, 1).reshape(self.shared, -1, self.size)
        mixed = attention.over_blocks(plan, self.number, grouped, key, value, rows)
        mixed = mixed if self.values is None else self._values(mixed, *self.values)
        mixed = mixed.view(self.shared, len(x), -1, self.size).transpose(0, 1).reshape(len(x), -1)
        between = self.o(mixed).add_(given)
        return self.mlp(self.between(between)).add_(between)[None]  # type: ignore[no-any-return]

    def _turned(self, x: torch.Tensor, norm: tuple[torch.Tensor, float] | None, turn: torch.Tensor) -> torch.Tensor:
        """[tokens, heads · size] → [tokens, heads, size], in place: normed where the layer does that, turned by position."""
        x = x.view(len(x), -1, self.size)
        if norm is not None:
            scale, eps = norm
            lengths = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
            x.mul_(lengths.square_().div_(self.size).add_(eps).rsqrt_()).mul_(scale)
        torch.view_as_complex(x.view(len(x), x.shape[1], -1, 2)).mul_(turn)
        return x

    def _values(self, mixed: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """Mixtures of inputs [shared heads, rows, hidden] → of values [shared heads, rows, size]."""
        found = torch.bmm(mixed, weight.to(mixed.dtype).view(self.shared, self.size, -1).transpose(1, 2))
        return found if bias is None else found + bias.to(mixed.dtype).view(self.shared, 1, -1)


def replace(layers: Any, rotary: Any, cut: bool) -> bool:
    """Puts packed layers in the place of all of a decoder's; with `cut` the last one answers for the plan's finals alone. False,
    and nothing done, where the first does not give what it should. Its norms have been fused where they can be."""
    try:
        if not _same(layers[0], rotary):
            return False
    except (AttributeError, RuntimeError):  # of another shape altogether
        return False
    for i in range(len(layers)):
        layers[i] = PackedLayer(layers[i], cut and i == len(layers) - 1)
    return True


def _same(layer: Any, rotary: Any) -> bool:
    exact = copy.deepcopy(layer).float()
    norms = [getattr(exact.self_attn, n) for n in ("q_norm", "k_norm") if hasattr(exact.self_attn, n)]
    if not all(isinstance(n, FusedNorm) for n in norms):
        return False
    width = exact.self_attn.q_proj.in_features
    probe = torch.sin(torch.arange(1.0, PROBE * width + 1)).view(1, PROBE, width)
    node = Node(0, 0, PROBE, ends=[0])
    given = {
        "position_embeddings": rotary(probe, torch.arange(3, PROBE + 3)[None]),
        "plan": attention.plan(Pack((node,), {node: 0}, (), ()), probe.device),
    }
    expected = exact(probe, attention_mask=None, **given)
    return bool(torch.allclose(PackedLayer(exact, False)(probe, **given), expected, rtol=1e-4, atol=1e-4))


def _paired(linear: torch.nn.Linear, size: int) -> torch.nn.Linear:
    """Its rows so that the two dimensions of a head which a position turns together, half a head apart, stand side by side."""
    order = torch.arange(linear.out_features).view(-1, 2, size // 2).transpose(1, 2).flatten()
    paired = torch.nn.Linear(linear.in_features, linear.out_features, linear.bias is not None, device="meta")
    paired.weight = torch.nn.Parameter(linear.weight[order], requires_grad=False)
    if linear.bias is not None:
        paired.bias = torch.nn.Parameter(linear.bias[order], requires_grad=False)
    return paired


def _factors(own: Any, name: str) -> tuple[torch.Tensor, float] | None:
    """Weight, in the order of pairs, and epsilon of a norm of heads, where the layer has one."""
    norm = getattr(own, name, None)
    return None if norm is None else (norm.weight.view(2, -1).T.flatten(), norm.eps)
