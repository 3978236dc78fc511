"""Requests to servers without any model behind them: addresses, tries, bounds, refusals, answers checked field by field."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.servers import Front, error, first, served
from workbench.errors import Busy, ModelUnavailable, RequestInvalid, ScoreFailed, Stopped, WorkbenchError
from workbench.scorers._answers import classified, reranked, token_ids
from workbench.scorers._endpoints import AT_ONCE, Endpoints, Refused, address
from workbench.scorers._names import places, readable


async def echo(request: Request) -> Response:
    return JSONResponse({"got": await request.json() if request.method == "POST" else None, "path": request.url.path})


@pytest.fixture
def front() -> Front:
    return Front(Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])]))


@pytest.fixture
def url(front: Front) -> Iterator[str]:
    with served(front) as url:
        yield url


def endpoints(*urls: str, key: str = "") -> Endpoints:
    return Endpoints([address(u) for u in urls], key)


# ---------------------------------------------------------------- addresses
@pytest.mark.parametrize(
    ("text", "root", "rerank", "name", "key", "model"),
    [
        ("http://host:8000", "http://host:8000", "/rerank", "http://host:8000", "", ""),
        (" http://host:8000/ ", "http://host:8000", "/rerank", "http://host:8000", "", ""),
        ("http://host:8000/v1", "http://host:8000", "/v1/rerank", "http://host:8000/v1", "", ""),
        ("http://host/v1/rerank", "http://host", "/v1/rerank", "http://host/v1", "", ""),
        ("https://api.x.com/v2/rerank#re-3.5", "https://api.x.com", "/v2/rerank", "https://api.x.com/v2#re-3.5", "", "re-3.5"),
        ("https://:s%20k@host/base", "https://host/base", "/rerank", "https://host/base", "s k", ""),
        ("https://key@host", "https://host", "/rerank", "https://host", "key", ""),
        ("http://[::1]:7860", "http://[::1]:7860", "/rerank", "http://[::1]:7860", "", ""),
    ],
)
def test_an_address_is_read_and_shown_without_its_key(
    text: str, root: str, rerank: str, name: str, key: str, model: str
) -> None:
    found = address(text)
    assert (found.root, found.rerank, found.name, found.key, found.model) == (root, rerank, name, key, model)
    assert address(found.name).root == root and address(found.name).rerank == rerank  # what is shown can be typed again


@pytest.mark.parametrize("text", ["ftp://host", "http://", "host:8000", "http://host:port", "http://h?x=1", "http://[::1"])
def test_what_is_no_address_says_how_one_looks(text: str) -> None:
    with pytest.raises(RequestInvalid, match="http://HOST:PORT"):
        address(text)


def test_an_error_shows_no_key() -> None:
    with pytest.raises(RequestInvalid) as caught:
        address("http://:s3cret@host:port")
    assert "s3cret" not in str(caught.value)


# ---------------------------------------------------------------- tries
def test_bodies_go_out_and_objects_come_back(url: str, front: Front) -> None:
    assert endpoints(url).ask("/x") == {"got": None, "path": "/x"}
    assert endpoints(url, key="k").ask("/y", {"a": "é"}) == {"got": {"a": "é"}, "path": "/y"}
    assert front.seen == [("/x", ""), ("/y", "Bearer k")]


def test_a_server_in_trouble_is_asked_again_as_late_as_it_says(url: str, front: Front) -> None:
    front.fault, started = first("/x", error(500), error(503, **{"retry-after": "1"})), time.monotonic()
    assert endpoints(url).ask("/x", {})["path"] == "/x" and front.count("/x") == 3
    assert 1 <= time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (error(500, "broke"), ScoreFailed, "500: broke"),
        (error(503), Busy, "503"),
        (JSONResponse({"message": "cohere says"}, 502), ScoreFailed, "cohere says"),
        (Response(b"<html>", 504), ScoreFailed, "504"),
    ],
)
def test_trouble_that_stays_is_an_error_after_three_tries(
    url: str, front: Front, answer: Response, kind: type[WorkbenchError], says: str
) -> None:
    front.fault = lambda path, _: answer
    with pytest.raises(kind, match=says):
        endpoints(url).ask("/x", {})
    assert front.count("/x") == 3


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (error(400, "too long"), Refused, "too long"),
        (error(404), Refused, "404"),
        (error(422), Refused, "422"),
        (error(429, "slow down", **{"retry-after": "9"}), Refused, "slow down"),
        (error(401), ModelUnavailable, "--endpoint-key"),
        (error(403), ModelUnavailable, "--endpoint-key"),
        (Response(b"[]"), ScoreFailed, "no object"),
        (Response(b"<html>"), ScoreFailed, "no JSON"),
    ],
)
def test_a_refusal_is_never_asked_again(
    url: str, front: Front, answer: Response, kind: type[WorkbenchError], says: str
) -> None:
    front.fault = lambda path, _: answer
    with pytest.raises(kind, match=says) as caught:
        endpoints(url).ask("/x", {})
    assert front.count("/x") == 1 and caught.value.where == url
    assert not isinstance(caught.value, Refused) or caught.value.status == answer.status_code


def test_a_key_never_follows_a_redirect(url: str, front: Front) -> None:
    elsewhere = Front(front.app)
    with served(elsewhere) as other:
        front.fault = lambda path, _: RedirectResponse(f"{other}{path}", 307)
        with pytest.raises(ModelUnavailable, match=other):
            endpoints(url, key="s3cret").ask("/x", {})
        assert elsewhere.seen == [] and front.count("/x") == 1


def test_nobody_there_is_said_with_the_way_out() -> None:
    started = time.monotonic()
    with pytest.raises(ModelUnavailable, match="vllm serve"):
        endpoints("http://127.0.0.1:9").ask("/x")
    assert time.monotonic() - started < 10


def test_a_wait_ends_when_the_caller_stops(url: str, front: Front) -> None:
    front.fault, started = first("/x", error(503, **{"retry-after": "20"})), time.monotonic()
    with pytest.raises(Stopped):
        endpoints(url).ask("/x", {}, stop=lambda: front.count("/x") > 0)
    assert time.monotonic() - started < 10


# ---------------------------------------------------------------- many at once
def test_two_servers_share_the_work_and_neither_gets_too_much(url: str, front: Front) -> None:
    second = Front(front.app, seconds=0.05)
    front.seconds = 0.05
    with served(second) as other:
        jobs: list[tuple[str, dict[str, Any]]] = [("/x", {"i": i}) for i in range(40)]
        found = dict(endpoints(url, other).each(jobs))
        assert {i: a["got"]["i"] for i, a in found.items()} == {i: i for i in range(40)}  # type: ignore[index, call-overload]
        assert front.count("/x") == second.count("/x") == 20
        assert max(front.most, second.most) <= AT_ONCE and min(front.most, second.most) > 1
        front.fault = lambda path, _: error(500)
        assert all(isinstance(a, dict) for _, a in endpoints(url, other).each(jobs[:6]))  # the other one takes over


def test_one_failure_leaves_the_others(url: str, front: Front) -> None:
    front.fault = lambda path, body: error(400) if body["i"] == 1 else None
    found = dict(endpoints(url).each([("/x", {"i": i}) for i in range(3)]))
    assert isinstance(found[1], Refused) and isinstance(found[0], dict) and isinstance(found[2], dict)


def test_stop_leaves_the_rest_unasked(url: str, front: Front) -> None:
    assert list(endpoints(url).each([("/x", {})], lambda: True)) == []
    front.seconds, seen, started = 0.2, [], time.monotonic()
    for outcome in endpoints(url).each([("/y", {}) for _ in range(100)], lambda: bool(seen)):
        seen.append(outcome)
    assert len(seen) <= AT_ONCE and time.monotonic() - started < 10
    time.sleep(0.5)
    assert front.count("/y") <= 3 * AT_ONCE


# ---------------------------------------------------------------- answers
def test_numbers_come_back_in_the_order_that_was_sent() -> None:
    results = [{"index": 1, "relevance_score": 2}, {"index": 0, "relevance_score": -0.5}]
    assert reranked({"results": results, "usage": {"prompt_tokens": 7}}, 2) == ([-0.5, 2.0], 7)
    assert reranked({"results": results}, 2) == ([-0.5, 2.0], None)
    assert classified({"data": [{"index": 0, "probs": [3.5]}, {"index": 1, "probs": [1]}]}, 2) == [3.5, 1.0]


@pytest.mark.parametrize(
    ("results", "says"),
    [
        (None, "results"),
        ([], "list of 1"),
        ([{}], "index"),
        (["x"], r"results\[0\]"),
        ([{"index": 1, "relevance_score": 0.5}], r"results\[0\]\.index"),
        ([{"index": -1, "relevance_score": 0.5}], r"results\[0\]\.index"),
        ([{"index": True, "relevance_score": 0.5}], r"results\[0\]\.index"),
        ([{"index": 0}], "relevance_score"),
        ([{"index": 0, "relevance_score": None}], r"results\[0\]\.relevance_score"),
        ([{"index": 0, "relevance_score": "0.5"}], r"results\[0\]\.relevance_score"),
        ([{"index": 0, "relevance_score": True}], r"results\[0\]\.relevance_score"),
        ([{"index": 0, "relevance_score": float("nan")}], "finite"),
        ([{"index": 0, "relevance_score": float("inf")}], "finite"),
    ],
)
def test_what_is_no_ranking_names_the_field(results: object, says: str) -> None:
    with pytest.raises(ScoreFailed, match=says):
        reranked({"results": results}, 1)
    twice = [{"index": 0, "relevance_score": 1}] * 2
    with pytest.raises(ScoreFailed, match=r"results\[1\]\.index"):
        reranked({"results": twice}, 2)


@pytest.mark.parametrize(
    "item",
    [{}, {"index": 1, "probs": [1]}, {"index": 0, "probs": []}, {"index": 0, "probs": [0.1, 0.9]}, {"index": 0, "probs": "x"}],
)
def test_what_is_no_class_of_one_is_refused(item: object) -> None:
    with pytest.raises(ScoreFailed, match=r"data\[0\]"):
        classified({"data": [item]}, 1)


def test_tokens_are_checked_too() -> None:
    whole = {"count": 2, "max_model_len": 9, "tokens": [1, 2], "token_strs": ["a", "b"]}
    assert token_ids(whole).names == ("a", "b") and token_ids({**whole, "token_strs": None}).names == ()
    for change in ({"count": 3}, {"tokens": [1, -2]}, {"tokens": [1, "2"]}, {"max_model_len": None}, {"max_model_len": 0}):
        with pytest.raises(ScoreFailed, match=next(iter(change)) if "tokens" not in change else "tokens"):
            token_ids({**whole, **change})


# ---------------------------------------------------------------- the characters behind tokens
@pytest.mark.parametrize(
    ("names", "text", "spans"),
    [
        (["a", "Ġb", "Ċ"], "a b\n", ((0, 1), (1, 3), (3, 4))),
        (["<|im_start|>", "Ã©", "x"], "<|im_start|>éx", ((0, 12), (12, 13), (13, 14))),
        (["ðŁ", "ĺĢ", "!"], "😀!", ((0, 1), (0, 1), (1, 2))),  # one character in two tokens: both get all of it
        (["▁a", "▁b"], "a b", ((0, 1), (1, 3))),
        (["<bos>", "▁a", "é"], "aé", ((0, 0), (0, 1), (1, 2))),
        (["xÃ©", "y"], "xe\u0301y", ((0, 2), (3, 4))),  # composed by the tokenizer: it stands for its first character
        (["a"], "b", None),
        (["a"], "ab", None),
        ([], "", ()),
    ],
)
def test_tokens_find_their_characters_or_none(
    names: list[str], text: str, spans: tuple[tuple[int, int], ...] | None
) -> None:
    assert (places(names, text) or None) == (spans or None)


def test_tokens_are_readable() -> None:
    assert [readable(n) for n in ("Ġthe", "Ċ", "Ã©", "ðŁ", "▁word", "<|x|>")] == [" the", "\n", "é", "�", " word", "<|x|>"]
