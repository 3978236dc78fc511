"""The workbench beside a real vLLM: rankings, ids, usage, shapes and refusals of live requests are the same."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

import pytest

from workbench import wire
from workbench.errors import WorkbenchError
from workbench.pool import Bench
from workbench.scorers.vllm import Remote
from workbench.types import Encoding

TEXTS = ["bees see ultraviolet", "taxes are due in April", "", "é😀e\u0301 ﬁ 漢字", "<|im_end|>\n<think>x", "word " * 60]
BODY: dict[str, Any] = {"query": "how do bees find flowers 🐝?", "documents": TEXTS}
OTHER = "{{- 'Q: ' ~ messages[0].content ~ '\\nD: ' ~ messages[1].content ~ '\\n' ~ (instruction or 'none') ~ ' yes?\\n' -}}"
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "instruction": {"instruction": "Find what pollinators see 🌼"},
    "blank instruction": {"instruction": ""},
    "white instruction": {"instruction": " \n "},
    "null instruction": {"instruction": None},
    "blank in kwargs": {"instruction": "lost", "chat_template_kwargs": {"instruction": ""}},
    "empty kwargs": {"instruction": "kept", "chat_template_kwargs": {}},
    "control tokens in kwargs": {"chat_template_kwargs": {"instruction": "<|im_end|>\n<|im_start|>e\u0301😀"}},
    "kwargs win": {"instruction": "lost", "chat_template_kwargs": {"instruction": "kept"}},
    "a null wins too": {"instruction": "lost", "chat_template_kwargs": {"instruction": None}},
    "unused kwargs": {"chat_template_kwargs": {"unread": [1, {"a": None}]}},
    "document cut": {"max_tokens_per_doc": 3},
    "query cut to one": {"max_tokens_per_query": 1},
    "prompt cut": {"truncate_prompt_tokens": 40},
    "prompt cut to one": {"truncate_prompt_tokens": 1},
    "prompt cut left": {"truncate_prompt_tokens": 40, "truncation_side": "left"},
    "cut at the window": {"truncate_prompt_tokens": -1},
    "logits": {"use_activation": False},
    "the best two": {"top_n": 2},
}


@pytest.mark.parametrize("fields", CASES.values(), ids=CASES)
def test_rerank_is_the_servers(ask: Any, here: Bench, fields: dict[str, Any]) -> None:
    theirs = ask("/rerank", {**BODY, **fields})
    assert theirs.status_code == 200, theirs.text
    ours, answer = wire.answer_rerank(here, wire.read_rerank({**BODY, **fields}, here)), theirs.json()
    assert ours["usage"] == answer["usage"]
    assert set(ours) == set(answer)
    if fields.get("truncate_prompt_tokens") != 1:  # there all prompts are one token, and rounding orders them
        assert [r["index"] for r in ours["results"]] == [r["index"] for r in answer["results"]]
    found = [{r["index"]: (r["document"], r["relevance_score"]) for r in a["results"]} for a in (ours, answer)]
    assert set(found[0]) == set(found[1])
    for index, (document, score) in found[0].items():
        assert document == found[1][index][0] and score == pytest.approx(found[1][index][1], abs=1e-4)


@pytest.mark.parametrize(
    "body",
    [
        {"queries": "a bee", "documents": "a flower"},
        {"text_1": "a bee", "text_2": ["a flower", "tax"]},
        {"data_1": ["a bee", "a form"], "data_2": ["a flower", "tax"]},
        {"queries": "a bee", "items": ["x"], "use_activation": False},
    ],
)
def test_score_is_the_servers(ask: Any, here: Bench, body: dict[str, Any]) -> None:
    theirs, ours = ask("/score", body).json(), wire.answer_score(here, wire.read_score(body, here))
    assert [d["score"] for d in ours["data"]] == pytest.approx([d["score"] for d in theirs["data"]], abs=1e-4)
    assert ours["usage"] == theirs["usage"] and set(ours) == set(theirs) and set(ours["data"][0]) == set(theirs["data"][0])


def test_ids_are_those_the_server_shows(ask: Any, here: Bench) -> None:
    request = wire.read_rerank({**BODY, "instruction": "Find bees"}, here)
    for text, pair in zip(TEXTS, here.preview(request.variant, request.query, request.rows), strict=True):
        assert isinstance(pair, Encoding)
        messages = [{"role": "query", "content": BODY["query"]}, {"role": "document", "content": text}]
        body = {"messages": messages, "add_special_tokens": True, "add_generation_prompt": False,
                "chat_template_kwargs": {"instruction": "Find bees"}}  # fmt: skip
        shown = ask("/tokenize", body).json()["tokens"]
        assert list(pair.token_ids) == shown
        assert wire.answer_tokenize(here, wire.read_tokenize(body, here))["tokens"] == shown
        assert ask("/detokenize", {"tokens": shown}).json() == wire.answer_detokenize(
            here, wire.read_detokenize({"tokens": shown}, here)
        )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/classify", {"input": [[5, 6, 7], [8]]}),
        ("/classify", {"input": ["a text", "another 😀"], "use_activation": False}),
        ("/classify", {"input": list(range(50)), "truncate_prompt_tokens": 7}),
        ("/classify", {"input": list(range(50)), "truncate_prompt_tokens": 7, "truncation_side": "left"}),
        ("/pooling", {"input": [[5, 6, 7], [8]], "task": "classify"}),
        ("/pooling", {"input": "a text", "encoding_format": "base64"}),
        ("/tokenize", {"prompt": "<|im_start|>a text 😀", "return_token_strs": True}),
    ],
)
def test_the_other_routes_answer_in_the_same_shape(ask: Any, here: Bench, path: str, body: dict[str, Any]) -> None:
    name = path.removeprefix("/")
    ours = getattr(wire, f"answer_{name}")(here, getattr(wire, f"read_{name}")(body, here))
    theirs = ask(path, body).json()
    assert set(ours) == set(theirs)
    if path == "/tokenize":
        assert ours | {"max_model_len": 0} == theirs | {"max_model_len": 0}
        return
    assert ours["usage"] == theirs["usage"] and ours["object"] == theirs["object"]
    for a, b in zip(ours["data"], theirs["data"], strict=True):
        number = "probs" if path == "/classify" else "data"
        assert a | {number: 0} == b | {number: 0}
        if isinstance(b[number], list):
            assert a[number] == pytest.approx(b[number], abs=1e-4)
        else:
            assert len(a[number]) == len(b[number])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/rerank", {**BODY, "top_n": -1}),
        ("/rerank", {**BODY, "documents": []}),
        ("/rerank", {**BODY, "documents": ["word " * 9000]}),
        ("/rerank", {**BODY, "max_tokens_per_doc": -1}),
        ("/rerank", {**BODY, "truncation_side": "up"}),
        ("/rerank", {**BODY, "chat_template_kwargs": {"chat_template": "x"}}),
        ("/rerank", {"query": "q"}),
        ("/score", {"text_1": ["a", "b"], "text_2": ["c"]}),
        ("/score", {"text_1": "a"}),
        ("/classify", {"input": []}),
        ("/classify", {"input": [10**9]}),
        ("/classify", {"input": "x", "normalize": True}),
        ("/pooling", {"input": "x", "task": "embed"}),
        ("/pooling", {"input": "x", "dimensions": 4}),
        ("/detokenize", {"tokens": "x"}),
    ],
)
def test_what_the_server_refuses_is_refused_here(ask: Any, here: Bench, path: str, body: dict[str, Any]) -> None:
    assert ask(path, body).status_code == 400
    name = path.removeprefix("/")
    with pytest.raises(WorkbenchError) as caught:
        getattr(wire, f"answer_{name}")(here, getattr(wire, f"read_{name}")(body, here))
    assert wire.error_body(caught.value)["error"]["code"] == 400


# ---------------------------------------------------------------- the server as a model
def test_the_probe_finds_all_of_it(there: Bench) -> None:
    scorer = there.pool.get(there.model)
    assert isinstance(scorer, Remote)
    found = scorer.probe
    assert found.version.startswith("0.32") and found.model == "tiny" and found.window == 8192 and found.faults == ()
    assert found.template and found.instruction and found.classifies and found.activation == "sigmoid"


@pytest.mark.parametrize("template", [None, OTHER], ids=["the server's own", "another through /classify"])
@pytest.mark.parametrize(
    "fields",
    [
        {}, {"instruction": "Find bees"}, {"max_tokens_per_doc": 3}, {"truncate_prompt_tokens": 40},
        {"instruction": "lost", "chat_template_kwargs": {"instruction": None}}, {"chat_template_kwargs": {"instruction": ""}},
    ],
    ids=str,
)  # fmt: skip
def test_any_template_scores_there_as_here(here: Bench, there: Bench, template: str | None, fields: dict[str, Any]) -> None:
    body = {**BODY, **fields} | ({"template": template} if template else {})
    answers = [wire.answer_rerank(b, wire.read_rerank(body, b), details=True) for b in (here, there)]
    ours, theirs = answers
    assert [p["error"] for p in theirs["pairs"]] == [None] * len(TEXTS) and theirs["usage"] == ours["usage"]
    assert [p["token_ids"] for p in theirs["pairs"]] == [p["token_ids"] for p in ours["pairs"]]
    shown = [normalize("NFC", p["prompt"]) for p in ours["pairs"]]  # as the tokenizer sees it, and so a server's text
    assert [normalize("NFC", p["prompt"]) for p in theirs["pairs"]] == shown
    assert [p["logit"] for p in theirs["pairs"]] == pytest.approx([p["logit"] for p in ours["pairs"]], abs=1e-4)
    assert [p["score"] for p in theirs["pairs"]] == pytest.approx([p["score"] for p in ours["pairs"]], abs=1e-4)
    assert [r["index"] for r in theirs["results"]] == [r["index"] for r in ours["results"]]


def test_ids_made_by_the_reference_are_scored_there_as_here(here: Bench, there: Bench) -> None:
    """Control tokens of a text are neutralised on the way to the server, which scores the ids it is sent."""
    body = {**BODY, "template": OTHER, "parity": "reference"}
    ours, theirs = (wire.answer_rerank(b, wire.read_rerank(body, b), details=True) for b in (here, there))
    plain = wire.answer_rerank(there, wire.read_rerank({**body, "parity": "vllm"}, there), details=True)
    assert [p["token_ids"] for p in theirs["pairs"]] == [p["token_ids"] for p in ours["pairs"]]
    assert [p["logit"] for p in theirs["pairs"]] == pytest.approx([p["logit"] for p in ours["pairs"]], abs=1e-4)
    differing = [a["token_ids"] != b["token_ids"] for a, b in zip(theirs["pairs"], plain["pairs"], strict=True)]
    assert differing == ["<|" in text for text in TEXTS]


def test_the_preview_tells_what_this_server_does(there: Bench) -> None:
    scorer = there.pool.get(there.model)
    assert isinstance(scorer, Remote)
    for template, count in ((None, 1), (OTHER, 3)):
        request = wire.read_rerank({**BODY, **({"template": template} if template else {})}, there)
        [shown] = there.preview(request.variant, request.query, request.rows[:1])
        assert isinstance(shown, Encoding)
        found, said = scorer.explain(shown)
        assert len(said) == count and found.prompt.segments is not None
        kinds = {s.kind: found.prompt.text[s.start : s.end] for s in found.prompt.segments}
        assert kinds["query"] == BODY["query"] and kinds["document"] == TEXTS[0]
        if template:
            assert said[1] == "The server's /tokenize gives the same ids." and "parts from these ids at token_ids[0]" in said[2]
        else:
            assert kinds["instruction"].startswith("Given a web search query")


def test_a_row_the_server_refuses_is_an_error_and_the_others_have_scores(there: Bench) -> None:
    request = wire.read_rerank({**BODY, "documents": ["bees", "word " * 9000, "tax"]}, there)
    results = {r.index: r for r in there.rank(request.variant, request.query, request.rows)}
    assert results[1].error is not None and results[0].score is not None and results[2].score is not None
