"""Tiny checkpoints with the real Qwen vocabulary and reproducible random weights, built once into a cache folder.

Weights are drawn per parameter name, so every machine and torch version gets the same numbers: the golden answers in
tests/golden were computed by a vLLM server on exactly these. The vocabulary comes from the `dashscope` wheel (Apache-2.0).
"""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

VERSION = "1"
SPECIAL = [
    f"<|{n}|>" for n in ("endoftext im_start im_end object_ref_start object_ref_end box_start box_end quad_start quad_end "
                         "vision_start vision_end vision_pad image_pad video_pad").split()
]  # fmt: skip
ADDED = (
    "<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|> "
    "<tool_response> </tool_response> <think> </think>"
).split()
PRETOKENS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXT: dict[str, Any] = {
    "vocab_size": 151936, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 8192,
}  # fmt: skip
PROCESSOR: dict[str, Any] = {
    "patch_size": 16, "merge_size": 2, "temporal_patch_size": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
}  # fmt: skip


def vocabulary() -> Path:
    """The tiktoken file of the Qwen tokenizers; RuntimeError says how to get it."""
    spec = importlib.util.find_spec("dashscope")
    path = Path(spec.origin).parent / "resources" / "qwen.tiktoken" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise RuntimeError("the Qwen vocabulary is missing: pip install --no-deps dashscope==2.0.2 (tests/run does it)")
    return path


def byte_characters() -> dict[int, str]:
    """The printable stand-in of each byte in a byte-level BPE vocabulary (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return {b: chr(b if b in plain else next(spare)) for b in range(256)}


def merge_of(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The last merge that makes `token`: apply all merges of lower rank until two parts are left."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        pairs = [(ranks.get(parts[i] + parts[i + 1], 1 << 60), i) for i in range(len(parts) - 1)]
        _, i = min(pairs)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts[0], parts[1]


def build_tokenizer(folder: Path) -> None:
    """The Qwen tokenizer's files; made once beside the checkpoints, since finding its merges takes long."""
    kept = folder.parent / f"qwen-tokenizer-{VERSION}"
    if not (kept / "whole").exists():
        kept.mkdir(parents=True, exist_ok=True)
        make_tokenizer(kept)
        (kept / "whole").write_text("")
    for file in kept.glob("*.json"):
        shutil.copy(file, folder / file.name)


def make_tokenizer(folder: Path) -> None:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    table = byte_characters()
    lines = vocabulary().read_bytes().splitlines()
    ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in lines if line)}
    word = {token: "".join(table[b] for b in token) for token in ranks}
    merges = [merge_of(t, ranks) for t in sorted(ranks, key=ranks.__getitem__) if len(t) > 1]
    tokenizer = Tokenizer(
        models.BPE(vocab={word[t]: r for t, r in ranks.items()}, merges=[(word[a], word[b]) for a, b in merges])
    )
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in ADDED])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    assert fast.convert_tokens_to_ids(["no", "yes", "<|im_start|>", "</think>"]) == [2152, 9693, 151644, 151668]
    fast.save_pretrained(folder)


def fill(model: Any, scale: float = 0.12, lively: bool = False) -> Any:
    """Random weights seeded by each parameter's name; norm weights around one.

    BERT's norms are called LayerNorm and so are not found: its golden answers were made that way, and all its tokens come out
    nearly alike. `lively` finds them, so that different texts give different scores.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            draw = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(
                tuple(parameter.shape), dtype=np.float32
            )
            norm = parameter.ndim == 1 and "norm" in (name.lower() if lively else name) and name.endswith("weight")
            parameter.copy_(torch.from_numpy(np.asarray(1 + 0.1 * draw if norm else scale * draw)))
    return model


def build_qwen3(folder: Path) -> None:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(**TEXT, tie_word_embeddings=True, eos_token_id=151645)
    fill(Qwen3ForCausalLM(config).float()).save_pretrained(folder)
    build_tokenizer(folder)


def build_qwen3_vl(folder: Path) -> None:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [8, 4, 4], "mrope_interleaved": True}
    vision = {
        "depth": 3, "hidden_size": 96, "intermediate_size": 192, "num_heads": 3, "patch_size": 16, "spatial_merge_size": 2,
        "temporal_patch_size": 2, "out_hidden_size": 64, "num_position_embeddings": 64, "deepstack_visual_indexes": [1],
    }  # fmt: skip
    config = Qwen3VLConfig(
        architectures=["Qwen3VLForConditionalGeneration"], tie_word_embeddings=True,
        text_config={**TEXT, "rope_parameters": rope}, vision_config=vision,
        image_token_id=151655, video_token_id=151656, vision_start_token_id=151652, vision_end_token_id=151653,
    )  # fmt: skip
    fill(Qwen3VLForConditionalGeneration(config).float()).save_pretrained(folder)
    saved = json.loads((folder / "config.json").read_text())
    saved["text_config"]["tie_word_embeddings"] = True
    (folder / "config.json").write_text(json.dumps(saved, indent=1))
    image = {
        **PROCESSOR,
        "image_processor_type": "Qwen2VLImageProcessor",
        "size": {"shortest_edge": 4096, "longest_edge": 1310720},
    }
    video = {
        **PROCESSOR, "video_processor_type": "Qwen3VLVideoProcessor", "fps": 2, "min_frames": 4, "max_frames": 768,
        "size": {"shortest_edge": 4096, "longest_edge": 25165824},
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(image))
    (folder / "video_preprocessor_config.json").write_text(json.dumps(video))
    build_tokenizer(folder)


BUILDERS = {"qwen3": build_qwen3, "qwen3-vl": build_qwen3_vl}


def checkpoint(name: str, cache: Path) -> Path:
    """The folder of a tiny checkpoint, built by whoever asks first. A half-built one is never taken for whole."""
    from tests.tiny_decoders import BUILDERS as DECODERS
    from tests.tiny_encoders import BUILDERS as ENCODERS
    from tests.tiny_layouts import BUILDERS as LAYOUTS
    from tests.tiny_visual import BUILDERS as VISUAL

    folder = cache / f"{name}-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "whole").exists():
            {**BUILDERS, **DECODERS, **ENCODERS, **LAYOUTS, **VISUAL}[name](folder)
            (folder / "whole").write_text("")
    return folder
