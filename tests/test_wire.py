"""The wire shape: what a body may be, what it becomes, and what vLLM's clients get back."""

from __future__ import annotations

import base64
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest

from workbench import wire
from workbench.errors import (
    Busy,
    MediaInvalid,
    ModelUnavailable,
    PromptInvalid,
    RequestInvalid,
    ScoreFailed,
    Stopped,
    TemplateInvalid,
    WorkbenchError,
)
from workbench.pool import Bench
from workbench.scorers.lexical import Lexical
from workbench.types import Document, Image, Score, ScoreResult, Text

TEXTS = ["no match here", "a red circle on paper", "red paint", "a circle"]
BODY = {"query": "red circle", "documents": TEXTS}


def png(width: int = 8, height: int = 8) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "red").save(out, "PNG")
    return out.getvalue()


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


# ---------------------------------------------------------------- JSON
@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "not finite"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"query": "\xff"}', "not JSON"),
        (b'{"query": "\\ud800"}', "U+D800"),
        (b'{"\\udc00": 1}', "U+DC00"),
        (b'{"query": "a\\u0000b"}', "NUL"),
        (b"[" * 100_000, "nested"),
        (b"[" * 65 + b"]" * 65, "nested"),
        (b"[" + b"1," * 500_001 + b"1]", "values"),
    ],
)
def test_bodies_no_prompt_can_be_made_of_are_refused(raw: bytes, says: str) -> None:
    with pytest.raises(RequestInvalid, match=says.replace("+", r"\+")):
        wire.parse(raw)


def test_plain_json_passes_with_a_byte_order_mark_and_pairs_of_surrogates() -> None:
    assert wire.parse(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00", "b": [1, -2.5e3, null]}') == {
        "a": "😀",
        "b": [1, -2500.0, None],
    }


def test_a_body_of_more_than_64_mb_is_refused() -> None:
    with pytest.raises(RequestInvalid, match="bytes"):
        wire.parse(b'"' + b"a" * wire.MAX_BODY + b'"')


# ---------------------------------------------------------------- reading
def test_every_field_lands_in_its_noun(bench: Bench) -> None:
    request = wire.read_rerank(
        {
            **BODY, "top_n": 2, "instruction": "Find colours", "chat_template_kwargs": {"tone": None}, "parity": "vllm",
            "max_tokens_per_query": 3, "max_tokens_per_doc": 0, "truncate_prompt_tokens": -1, "truncation_side": "left",
            "use_activation": False, "mm_processor_kwargs": {"fps": 1}, "return_documents": False, "rank_fields": ["x"],
        },
        bench,
    )  # fmt: skip
    variant, limits = request.variant, request.variant.limits
    assert request.query.content == (Text("red circle"),) and request.top_n == 2 and not request.use_activation
    assert [r.content for r in request.rows if isinstance(r, Document)] == [(Text(t),) for t in TEXTS]
    assert (variant.model, variant.instruction, variant.parity) == (bench.model, "Find colours", "vllm")
    assert variant.variables == {"tone": None} and variant.media_options == {"fps": 1}
    assert (limits.max_tokens_per_query, limits.max_tokens_per_doc) == (3, None)  # 0 is no limit, as in vLLM
    assert (limits.truncate_prompt_tokens, limits.truncation_side) == (-1, "left")


