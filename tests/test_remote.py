"""Rerankers behind servers: what the probe finds, what is sent and scored, and what happens when a server misbehaves.

The servers are real: workbenches on loopback, some behind a front that shows the faults other servers have.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.servers import Fault, Front, error, first, served
from tests.test_wire import png
from workbench import api, wire
from workbench.__main__ import main
from workbench.errors import ModelUnavailable, PromptInvalid, ScoreFailed, WorkbenchError
from workbench.export import bundle
from workbench.pool import Bench, Pool
from workbench.scorers import _endpoints
from workbench.scorers.vllm import OWN, Remote
from workbench.template import template_of
from workbench.types import Document, Encoding, Query, ScoreResult, Text, Variant
from workbench.ui.page_view import status_html

QUERY = Query("q", (Text("how do bees find flowers 🐝"),))
TEXTS = ["bees see colours", "taxes are due", "é 😀 <|im_end|> x", "flowers smell " * 9, "x"]
ROWS = [Document(str(i), (Text(t),)) for i, t in enumerate(TEXTS)]
OTHER = "{{- 'Q: ' ~ messages[0].content ~ '\\nD: ' ~ messages[1].content ~ ' ' ~ (instruction or 'none') ~ '\\nyes?\\n' -}}"


@pytest.fixture(scope="module")
def local(bench: Bench, tiny_qwen3: Path) -> Bench:
    return replace(bench, model=str(tiny_qwen3), parity="vllm")


@pytest.fixture(scope="module")
def url(local: Bench) -> Iterator[str]:
    with served(api.build(local)) as url:
        yield url


Connect = Callable[..., Bench]


@pytest.fixture(scope="module")
def connect(bench: Bench) -> Connect:
    def opened(*urls: str, key: str = "") -> Bench:
        pool = Pool(bench.families, bench.library, endpoints=urls, endpoint_key=key)
        return replace(bench, pool=pool, model=urls[0])

    return opened


@pytest.fixture(scope="module")
def remote(connect: Connect, url: str) -> Bench:
    """A server whose model lies on this disk too, so that its tokenizer is at hand."""
    return connect(url)


@pytest.fixture(scope="module")
def far(local: Bench, connect: Connect) -> Iterator[Bench]:
    """The same server where nothing here knows its model."""
    with served(Front(api.build(local), elsewhere(local))) as url:
        yield connect(url)


def elsewhere(bench: Bench) -> Fault:
    card = {"id": bench.model, "root": "nobody/has-this"}
    return lambda path, _: JSONResponse({"data": [card]}) if path == "/v1/models" else None


def scorer_of(bench: Bench) -> Remote:
    scorer = bench.pool.get(bench.model)
    assert isinstance(scorer, Remote)
    return scorer


def numbers(bench: Bench, variant: Variant, rows: Sequence[Document] = ROWS) -> dict[int, float]:
    found = {r.index: r for r in bench.rank(variant, QUERY, rows)}
    assert sorted(found) == list(range(len(rows)))
    return {i: r.score.logit for i, r in found.items() if r.score is not None or pytest.fail(str(r.error))}  # type: ignore[union-attr]


def errors(results: Sequence[ScoreResult]) -> dict[int, WorkbenchError]:
    return {r.index: r.error for r in results if r.error is not None}


# ---------------------------------------------------------------- what the probe finds
def test_a_probe_tells_what_a_server_is(remote: Bench, tiny_qwen3: Path) -> None:
    found = scorer_of(remote).probe
    assert (found.version, found.model, found.window) == (api.VERSION, str(tiny_qwen3), 8192)
    assert found.template and found.instruction and found.tokenizes and found.classifies
    assert found.activation == "sigmoid" and found.faults == ()
    facts = scorer_of(remote).facts()
    assert facts.device == "remote" and api.VERSION in facts.dtype and facts.note == ""


def test_a_server_that_drops_the_instruction_is_told_apart_from_a_template_without_one(
    local: Bench, connect: Connect
) -> None:
    with served(Front(api.build(local), drops=("instruction",))) as url:
        bench = connect(url)
        assert "below 0.22: upgrade it" in scorer_of(bench).facts().note
        [shown] = bench.preview(bench.variant(instruction="Find bees"), QUERY, ROWS[:1])
        assert isinstance(shown, Encoding) and shown.prompt.unused == ("instruction",)
    deaf = template_of("{{- messages[0].content ~ messages[1].content -}}")
    with served(api.build(replace(local, given_template=deaf))) as url:
        note = scorer_of(connect(url)).facts().note
        assert "does not read `instruction`" in note and "--chat-template" in note


def test_a_server_whose_template_is_not_what_it_shows_has_none_loaded(local: Bench, connect: Connect) -> None:
    def chatting(path: str, body: dict[str, object]) -> Response | None:  # its /tokenize renders some chat template
        shown = {"count": 2, "max_model_len": 8192, "tokens": [1, 2]}
        return JSONResponse(shown) if path == "/tokenize" and "messages" in body else None

    with served(Front(api.build(local), chatting)) as url:
        bench = connect(url)
        assert "no score template loaded: start it with --chat-template" in scorer_of(bench).facts().note
        [shown] = bench.preview(bench.variant(), QUERY, ROWS[:1])
        assert isinstance(shown, Encoding) and shown.token_ids == ()  # unknown, so nothing is shown
        assert numbers(bench, bench.variant())[0] == pytest.approx(numbers(local, local.variant())[0], abs=1e-5)


def test_what_is_no_reranker_is_refused_with_the_way_out(local: Bench, connect: Connect) -> None:
    with served(Front(api.build(local), lambda path, _: error(404) if "rerank" in path else None)) as url:
        with pytest.raises(ModelUnavailable, match="serves no reranker") as caught:
            scorer_of(connect(url))
        assert "vllm serve" in caught.value.hint
        with pytest.raises(ModelUnavailable, match="does not serve 'gone'"):
            scorer_of(connect(f"{url}#gone"))


# ---------------------------------------------------------------- the server's own template, and any other
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"instruction": "Find pollinators 🌼"},
        {"instruction": "lost", "variables": {"instruction": "kept"}},
        {"variables": {"instruction": None, "unread": 3}},
        {"max_tokens_per_doc": 3, "max_tokens_per_query": 2},
        {"truncate_prompt_tokens": 20},
        {"truncate_prompt_tokens": 20, "truncation_side": "left"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("own", "tokenizer"), [(True, "remote"), (False, "remote"), (False, "far")])
def test_a_server_scores_what_is_scored_here(
    local: Bench, request: pytest.FixtureRequest, own: bool, tokenizer: str, fields: dict[str, object]
) -> None:
    remote: Bench = request.getfixturevalue(tokenizer)
    body = {"query": TEXTS[0], "documents": TEXTS, "parity": "vllm", "chat_template_kwargs": fields.get("variables")}
    body |= {k: v for k, v in fields.items() if k != "variables"} | ({} if own else {"template": OTHER})
    here, there = (wire.read_rerank(body, b) for b in (local, remote))
    for a, b in zip(
        local.preview(here.variant, here.query, here.rows), remote.preview(there.variant, there.query, there.rows), strict=True
    ):
        assert isinstance(a, Encoding) and isinstance(b, Encoding), (a, b)
        assert b.token_ids == a.token_ids and b.prompt.text == a.prompt.text and b.spans == a.spans and b.cut == a.cut
    a, b = (wire.answer_rerank(w, r, details=True) for w, r in ((local, here), (remote, there)))
    assert b["usage"] == a["usage"] and [r["index"] for r in b["results"]] == [r["index"] for r in a["results"]]
    assert [p["logit"] for p in b["pairs"]] == pytest.approx([p["logit"] for p in a["pairs"]], abs=1e-5)
    assert [p["score"] for p in b["pairs"]] == pytest.approx([p["score"] for p in a["pairs"]], abs=1e-5)
    assert scorer_of(remote).facts().note == ""


def test_scores_say_which_route_they_came_through(remote: Bench) -> None:
    for template, route in ((None, "/rerank"), (template_of(OTHER), "/classify")):
        for result in remote.rank(remote.variant(template=template), QUERY, ROWS):
            assert result.score is not None and result.score.detail == {"through": route}


def test_order_and_company_change_no_score(remote: Bench) -> None:
    rows = [*ROWS] * 9  # more than one request
    together = numbers(remote, remote.variant(), rows)
    backwards = numbers(remote, remote.variant(), rows[::-1])
    assert [together[i] for i in range(45)] == pytest.approx([backwards[44 - i] for i in range(45)], abs=1e-5)
    assert list(scorer_of(remote).score([])) == []


def test_tokens_are_shown_with_their_characters(local: Bench, far: Bench) -> None:
    [shown] = far.preview(far.variant(), QUERY, [ROWS[2]])
    assert isinstance(shown, Encoding)
    here, there = local.pool.get(local.model), scorer_of(far)
    assert [there.token(i) for i in shown.token_ids] == [here.token(i) for i in shown.token_ids]


def test_pictures_go_to_the_servers_own_template_only(bench: Bench, connect: Connect, tiny_qwen3_vl: Path) -> None:
    seeing = replace(bench, model=str(tiny_qwen3_vl), parity="vllm")
    picture = bench.library.add(png(96, 64), "red.png")
    rows = [Document("p", (picture, Text("red"))), Document("t", (Text("red"),))]
    with served(api.build(seeing)) as url:
        there = connect(url)
        [a, _], [b, _] = (w.preview(w.variant(), QUERY, rows) for w in (seeing, there))
        assert isinstance(a, Encoding) and isinstance(b, Encoding) and a.token_ids == b.token_ids
        assert numbers(there, there.variant(), rows) == pytest.approx(numbers(seeing, seeing.variant(), rows), abs=1e-5)
        shown = there.preview(there.variant(template=template_of(OTHER)), QUERY, rows)
        assert isinstance(shown[0], PromptInvalid) and "own template" in shown[0].hint  # before any score
        assert isinstance(shown[1], Encoding)


def test_one_workbench_is_the_remote_of_another(remote: Bench, local: Bench, connect: Connect) -> None:
    body = {"query": "q", "documents": TEXTS, "instruction": "Find bees"}
    with served(api.build(remote)) as url:  # a server in front of a server
        chained = connect(url)
        assert scorer_of(chained).facts().note == ""
        for fields in ({"instruction": "Find bees"}, {"template": template_of(OTHER)}):
            expected = numbers(local, local.variant(**fields))
            assert numbers(chained, chained.variant(**fields)) == pytest.approx(expected, abs=1e-5)
    request = wire.read_classify({"input": [[5, 6, 7], [8]]}, remote)
    a = wire.answer_classify(remote, request)
    b = wire.answer_classify(local, wire.read_classify({"input": [[5, 6, 7], [8]]}, local))
    assert [d["probs"] for d in a["data"]] == [[pytest.approx(d["probs"][0], abs=1e-5)] for d in b["data"]]
    assert wire.answer_rerank(remote, wire.read_rerank(body, remote))["model"] == remote.model


def test_the_command_line_takes_servers(url: str, local: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"query": "q", "documents": TEXTS, "template": OTHER}), encoding="utf-8")
    request = wire.read_rerank({"query": "q", "documents": TEXTS, "template": OTHER, "parity": "reference"}, local)
    expected = [r["index"] for r in wire.answer_rerank(local, request)["results"]]
    for flags in (["--model", url], ["--endpoint", url, url.replace("http://", "http://:k@")]):
        out = tmp_path / "out.jsonl"
        assert main(["rerank", *flags, "--in", str(tmp_path / "in.jsonl"), "--out", str(out)]) == 0
        answer = json.loads(out.read_text(encoding="utf-8"))
        assert [r["index"] for r in answer["results"]] == expected and answer["model"] == url
    for flags, says in (
        (["--endpoint", url, "--model", "x"], "--endpoint"),
        (["--endpoint-key", "k"], "Give --endpoint URL"),
        (["--endpoint", "nonsense"], "http://HOST:PORT"),
        (["--endpoint", "http://:a@h", "http://:b@h"], "same --endpoint-key"),
        (["--model", "http://127.0.0.1:9"], "cannot be reached"),
    ):
        assert main(["rerank", *flags, "--in", str(tmp_path / "in.jsonl")]) == 2
        assert says in capsys.readouterr().err


# ---------------------------------------------------------------- an endpoint with nothing but /rerank
def test_a_plain_endpoint_ranks_texts_and_says_what_it_cannot(local: Bench, connect: Connect) -> None:
    only = Front(
        api.build(local), lambda path, _: None if path == "/v2/rerank" else error(404), drops=("use_activation", "instruction")
    )
    with served(only) as url:
        bench = connect(f"{url}/v2/rerank#{local.model}")
        facts = scorer_of(bench).facts()
        assert "only /rerank" in facts.note and "whole set" in facts.note
        done = {r.index: r.score for r in bench.rank(bench.variant(), QUERY, ROWS * 5)}
        expected = {r.index: r.score for r in local.rank(local.variant(), QUERY, ROWS * 5)}
        values = [{i: s.value for i, s in found.items() if s} for found in (done, expected)]
        assert values[0] == pytest.approx(values[1], abs=1e-5)
        assert only.count("/v2/rerank") == 3 + 1  # the probe's, then the whole set at once
        [shown] = bench.preview(bench.variant(template=template_of(OTHER)), QUERY, ROWS[:1])
        assert isinstance(shown, PromptInvalid) and "own template only" in shown.message
        picture = Document("p", (bench.library.add(png(), "red.png"),))
        assert isinstance(bench.preview(bench.variant(), QUERY, [picture])[0], PromptInvalid)


def test_a_listwise_reranker_says_so_on_the_page_and_is_asked_for_all_at_once(local: Bench, connect: Connect, url: str) -> None:
    card = {"id": local.model, "root": "jinaai/jina-reranker-v3"}
    front = Front(api.build(local), lambda path, _: JSONResponse({"data": [card]}) if path == "/v1/models" else None)
    with served(front) as listwise:
        bench = connect(listwise)
        assert "A score may depend on the whole set of documents and their order." in status_html(scorer_of(bench))
        before = front.count("/rerank")
        assert len(numbers(bench, bench.variant(), ROWS * 5)) == len(ROWS) * 5 and front.count("/rerank") == before + 1
    assert "whole set" not in status_html(scorer_of(connect(url)))


# ---------------------------------------------------------------- servers that misbehave
def test_one_bad_document_is_one_error_and_the_others_are_ranked(local: Bench, connect: Connect) -> None:
    def picky(path: str, body: dict[str, object]) -> Response | None:
        return error(400, "no taxes") if path == "/rerank" and TEXTS[1] in body["documents"] else None  # type: ignore[operator]

    front = Front(api.build(local), picky)
    with served(front) as url:
        bench = connect(url)
        results = list(bench.rank(bench.variant(), QUERY, ROWS))
        assert list(errors(results)) == [1] and "no taxes" in str(errors(results)[1])
        assert front.count("/rerank") == 3 + 1 + 5  # the probe's, the five together, each alone: none asked twice


def test_a_document_beyond_the_window_fails_before_it_is_sent(remote: Bench) -> None:
    results = list(remote.rank(remote.variant(), QUERY, [ROWS[0], Document("long", (Text("word " * 9000),))]))
    assert list(errors(results)) == [1] and "window" in errors(results)[1].message


def test_what_passes_is_tried_again_and_what_stays_fails_its_rows(local: Bench, connect: Connect) -> None:
    front = Front(api.build(local))
    with served(front) as url:
        bench = connect(url)
        scorer_of(bench)
        front.fault = first("/rerank", error(500), error(503, "busy", **{"retry-after": "1"}))
        before, started = front.count("/rerank"), time.monotonic()
        assert len(numbers(bench, bench.variant())) == 5
        assert front.count("/rerank") - before == 3 and time.monotonic() - started >= 1  # as long as it asked for
        front.fault, before = first("/rerank", *[error(500)] * 3), front.count("/rerank")
        failed = errors(list(bench.rank(bench.variant(), QUERY, ROWS)))
        assert len(failed) == 5 and isinstance(failed[0], ScoreFailed) and front.count("/rerank") - before == 3


@pytest.mark.parametrize(
    ("answer", "says"),
    [(b"<html>", "no JSON"), ({"results": []}, "results where a list of 1"),
     (b'{"results": [{"index": 0, "relevance_score": NaN}]}', "finite")],
    ids=str,
)  # fmt: skip
def test_an_answer_that_is_none_is_never_a_number(local: Bench, connect: Connect, answer: object, says: str) -> None:
    front = Front(api.build(local))
    with served(front) as url:
        bench = connect(url)
        scorer_of(bench)
        front.fault = first("/rerank", Response(answer) if isinstance(answer, bytes) else JSONResponse(answer))
        [result] = bench.rank(bench.variant(), QUERY, ROWS[:1])
        assert result.score is None and isinstance(result.error, ScoreFailed) and says in str(result.error)


def test_a_key_goes_to_its_endpoint_and_never_follows_a_redirect(local: Bench, connect: Connect) -> None:
    elsewhere = Front(api.build(local))
    front = Front(api.build(local, api_key="s3cret"))
    with served(front) as url, served(elsewhere) as other:
        bench = connect(url, key="s3cret")
        assert len(numbers(bench, bench.variant())) == 5
        assert {key for _, key in front.seen} == {"Bearer s3cret"}
        front.fault = lambda path, _: RedirectResponse(f"{other}{path}", 307)
        [result] = bench.rank(bench.variant(), QUERY, ROWS[:1])
        assert isinstance(result.error, ModelUnavailable) and other in str(result.error) and elsewhere.seen == []
        front.fault = None
        with pytest.raises(ModelUnavailable, match="does not let us in") as caught:
            scorer_of(connect(url))
        assert "--endpoint-key" in caught.value.hint
        typed = bench.pool.get(f"http://:s3cret@{url.removeprefix('http://')}")  # a key in the model field
        assert typed.name == url
        with pytest.raises(ModelUnavailable):  # another address never gets the first one's key
            bench.pool.get(f"{url}/")


def test_several_endpoints_share_the_work_within_bounds(local: Bench, connect: Connect) -> None:
    fronts = [Front(api.build(local), seconds=0.05) for _ in range(2)]
    with served(fronts[0]) as one, served(fronts[1]) as two:
        bench = connect(one, two)
        assert len(numbers(bench, bench.variant(template=template_of(OTHER)), ROWS * 40)) == 200
        assert all(f.count("/classify") >= 4 and f.most <= _endpoints.AT_ONCE for f in fronts)
        assert "2 endpoints" in scorer_of(bench).facts().dtype
        fronts[0].fault = lambda path, _: error(500) if path == "/classify" else None
        assert len(numbers(bench, bench.variant(template=template_of(OTHER)), ROWS * 5)) == 25  # the other takes over


def test_stop_ends_early_and_keeps_what_is_done(local: Bench, connect: Connect) -> None:
    front = Front(api.build(local))
    with served(front) as url:
        bench = connect(url)
        encodings = [e for e in bench.preview(bench.variant(), QUERY, ROWS * 20) if isinstance(e, Encoding)]
        assert list(scorer_of(bench).score(encodings, lambda: True)) == []
        front.seconds, started, seen = 1.0, time.monotonic(), []
        for result in scorer_of(bench).score(encodings, lambda: len(seen) >= 3):
            seen.append(result)
        assert 3 <= len(seen) < 100 and time.monotonic() - started < 10


def test_a_server_that_is_not_there_says_so_soon(connect: Connect) -> None:
    started = time.monotonic()
    with pytest.raises(ModelUnavailable, match="cannot be reached") as caught:
        scorer_of(connect("http://127.0.0.1:9"))
    assert time.monotonic() - started < 10 and "vllm serve" in caught.value.hint


def test_the_servers_own_template_is_named_and_never_exported(remote: Bench) -> None:
    with pytest.raises(PromptInvalid, match="does not tell"):
        bundle(remote, remote.variant(), QUERY, ROWS)
    files = bundle(remote, remote.variant(template=template_of(OTHER)), QUERY, ROWS)
    assert b"yes?" in files["template.jinja"] and scorer_of(remote).probe.root.encode() in files["serve.sh"]
    assert remote.template_for(remote.variant()).body == OWN and remote.pool.offered()[0] == remote.model
