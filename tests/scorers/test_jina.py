"""jina-reranker-m0: the prompt, token, head and bias of its published script, computed by hand over transformers' Qwen2-VL."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, Qwen2VLConfig, Qwen2VLModel

from tests.scorers.conftest import Maker, document, query
from tests.scorers.test_vectors import Open, Tiny, scored
from workbench.pool import Bench
from workbench.ranking import make_pair
from workbench.scorers import Scorer
from workbench.types import Document, Encoding, Image, Limits, Query, Variant

PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"


def encode(bench: Bench, scorer: Scorer, q: Query, d: Document, **fields: Any) -> Encoding:
    return scorer.encode(make_pair(bench.renderer, scorer, Variant(scorer.name, **fields), q, d))


@cache
def model_of(folder: Path) -> tuple[Qwen2VLModel, dict[str, torch.Tensor]]:
    """The native class filled by hand from the published names; the head's four tensors."""
    weights = load_file(folder / "model.safetensors")
    model = Qwen2VLModel(Qwen2VLConfig.from_pretrained(folder)).eval()
    own = {k if k.startswith("visual.") else k.replace("model.", "language_model.", 1): v for k, v in weights.items()}
    model.load_state_dict({k: v for k, v in own.items() if not k.startswith("score.")})
    return model, {k: v for k, v in own.items() if k.startswith("score.")}


def by_hand(folder: Path, ids: list[int], row: Any) -> float:
    """The logit less the bias."""
    (model, w), inputs = model_of(folder), {"input_ids": torch.tensor([ids])}
    if row.image_patches is not None:
        kinds = torch.tensor([[int(t == 151655) for t in ids]])
        inputs |= {"pixel_values": row.image_patches, "image_grid_thw": torch.tensor(row.image_grids), "mm_token_type_ids": kinds}
    with torch.no_grad():
        h = model(**inputs).last_hidden_state[0, -1]
        h = torch.relu(w["score.0.weight"] @ h + w["score.0.bias"])
        return float(w["score.2.weight"] @ h + w["score.2.bias"]) - 2.65


def ids_of(folder: Path, text: str, pads: list[int]) -> list[int]:
    for count in pads:
        text = text.replace(PICTURE, f"<|vision_start|>{'<|image_pad|>' * count}<|vision_end|>".replace("pad|>", "pad|>\0"), 1)
    return [*AutoTokenizer.from_pretrained(folder)(text.replace("\0", ""))["input_ids"], 100]


@pytest.mark.parametrize("parity", ["reference", "vllm"])
def test_jina_m0_equals_its_script(bench: Bench, open_tiny: Open, tiny: Tiny, picture: Maker, parity: str) -> None:
    folder, scorer, seen = tiny("jina-m0"), open_tiny("jina-m0"), []
    assert scorer.family.name == "jina-reranker-m0"
    page = picture(seed=5)
    for q, d in ((["the cat"], ["a dog\n is"]), (["the cat"], [page]), ([page], ["words"]), (["the cat"], [page, "words"])):
        encoding = encode(bench, scorer, query(*q), document(*d), parity=parity)
        asked, told = ("".join(PICTURE if isinstance(p, Image) else str(p) for p in side) for side in (q, d))
        text = f"**Document**:\n{told}\n**Query**:\n{asked}"
        assert encoding.prompt.text == text
        assert list(encoding.token_ids) == ids_of(folder, text, [m.tokens for m in encoding.media])
        score = scored(scorer, encoding)
        expected = by_hand(folder, list(encoding.token_ids), scorer._row(encoding))  # type: ignore[attr-defined]
        assert score.logit == pytest.approx(expected, abs=1e-4)
        assert score.value == pytest.approx(1 / (1 + 2.718281828459045**-expected), abs=1e-5)
        seen.append(expected)
    assert max(seen) - min(seen) > 0.01


def test_pictures_on_both_sides_stand_where_the_prompt_has_them(
    bench: Bench, open_tiny: Open, tiny: Tiny, picture: Maker
) -> None:
    small, large = picture(56, 56, 1), picture(112, 168, 2)
    encoding = encode(bench, open_tiny("jina-m0"), query(small), document(large))
    assert [m.part for m in encoding.media] == [large, small]  # the document stands first
    assert encoding.media[0].tokens > encoding.media[1].tokens
    text = f"**Document**:\n{PICTURE}\n**Query**:\n{PICTURE}"
    assert list(encoding.token_ids) == ids_of(tiny("jina-m0"), text, [m.tokens for m in encoding.media])
    score = scored(open_tiny("jina-m0"), encoding)
    row = open_tiny("jina-m0")._row(encoding)  # type: ignore[attr-defined]
    assert score.logit == pytest.approx(by_hand(tiny("jina-m0"), list(encoding.token_ids), row), abs=1e-4)


def test_a_long_document_gives_way_and_the_query_stays(bench: Bench, open_tiny: Open) -> None:
    encoding = encode(bench, open_tiny("jina-m0"), query("the cat"), document("dog " * 100), limits=Limits(max_length=40))
    assert len(encoding.token_ids) == 40 and encoding.token_ids[-1] == 100
    kept = "".join(encoding.prompt.text[a:b] for a, b in encoding.spans)
    assert kept.endswith("\n**Query**:\nthe cat") and kept.startswith("**Document**:\ndog")
    assert encoding.cut is not None and set(encoding.prompt.text[slice(*encoding.cut.span)].split()) == {"dog"}


def test_ids_that_are_given_get_the_token_once(open_tiny: Open) -> None:
    scorer: Any = open_tiny("jina-m0")
    assert scorer.from_ids([5, 6]).token_ids == scorer.from_ids([5, 6, 100]).token_ids == (5, 6, 100)
