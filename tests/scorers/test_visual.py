"""Models that read a side's picture apart from the other side: transformers' own features and embeddings, compared by hand."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from transformers import (
    AutoTokenizer,
    CLIPModel,
    ColPaliForRetrieval,
    ColQwen2ForRetrieval,
    Qwen3VLForConditionalGeneration,
    SiglipModel,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from tests.scorers.conftest import Maker, document, noise, query
from tests.scorers.test_vectors import Open, Tiny, cosine, maxsim, scored, sides
from workbench.errors import ModelUnavailable, PromptInvalid
from workbench.pool import Bench
from workbench.ranking import make_pair, rerank
from workbench.scorers import Scorer
from workbench.scorers._pictures import fixed_pixels
from workbench.types import Document, Encoding, Image, Query, Score, Variant

load_tokenizer = cache(AutoTokenizer.from_pretrained)
TEXTS = [("the cat", "A dog, é 2!"), ("x", "Red  circle")]


def encode(bench: Bench, scorer: Scorer, q: Query, d: Document, **fields: Any) -> Encoding:
    return scorer.encode(make_pair(bench.renderer, scorer, Variant(scorer.name, **fields), q, d))


def near(score: Score, expected: float) -> None:
    assert score.logit == pytest.approx(expected, abs=1e-4)


# ---------------------------------------------------------------- CLIP and SigLIP
def clip_text(folder: Path, text: str) -> torch.Tensor:
    inputs = load_tokenizer(folder)([text], return_tensors="pt")
    with torch.no_grad():
        return CLIPModel.from_pretrained(folder).eval().get_text_features(**inputs).pooler_output[0]  # type: ignore[no-any-return]


def siglip_text(folder: Path, text: str) -> torch.Tensor:
    ids = load_tokenizer(folder)([text], padding="max_length", max_length=40, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return SiglipModel.from_pretrained(folder).eval().get_text_features(ids).pooler_output[0]  # type: ignore[no-any-return]


def picture_vector(kind: Any, processor: Any, folder: Path, pixels: np.ndarray[Any, Any]) -> torch.Tensor:
    inputs = processor.from_pretrained(folder)(PIL.Image.fromarray(pixels), return_tensors="pt")
    with torch.no_grad():
        return kind.from_pretrained(folder).eval().get_image_features(**inputs).pooler_output[0]  # type: ignore[no-any-return]


TOWERS = [
    ("clip", CLIPModel, CLIPImageProcessorPil, clip_text, 32), ("siglip", SiglipModel, SiglipImageProcessorPil, siglip_text, 48),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "processor", "text", "edge"), TOWERS)
def test_towers_equal_transformers(
    bench: Bench, open_tiny: Open, tiny: Tiny, picture: Maker, name: str, kind: Any, processor: Any, text: Any, edge: int
) -> None:
    folder, scorer, seen = tiny(name), open_tiny(name), []
    assert scorer.family.name == "bi-encoder-visual"
    shot = picture(edge, edge, 5)  # of the size the tower takes, so that no resizing stands between
    vector = picture_vector(kind, processor, folder, noise(edge, edge, 5))
    for q, d in TEXTS:
        for right, expected in ((d, text(folder, d)), (shot, vector)):
            for left, found in ((q, text(folder, q)), (shot, vector)):
                score = scored(scorer, encode(bench, scorer, query(left), document(right)))
                near(score, cosine(found, expected))
                seen.append(score.logit)
    assert max(seen) - min(seen) > 0.01


def test_siglip_texts_are_as_long_as_it_was_trained_on(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    encoding = encode(bench, open_tiny("siglip"), query("cat"), document("a dog " * 30))
    tokenizer = load_tokenizer(tiny("siglip"))
    ids = [tokenizer(t, padding="max_length", truncation=True, max_length=40)["input_ids"] for t in ("cat", "a dog " * 30)]
    assert list(sides(encoding)) == ids and encoding.cut is not None


@pytest.mark.parametrize(("name", "kind", "processor", "text", "edge"), TOWERS)
@pytest.mark.parametrize(("height", "width"), [(64, 96), (97, 50), (33, 200), (20, 20)])
def test_pixels_are_the_pillow_processors(
    tiny: Tiny, name: str, kind: Any, processor: Any, text: Any, edge: int, height: int, width: int
) -> None:
    """Of a whole picture, within one of 255 steps of colour: two libraries round the resized picture each its own way."""
    folder, pixels = tiny(name), noise(height, width, 7)
    said, vision = (json.loads((folder / f).read_text()) for f in ("preprocessor_config.json", "config.json"))
    ours = fixed_pixels(said, vision["vision_config"], name, crops=name == "clip").pixels(pixels)
    theirs = processor.from_pretrained(folder)(PIL.Image.fromarray(pixels), return_tensors="pt")["pixel_values"]
    step = 1 / 255 / torch.tensor(said["image_std"]).view(1, 3, 1, 1)
    assert ours.shape == theirs.shape and float(((ours - theirs) / step).abs().max()) <= 1.001


@pytest.mark.parametrize("name", ["clip", "siglip", "colpali", "colqwen2"])
def test_what_a_model_cannot_take_is_the_error_of_its_row(
    bench: Bench, open_tiny: Open, picture: Maker, clip: Maker, name: str
) -> None:
    scorer = open_tiny(name)
    one, two = picture(seed=1), picture(seed=2)
    rows = [document("a"), document(clip(seed=3)), document(one, "beside"), document(one, two)]
    results = sorted(rerank(bench.renderer, scorer, Variant(scorer.name), query("q"), rows), key=lambda r: r.index)
    assert isinstance(results[0].score, Score)
    assert "takes no clips" in str(results[1].error)
    assert all(isinstance(r.error, PromptInvalid) and "one picture" in str(r.error) for r in results[2:])


def test_a_picture_config_that_is_not_built_is_said(bench: Bench, tiny: Tiny, tmp_path: Path) -> None:
    shutil.copytree(tiny("clip"), tmp_path, dirs_exist_ok=True)
    path = tmp_path / "preprocessor_config.json"
    for change, says in (({"resample": 1}, "filter 1"), ({"crop_size": {"height": 16, "width": 16}}, "takes 32×32")):
        path.write_text(json.dumps(json.loads((tiny("clip") / path.name).read_text()) | change))
        with pytest.raises(ModelUnavailable, match=says):
            bench.pool._load(str(tmp_path), lambda _: None)


# ---------------------------------------------------------------- Qwen3-VL-Embedding
LEAD = "<|im_start|>system\nRepresent the user's input.<|im_end|>\n<|im_start|>user\n"
TAIL = "<|im_end|>\n<|im_start|>assistant\n"


def qwen3_vector(folder: Path, ids: list[int], row: Any) -> torch.Tensor:
    inputs: dict[str, Any] = {"input_ids": torch.tensor([ids])}
    kinds = torch.tensor([[{151655: 1, 151656: 2}.get(t, 0) for t in ids]])
    if row.image_patches is not None:
        inputs |= {"pixel_values": row.image_patches, "image_grid_thw": torch.tensor(row.image_grids)}
    if row.video_patches is not None:
        inputs |= {"pixel_values_videos": row.video_patches, "video_grid_thw": torch.tensor(row.video_grids)}
    with torch.no_grad():
        model = Qwen3VLForConditionalGeneration.from_pretrained(folder).eval().model
        return model(**inputs, mm_token_type_ids=kinds).last_hidden_state[0, -1]  # type: ignore[no-any-return]


def test_qwen3_vl_embeddings_equal_transformers(
    bench: Bench, open_tiny: Open, tiny: Tiny, picture: Maker, clip: Maker
) -> None:
    folder, scorer = tiny("qwen3-vl-embedding"), open_tiny("qwen3-vl-embedding")
    assert scorer.family.name == "qwen3-vl-embedding"
    tokenizer = load_tokenizer(folder)
    for parity, lead, tail in (("reference", LEAD, TAIL), ("vllm", "", "")):
        for d in ([TEXTS[0][1]], [picture(seed=3)], [picture(seed=3), "words"], [clip(seed=2), "moving"]):
            encoding = encode(bench, scorer, query("the cat"), document(*d), parity=parity)
            asked, told = sides(encoding)
            assert asked == tokenizer(f"{lead}the cat{tail}")["input_ids"] and asked[-1] == 151643
            if len(d) == 1 and isinstance(d[0], str):
                assert told == tokenizer(f"{lead}{d[0]}{tail}")["input_ids"]
            elif isinstance(d[0], Image):
                words = d[1] if len(d) > 1 else ""
                pads = "<|image_pad|>" * encoding.media[0].tokens
                assert told == tokenizer(f"{lead}<|vision_start|>{pads}<|vision_end|>{words}{tail}")["input_ids"]
            found = _rows(scorer, encoding)
            near(scored(scorer, encoding), cosine(*(qwen3_vector(folder, list(r.token_ids), r) for r in found)))


def _rows(scorer: Any, encoding: Encoding) -> list[Any]:
    """Both sides as the model takes them; their pixels are compared with a server's elsewhere."""
    from workbench.scorers import _vectors

    return [scorer._side_row(side) for side in _vectors._sides(encoding)]


