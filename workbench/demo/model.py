"""Builds, loads and saves the demo model in the layout that transformers reads.
Knows nothing of scenes, questions or training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from workbench.demo.pool import LIMIT


def configuration(tokenizer: Any, *, hidden: int = 128, layers: int = 6, depth: int = 4, vision: int = 128) -> Any:
    """About 2.7 million parameters at the defaults."""
    ids = tokenizer.convert_tokens_to_ids
    text = dict(vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=3 * hidden, num_hidden_layers=layers,
                num_attention_heads=4, num_key_value_heads=2, head_dim=32, max_position_embeddings=4096,
                tie_word_embeddings=True, pad_token_id=None, bos_token_id=None, eos_token_id=ids("<|im_end|>"),
                initializer_range=0.04,
                rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [8, 4, 4],
                                 "mrope_interleaved": True})  # fmt: skip
    pixels = dict(depth=depth, hidden_size=vision, intermediate_size=2 * vision, num_heads=4, patch_size=16,
                  spatial_merge_size=2, temporal_patch_size=2, out_hidden_size=hidden, num_position_embeddings=64,
                  deepstack_visual_indexes=[depth // 2 - 1], initializer_range=0.04)  # fmt: skip
    return Qwen3VLConfig(
        architectures=["Qwen3VLForConditionalGeneration"], text_config=text, vision_config=pixels, tie_word_embeddings=True,
        image_token_id=ids("<|image_pad|>"), video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"), vision_end_token_id=ids("<|vision_end|>"),
    )  # fmt: skip


def fresh(tokenizer: Any, seed: int, **shape: int) -> Any:
    """Random weights, the same for the same seed."""
    torch.manual_seed(seed)
    return Qwen3VLForConditionalGeneration(configuration(tokenizer, **shape)).float()


def load(folder: Path) -> Any:
    """The model in float32, ready to score."""
    model, told = Qwen3VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
    )
    lost = set(told["missing_keys"]) - {"lm_head.weight"}
    if lost:
        raise ValueError(f"{folder}: model.safetensors lacks {', '.join(sorted(lost))}")
    return model.eval()


def save(model: Any, tokenizer: Any, out: Path) -> None:
    """Half precision safetensors, config, tokenizer and the preprocessor configs, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    half = Qwen3VLForConditionalGeneration(model.config).to(torch.float16)
    half.load_state_dict(model.state_dict())
    half.save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / "generation_config.json").unlink(missing_ok=True)
    (out / "model.safetensors").chmod(0o644)  # safetensors writes for the owner alone
    config = json.loads((out / "config.json").read_text())
    config["text_config"]["tie_word_embeddings"] = True  # transformers writes it at the top only; vLLM reads it here
    config["dtype"] = "float16"
    _write(out / "config.json", config)
    common = {"processor_class": "Qwen3VLProcessor", "patch_size": 16, "merge_size": 2, "temporal_patch_size": 2,
              "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_resize": True, "do_rescale": True,
              "do_normalize": True, "do_convert_rgb": True}  # fmt: skip
    size = {"shortest_edge": 4096, "longest_edge": LIMIT}
    _write(out / "preprocessor_config.json", {"image_processor_type": "Qwen2VLImageProcessorFast", **common, "size": size})
    # of a clip the size is that of all frames together: 96×96 each for the four frames of a short one
    clip = {"do_sample_frames": True, "fps": 2, "min_frames": 4, "max_frames": 768, "size": size | {"longest_edge": 4 * LIMIT}}
    _write(out / "video_preprocessor_config.json", {"video_processor_type": "Qwen3VLVideoProcessor", **common, **clip})


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
