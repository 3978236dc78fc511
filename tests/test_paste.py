"""Pasted text is recognised for what it is; what it claims to be and is not, is said."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from workbench.errors import RequestInvalid, WorkbenchError
from workbench.paste import read_paste
from workbench.pool import Bench
from workbench.types import Document, Image, Text

PNG = Path(__file__).resolve().parent.parent / "assets" / "scenarios" / "flip" / "red-star.png"
BODY = {"query": "q?", "documents": ["it's one", "two"], "instruction": "Prefer news."}


def texts(rows: tuple[object, ...]) -> list[str]:
    return [r.content[0].text for r in rows if isinstance(r, Document) and isinstance(r.content[0], Text)]


def test_a_rerank_body(bench: Bench) -> None:
    pasted = read_paste(json.dumps(BODY, indent=2), bench)
    assert pasted.query is not None and pasted.query.content == (Text("q?"),)
    assert texts(pasted.rows) == ["it's one", "two"] and pasted.instruction == "Prefer news."
    assert pasted.template is None and "/rerank" in pasted.kind


def test_the_instruction_among_the_variables_wins(bench: Bench) -> None:
    body = {**BODY, "chat_template_kwargs": {"instruction": "other", "extra": 1}}
    pasted = read_paste(json.dumps(body), bench)
    assert pasted.instruction == "other" and pasted.notes == ("left out: extra",)


def test_pictures_come_as_data_urls_and_paths_are_refused(bench: Bench) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PNG.read_bytes()).decode()}"
    mixed = {"content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "caption"}]}
    path = {"content": [{"type": "image_url", "image_url": {"url": str(PNG)}}]}
    rows = read_paste(json.dumps({"query": "q", "documents": [mixed, path]}), bench).rows
    assert isinstance(rows[0], Document) and [type(p) for p in rows[0].content] == [Image, Text]
    assert isinstance(rows[1], WorkbenchError)


@pytest.mark.parametrize(
    "body",
    [
        {"queries": "q", "documents": ["a", "b"]},
        {"text_1": "q", "text_2": ["a", "b"]},
        {"data_1": ["q", "q", "r"], "data_2": ["a", "b", "c"]},
    ],
)
def test_a_score_body(bench: Bench, body: dict[str, object]) -> None:
    pasted = read_paste(json.dumps(body), bench)
    assert pasted.query is not None and pasted.query.content == (Text("q"),)
    assert texts(pasted.rows) == ["a", "b"]


def curl(flag: str, body: str) -> str:
    return f"curl -X POST 'http://host:8000/rerank' \\\n  -H 'Content-Type: application/json' \\\n  {flag}{body}"


SHELL = "'" + json.dumps(BODY).replace("'", "'\\''") + "'"
BROWSER = "$'" + json.dumps(BODY).replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.mark.parametrize(
    "text",
    [
        curl("-d ", SHELL),
        curl("--data ", SHELL),
        curl("--json ", SHELL),
        curl("--data-raw=", SHELL),
        curl("--data-raw ", BROWSER),
        "$ " + curl("-d", SHELL),
    ],
)
def test_a_curl_line(bench: Bench, text: str) -> None:
    pasted = read_paste(text, bench)
    assert texts(pasted.rows) == ["it's one", "two"] and "curl" in pasted.kind


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("curl http://host/rerank", "no body"),
        ("curl http://host -d @body.json", "body.json"),
        ('curl http://host -d \'{"query": 1', "cut off"),
        ("curl http://host -d '{nonsense}'", "not JSON"),
        ('{"query": "q", "documents": ', "JSON"),
        ('{"query": "q", "documents": [NaN]}', "JSON"),
        ('{"query": "q", "documents": []}', "at least one"),
        ("query\tdocument\tgrade", "no rows"),
    ],
)
def test_what_does_not_fit_is_said(bench: Bench, text: str, why: str) -> None:
    with pytest.raises(RequestInvalid, match=why):
        read_paste(text, bench)


def test_table_rows(bench: Bench) -> None:
    text = "query\tdocument\tgrade\nq\tone\t3\nq\ttwo\t0\nq\tthree\nr\tfour\t1\n"
    pasted = read_paste(text, bench)
    assert pasted.query is not None and pasted.query.content == (Text("q"),)
    assert texts(pasted.rows) == ["one", "two", "three"] and pasted.grades == (3, 0, None)
    assert "2 queries" in pasted.notes[0]


def test_json_lines(bench: Bench) -> None:
    text = '{"text": "one", "grade": 2}\n"two"\n{"document": "three", "label": "good"}\n{"other": 1}\n{broken'
    pasted = read_paste(text, bench)
    assert texts(pasted.rows) == ["one", "two", "three"] and pasted.grades == (2, None, None, None, None)
    assert pasted.query is None
    assert [str(r) for r in pasted.rows if isinstance(r, WorkbenchError)][1].startswith("line 5")


def test_lines_of_requests_give_the_first(bench: Bench) -> None:
    pasted = read_paste("\n".join(json.dumps({**BODY, "query": q}) for q in ("one", "two")), bench)
    assert pasted.query is not None and pasted.query.content == (Text("one"),) and "2 requests" in pasted.notes[0]


def test_plain_lines(bench: Bench) -> None:
    pasted = read_paste("  first line\n\nsecond, with ${x} and {{ y }}\n", bench)
    assert texts(pasted.rows) == ["first line", "second, with ${x} and {{ y }}"] and pasted.query is None


def test_a_table_is_read_by_its_heading(bench: Bench) -> None:
    text = 'id;passage;relevance\n1;"one; with a mark\nand a line";3\n2;two;\n\n'
    pasted = read_paste(text, bench)
    assert texts(pasted.rows) == ["one; with a mark\nand a line", "two"] and pasted.grades == (3, None)
    assert pasted.query is None and pasted.kind == "table"
    quoted = read_paste('text\tid\n"half a quote\t1\nwhole\t2', bench)
    assert texts(quoted.rows) == ['"half a quote', "whole"]
    assert texts(read_paste("A text, and more\nof it", bench).rows) == ["A text, and more", "of it"]  # no heading: lines


def test_a_file_that_is_a_table_needs_a_column_of_texts(bench: Bench) -> None:
    with pytest.raises(RequestInvalid, match="'name', 'price'") as raised:
        read_paste("name,price\nx,1", bench, table=True)
    assert "document" in raised.value.hint
    assert texts(read_paste("one\ntwo", bench, table=True).rows) == ["one", "two"]
    with pytest.raises(RequestInvalid, match="no rows"):
        read_paste("id,text", bench)