def test_an_empty_text_is_null_and_a_query_may_be_a_picture(bench: Bench, open_tiny: Open, picture: Maker) -> None:
    scorer = open_tiny("qwen3-vl-embedding")
    encoding = encode(bench, scorer, query(picture(seed=8)), document(""))
    assert encoding.prompt.text.split("\n<|im_start|>system\n")[1] == f"{LEAD}NULL{TAIL}".partition("system\n")[2]
    near(scored(scorer, encode(bench, scorer, query(picture(seed=8)), document(picture(seed=8)))), 1.0)


def test_a_checkpoint_without_an_embedding_layout_is_a_reranker(bench: Bench, open_tiny: Open) -> None:
    assert open_tiny("qwen3-vl").family.name == "qwen3-vl-reranker"


# ---------------------------------------------------------------- ColPali and ColQwen2
def test_colpali_equals_transformers(bench: Bench, open_tiny: Open, tiny: Tiny, picture: Maker) -> None:
    folder, scorer = tiny("colpali"), open_tiny("colpali")
    model, tokenizer = ColPaliForRetrieval.from_pretrained(folder).eval(), load_tokenizer(folder)
    processor = SiglipImageProcessorPil.from_pretrained(folder)

    def vectors(text: str, pixels: Any = None) -> tuple[list[int], torch.Tensor]:
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        more = {} if pixels is None else dict(processor(PIL.Image.fromarray(pixels), return_tensors="pt"))
        with torch.no_grad():
            found = model(ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids), **more).embeddings[0]
        return ids[0].tolist(), found

    asked, q = vectors("<bos>Question: the cat" + "<pad>" * 10 + "\n")
    texts = vectors("<bos>Question: a dog" + "<pad>" * 10 + "\n")
    page = vectors("<image>" * 16 + "<bos>Describe the image.\n", noise(56, 56, 5))
    for d, (told, expected) in (("a dog", texts), (picture(56, 56, 5), page)):
        encoding = encode(bench, scorer, query("the cat"), document(d))
        assert list(sides(encoding)) == [asked, told]
        near(scored(scorer, encoding), maxsim(q, expected))


