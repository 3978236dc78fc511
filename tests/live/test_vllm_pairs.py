"""The workbench beside a real vLLM with a BERT cross-encoder: the tokenizer's pair, no template, a silent instruction."""

from __future__ import annotations

from typing import Any

import pytest

from tests.live.conftest import asking, bert, scored_here, scored_there
from workbench import wire
from workbench.pool import Bench

TEXTS = ["the cat is a dog", "a dog", "cat", "dog cat the is a " * 9, "é😀 ﬁ [SEP] the"]
BODY: dict[str, Any] = {"query": "the cat is", "documents": TEXTS}
FIELDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "logits": {"use_activation": False},
    "an instruction": {"instruction": "Find cats"},
    "document cut": {"max_tokens_per_doc": 3},
    "query cut to one": {"max_tokens_per_query": 1},
    "prompt cut": {"truncate_prompt_tokens": 9},
    "the best two": {"top_n": 2},
}


@pytest.fixture(scope="module")
def ask(pair_server: str) -> Any:
    return asking(pair_server)


@pytest.fixture(scope="module")
def here(bench: Bench) -> Bench:
    return scored_here(bench, bert(), None)


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_rerank_is_the_servers(ask: Any, here: Bench, fields: dict[str, Any]) -> None:
    body = {**BODY, **fields}
    theirs, ours = ask("/rerank", body), wire.answer_rerank(here, wire.read_rerank(body, here))
    assert theirs.status_code == 200, theirs.text
    found = [{r["index"]: r["relevance_score"] for r in a["results"]} for a in (ours, theirs.json())]
    assert found[0] == pytest.approx(found[1], abs=1e-4) and ours["usage"] == theirs.json()["usage"]


@pytest.mark.parametrize(
    "body",
    [
        {"queries": "cat", "documents": "a dog"},
        {"text_1": "cat", "text_2": TEXTS},
        {"data_1": ["cat", "dog"], "data_2": ["a dog", "the cat"]},
    ],
    ids=["1:1", "1:N", "N:N"],
)
def test_score_is_the_servers(ask: Any, here: Bench, body: dict[str, Any]) -> None:
    theirs, ours = ask("/score", body).json(), wire.answer_score(here, wire.read_score(body, here))
    assert [d["score"] for d in ours["data"]] == pytest.approx([d["score"] for d in theirs["data"]], abs=1e-4)
    assert ours["usage"] == theirs["usage"]


def test_every_pair_has_the_servers_count_and_number(ask: Any, here: Bench) -> None:
    """A server shows no pair in /tokenize; that our ids give its numbers shows that they are its own."""
    request = wire.read_rerank({**BODY, "use_activation": False}, here)
    pairs = wire.answer_rerank(here, request, details=True)["pairs"]
    by_text = [r["relevance_score"] for r in sorted(ask("/rerank", {**BODY, "use_activation": False}).json()["results"],
                                                    key=lambda r: r["index"])]  # fmt: skip
    assert [p["logit"] for p in pairs] == pytest.approx(by_text, abs=1e-4)
    for pair, text in zip(pairs, TEXTS, strict=True):
        one = ask("/score", {"text_1": BODY["query"], "text_2": text}).json()
        assert one["usage"]["prompt_tokens"] == len(pair["token_ids"])


def test_as_a_model_it_says_what_an_instruction_does(bench: Bench, pair_server: str, here: Bench) -> None:
    there = scored_there(bench, pair_server)
    body = {**BODY, "instruction": "Find cats"}
    ours, theirs = (wire.answer_rerank(b, wire.read_rerank(body, b), details=True) for b in (here, there))
    assert [r["index"] for r in theirs["results"]] == [r["index"] for r in ours["results"]]
    assert [p["logit"] for p in theirs["pairs"]] == pytest.approx([p["logit"] for p in ours["pairs"]], abs=1e-4)
    assert len(theirs["warnings"]) == len(ours["warnings"]) == 1 and "changes nothing" in theirs["warnings"][0]
