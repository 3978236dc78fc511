"""From a sequence head's logit to the number that is shown: sigmoid unless a checkpoint's config declares otherwise.

Knows nothing of models or prompts. After vLLM's `get_act_fn` (0.32) and sentence-transformers' CrossEncoder: both read the
activation a config declares, only vLLM reads `problem_type` before it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from workbench.errors import ModelUnavailable
from workbench.types import JSON, Parity

PREFIX = "torch.nn.modules."


def activation(config: Mapping[str, JSON], parity: Parity) -> torch.nn.Module:
    """The activation of a head with one label. ModelUnavailable where the config names something that is none of torch's."""
    problem = config.get("problem_type") if parity == "vllm" else None
    if problem == "regression":
        return torch.nn.Identity()
    declared = (config.get("sentence_transformers") or {}).get("activation_fn")
    declared = declared or config.get("sbert_ce_default_activation_function")
    if problem or declared is None:
        return torch.nn.Sigmoid()
    found = torch_module(str(declared))
    return torch.nn.Sigmoid() if isinstance(found, torch.nn.Softmax) else found


def torch_module(name: str) -> torch.nn.Module:
    """An activation by the full name that configs use; nothing but torch's own modules is made from a config."""
    kind = getattr(torch.nn, name.rpartition(".")[2], None)
    if not name.startswith(PREFIX) or not (isinstance(kind, type) and issubclass(kind, torch.nn.Module)):
        raise ModelUnavailable(
            f"its config declares the activation {name!r}, and only torch's own are run",
            where="config.json", hint=f"Name one that begins with {PREFIX}.",
        )  # fmt: skip
    made: torch.nn.Module = kind()
    return made


def activated(act: torch.nn.Module, logit: float) -> float:
    with torch.inference_mode():
        return float(act(torch.tensor([logit]))[0])
