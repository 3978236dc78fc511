"""Packed linear layers and the gated MLP give what torch's own give."""

from __future__ import annotations

import pytest
import torch
from transformers import GemmaConfig, Qwen3Config
from transformers.models.gemma.modeling_gemma import GemmaMLP, GemmaRMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3MLP, Qwen3RMSNorm

from workbench.scorers import _linear, _norm

pytestmark = pytest.mark.skipif(not _linear.available(), reason="NOT RUN: this torch has no oneDNN linear layers")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 48), (5, 48), (2, 700, 48)])
@torch.inference_mode()
def test_a_packed_layer_is_the_layer(bias: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(48, 80, bias=bias), torch.randn(shape)
    assert torch.allclose(_linear.PackedLinear(layer)(x), layer(x), atol=1e-5)


@torch.inference_mode()
def test_a_gated_mlp_is_transformers_own() -> None:
    sizes = {"hidden_size": 48, "intermediate_size": 96}
    for own, activation in (
        (Qwen3MLP(Qwen3Config(**sizes)), "silu"),
        (GemmaMLP(GemmaConfig(**sizes, hidden_activation="gelu_pytorch_tanh")), "gelu_pytorch_tanh"),
    ):
        x = torch.randn(1, 33, 48)
        expected, holder = own(x), torch.nn.ModuleDict({"mlp": own})
        _linear.pack(holder, activation)
        assert isinstance(holder["mlp"], _linear.GatedMLP)
        assert torch.allclose(holder["mlp"](x), expected, atol=1e-5)


@torch.inference_mode()
def test_half_precision_weights_take_and_give_float32() -> None:
    if not _linear.available(torch.bfloat16):
        pytest.skip("NOT RUN: this processor has no bfloat16 linear layers")
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(64, 64), torch.randn(9, 64)
    expected = layer(x)
    found = _linear.PackedLinear(layer.to(torch.bfloat16))(x)
    assert found.dtype == torch.float32
    assert float((found - expected).abs().max()) < 0.03


def test_an_activation_that_is_not_known_stays_with_torch() -> None:
    holder = torch.nn.ModuleDict({"mlp": Qwen3MLP(Qwen3Config(hidden_size=16, intermediate_size=32, hidden_act="relu"))})
    _linear.pack(holder, "relu")
    assert not isinstance(holder["mlp"], _linear.GatedMLP)
    assert isinstance(holder["mlp"].gate_proj, _linear.PackedLinear)


@torch.inference_mode()
def test_norms_are_fused_where_that_is_the_same() -> None:
    own = torch.nn.ModuleDict({"same": Qwen3RMSNorm(32, 1e-6), "other": GemmaRMSNorm(32)})
    for layer in own.values():
        layer.weight.copy_(torch.linspace(0.2, 2, 32))
    x = torch.randn(2, 7, 32)
    expected = {name: layer(x) for name, layer in own.items()}
    _norm.fuse(own)
    assert isinstance(own["same"], _norm.FusedNorm)
    assert not isinstance(own["other"], _norm.FusedNorm)  # Gemma's weight is one less than its factor
    for name, layer in own.items():
        assert torch.allclose(layer(x), expected[name], atol=1e-6)
