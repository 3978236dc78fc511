"""Linear layers on the CPU through oneDNN with weights packed beforehand, and the gated MLP with one pass fewer.

Knows nothing of what the layers belong to. torch's own float32 `linear` goes through MKL, which on some processors reaches
less than half of what oneDNN does there; with bfloat16 weights the linears alone are in bfloat16 and all else in float32.
"""

from __future__ import annotations

from typing import Any

import torch

ROWS = 512  # rows of input that the packed layout is chosen for
ACTIVATIONS = {"silu": ("swish", ""), "gelu": ("gelu", "none"), "gelu_pytorch_tanh": ("gelu", "tanh")}


class PackedLinear(torch.nn.Module):
    """y = x Wᵀ + b, [..., in] → [..., out] in the dtype of x."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self.in_features, self.out_features, self.dtype = linear.in_features, linear.out_features, weight.dtype
        self.bias = None if linear.bias is None else linear.bias.detach()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.then(x, "none", "")

    def then(self, x: torch.Tensor, activation: str, algorithm: str) -> torch.Tensor:
        """The same with an activation on its way out."""
        out = torch.ops.mkldnn._linear_pointwise(
            x.to(self.dtype), self.weight, self.bias, activation, [], algorithm
        )  # fmt: skip
        return out.to(x.dtype)  # type: ignore[no-any-return]


class GatedMLP(torch.nn.Module):
    """down(act(gate(x)) · up(x)), the activation done as the gate's matrix is written, the product in place."""

    def __init__(self, mlp: Any, activation: str) -> None:
        super().__init__()
        self.gate, self.up, self.down = mlp.gate_proj, mlp.up_proj, mlp.down_proj
        self._activation = ACTIVATIONS[activation]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = x.to(self.gate.dtype)  # in half precision it stays there between the three
        return self.down(self.gate.then(inner, *self._activation).mul_(self.up(inner))).to(x.dtype)  # type: ignore[no-any-return]


def pack(model: torch.nn.Module, activation: str) -> None:
    """Replaces every linear layer of a CPU model in place; each weight's first copy is let go as it is packed."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear:
                setattr(parent, name, PackedLinear(child))
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if activation in ACTIVATIONS and _gated(child):
                setattr(parent, name, GatedMLP(child, activation))


def _gated(module: Any) -> bool:
    parts = [getattr(module, n, None) for n in ("gate_proj", "up_proj", "down_proj")]
    return all(isinstance(p, PackedLinear) for p in parts) and hasattr(module, "act_fn")


def available(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this torch has the calls for weights of that dtype, and they give what `linear` gives."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    try:
        probe = torch.nn.Linear(32, 16).to(dtype)
        x = torch.randn(3, 32)
        with torch.no_grad():
            exact = torch.nn.functional.linear(x, probe.weight.float(), probe.bias.float())
            return bool(torch.allclose(PackedLinear(probe)(x), exact, atol=1e-5 if dtype == torch.float32 else 0.05))
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
