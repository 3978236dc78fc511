"""What a checkpoint in Sentence-Transformers layout says beside its weights: prompts, pooling, Dense layers, lengths.

Knows nothing of prompts' meaning or of scores. After sentence-transformers 6.2 (pooling modes in the order they are joined,
Dense as linear and activation, prompts by name) and PyLate (prefixes, lengths and skip list of late interaction).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from workbench.errors import ModelUnavailable
from workbench.scorers._activation import torch_module
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._json import read_json
from workbench.types import JSON

MODES = {
    "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max", "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}  # fmt: skip
KNOWN = ("Transformer", "MLMTransformer", "Pooling", "SpladePooling", "Dense", "Normalize")
DOCUMENT = ("document", "passage", "corpus")  # names of prompts, the first that exists


def settings(checkpoint: Checkpoint) -> Mapping[str, JSON]:
    """config_sentence_transformers.json, {} where there is none."""
    return read_json(checkpoint.folder / "config_sentence_transformers.json") or {}


def prompts(said: Mapping[str, JSON]) -> tuple[str, str]:
    """What stands in front of queries and of documents: the prompts of those names, else the default one."""
    named = said.get("prompts") or {}
    otherwise = named.get(said.get("default_prompt_name"), "")
    document = next((named[n] for n in DOCUMENT if n in named), otherwise)
    return named.get("query", otherwise) or "", document or ""


def modules(checkpoint: Checkpoint, kind: str) -> list[tuple[Path, Mapping[str, JSON]]]:
    """(folder, its config) of all modules of a kind. ModelUnavailable where the layout has a kind that is not built here."""
    found: list[tuple[Path, Mapping[str, JSON]]] = []
    for module in checkpoint.modules:
        name = str(module.get("type")).rpartition(".")[2]
        if name not in KNOWN:
            hint = f"Modules that can be run: {', '.join(KNOWN)}."
            raise ModelUnavailable(f"has a module {name} that is not built here", where=checkpoint.name, hint=hint)
        if name == kind:
            folder = checkpoint.folder / str(module.get("path", ""))
            found.append((folder, read_json(folder / "config.json") or {}))
    return found


def pooling_modes(checkpoint: Checkpoint, otherwise: str) -> tuple[str, ...]:
    """How token vectors become one; several are joined. `otherwise`: for a checkpoint without a Pooling module."""
    found = modules(checkpoint, "Pooling")
    if not found:
        return (otherwise,)
    config = found[0][1]
    if config.get("include_prompt") is False:
        raise ModelUnavailable("leaves its prompt out of the pooling, which is not built here", where=checkpoint.name)
    given = config.get("pooling_mode")
    modes = (given,) if isinstance(given, str) else tuple(given or [m for k, m in MODES.items() if config.get(k)])
    if unknown := set(modes) - set(MODES.values()):
        raise ModelUnavailable(f"pools by {', '.join(sorted(unknown))}, which is not known here", where=checkpoint.name)
    return modes or ("mean",)


def pool(hidden: torch.Tensor, modes: Sequence[str]) -> torch.Tensor:
    """[tokens, hidden] of one text → [modes · hidden], float32."""
    return torch.cat([_pool(hidden, mode) for mode in modes])


def _pool(hidden: torch.Tensor, mode: str) -> torch.Tensor:
    match mode:
        case "cls":
            return hidden[0]
        case "lasttoken":
            return hidden[-1]
        case "max":
            return hidden.amax(0)
        case "mean_sqrt_len_tokens":
            return hidden.sum(0) / math.sqrt(len(hidden))
        case "weightedmean":  # the i-th token counts i times
            weights = torch.arange(1, len(hidden) + 1, dtype=torch.float32)[:, None]
            mean: torch.Tensor = (hidden * weights).sum(0) / weights.sum()
            return mean
        case _:
            return hidden.mean(0)


def dense_layers(checkpoint: Checkpoint) -> torch.nn.Sequential:
    """The Dense modules in their order, in float32; their weights must be safetensors."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    layers: list[torch.nn.Module] = []
    for folder, config in modules(checkpoint, "Dense"):
        linear = torch.nn.Linear(config["in_features"], config["out_features"], bias=bool(config.get("bias", True)))
        try:
            weights = load_file(folder / "model.safetensors")
        except (OSError, SafetensorError) as error:
            hint = "Its Dense layer must be safetensors: pickles are never read."
            raise ModelUnavailable(f"{folder.name} cannot be read ({error})", where=checkpoint.name, hint=hint) from error
        wanted = {k.removeprefix("linear."): v.float() for k, v in weights.items()}
        linear.load_state_dict(wanted)
        layers += [linear, torch_module(config.get("activation_function") or "torch.nn.modules.activation.Tanh")]
    return torch.nn.Sequential(*layers).eval()


def backbone(scorer: Any, checkpoint: Checkpoint) -> Any:
    """The model without any head. A pooler that the files lack is none that is read."""
    from transformers import AutoModel, GteModel

    from workbench.scorers._gte import native_config

    native = native_config(checkpoint.config)
    if native is None:
        model = scorer._pretrained(AutoModel, unread=("pooler.",))
    else:
        model = scorer._pretrained(GteModel, unread=("pooler.",), config=native)
    model.config.use_cache = False  # a decoder would keep keys and values that nobody reads
    return model


def own_weights(checkpoint: Checkpoint, wanted: Callable[[str], bool]) -> dict[str, torch.Tensor]:
    """Tensors of the checkpoint's own files by name, in float32: heads that no native class has a place for."""
    from safetensors import safe_open

    index = read_json(checkpoint.folder / "model.safetensors.index.json")
    found: dict[str, torch.Tensor] = {}
    for file in sorted(set(index["weight_map"].values())) if index else ["model.safetensors"]:
        with safe_open(checkpoint.folder / file, "pt") as weights:
            names = [n for n in weights.keys() if wanted(n)]  # noqa: SIM118 - not a dict
            found |= {n: weights.get_tensor(n).float() for n in names}
    return found


def two_layers(checkpoint: Checkpoint) -> torch.nn.Sequential:
    """A head of linear, ReLU, linear, under the names score.0 and score.2: Qwen's process reward models, jina-reranker-m0."""
    found = own_weights(checkpoint, lambda name: name.startswith("score."))
    try:
        sizes = found["score.0.weight"].shape, found["score.2.weight"].shape
        layers = [torch.nn.Linear(s[1], s[0]) for s in sizes]
        for layer, at in zip(layers, (0, 2), strict=True):
            layer.load_state_dict({k: found[f"score.{at}.{k}"] for k in ("weight", "bias")})
    except KeyError as error:
        raise ModelUnavailable(f"its files lack the head's {error}", where=checkpoint.name) from error
    return torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1]).eval()
