"""Models of a published shape with random weights, so that speed can be measured without a download.

Knows nothing of workloads or clocks. Numbers that decide speed are the published configs'; a tokenizer whose words are w0, w1, …
makes texts of any wanted length. Scores of random weights mean nothing, but two ways of computing them must agree.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from workbench.errors import RequestInvalid
from workbench.media import Library
from workbench.scorers import _engine as engine
from workbench.scorers._checkpoint import open_checkpoint
from workbench.scorers._yes_no import YesNo
from workbench.types import Family

VOCABULARY = 151936
SPECIAL = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645, "<|vision_start|>": 151652,
           "<|vision_end|>": 151653, "<|image_pad|>": 151655, "<|video_pad|>": 151656}  # fmt: skip
LABELS = {"no": 2152, "yes": 9693}
#            hidden  inner  layers
TEXT = {
    "qwen3-tiny": (64, 160, 4), "qwen3-0.6b": (1024, 3072, 28), "qwen3-4b": (2560, 9728, 36), "qwen3-8b": (4096, 12288, 36),
    "vl-tiny": (64, 160, 4), "vl-2b": (2048, 6144, 28), "vl-8b": (4096, 12288, 36),
}  # fmt: skip
HEADS = {64: (4, 2, 32), 1024: (16, 8, 128), 2048: (16, 8, 128)}  # heads, shared by so many, size; larger ones: 32, 8, 128
#            hidden inner depth heads deep levels
TOWERS: Mapping[str, tuple[int, int, int, int, tuple[int, ...]]] = {
    "vl-tiny": (96, 192, 3, 3, (1,)), "vl-2b": (1024, 4096, 24, 16, (5, 11, 17)), "vl-8b": (1152, 4304, 27, 16, (8, 16, 24)),
}  # fmt: skip


def write_shape(folder: Path, shape: str, layers: int | None = None, weights: bool = True) -> Path:
    """A checkpoint folder of that shape: the real number of layers or `layers`, the tower's cut in proportion; text shapes are
    sequence classifiers of one label, which every peer can load. Written once; weights float32 from a fixed seed."""
    if shape not in TEXT:
        raise RequestInvalid(f"{shape!r} is not a shape", hint=f"There are: {', '.join(TEXT)}.")
    whole = folder / ("whole" if weights else "bare")
    if whole.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder)
    config = _config(shape, layers)
    config.save_pretrained(folder)
    if "vision_config" in config.to_dict():
        size = {"shortest_edge": 65536, "longest_edge": 16777216}
        common = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
        (folder / "preprocessor_config.json").write_text(json.dumps({**common, "size": size}), encoding="utf-8")
        (folder / "video_preprocessor_config.json").write_text(json.dumps({**common, "size": size}), encoding="utf-8")
    if weights:
        _random(config, torch.float32, torch.device("cpu")).save_pretrained(folder)
    whole.write_text("", encoding="utf-8")
    return folder


def open_shape(
    folder: Path, families: Mapping[str, Family], library: Library, *, device: str, dtype: str, plain: bool = False
) -> YesNo:
    """A scorer over such a folder; without a weights file they are drawn on the device. `plain`: one pair after another
    through the stock model, the vision tower each time, as the model cards' scripts do."""
    checkpoint = open_checkpoint(str(folder), families)
    kind = _Plain if plain else _Shape
    return kind(replace(checkpoint, name=folder.name), library, device=device, dtype=dtype)


class _Shape(YesNo):
    def _open(self) -> Any:
        if (self._checkpoint.folder / "whole").exists():
            return super()._open()
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(str(self._checkpoint.folder), local_files_only=True)
        model = _random(config, self._dtype, self._device)
        if self.family.method == "sequence_head":
            return self._with_head(model)
        self._rows = model.get_output_embeddings().weight[self._labels].detach().float().cpu().clone()
        return model.model


class _Plain(_Shape):
    @property
    def _packs(self) -> bool:
        return False

    def _forward(self, backbone: Any, rows: Any) -> torch.Tensor:
        return torch.cat([YesNo._forward(self, backbone, [row]) for row in rows])