def test_colqwen2_equals_transformers(bench: Bench, open_tiny: Open, tiny: Tiny, picture: Maker) -> None:
    folder, scorer = tiny("colqwen2"), open_tiny("colqwen2")
    model, tokenizer = ColQwen2ForRetrieval.from_pretrained(folder).eval(), load_tokenizer(folder)

    def vectors(text: str, **more: Any) -> tuple[list[int], torch.Tensor]:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            return ids[0].tolist(), model(ids, attention_mask=torch.ones_like(ids), **more).embeddings[0]

    asked, q = vectors("Query: the cat" + "<|endoftext|>" * 10 + "\n")
    encoding = encode(bench, scorer, query("the cat"), document(picture(seed=5)))
    row = _rows(scorer, encoding)[1]
    grid = torch.tensor(row.image_grids)
    pads = "<|image_pad|>" * int(grid.prod() // 4)
    text = f"<|im_start|>user\n<|vision_start|>{pads}<|vision_end|>Describe the image.<|im_end|><|endoftext|>"
    told, expected = vectors(text, pixel_values=row.image_patches[None], image_grid_thw=grid)
    assert list(sides(encoding)) == [asked, told]
    near(scored(scorer, encoding), maxsim(q, expected))
    plain = encode(bench, scorer, query("the cat"), document("a dog"))
    told, expected = vectors("Query: a dog" + "<|endoftext|>" * 10 + "\n")
    assert list(sides(plain)) == [asked, told]
    near(scored(scorer, plain), maxsim(q, expected))


@pytest.mark.parametrize("name", ["colpali", "colqwen2"])
def test_a_match_in_a_page_names_its_tile(bench: Bench, open_tiny: Open, picture: Maker, name: str) -> None:
    scorer = open_tiny(name)
    encoding = encode(bench, scorer, query("the cat"), document(picture(seed=5)))
    score, (rows, columns) = scored(scorer, encoding), encoding.media[0].grid[1:]
    merge = 2 if name == "colqwen2" else 1
    image_id = scorer._encoder.image_id  # type: ignore[attr-defined]
    first = encoding.token_ids.index(image_id)
    matches = score.detail["matches"]
    assert len(matches) == encoding.query_tokens and any("tile" in m for m in matches)
    for m in matches:
        assert ("tile" in m) == (m["document_id"] == image_id)
        if "tile" in m:
            assert m["tiles"] == [rows // merge, columns // merge]
            assert m["document"] == first + m["tile"][0] * m["tiles"][1] + m["tile"][1]


@pytest.mark.parametrize("name", ["colpali", "colqwen2"])
def test_a_recipe_of_vllm_that_was_not_checked_gives_no_number(bench: Bench, open_tiny: Open, name: str) -> None:
    with pytest.raises(PromptInvalid, match="no vllm recipe"):
        encode(bench, open_tiny(name), query("a"), document("b"), parity="vllm")
