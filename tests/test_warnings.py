"""What is asked for and changes nothing is said at every door: by the screen, over HTTP, on the command line, in Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.servers import Front, served
from tests.tiny import checkpoint
from workbench import api, offline, wire
from workbench.pool import Bench, Pool
from workbench.template import template_of
from workbench.types import Document, Encoding, Query, Text
from workbench.ui import side_view

TELLING = "{{- instruction ~ messages[0].content ~ ' ' ~ messages[1].content ~ '\\n' -}}"
DEAF = "{{- messages[0].content ~ ' ' ~ messages[1].content ~ '\\n' -}}"
BODY = {"query": "cat", "documents": ["the cat is a dog", "a dog"]}
ASKED = {**BODY, "instruction": "Find cats"}
QUERY, ROWS = Query("q", (Text("cat"),)), [Document("d", (Text("a dog"),))]
TEMPLATE = "`instruction` changes nothing: the template never reads it."
APART = "`instruction` changes nothing: this model reads query and document as they are, without a template."


@pytest.fixture(scope="module")
def qwen(bench: Bench, tiny_qwen3: Path) -> Bench:
    return replace(bench, model=str(tiny_qwen3))


@pytest.fixture(scope="module")
def bert(bench: Bench, root: Path) -> Bench:
    return replace(bench, model=str(checkpoint("bert-ce", root / ".cache" / "tiny")))


@pytest.fixture(scope="module")
def client(qwen: Bench) -> Iterator[TestClient]:
    with TestClient(api.build(qwen)) as client:
        yield client


def said(bench: Bench, **fields: object) -> list[str]:
    body = {**ASKED, **fields}
    scored = wire.answer_rerank(bench, wire.read_rerank(body, bench), details=True)["warnings"]
    assert wire.answer_render(bench, wire.read_rerank(body, bench))["warnings"] == scored
    return list(scored)


def test_an_instruction_that_is_read_needs_no_words(qwen: Bench) -> None:
    assert said(qwen) == [] and said(qwen, template=TELLING) == []


def test_a_template_that_never_reads_it(qwen: Bench) -> None:
    assert said(qwen, template=DEAF) == [TEMPLATE]
    assert said(qwen, template=DEAF, instruction=None) == []
    assert said(qwen, template=DEAF, instruction=None, chat_template_kwargs={"instruction": "x"}) == [TEMPLATE]
    assert said(qwen, chat_template_kwargs={"tone": "kind"}) == ["`tone` changes nothing: the template never reads it."]


def test_a_model_without_a_template(bert: Bench) -> None:
    assert said(bert) == [APART] and said(bert, instruction=None) == []


def test_a_server_that_drops_it(qwen: Bench, bench: Bench) -> None:
    with served(Front(api.build(qwen), drops=("instruction",))) as url:
        there = replace(bench, pool=Pool(bench.families, bench.library, endpoints=(url,)), model=url)
        assert said(there) == ["`instruction` changes nothing: the server drops it, as vLLM does below 0.22."]
        assert said(there, template=TELLING) == []  # rendered here
        assert there.pool.get(url).family.instruction == "none"


# ---------------------------------------------------------------- over HTTP and in Python
def test_http_says_it_in_a_header_that_no_client_reads(client: TestClient) -> None:
    for path, body in (("/rerank", ASKED), ("/score", {"text_1": "cat", "text_2": ["a"], "instruction": "x"})):
        answer = client.post(path, json={**body, "template": DEAF})
        assert answer.headers["X-Workbench-Warning"] == TEMPLATE and "warnings" not in answer.json()
        assert "X-Workbench-Warning" not in client.post(path, json=body).headers
    shown = client.post("/render", json={**ASKED, "template": DEAF})
    assert shown.json()["warnings"] == [TEMPLATE] and shown.headers["X-Workbench-Warning"] == TEMPLATE


def test_a_name_cannot_forge_a_header(client: TestClient) -> None:
    name = "x\r\nSet-Cookie: a=b\r\n" + "漢" * 3000
    answer = client.post("/rerank", json={**BODY, "chat_template_kwargs": {name: 1}})
    header = answer.headers["X-Workbench-Warning"]
    assert answer.status_code == 200 and "set-cookie" not in answer.headers
    assert header.isascii() and "\\r\\nSet-Cookie" in header and len(header) <= 2000


def test_python_says_it_in_the_ranking(tiny_qwen3: Path) -> None:
    with offline.load(tiny_qwen3, device="cpu", dtype="float32") as model:
        assert offline.rerank(model, "cat", ["a dog"], instruction="x", template=DEAF).warnings == (TEMPLATE,)
        assert offline.rerank(model, "cat", ["a dog"], instruction="x").warnings == ()


# ---------------------------------------------------------------- on the screen
def shown(bench: Bench, own: bool = True, **fields: object) -> str:
    [found] = bench.preview(bench.variant(**fields), QUERY, ROWS)
    assert isinstance(found, Encoding)
    return side_view.silent_html(found, bench.pool.get(bench.model).family, own)


def test_the_screen_says_it_beside_the_field(qwen: Bench, bert: Bench) -> None:
    assert shown(qwen) == "" and shown(qwen, instruction="x") == ""
    assert "never reads it" in shown(qwen, instruction="x", template=template_of(DEAF))
    assert shown(qwen, False, template=template_of(DEAF)) == ""
    assert "without a template" in shown(bert, instruction="x")
    assert "changes nothing with this model" in shown(bert) and shown(bert, False) == ""
