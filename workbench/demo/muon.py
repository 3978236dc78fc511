"""Muon in float32: momentum whose update is made orthogonal, for the matrices inside the layers.
Knows nothing of models. After Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024); torch's own
works in bfloat16, which a CPU without such instructions does slowly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

QUINTIC = (3.4445, -4.7750, 2.0315)  # the paper's coefficients: fast, and exact enough (singular values end in 0.7 … 1.2)


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """[m, n] → the nearest matrix with (almost) equal singular values, by Newton-Schulz iteration."""
    a, b, c = QUINTIC
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Muon(torch.optim.Optimizer):
    """`lr` is that of AdamW: an update's root mean square is 0.2 of it, as AdamW's typically is (Liu et al., 2025)."""

    def __init__(self, params: Iterable[torch.nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state, grad = self.state[weight], weight.grad
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(grad)
                state["momentum"].lerp_(grad, 1 - group["momentum"])
                update = orthogonal(grad.lerp(state["momentum"], group["momentum"]).flatten(1))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.view_as(weight), alpha=-group["lr"] * 0.2 * max(update.shape) ** 0.5)
