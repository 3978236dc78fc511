"""A packed decoder layer is transformers' own in other order: every shape that is packed, all tokens and last tokens alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from workbench.scorers import _layer, _linear
from workbench.scorers._packed import DECODERS, Packed, PackedRow

here = pytest.mark.skipif(not _linear.available(), reason="NOT RUN: this torch has no oneDNN linear layers")
SIZES = {
    "vocab_size": 96, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 256,
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "llama": {"attention_bias": True, "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}},
    "qwen3_vl_text": {"rope_parameters": {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 10000.0}},
    "mistral": {"sliding_window": None},
}


@pytest.fixture(params=sorted(DECODERS))
def backbone(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(request.param, **SIZES, **OWN.get(request.param, {}))
    model = AutoModel.from_config(config).eval()
    with torch.no_grad():  # biases are made zero and norms one, which hides what is done with them
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.add_(0.3 * torch.randn_like(weight))
            elif "embed" not in name:
                weight.mul_(3)
    return model


@pytest.mark.parametrize("packed_layers", [pytest.param(True, marks=here), False])
@torch.inference_mode()
def test_rows_through_packs_are_rows_through_the_model(
    backbone: Any, packed_layers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With oneDNN's packed layers, and with transformers' own where there is no oneDNN."""
    if not packed_layers:
        monkeypatch.setattr(_linear, "available", lambda dtype: False)
    front = list(range(30, 60))
    rows = [[*front, *range(at, at + 2 + 3 * at), 7] for at in range(1, 12)]
    expected = [backbone(torch.tensor([row])).last_hidden_state[0, -1].clone() for row in rows]
    packed: Packed[int] = Packed(backbone)
    assert all(isinstance(layer, _layer.PackedLayer) == packed_layers for layer in packed._text.layers)
    given = {i: PackedRow(np.array(row), np.array(row)) for i, row in enumerate(rows)}
    for budget in (16, 4096):
        packed.forget()
        found = {k: h for part in packed.hidden(given, lambda b=budget: b, lambda forward, _: forward()) for k, h in part.items()}
        for i, hidden in enumerate(expected):
            assert torch.allclose(found[i], hidden, atol=2e-5, rtol=2e-5), (budget, i)


@here
def test_a_layer_that_computes_something_else_stays_as_it_is() -> None:
    config = AutoConfig.for_model("qwen3", **SIZES)
    model = AutoModel.from_config(config).eval()
    mlp = model.layers[0].mlp
    model.layers[0].forward = lambda hidden, **_: hidden + mlp(hidden)  # a layer without attention
    before = list(model.layers)
    assert not _layer.replace(model.layers, model.rotary_emb, cut=True)
    assert list(model.layers) == before
