"""Sparse models: vectors over the vocabulary pooled by hand from transformers' masked-language logits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from tests.scorers.test_vectors import PAIRS, Open, Tiny, cosine, dot, encode, scored, sides
from workbench.errors import ModelUnavailable
from workbench.pool import Bench

load_model = cache(AutoModelForMaskedLM.from_pretrained)
load_tokenizer = cache(AutoTokenizer.from_pretrained)
Pool = Callable[[torch.Tensor], torch.Tensor]


def largest(weights: torch.Tensor) -> torch.Tensor:
    return torch.stack([max(column) for column in weights.T])


def vector(folder: Path, ids: list[int], pool: Pool = largest) -> torch.Tensor:
    with torch.no_grad():
        logits = load_model(folder).eval()(torch.tensor([ids])).logits[0]
    return pool(torch.log(1 + logits.clamp(min=0)))


def changed(folder: Path, tmp_path: Path, file: str, **extra: Any) -> Path:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / file
    path.write_text(json.dumps(json.loads(path.read_text()) | extra))
    return tmp_path


def test_sparse_scores_equal_transformers(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    folder, scorer, seen = tiny("splade"), open_tiny("splade"), []
    assert scorer.family.name == "splade"
    for q, d in PAIRS:
        ids = [load_tokenizer(folder)(t)["input_ids"] for t in (q, d)]
        for parity, compare in (("reference", dot), ("vllm", cosine)):
            encoding = encode(bench, scorer, q, d, parity=parity)
            assert list(sides(encoding)) == ids
            expected = compare(*(vector(folder, i) for i in ids))
            assert scored(scorer, encoding).logit == pytest.approx(expected, abs=1e-4)
            seen.append(expected)
    assert max(seen) - min(seen) > 1


def test_the_strongest_shared_entries_are_kept(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    encoding = encode(bench, open_tiny("splade"), *PAIRS[0])
    q, d = (vector(tiny("splade"), side) for side in sides(encoding))
    terms = scored(open_tiny("splade"), encoding).detail["terms"]
    assert [t["share"] for t in terms] == pytest.approx(sorted((q * d).tolist(), reverse=True)[: len(terms)], abs=1e-4)
    for t in terms:
        assert float(q[t["id"]] * d[t["id"]]) == pytest.approx(t["share"], abs=1e-4)
        assert t["token"] == load_tokenizer(tiny("splade")).decode([t["id"]])


@pytest.mark.parametrize(
    ("said", "pool"),
    [
        ({"pooling_strategy": "sum"}, lambda w: w.sum(0)),
        ({"activation_function": "log1p_relu"}, lambda w: largest(torch.log(1 + w))),
    ],
)
def test_the_layout_says_how_to_pool(bench: Bench, tiny: Tiny, tmp_path: Path, said: dict[str, str], pool: Pool) -> None:
    folder = changed(tiny("splade"), tmp_path, "1_SpladePooling/config.json", **said)
    scorer = bench.pool._load(str(folder), lambda _: None)
    encoding = encode(bench, scorer, *PAIRS[0])
    expected = dot(*(vector(tiny("splade"), side, pool) for side in sides(encoding)))
    assert scored(scorer, encoding).logit == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_under_vllm_special_tokens_that_the_config_names_do_not_count(bench: Bench, tiny: Tiny, tmp_path: Path) -> None:
    folder = changed(tiny("splade"), tmp_path, "config.json", cls_token_id=2, sep_token_id=3)
    scorer = bench.pool._load(str(folder), lambda _: None)
    encoding = encode(bench, scorer, *PAIRS[0], parity="vllm")
    expected = cosine(*(vector(tiny("splade"), side, lambda w: largest(w[1:-1])) for side in sides(encoding)))
    assert scored(scorer, encoding).logit == pytest.approx(expected, abs=1e-4)


def test_a_pooling_that_is_not_built_is_said(bench: Bench, tiny: Tiny, tmp_path: Path) -> None:
    folder = changed(tiny("splade"), tmp_path, "1_SpladePooling/config.json", pooling_strategy="mean")
    with pytest.raises(ModelUnavailable, match="'mean'"):
        bench.pool._load(str(folder), lambda _: None)
