"""Scores equal transformers' own forward pass on inputs that the test prepares by itself, step by step and slowly."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

from tests.scorers.conftest import Maker, document, query
from workbench.media import Library
from workbench.pool import Bench
from workbench.scorers import Scorer
from workbench.types import Document, Query, Score, Variant, Video

SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
HEAD = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n<Instruct>: "
VL_TAIL = "<|im_end|>\n<|im_start|>assistant\n"
VL_DEFAULT = "Given a search query, retrieve relevant candidates that answer the query."


def score(bench: Bench, scorer: Scorer, q: Query, d: Document, **fields: Any) -> tuple[tuple[int, ...], float]:
    from workbench.ranking import make_pair

    variant = Variant(scorer.name, **fields)
    encoding = scorer.encode(make_pair(bench.renderer, scorer, variant, q, d))
    ((_, result),) = scorer.score([encoding])
    assert isinstance(result, Score), result
    return encoding.token_ids, result.logit


def margin(logits: torch.Tensor, tokenizer: Any) -> float:
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    return float(logits[0, -1, yes] - logits[0, -1, no])


@pytest.mark.parametrize("instruction", [None, "Answer questions about nature"])
def test_text_equals_transformers(bench: Bench, qwen3: Scorer, tiny_qwen3: Path, instruction: str | None) -> None:
    asked = instruction or "Given a web search query, retrieve relevant passages that answer the query"
    prompt = (
        f"{HEAD}{asked}\n<Query>: how do bees find flowers\n<Document>: Petals 🌸 reflect ultraviolet."
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_qwen3), AutoModelForCausalLM.from_pretrained(tiny_qwen3)
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        expected = margin(model(ids).logits, tokenizer)
    got_ids, got = score(
        bench,
        qwen3,
        query("how do bees find flowers"),
        document("Petals 🌸 reflect ultraviolet."),
        instruction=instruction,
    )
    assert list(got_ids) == ids[0].tolist()
    assert got == pytest.approx(expected, abs=1e-4)


def slow_patches(frames: np.ndarray) -> torch.Tensor:
    """uint8 [T, H, W, 3] → patches, one number at a time in the order the vision tower documents."""
    t, h, w, _ = frames.shape
    x = frames.astype(np.float32) / 255
    x = (x - 0.5) / 0.5
    rows = []
    for g, i, j in itertools.product(range(t // 2), range(h // 32), range(w // 32)):
        for a, b in itertools.product(range(2), range(2)):
            y0, x0 = i * 32 + a * 16, j * 32 + b * 16
            block = x[g * 2 : g * 2 + 2, y0 : y0 + 16, x0 : x0 + 16]  # [2, 16, 16, 3]
            rows.append(block.transpose(3, 0, 1, 2).reshape(-1))
    return torch.from_numpy(np.stack(rows))


class Reference:
    """transformers' Qwen3-VL on a prompt whose media the test expands itself."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(folder).eval()
        self.processor = AutoImageProcessor.from_pretrained(folder)

    def margin(self, text: str, pictures: list[np.ndarray], clips: list[np.ndarray]) -> tuple[list[int], float]:
        ids = self.tokenizer(text, return_tensors="pt")["input_ids"]
        kinds = (ids == 151655).int() + 2 * (ids == 151656).int()
        inputs: dict[str, Any] = {"input_ids": ids, "mm_token_type_ids": kinds}
        if pictures:
            out = self.processor(images=pictures, do_resize=False, return_tensors="pt")
            inputs |= {"pixel_values": out["pixel_values"], "image_grid_thw": out["image_grid_thw"]}
        if clips:
            inputs["pixel_values_videos"] = torch.cat([slow_patches(c) for c in clips])
            inputs["video_grid_thw"] = torch.tensor(
                [[c.shape[0] // 2, c.shape[1] // 16, c.shape[2] // 16] for c in clips]
            )
        with torch.no_grad():
            return ids[0].tolist(), margin(self.model(**inputs).logits, self.tokenizer)


@pytest.fixture(scope="module")
def reference(tiny_qwen3_vl: Path) -> Reference:
    return Reference(tiny_qwen3_vl)


def vision(pad: str, count: int) -> str:
    return "<|vision_start|>" + pad * count + "<|vision_end|>"


def test_a_picture_equals_transformers(
    bench: Bench, qwen3_vl: Scorer, reference: Reference, library: Library, picture: Maker
) -> None:
    part = picture(64, 96, 1)
    text = f"{HEAD}Only the colour.<Query>:a landscape\n<Document>:{vision('<|image_pad|>', 6)}a caption{VL_TAIL}"
    ids, expected = reference.margin(text, [library.picture(part)], [])  # type: ignore[arg-type]
    got_ids, got = score(
        bench, qwen3_vl, query("a landscape"), document("a caption", part), instruction="Only the colour."
    )
    assert list(got_ids) == ids
    assert got == pytest.approx(expected, abs=1e-4)


def test_a_clip_equals_transformers(
    bench: Bench, qwen3_vl: Scorer, reference: Reference, library: Library, clip: Maker
) -> None:
    part = clip(frames=8, fps=2, height=64, width=64, seed=1)
    assert isinstance(part, Video)
    frames = (0, 2, 5, 7)  # four of eight, evenly: a clip of four seconds at 1 fps
    group = vision("<|video_pad|>", 4)
    text = f"{HEAD}{VL_DEFAULT}<Query>:motion\n<Document>:<0.5 seconds>{group}<3.0 seconds>{group}{VL_TAIL}"
    ids, expected = reference.margin(text, [], [library.frames(part, frames)])
    got_ids, got = score(bench, qwen3_vl, query("motion"), document(part))
    assert list(got_ids) == ids
    assert got == pytest.approx(expected, abs=1e-4)


def test_mixed_content_equals_transformers(
    bench: Bench, qwen3_vl: Scorer, reference: Reference, library: Library, picture: Maker, clip: Maker
) -> None:
    asked, shown, moving = picture(96, 64, 2), picture(64, 64, 3), clip(frames=4, fps=1, height=64, width=64, seed=2)
    group = vision("<|video_pad|>", 4)
    text = (
        f"{HEAD}{VL_DEFAULT}<Query>:{vision('<|image_pad|>', 6)}like this\n"
        f"<Document>:<0.5 seconds>{group}<2.5 seconds>{group}{vision('<|image_pad|>', 4)}both{VL_TAIL}"
    )
    pictures = [library.picture(asked), library.picture(shown)]  # type: ignore[arg-type]
    ids, expected = reference.margin(text, pictures, [library.frames(moving, (0, 1, 2, 3))])  # type: ignore[arg-type]
    got_ids, got = score(bench, qwen3_vl, query(asked, "like this"), document(moving, shown, "both"))
    assert list(got_ids) == ids
    assert got == pytest.approx(expected, abs=1e-4)
