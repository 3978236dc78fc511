"""Alibaba's `new` architecture (gte-multilingual and relatives) as the native `gte` classes of transformers.

Knows nothing of prompts or scores: it rewrites one config, after the checkpoints' own modeling.py, so that no foreign code runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.errors import ModelUnavailable
from workbench.types import JSON

KEPT = (
    "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act hidden_dropout_prob "
    "attention_probs_dropout_prob max_position_embeddings type_vocab_size layer_norm_eps pad_token_id classifier_dropout "
    "num_labels id2label label2id problem_type"
).split()


def native_config(config: Mapping[str, JSON]) -> Any | None:
    """A GteConfig that computes the same, or None where the checkpoint is of another architecture.

    NTK scaling by s multiplies the rotary base by s and divides all frequencies by s^(2/d) (d = head size; formula of the
    checkpoints' NTKScalingRotaryEmbedding without `mixed_b`): the native `linear` scaling with that base and factor.
    """
    if config.get("model_type") != "new":
        return None
    from transformers import GteConfig

    if config.get("layer_norm_type", "layer_norm") != "layer_norm" or config.get("position_embedding_type") != "rope":
        raise ModelUnavailable("is a `new` model with another norm or position embedding than transformers' gte has")
    theta, scaling = float(config.get("rope_theta") or 10000.0), config.get("rope_scaling") or {}
    rope: dict[str, JSON] = {"rope_type": "default", "rope_theta": theta}
    if scaling:
        kind, factor = scaling.get("type") or scaling.get("rope_type"), float(scaling.get("factor") or 1.0)
        if kind != "ntk" or scaling.get("mixed_b") is not None:
            raise ModelUnavailable(f"is a `new` model with rotary scaling {kind!r}, which transformers' gte has not")
        head = config["hidden_size"] // config["num_attention_heads"]
        rope = {"rope_type": "linear", "rope_theta": theta * factor, "factor": factor ** (2 / head)}
    return GteConfig(**{k: config[k] for k in KEPT if k in config}, rope_parameters=rope)
