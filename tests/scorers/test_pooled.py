"""What /pooling gives of single texts: vectors, a vector per token, labels per token; equal to transformers by hand."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, BertModel

from tests.scorers.test_reward import by_native_head, by_two_layers
from tests.scorers.test_vectors import hidden, last, load_tokenizer, mean_and_dense, token_vectors
from tests.test_api import error_of
from workbench import api
from workbench.pool import Bench

Tiny = Callable[[str], Path]
TEXTS = ["the cat", "a dog is what the cat of paris is."]


def client(bench: Bench, folder: Path) -> TestClient:
    return TestClient(api.build(replace(bench, model=str(folder))), raise_server_exceptions=False)


def given(bench: Bench, folder: Path, **fields: Any) -> list[torch.Tensor]:
    with client(bench, folder) as http:
        answer = http.post("/pooling", json={"input": TEXTS, **fields})
        assert answer.status_code == 200, answer.text
        assert [d["index"] for d in answer.json()["data"]] == [0, 1]
        return [torch.tensor(d["data"]) for d in answer.json()["data"]]


def ids_of(folder: Path) -> list[list[int]]:
    return [load_tokenizer(folder)(t)["input_ids"] for t in TEXTS]


@pytest.mark.parametrize(("name", "embed"), [("st-mean", mean_and_dense), ("st-last", last)])
def test_embed_is_the_vector_of_the_bare_text(
    bench: Bench, tiny: Tiny, name: str, embed: Callable[[Path, list[int]], torch.Tensor]
) -> None:
    folder = tiny(name)
    expected = [embed(folder, ids) for ids in ids_of(folder)]
    for fields, wanted in (({}, [e / e.norm() for e in expected]), ({"use_activation": False}, expected)):
        for found, vector in zip(given(bench, folder, task="embed", **fields), wanted, strict=True):
            assert torch.allclose(found, vector, atol=1e-4)


def test_token_embed_is_a_vector_for_every_token(bench: Bench, tiny: Tiny) -> None:
    folder = tiny("colbert")
    model, weight = BertModel.from_pretrained(folder), load_file(folder / "model.safetensors")["linear.weight"]
    for found, raw, ids in zip(
        given(bench, folder), given(bench, folder, use_activation=False), ids_of(folder), strict=True
    ):
        assert torch.allclose(found, token_vectors(model, weight, ids), atol=1e-4)
        assert torch.allclose(raw, hidden(model, ids) @ weight.T, atol=1e-4)


def test_a_sparse_model_gives_a_weight_for_every_entry(bench: Bench, tiny: Tiny) -> None:
    """Its config names no special tokens, so vLLM leaves none out."""
    folder = tiny("splade")
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    for found, ids in zip(given(bench, folder), ids_of(folder), strict=True):
        with torch.no_grad():
            weights = model(torch.tensor([ids])).logits[0].relu().log1p()
        assert found.shape == (weights.shape[1],) and torch.allclose(found, weights.amax(0), atol=1e-4)


@pytest.mark.parametrize(("name", "logits"), [("step-reward", by_native_head), ("prm", by_two_layers)])
def test_token_classify_gives_the_labels_of_every_token(
    bench: Bench, tiny: Tiny, name: str, logits: Callable[[Path, list[int]], torch.Tensor]
) -> None:
    folder = tiny(name)
    for found, raw, ids in zip(
        given(bench, folder), given(bench, folder, use_activation=False), ids_of(folder), strict=True
    ):
        expected = logits(folder, ids)
        assert torch.allclose(raw, expected, atol=1e-4) and torch.allclose(found, expected.softmax(-1), atol=1e-4)


def test_bytes_hold_the_same_numbers_row_after_row(bench: Bench, tiny: Tiny) -> None:
    folder = tiny("colbert")
    with client(bench, folder) as http:
        body = {"input": TEXTS[0], "task": "token_embed"}
        (plain,) = http.post("/pooling", json=body).json()["data"]
        (packed,) = http.post("/pooling", json={**body, "encoding_format": "base64"}).json()["data"]
    flat = [n for row in plain["data"] for n in row]
    assert struct.unpack(f"<{len(flat)}f", base64.b64decode(packed["data"])) == pytest.approx(flat, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "task"), [("st-mean", "embed"), ("colbert", "token_embed"), ("prm", "token_classify")]
)
def test_another_task_is_refused_and_the_model_s_own_named(bench: Bench, tiny: Tiny, name: str, task: str) -> None:
    with client(bench, tiny(name)) as http:
        error = error_of(http.post("/pooling", json={"input": "x", "task": "classify"}), 400)
        assert f"It does: {task}." in str(error["message"]) and error["param"] == "task"
        if task != "token_classify":
            error = error_of(http.post("/classify", json={"input": "x"}), 400)
            assert f"It does: {task}." in str(error["message"])
            pair = [{"role": "query", "content": "a"}, {"role": "document", "content": "b"}]
            assert error_of(http.post("/pooling", json={"messages": pair}), 400)["param"] == "messages"


def test_one_bad_text_is_named_by_its_place(bench: Bench, tiny: Tiny) -> None:
    with client(bench, tiny("st-mean")) as http:
        error = error_of(http.post("/pooling", json={"input": ["fine", "word " * 9000]}), 400)
        assert error["param"] == "input[1]" and "tokens long" in str(error["message"])


def test_tokens_of_an_embedding_model_are_its_tokenizer_s(bench: Bench, tiny: Tiny) -> None:
    folder = tiny("st-mean")
    with client(bench, folder) as http:
        found = http.post("/tokenize", json={"prompt": TEXTS[1]}).json()
        assert found["tokens"] == ids_of(folder)[1] and found["count"] == len(found["tokens"])
        assert "cat" in http.post("/detokenize", json={"tokens": found["tokens"]}).json()["prompt"]