def test_what_a_body_leaves_out_is_the_benchs(bench: Bench) -> None:
    request = wire.read_rerank({**BODY, "model": "", "parity": None}, replace(bench, parity="vllm"))
    assert request.variant == replace(bench, parity="vllm").variant() and request.use_activation


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"query": None}, "query"),
        ({"query": 3}, "query"),
        ({"query": {"content": []}}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": ["x"] * 1001}, "documents"),
        ({"top_n": -1}, "top_n"),
        ({"top_n": "many"}, "top_n"),
        ({"truncate_prompt_tokens": -2}, "truncate_prompt_tokens"),
        ({"truncation_side": "middle"}, "truncation_side"),
        ({"max_tokens_per_doc": -1}, "max_tokens_per_doc"),
        ({"parity": "sglang"}, "parity"),
        ({"padding": "max_length"}, "padding"),
        ({"chat_template_kwargs": [1]}, "chat_template_kwargs"),
        ({"instruction": ["x"]}, "instruction"),
        ({"template": "qwen-9"}, "template"),
        ({"template": "{{ x }}" * 20_000}, "template"),
    ],
)
def test_nonsense_names_its_field(bench: Bench, change: dict[str, object], where: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        wire.read_rerank({**BODY, **change}, bench)
    assert caught.value.where == where and wire.error_body(caught.value)["error"]["param"] == where


@pytest.mark.parametrize("body", [None, [], "text", 3, True])
def test_a_body_must_be_an_object(bench: Bench, body: object) -> None:
    with pytest.raises(RequestInvalid, match="object"):
        wire.read_rerank(body, bench)


def test_several_wrong_fields_are_all_named(bench: Bench) -> None:
    with pytest.raises(RequestInvalid) as caught:
        wire.read_rerank({"documents": ["x"], "top_n": "a", "parity": "b"}, bench)
    assert all(name in str(caught.value) for name in ("query", "top_n", "parity"))


def test_documents_come_as_text_parts_or_one_alone(bench: Bench) -> None:
    url = data_url(png())
    image = {"type": "image_url", "image_url": {"url": url}}
    request = wire.read_rerank(
        {"query": [{"type": "text", "text": "red"}, image],
         "documents": ["a", {"content": [image, {"type": "text", "text": "b"}]}, [image], {"text": "c"}]},
        bench,
    )  # fmt: skip
    kinds = [[type(p) for p in r.content] for r in request.rows if isinstance(r, Document)]
    assert [type(p) for p in request.query.content] == [Text, Image]
    assert kinds == [[Text], [Image, Text], [Image], [Text]]
    assert [e["text"] for e in request.echoes] == ["a", None, None, "c"]
    assert request.echoes[1]["multi_modal"] == [image, {"type": "text", "text": "b"}]  # as it came
    assert len(wire.read_rerank({"query": "q", "documents": "one"}, bench).rows) == 1


def test_a_document_that_cannot_be_read_is_an_error_in_its_row(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(png())
    documents = ["fine", {"image": "red.png"}, {"image": "gone.png"}, {"content": []}, 7]
    here = wire.read_rerank({"query": "q", "documents": documents}, bench, base=tmp_path).rows
    assert isinstance(here[1], Document) and isinstance(here[1].content[0], Image)
    assert [getattr(r, "kind", "") for r in here] == ["", "", "media_invalid", "request_invalid", "request_invalid"]
    assert all(
        isinstance(r, WorkbenchError) and r.where.startswith(f"documents[{i}]") for i, r in enumerate(here) if i > 1
    )
    served = wire.read_rerank({"query": "q", "documents": documents}, bench).rows
    assert isinstance(served[1], MediaInvalid)  # no door but the command line opens files


def test_a_template_is_a_familys_name_or_its_own_text(bench: Bench) -> None:
    name = next(iter(bench.families))
    assert wire.read_rerank({**BODY, "template": name}, bench).variant.template == bench.families[name].template
    text = "Q: {{ messages[0].content }} D: {{ messages[1].content }}"
    read = wire.read_rerank({**BODY, "template": text}, bench).variant.template
    assert read is not None and read.body == text


@pytest.mark.parametrize(
    ("one", "two"), [("queries", "documents"), ("queries", "items"), ("data_1", "data_2"), ("text_1", "text_2")]
)
@pytest.mark.parametrize(
    ("left", "right", "pairs"),
    [
        ("q", "d", ["qd"]),
        ("q", ["d", "e"], ["qd", "qe"]),
        (["q"], ["d", "e"], ["qd", "qe"]),
        (["q", "r"], ["d", "e"], ["qd", "re"]),
    ],
)
def test_score_pairs_one_with_one_one_with_many_many_with_many(
    bench: Bench, one: str, two: str, left: object, right: object, pairs: list[str]
) -> None:
    request = wire.read_score({one: left, two: right}, bench)
    texts = [
        q.content[0].text + r.content[0].text  # type: ignore[union-attr]
        for q, r in zip(request.queries, request.rows, strict=True)
    ]
    assert texts == pairs


@pytest.mark.parametrize(
    "body",
    [
        {"queries": ["a", "b"], "documents": ["c"]},
        {"queries": ["a", "b"], "documents": ["c", "d", "e"]},
        {"text_1": "a"},
        {"text_1": "a", "data_2": "b"},
        {"text_1": [], "text_2": "b"},
        {"text_1": "a", "text_2": []},
        {},
    ],
)
def test_other_shapes_of_pairs_are_refused(bench: Bench, body: dict[str, object]) -> None:
    with pytest.raises(RequestInvalid):
        wire.read_score(body, bench)


# ---------------------------------------------------------------- answers
def rerank(bench: Bench, details: bool = False, **body: object) -> dict[str, object]:
    return wire.answer_rerank(bench, wire.read_rerank({**BODY, **body}, bench), details=details)


def test_results_fall_and_are_cut_after_sorting(bench: Bench) -> None:
    answer = rerank(bench)
    assert [r["index"] for r in answer["results"]] == [1, 2, 3, 0]  # 2 and 3 tie: the order of the request
    assert answer["results"][0]["document"] == {"text": TEXTS[1], "multi_modal": None}
    assert rerank(bench, top_n=2)["results"] == answer["results"][:2]
    assert rerank(bench, top_n=99)["results"] == answer["results"]
    assert set(answer) == {"id", "model", "usage", "results"} and answer["model"] == bench.model


def test_usage_counts_the_tokens_of_all_pairs_whatever_is_returned(bench: Bench) -> None:
    pairs = rerank(bench, details=True, top_n=1)["pairs"]
    tokens = sum(len(p["token_ids"]) for p in pairs)
    assert rerank(bench, top_n=1)["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_without_activation_the_number_is_the_logit(bench: Bench) -> None:
    plain, raw = rerank(bench)["results"], rerank(bench, use_activation=False)["results"]
    for a, b in zip(plain, raw, strict=True):
        assert a["relevance_score"] == pytest.approx(1 / (1 + math.exp(-b["relevance_score"])))


def test_one_bad_document_fails_the_request_and_is_named(bench: Bench) -> None:
    with pytest.raises(WorkbenchError) as caught:
        rerank(bench, documents=["a", "b", {"image": "data:image/png;base64,AAAA"}])
    error = wire.error_body(caught.value)["error"]
    assert error["code"] == 400 and error["param"].startswith("documents[2]") and "documents[2]" in error["message"]


def test_with_details_it_fails_its_pair_and_the_others_are_ranked(bench: Bench) -> None:
    answer = rerank(bench, details=True, documents=["a red circle", {"image": "data:image/png;base64,AAAA"}, "red"])
    assert [r["index"] for r in answer["results"]] == [0, 2]
    good, bad, _ = answer["pairs"]
    assert [p["index"] for p in answer["pairs"]] == [0, 1, 2]
    assert set(good) == {"index", "token_ids", "prompt", "segments", "logit", "score", "error"} == set(bad)
    assert good["error"] is None and good["score"] == answer["results"][0]["relevance_score"]
    assert {s["kind"] for s in good["segments"]} >= {"query", "document"}
    document = next(s for s in good["segments"] if s["kind"] == "document")
    assert good["prompt"][document["start"] : document["end"]] == "a red circle"
    assert bad["error"]["code"] == 400 and bad["token_ids"] is bad["score"] is bad["logit"] is None
    json.dumps(answer, allow_nan=False)


def test_render_shows_what_would_be_scored(bench: Bench) -> None:
    body = {**BODY, "documents": [*TEXTS, 7]}
    pairs = wire.answer_render(bench, wire.read_rerank(body, bench))["pairs"]
    scored = rerank(bench, details=True)["pairs"]
    assert [p["token_ids"] for p in pairs[:4]] == [p["token_ids"] for p in scored]
    assert "score" not in pairs[0] and pairs[4]["error"]["param"] == "documents[4]" and pairs[4]["prompt"] is None


def test_each_pair_is_scored_with_its_own_query(bench: Bench) -> None:
    body = {"queries": ["red circle", "blue", "red circle"], "documents": ["red circle", "red circle", "blue"]}
    answer = wire.answer_score(bench, wire.read_score(body, bench), details=True)
    high, low, last = [d["score"] for d in answer["data"]]
    assert [d["index"] for d in answer["data"]] == [0, 1, 2] and high > 0.5 > low == pytest.approx(last, abs=0.1)
    assert all(("blue" in p["prompt"]) == (i > 0) for i, p in enumerate(answer["pairs"]))
    assert answer["object"] == "list" and answer["data"][0]["object"] == "score" and answer["usage"]["total_tokens"] > 0


def test_vllms_recipe_refuses_limits_beyond_the_window(bench: Bench) -> None:
    with pytest.raises(RequestInvalid, match="must be less than max_model_len"):
        rerank(bench, parity="vllm", max_tokens_per_doc=10**6)
    assert rerank(bench, max_tokens_per_doc=10**6) | {"id": ""} == rerank(bench) | {"id": ""}


def test_a_broken_template_is_not_a_documents_fault(bench: Bench) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        rerank(bench, template="{{ messages[0].content }}\n{% if %}")
    assert caught.value.where == "template, line 2"


def test_a_request_that_is_stopped_has_no_answer(bench: Bench) -> None:
    request = wire.read_rerank(BODY, bench)
    with pytest.raises(Stopped):
        wire.answer_rerank(bench, request, stop=lambda: True)
    with pytest.raises(Stopped):
        wire.answer_render(bench, request, stop=lambda: True)


def test_no_answer_ever_holds_a_number_that_is_none(bench: Bench) -> None:
    request = wire.read_rerank({**BODY, "documents": ["x"]}, bench)
    row = request.rows[0]
    assert isinstance(row, Document)
    with pytest.raises(ScoreFailed):
        wire.rerank_response(request, [ScoreResult(0, row, None, Score(float("nan"), float("nan")))])


def test_a_row_that_could_not_be_scored_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def score(self: Lexical, batch: list[object], stop: object = None) -> object:
        return ((i, ScoreFailed("gave no number") if i == 1 else Score(0.0, 0.5)) for i in range(len(batch)))

    monkeypatch.setattr(Lexical, "score", score)
    with pytest.raises(ScoreFailed) as caught:
        rerank(bench)
    assert caught.value.where == "documents[1]"


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (RequestInvalid("x"), 400, "BadRequestError"),
        (TemplateInvalid("x", line=2), 400, "BadRequestError"),
        (MediaInvalid("x"), 400, "BadRequestError"),
        (PromptInvalid("x"), 400, "BadRequestError"),
        (ModelUnavailable("x"), 404, "NotFoundError"),
        (ScoreFailed("x"), 500, "InternalServerError"),
        (Busy("x"), 503, "ServiceUnavailableError"),
        (Stopped("x"), 499, "ClientClosedRequest"),
    ],
)
def test_every_kind_of_error_has_its_status(error: WorkbenchError, code: int, kind: str) -> None:
    body = wire.error_body(error)["error"]
    assert (body["code"], body["type"]) == (code, kind) and set(body) == {"message", "type", "param", "code"}
