"""The HTTP door, driven by a client: vLLM's routes and refusals, keys, hosts, the line, callers that leave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.servers import served
from tests.test_wire import data_url, png
from workbench import api, wire
from workbench.errors import WorkbenchError
from workbench.pool import LEXICAL, Bench, Pool
from workbench.scorers import Stop, never
from workbench.scorers.lexical import Lexical
from workbench.types import Encoding, Score

BODY = {"query": "red circle", "documents": ["nothing", "a red circle", "red"]}
RERANK = ("/rerank", "/v1/rerank", "/v2/rerank")


@pytest.fixture(scope="module")
def client(bench: Bench) -> Iterator[TestClient]:
    with TestClient(api.build(bench), raise_server_exceptions=False) as client:
        yield client


def error_of(response: httpx.Response, status: int) -> dict[str, object]:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["code"] == status and error["message"]
    return error


# ---------------------------------------------------------------- routes
@pytest.mark.parametrize("path", RERANK)
def test_rerank_answers_as_the_house_does(client: TestClient, bench: Bench, path: str) -> None:
    answer = client.post(path, json=BODY).json()
    expected = wire.answer_rerank(bench, wire.read_rerank(BODY, bench))
    assert answer | {"id": ""} == expected | {"id": ""} and [r["index"] for r in answer["results"]] == [1, 2, 0]


@pytest.mark.parametrize("path", ["/score", "/v1/score"])
def test_score_answers_in_the_order_of_the_request(client: TestClient, path: str) -> None:
    answer = client.post(path, json={"text_1": "red circle", "text_2": BODY["documents"]}).json()
    assert [d["index"] for d in answer["data"]] == [0, 1, 2] and answer["data"][1]["score"] > answer["data"][2]["score"]


def test_render_answers_without_scores(client: TestClient) -> None:
    pairs = client.post("/render", json={**BODY, "documents": ["a", 3]}).json()["pairs"]
    assert pairs[0]["token_ids"] and pairs[0]["error"] is None and pairs[1]["error"]["param"] == "documents[1]"


def test_the_server_tells_about_itself(client: TestClient, bench: Bench) -> None:
    assert client.get("/health").status_code == 200
    assert client.get("/version").json() == {"version": api.VERSION}
    models = [m["id"] for m in client.get("/v1/models").json()["data"]]
    assert models[0] == bench.model and len(models) == len(set(models)) and set(bench.pool.offered()) <= set(models)
    schema = client.get("/openapi.json").json()
    assert {"/score", "/v1/score", *RERANK, "/render"} <= set(schema["paths"])
    body = schema["paths"]["/rerank"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"query", "documents", "top_n", "template", "parity"} <= set(body["properties"])


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/no-such-page"])
def test_no_page_loads_scripts_from_the_web(client: TestClient, path: str) -> None:
    error_of(client.get(path), 404)


def test_the_request_id_is_echoed_or_made(client: TestClient) -> None:
    response = client.post("/rerank", json=BODY, headers={"X-Request-Id": "abc"})
    assert response.headers["x-request-id"] == "abc" and response.json()["id"] == "score-abc"
    response = client.post("/rerank", json={**BODY, "request_id": "mine"})
    assert response.json()["id"] == "score-mine" and len(response.headers["x-request-id"]) == 32


# ---------------------------------------------------------------- refusals
@pytest.mark.parametrize("path", [*RERANK, "/score", "/render"])
@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"null", b"[]", b'"x"', b'{"query": NaN}', b'{"query": "a", "documents": ["\\ud800"]}', b"[" * 200_000,
        b'{"query": "a\\u0000", "documents": ["b"]}', b'{"query": "a", "documents": []}', b'{"query": "a"}', b"\xff\xfe",
        b'{"query": "a", "documents": ["b"], "queries": "a", "truncation_side": "up"}', b'{"query": {}, "documents": {}}',
        b'{"query": "a", "documents": ["b"], "queries": "a", "chat_template_kwargs": {"messages": []}, "parity": 3}',
    ],
)  # fmt: skip
def test_bad_bodies_are_400_on_every_route(client: TestClient, path: str, raw: bytes) -> None:
    error_of(client.post(path, content=raw, headers={"Content-Type": "application/json"}), 400)


def test_only_json_is_taken(client: TestClient) -> None:
    content = json.dumps(BODY).encode()
    assert "application/json" in str(error_of(client.post("/rerank", content=content), 400)["message"])
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert client.post("/rerank", content=content, headers=charset).status_code == 200


def test_a_huge_body_is_refused_before_it_is_read(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BODY", 1000)
    error_of(client.post("/rerank", json={**BODY, "documents": ["x" * 1000]}), 400)


def test_one_bad_document_is_named_by_its_index(client: TestClient) -> None:
    picture = {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}
    for documents in (
        ["fine", picture],
        ["fine", {"image": "/etc/passwd"}],
        ["fine", {"image": "http://127.0.0.1/x.png"}],
    ):
        error = error_of(client.post("/rerank", json={**BODY, "documents": documents}), 400)
        assert "documents[1]" in str(error["message"]) and str(error["param"]).startswith("documents[1]")


def test_an_unknown_model_is_404_in_vllms_words(client: TestClient, tmp_path: Path) -> None:
    for name in ("no-such/model", str(tmp_path), "/", ".."):
        error = error_of(client.post("/rerank", json={**BODY, "model": name}), 404)
        assert str(error["message"]).startswith(f"The model `{name}` does not exist.")
        assert error["type"] == "NotFoundError" and error["param"] == "model"
    assert client.post("/rerank", json={**BODY, "model": LEXICAL}).json()["model"] == LEXICAL


@pytest.mark.parametrize(
    "change",
    [
        {"template": "{{ messages[0].content }}{% if %}"},
        {"template": "{{ messages.__class__.__mro__ }}"},
        {"template": "{% for i in range(99999999) %}{{ i }}{% endfor %}"},
        {"chat_template_kwargs": {"messages": []}},
        {"chat_template_kwargs": {"chat_template": "x"}},
    ],
)
def test_templates_and_variables_stay_under_their_limits(client: TestClient, change: dict[str, object]) -> None:
    error_of(client.post("/rerank", json={**BODY, **change}), 400)


def test_a_template_that_hangs_is_not_rendered_for_every_document(client: TestClient) -> None:
    hog = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    started = time.monotonic()
    pairs = client.post("/render", json={**BODY, "documents": ["x"] * 50, "template": hog}).json()["pairs"]
    assert all(p["error"]["code"] == 400 for p in pairs) and time.monotonic() - started < 5


def test_get_on_a_route_of_posts_is_refused(client: TestClient) -> None:
    error_of(client.get("/rerank"), 405)


def test_a_fault_of_ours_is_500_and_says_no_more_than_its_name(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("/secret/path")

    monkeypatch.setattr(Bench, "rank", broken)
    error = error_of(TestClient(api.build(bench), raise_server_exceptions=False).post("/rerank", json=BODY), 500)
    assert "secret" not in str(error)


# ---------------------------------------------------------------- pictures, clips and a real model
@pytest.fixture(scope="module")
def seeing(bench: Bench, tiny_qwen3_vl: Path) -> TestClient:
    return TestClient(api.build(replace(bench, model=str(tiny_qwen3_vl))), raise_server_exceptions=False)


def picture_of(data: bytes, kind: str = "image") -> dict[str, object]:
    url = data_url(data, "video/mp4" if kind == "video" else "image/png")
    return {"content": [{"type": f"{kind}_url", f"{kind}_url": {"url": url}}]}


def test_pictures_and_texts_are_ranked_together(seeing: TestClient) -> None:
    body = {"query": "red", "documents": [picture_of(png(64, 64)), "a text", picture_of(png(96, 64))]}
    answer = seeing.post("/rerank", json=body).json()
    scores = [r["relevance_score"] for r in answer["results"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    pairs = seeing.post("/render", json=body).json()["pairs"]
    assert [p["token_ids"].count(151655) for p in pairs] == [4, 0, 6]  # one token for each 32 by 32 pixels
    assert answer["usage"]["prompt_tokens"] == sum(len(p["token_ids"]) for p in pairs)
    single = {**body, "documents": body["documents"][2]}
    best = next(r for r in answer["results"] if r["index"] == 2)
    alone = seeing.post("/score", json={"queries": "red", "items": [single["documents"]]}).json()["data"][0]["score"]
    assert alone == pytest.approx(best["relevance_score"], abs=1e-4)


@pytest.mark.parametrize(
    "bad",
    [picture_of(png()[:40]), picture_of(png()[:-30]), picture_of(b"\0\0\0\x18ftypmp42" + b"\0" * 64, "video"),
     picture_of(b"GIF89a"), picture_of(b"text")],
    ids=["no pixels", "half a picture", "a truncated clip", "a stub", "no picture at all"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/rerank", "/score"])
def test_what_cannot_be_decoded_is_named_by_its_index(seeing: TestClient, path: str, bad: dict[str, object]) -> None:
    query = {"query": "q"} if path == "/rerank" else {"queries": "q"}
    error = error_of(seeing.post(path, json={**query, "documents": ["fine", bad, "fine"]}), 400)
    assert "documents[1]" in str(error["message"]) and str(error["param"]).startswith("documents[1]")
    pairs = seeing.post("/render", json={"query": "q", "documents": ["fine", bad, "fine"]}).json()["pairs"]
    assert [bool(p["error"]) for p in pairs] == [False, True, False]


def test_a_prompt_beyond_the_window_is_refused_as_in_vllm(seeing: TestClient) -> None:
    body = {"query": "q", "documents": ["fine", "word " * 12_000], "parity": "vllm"}
    assert "documents[1]" in str(error_of(seeing.post("/rerank", json=body), 400)["message"])
    cut = seeing.post("/rerank", json={**body, "truncate_prompt_tokens": 64}).json()
    assert cut["usage"]["prompt_tokens"] <= 128


# ---------------------------------------------------------------- who may ask
def test_the_key_guards_all_but_health(bench: Bench) -> None:
    client = TestClient(api.build(bench, api_key="s3cret"))
    assert client.get("/health").status_code == 200
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "s3cret"},
        {"Authorization": "Basic s3cret"},
    ):
        for path in ("/rerank", "/score", "/render"):
            error_of(client.post(path, json=BODY, headers=headers), 401)
        for path in ("/v1/models", "/version", "/openapi.json"):
            error_of(client.get(path, headers=headers), 401)
    assert client.post("/rerank", json=BODY, headers={"Authorization": "Bearer s3cret"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:7860"}, 200),
        ({"Host": "evil.example:7860"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Origin": "http://localhost:7860"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_foreign_hosts_and_origins_are_refused(bench: Bench, headers: dict[str, str], status: int) -> None:
    app = api.build(bench)
    app.add_middleware(api.SameHost, names=("127.0.0.1", "localhost", "::1"))
    client = TestClient(app, base_url="http://127.0.0.1:7860")
    assert client.get("/health", headers=headers).status_code == status


def test_beyond_loopback_a_page_must_come_from_the_host_it_asks(bench: Bench) -> None:
    app = api.build(bench)
    app.add_middleware(api.SameHost)
    client = TestClient(app, base_url="http://rerank.example")
    assert client.get("/health", headers={"Origin": "http://rerank.example"}).status_code == 200
    assert client.get("/health", headers={"Origin": "http://evil.example"}).status_code == 403


# ---------------------------------------------------------------- the line
class Slow(Lexical):
    """Scores one document at a time, as long as nobody stops it, once it is let go."""

    def __init__(self, inner: Lexical) -> None:
        super().__init__("slow", inner.family)
        self.started, self.let_go, self.stopped = threading.Event(), threading.Event(), threading.Event()

    def score(self, batch: Sequence[Encoding], stop: Stop = never) -> Iterator[tuple[int, Score | WorkbenchError]]:
        self.started.set()
        while not self.let_go.wait(0.02):
            if stop():
                self.stopped.set()
                return
        yield from super().score(batch, stop)


@pytest.fixture
def slow(bench: Bench) -> tuple[Bench, Slow]:
    inner = bench.pool.get(LEXICAL)
    assert isinstance(inner, Lexical)
    scorer = Slow(inner)

    class OnePool(Pool):
        def get(self, model: str, report: object = None) -> Slow:  # type: ignore[override]
            return scorer

    return replace(bench, pool=OnePool(bench.families, bench.library)), scorer


def test_a_full_line_is_503_and_says_when_to_come_back(slow: tuple[Bench, Slow]) -> None:
    bench, scorer = slow
    with served(api.build(bench, running=1, waiting=1)) as url, ThreadPoolExecutor(3) as callers:
        first = callers.submit(httpx.post, f"{url}/rerank", json=BODY, timeout=20)
        assert scorer.started.wait(10)
        others = [callers.submit(httpx.post, f"{url}/rerank", json=BODY, timeout=20) for _ in range(2)]
        refused = next(as_completed(others)).result()
        error_of(refused, 503)
        assert int(refused.headers["retry-after"]) >= 1
        assert httpx.post(f"{url}/render", json=BODY, timeout=20).status_code == 200  # a preview waits for nobody
        assert httpx.get(f"{url}/health", timeout=20).status_code == 200
        scorer.let_go.set()
        assert first.result().status_code == 200 and sorted(o.result().status_code for o in others) == [200, 503]


def test_a_caller_that_leaves_stops_the_work_and_frees_its_place(slow: tuple[Bench, Slow]) -> None:
    bench, scorer = slow
    with served(api.build(bench, running=1, waiting=0)) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/rerank", json=BODY, timeout=0.5)
        assert scorer.stopped.wait(2), "nobody told the scorer"
        scorer.let_go.set()
        until = time.monotonic() + 5
        while (answer := httpx.post(f"{url}/rerank", json=BODY, timeout=20)).status_code == 503:
            assert time.monotonic() < until, "its place was never freed"
        assert answer.status_code == 200
