"""Tiny checkpoints that read pictures: CLIP, SigLIP, Qwen3-VL-Embedding, ColPali, ColQwen2, jina-reranker-m0; random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tiny import TEXT, build_qwen3_vl, build_tokenizer, fill
from tests.tiny_decoders import sentencepiece
from tests.tiny_layouts import lay_out

TOWER: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
CLIP_PIXELS: dict[str, Any] = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
}  # fmt: skip
QWEN2_VISION: dict[str, Any] = {
    "depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14, "spatial_merge_size": 2,
    "temporal_patch_size": 2, "in_channels": 3,
}  # fmt: skip
QWEN2_TEXT: dict[str, Any] = {k: v for k, v in TEXT.items() if k != "head_dim"} | {"num_hidden_layers": 2}
MEDIA_IDS = {"image_token_id": 151655, "video_token_id": 151656, "vision_start_token_id": 151652, "vision_end_token_id": 151653}
QWEN2_PIXELS: dict[str, Any] = {
    "image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2,
    "size": {"shortest_edge": 3136, "longest_edge": 12845056}, **CLIP_PIXELS,
}  # fmt: skip


def write(folder: Path, name: str, value: dict[str, Any]) -> None:
    (folder / name).write_text(json.dumps(value))


def clip(folder: Path) -> None:
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    letters = sorted({c for c in map(chr, range(33, 127)) if c == c.lower()} | set("Ã©Â¬"))
    words = [*letters, *(c + "</w>" for c in letters), "ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {w: i for i, w in enumerate(words)}
    CLIPTokenizer(vocabulary, [("c", "a"), ("ca", "t</w>")], model_max_length=32).save_pretrained(folder)
    end = len(words) - 1
    text = {**TOWER, "vocab_size": len(words), "max_position_embeddings": 32, "bos_token_id": end - 1, "eos_token_id": end}
    config = CLIPConfig(
        text_config={**text, "pad_token_id": end}, vision_config={**TOWER, "image_size": 32, "patch_size": 8}, projection_dim=24
    )
    fill(CLIPModel(config).float(), lively=True).save_pretrained(folder)
    write(folder, "preprocessor_config.json", {
        "image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32},
        "do_center_crop": True, "resample": 3, **CLIP_PIXELS,
    })  # fmt: skip


def siglip(folder: Path) -> None:
    """siglip2-base-patch16-224's kind: Gemma's tokenizer with an end token, texts of one fixed length."""
    from tokenizers import processors
    from transformers import AutoTokenizer, SiglipConfig, SiglipModel

    size = sentencepiece(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing("$A <eos>", "$A $B <eos>", [("<eos>", 1)])
    tokenizer.save_pretrained(folder)
    config = SiglipConfig(
        text_config={**TOWER, "vocab_size": size, "max_position_embeddings": 40, "projection_size": 32},
        vision_config={**TOWER, "image_size": 48, "patch_size": 16},
    )
    fill(SiglipModel(config).float(), lively=True).save_pretrained(folder)
    write(folder, "preprocessor_config.json", {
        "image_processor_type": "SiglipImageProcessor", "size": {"height": 48, "width": 48}, "resample": 2,
        "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
    })  # fmt: skip


def qwen3_vl_embedding(folder: Path) -> None:
    """The tiny Qwen3-VL in an embedding layout, its tokenizer setting an end token behind every text."""
    from tokenizers import processors
    from transformers import AutoTokenizer

    build_qwen3_vl(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        "$A <|endoftext|>", "$A $B", [("<|endoftext|>", 151643)]
    )
    tokenizer.save_pretrained(folder)
    lay_out(folder, "Transformer", "Pooling", "Normalize", pooling={"pooling_mode_lasttoken": True})


def colpali(folder: Path) -> None:
    from transformers import AutoTokenizer, ColPaliConfig, ColPaliForRetrieval

    size = sentencepiece(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.save_pretrained(folder)
    inner = {
        "model_type": "paligemma", "image_token_id": size, "projection_dim": 64, "hidden_size": 64,
        "text_config": {**TEXT, "vocab_size": size + 1, "model_type": "gemma", "num_hidden_layers": 2},
        "vision_config": {
            **TOWER, "model_type": "siglip_vision_model", "image_size": 56, "patch_size": 14, "vision_use_head": False,
            "projection_dim": 64,
        },
    }  # fmt: skip
    fill(ColPaliForRetrieval(ColPaliConfig(vlm_config=inner, embedding_dim=16)).float(), lively=True).save_pretrained(folder)
    write(folder, "preprocessor_config.json", {
        "image_processor_type": "SiglipImageProcessor", "size": {"height": 56, "width": 56}, "resample": 3,
        "image_seq_length": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
    })  # fmt: skip


def qwen2_vl_config() -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    return {"text_config": {**QWEN2_TEXT, "rope_parameters": rope}, "vision_config": QWEN2_VISION, **MEDIA_IDS}


def colqwen2(folder: Path) -> None:
    from transformers import ColQwen2Config, ColQwen2ForRetrieval

    config = ColQwen2Config(vlm_config={"model_type": "qwen2_vl", **qwen2_vl_config()}, embedding_dim=16)
    fill(ColQwen2ForRetrieval(config).float(), lively=True).save_pretrained(folder)
    build_tokenizer(folder)
    write(folder, "preprocessor_config.json", QWEN2_PIXELS)


def jina_m0(folder: Path) -> None:
    """jina-reranker-m0's kind as it is published: names of an older transformers, a flat config, a head of its own."""
    import torch
    from safetensors.torch import save_file
    from transformers import Qwen2VLConfig, Qwen2VLModel

    model = fill(Qwen2VLModel(Qwen2VLConfig(**qwen2_vl_config())).float(), lively=True)
    head = fill(torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)))
    weights = model.state_dict().items()
    own = {k if k.startswith("visual.") else "model." + k.removeprefix("language_model."): v for k, v in weights}
    own |= {f"score.{k}": v for k, v in head.state_dict().items()}
    save_file(own, folder / "model.safetensors", {"format": "pt"})
    write(folder, "config.json", {
        **QWEN2_TEXT, **MEDIA_IDS, "model_type": "qwen2_vl", "architectures": ["JinaVLForRanking"], "vision_config": QWEN2_VISION,
        "rope_theta": 10000.0, "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}, "num_labels": 1,
        "auto_map": {"AutoModel": "modeling.JinaVLForRanking"},
    })  # fmt: skip
    build_tokenizer(folder)
    write(folder, "preprocessor_config.json", {**QWEN2_PIXELS, "min_pixels": 3136, "max_pixels": 602112})


BUILDERS = {
    "clip": clip, "siglip": siglip, "qwen3-vl-embedding": qwen3_vl_embedding, "colpali": colpali, "colqwen2": colqwen2,
    "jina-m0": jina_m0,
}  # fmt: skip
