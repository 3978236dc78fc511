"""Prompts that come as they are: /classify, /pooling, /tokenize and /detokenize in vLLM's shape, over HTTP."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.test_api import error_of, picture_of
from tests.test_wire import png
from workbench import api
from workbench.pool import LEXICAL, Bench

BODY = {"query": "red circle", "documents": ["nothing", "a red circle"], "instruction": "Find colours", "parity": "vllm"}
ROUTES = ("/classify", "/pooling", "/tokenize", "/detokenize")


def messages(document: object = "a red circle") -> list[dict[str, object]]:
    return [{"role": "query", "content": "red circle"}, {"role": "document", "content": document}]


@pytest.fixture(scope="module")
def client(bench: Bench, tiny_qwen3_vl: Path) -> Iterator[TestClient]:
    with TestClient(api.build(replace(bench, model=str(tiny_qwen3_vl))), raise_server_exceptions=False) as client:
        yield client


def post(client: TestClient, path: str, body: dict[str, object]) -> dict[str, object]:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, object] = response.json()
    return answer


def prompts(client: TestClient) -> list[dict[str, object]]:
    return post(client, "/render", BODY)["pairs"]  # type: ignore[return-value]


def scores(client: TestClient, **fields: object) -> list[float]:
    results = post(client, "/rerank", {**BODY, **fields})["results"]
    return [r["relevance_score"] for r in sorted(results, key=lambda r: r["index"])]  # type: ignore[attr-defined, index]


# ---------------------------------------------------------------- one prompt, whatever it comes as
@pytest.mark.parametrize("activated", [True, False])
def test_ids_and_texts_score_as_the_pairs_they_were_rendered_from(client: TestClient, activated: bool) -> None:
    pairs, expected = prompts(client), scores(client, use_activation=activated)
    for given in ([p["token_ids"] for p in pairs], [p["prompt"] for p in pairs]):
        answer = post(client, "/classify", {"input": given, "use_activation": activated})
        assert [d["probs"][0] for d in answer["data"]] == pytest.approx(expected, abs=1e-5)
        assert [(d["index"], d["num_classes"], d["label"]) for d in answer["data"]] == [(0, 1, "LABEL_0"), (1, 1, "LABEL_0")]
        count = sum(len(p["token_ids"]) for p in pairs)
        assert (answer["usage"]["prompt_tokens"], answer["usage"]["total_tokens"]) == (count, count)
        assert answer["object"] == "list" and answer["usage"]["completion_tokens"] == 0


def test_messages_score_as_rerank(client: TestClient) -> None:
    body = {"messages": messages(), "chat_template_kwargs": {"instruction": "Find colours"}, "parity": "vllm"}
    (data,) = post(client, "/classify", body)["data"]  # type: ignore[misc]
    assert data["probs"] == [pytest.approx(scores(client)[1], abs=1e-5)]
    assert post(client, "/tokenize", body)["tokens"] == prompts(client)[1]["token_ids"]


def test_one_prompt_may_come_alone(client: TestClient) -> None:
    ids = prompts(client)[0]["token_ids"]
    expected = pytest.approx(scores(client)[0], abs=1e-5)
    for given in (ids, [ids], prompts(client)[0]["prompt"]):
        (data,) = post(client, "/classify", {"input": given})["data"]  # type: ignore[misc]
        assert data["probs"] == [expected]


def test_pooling_gives_the_same_number_as_floats_or_bytes(client: TestClient) -> None:
    ids = prompts(client)[1]["token_ids"]
    (plain,) = post(client, "/pooling", {"input": ids, "task": "classify"})["data"]  # type: ignore[misc]
    (packed,) = post(client, "/pooling", {"input": ids, "encoding_format": "base64"})["data"]  # type: ignore[misc]
    assert plain["object"] == "pooling" and plain["data"] == [pytest.approx(scores(client)[1], abs=1e-5)]
    assert struct.unpack("<f", base64.b64decode(packed["data"]))[0] == pytest.approx(plain["data"][0], abs=1e-7)


def test_a_picture_in_a_message_is_expanded(client: TestClient) -> None:
    body = {"messages": messages(picture_of(png(96, 64))["content"])}
    assert post(client, "/tokenize", body)["tokens"].count(151655) == 6  # type: ignore[attr-defined]
    assert len(post(client, "/classify", body)["data"]) == 1  # type: ignore[arg-type]


# ---------------------------------------------------------------- tokens
def test_text_becomes_ids_and_ids_become_text(client: TestClient) -> None:
    text = "<|im_start|>user\n héllo 😀<|im_end|>\n"
    answer = post(client, "/tokenize", {"prompt": text, "return_token_strs": True})
    assert answer["count"] == len(answer["tokens"]) == len(answer["token_strs"]) and answer["max_model_len"] == 8192  # type: ignore[arg-type]
    assert answer["tokens"][0] == 151644 and answer["token_strs"][0] == "<|im_start|>"  # type: ignore[index]
    assert post(client, "/detokenize", {"tokens": answer["tokens"]}) == {"prompt": text}
    assert post(client, "/tokenize", {"prompt": text})["token_strs"] is None


def test_ids_are_cut_as_vllm_cuts_them(client: TestClient) -> None:
    ids = prompts(client)[1]["token_ids"]
    for fields, kept in (
        ({"truncate_prompt_tokens": 5}, ids[:5]),
        ({"truncate_prompt_tokens": 5, "truncation_side": "left"}, ids[-5:]),
        ({"truncate_prompt_tokens": -1}, ids),
    ):
        cut = post(client, "/classify", {"input": ids, **fields})
        plain = post(client, "/classify", {"input": kept})
        assert cut["data"] == plain["data"] and cut["usage"] == plain["usage"]


# ---------------------------------------------------------------- refusals
@pytest.mark.parametrize("task", ["token_classify", "embed", "token_embed", "dance"])
def test_a_task_the_model_does_not_do_is_named(client: TestClient, task: str) -> None:
    error = error_of(client.post("/pooling", json={"input": "x", "task": task}), 400)
    assert repr(task) in str(error["message"]) and "It does: classify" in str(error["message"]) and error["param"] == "task"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/classify", {}, None),
        ("/classify", {"input": "x", "messages": messages()}, None),
        ("/classify", {"input": []}, "input"),
        ("/classify", {"input": 7}, "input"),
        ("/classify", {"input": ["x", 7]}, "input[1]"),
        ("/classify", {"input": [[1], []]}, "input[1]"),
        ("/classify", {"input": [True]}, "input[0]"),
        ("/classify", {"input": [[5], [5, 10**9]]}, "input[1]"),
        ("/classify", {"input": [-1]}, "input"),
        ("/classify", {"input": [151655]}, "input"),
        ("/classify", {"input": ["fine", "word " * 9000]}, "input[1]"),
        ("/classify", {"input": ""}, "input"),
        ("/classify", {"input": "x", "truncate_prompt_tokens": 9000}, "truncate_prompt_tokens"),
        ("/classify", {"input": "x", "normalize": True}, "normalize"),
        ("/classify", {"input": "x", "priority": "high"}, "priority"),
        ("/classify", {"input": "x", "cache_salt": ""}, "cache_salt"),
        ("/classify", {"messages": [{"role": "user", "content": "x"}]}, "messages"),
        ("/classify", {"messages": messages()[:1]}, "messages"),
        ("/classify", {"messages": messages(), "chat_template": "x"}, "chat_template"),
        ("/classify", {"messages": messages(), "continue_final_message": True}, "continue_final_message"),
        ("/classify", {"messages": messages(), "template": "{{ nothing("}, "template, line 1"),
        ("/pooling", {"input": "x", "encoding_format": "bytes"}, "encoding_format"),
        ("/pooling", {"input": "x", "dimensions": 4}, "dimensions"),
        ("/tokenize", {}, None),
        ("/detokenize", {}, "tokens"),
        ("/detokenize", {"tokens": [10**9]}, None),
    ],
)
def test_what_cannot_be_scored_is_400_and_says_where(
    client: TestClient, path: str, body: dict[str, object], param: str | None
) -> None:
    assert error_of(client.post(path, json=body), 400)["param"] == param


def test_a_model_that_reads_no_ids_says_so_and_takes_messages(client: TestClient) -> None:
    error = error_of(client.post("/classify", json={"input": "x", "model": LEXICAL}), 400)
    assert "messages" in str(error["message"])
    assert post(client, "/classify", {"messages": messages(), "model": LEXICAL})["data"][0]["probs"][0] > 0.5  # type: ignore[index]


@pytest.mark.parametrize("path", ROUTES)
def test_the_key_and_the_schema_know_every_route(bench: Bench, client: TestClient, path: str) -> None:
    error_of(TestClient(api.build(bench, api_key="k")).post(path, json={}), 401)
    schema = client.get("/openapi.json").json()["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"model"} < set(schema["properties"])
    error_of(client.post(path, json={"model": "no/such", "input": "x", "prompt": "x", "tokens": [1]}), 404)