@torch.inference_mode()
def matmul_peak(inner: int, outer: int, rows: int, device: str, dtype: str, seconds: float = 1.0) -> float:
    """The best FLOP/s that one product [rows, inner] × [inner, outer] reaches here, by the kernel that scoring uses."""
    from workbench.scorers._linear import PackedLinear, available

    place = engine.pick_device(device)
    kind = engine.pick_dtype(dtype, place)
    engine.use_cores()
    layer: Any = torch.nn.Linear(inner, outer, bias=False, device=place, dtype=kind)
    packed = place.type == "cpu" and available()
    layer = PackedLinear(layer) if packed else layer
    x = torch.randn(rows, inner, device=place, dtype=kind)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        layer(x)
        if place.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2.0 * rows * inner * outer / best


def linear_flops(folder: Path, computed: int, finals: int) -> float:
    """The decoder's linear FLOPs that are really needed: all of each layer for every computed token, of the last one keys alone,
    and the rest for the tokens that are scored (their values are mixed before they are made)."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    text = config.get("text_config") or config
    hidden, inner, layers = text["hidden_size"], text["intermediate_size"], text["num_hidden_layers"]
    heads, shared, size = text["num_attention_heads"], text["num_key_value_heads"], text["head_dim"]
    keys, rest = hidden * shared * size, hidden * (shared * size + 2 * heads * size) + 3 * hidden * inner
    flops: float = 2.0 * (computed * ((layers - 1) * (keys + rest) + keys) + finals * rest)
    return flops


def _config(shape: str, layers: int | None) -> Any:
    from transformers import Qwen3Config, Qwen3VLConfig

    hidden, inner, whole = TEXT[shape]
    heads, shared, size = HEADS.get(hidden, (32, 8, 128))
    text: dict[str, Any] = {
        "vocab_size": VOCABULARY, "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers or whole,
        "num_attention_heads": heads, "num_key_value_heads": shared, "head_dim": size, "max_position_embeddings": 40960,
        "tie_word_embeddings": True,
    }  # fmt: skip
    if shape not in TOWERS:
        return Qwen3Config(
            **text, num_labels=1, pad_token_id=SPECIAL["<|endoftext|>"], architectures=["Qwen3ForSequenceClassification"]
        )
    width, between, depth, tower_heads, deep = TOWERS[shape]
    part = (layers or whole) / whole
    depth, deep = max(3, round(depth * part)), tuple(sorted({max(0, round(d * part)) for d in deep}))
    sections = {"mrope_section": [size // 8 * 2, size // 8, size // 8], "mrope_interleaved": True, "rope_theta": 5e6}
    tower = {
        "depth": depth, "hidden_size": width, "intermediate_size": between, "num_heads": tower_heads, "patch_size": 16,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": hidden, "num_position_embeddings": 2304,
        "deepstack_visual_indexes": list(deep),
    }  # fmt: skip
    return Qwen3VLConfig(
        text_config={**text, "rope_parameters": {"rope_type": "default", **sections}}, vision_config=tower,
        image_token_id=SPECIAL["<|image_pad|>"], video_token_id=SPECIAL["<|video_pad|>"], tie_word_embeddings=True,
        vision_start_token_id=SPECIAL["<|vision_start|>"], vision_end_token_id=SPECIAL["<|vision_end|>"],
        architectures=["Qwen3VLForConditionalGeneration"],
    )  # fmt: skip


def _random(config: Any, dtype: torch.dtype, device: torch.device) -> Any:
    """Matrices of a spread that keeps activations as large as they come in, norms of one."""
    from transformers import Qwen3ForSequenceClassification, Qwen3VLForConditionalGeneration

    kind = Qwen3VLForConditionalGeneration if "vision_config" in config.to_dict() else Qwen3ForSequenceClassification
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            return kind(config).eval()
    finally:
        torch.set_default_dtype(before)


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    taken = {i: word for word, i in {**LABELS, **SPECIAL}.items()}
    words = {taken.get(i, f"w{i}"): i for i in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|endoftext|>", eos_token="<|im_end|>", unk_token="w0",
        model_max_length=40960,
    ).save_pretrained(folder)  # fmt: skip
