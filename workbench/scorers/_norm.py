"""Root-mean-square norms on the CPU in three passes over memory instead of six or more.

Knows nothing of what is normed. A layer is replaced only where this gives what the layer itself gives on a probe.
"""

from __future__ import annotations

import torch


class FusedNorm(torch.nn.Module):
    """y = x / rms(x) · weight over the last dimension, in float32."""

    def __init__(self, weight: torch.Tensor, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = weight.detach().float(), eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lengths = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return (x * lengths.square_().div_(x.shape[-1]).add_(self.eps).rsqrt_()).mul_(self.weight)  # type: ignore[no-any-return]


def fuse(model: torch.nn.Module) -> None:
    """Replaces the norms of a CPU model in place, those it can."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__name__.endswith("RMSNorm") and (fused := _fused(child)) is not None:
                setattr(parent, name, fused)


def _fused(norm: torch.nn.Module) -> FusedNorm | None:
    weight, eps = getattr(norm, "weight", None), getattr(norm, "variance_epsilon", getattr(norm, "eps", None))
    if not isinstance(weight, torch.Tensor) or not isinstance(eps, float) or weight.ndim != 1:
        return None
    fused, probe = FusedNorm(weight, eps), torch.linspace(-3, 5, 3 * len(weight)).view(3, -1)
    with torch.no_grad():
        return fused if torch.allclose(fused(probe), norm(probe).float(), rtol=1e-5, atol=1e-6) else None
