"""check.py where no template is: servers that read the pair otherwise, and those that speak text-embeddings-inference."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from tests.bundles import Row, as_sglang, bundle_of, checked, golden_of
from tests.servers import Front, error, served
from tests.tiny import checkpoint
from workbench.export import Outgoing, outgoing
from workbench.pool import Bench
from workbench.types import Document, Query, Text, Variant

Answer = tuple[int, float]  # tokens counted and logit
OFFERED = {"template loaded", "instruction read", "sides swapped", "other pair", "other model or revision"}


@pytest.fixture(scope="module")
def out(bench: Bench, root: Path) -> Outgoing:
    model = checkpoint("bert-pairs", root / ".cache" / "tiny")
    rows = [Document(str(i), (Text(t),)) for i, t in enumerate(("a dog", "the cat is a dog", "red square"))]
    return outgoing(bench, Variant(str(model)), Query("q", (Text("the cat"),)), rows)


@pytest.fixture(scope="module")
def folder(bench: Bench, out: Outgoing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_of(bench, out, tmp_path_factory)


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Row]:
    return golden_of(folder)


def right(row: Row) -> Answer:
    return len(row["token_ids"]), row["logit"]


class Stub:
    """Answers golden requests as vLLM does, or (`tei`) as text-embeddings-inference; `make` says what it makes of one."""

    def __init__(self, rows: list[Row], scorer: Any, make: Callable[[Row], Answer]) -> None:
        self.rows, self.make, self.tei, self.shift, self.shows = rows, make, False, 0, True
        self._ids = lambda text: scorer._tokens.plain(text, specials=False)

    def __call__(self, path: str, body: Row) -> Response:
        if path == "/info" and self.tei:
            return JSONResponse({"model_id": "m", "max_client_batch_size": 32})
        if path == "/tokenize" and self.shows and ("inputs" in body) == self.tei:
            ids = [i + self.shift for i in self._ids(body["inputs" if self.tei else "prompt"])]
            return JSONResponse([[{"id": i} for i in ids]] if self.tei else {"tokens": ids})
        if path != "/rerank" or ("texts" in body) != self.tei:
            return error(404)
        text = body["texts" if self.tei else "documents"][0]
        row = next((r for r in self.rows if self._asked(r, body, text)), None)
        if row is None:  # the question whether it is a reranker
            tokens, logit = 5, 0.0
        else:
            tokens, logit = self.make(row)
        if math.isnan(logit):
            return error(413 if self.tei else 400)
        if self.tei:
            assert body["raw_scores"] is True and body["truncate"] is False
            return JSONResponse([{"index": 0, "score": logit}], headers={"x-compute-tokens": str(tokens)})
        return JSONResponse({"results": [{"index": 0, "relevance_score": logit}], "usage": {"prompt_tokens": tokens}})

    def _asked(self, row: Row, body: Row, text: str) -> bool:
        """Whether a body asks this pair; text-embeddings-inference is never sent an instruction."""
        request = row["request"]
        sent = self.tei or (request.get("instruction") or None) == (body.get("instruction") or None)
        return bool(sent and (request["query"], request["documents"][0]) == (body["query"], text))


@pytest.fixture
def ask(rows: list[Row], folder: Path, out: Outgoing) -> Callable[..., tuple[int, Row]]:
    """(exit code, report) of check.py against a stub."""

    def asked(make: Callable[[Row], Answer] = right, *flags: str, sglang: bool = False, **settings: Any) -> tuple[int, Row]:
        stub = Stub(rows, out.scorer, make)
        for name, value in settings.items():
            setattr(stub, name, value)
        return checked(folder, as_sglang(stub) if sglang else stub, *flags)

    return asked


@pytest.mark.parametrize("tei", [False, True])
def test_a_server_that_is_right_passes(ask: Any, tei: bool, capsys: Any) -> None:
    code, report = ask(right, "--strict", tei=tei)
    assert code == 0 and report["ok"] and not report["warnings"] and not any(row["wrong"] for row in report["rows"])
    assert all(row["counted"] == row["tokens"] for row in report["rows"]) and not any(row["shown"] for row in report["rows"])
    assert "The server shows no token ids" in capsys.readouterr().out


def test_sglang_is_asked_where_it_ranks(ask: Any) -> None:
    code, report = ask(right, "--strict", sglang=True)
    assert code == 0 and report["ok"] and not report["warnings"]
    assert ask(lambda row: (len(row["token_ids"]), -row["logit"] - 3), sglang=True)[0] == 1


@pytest.mark.parametrize("tei", [False, True])
def test_a_template_in_front_is_named(ask: Any, tei: bool, capsys: Any) -> None:
    code, report = ask(lambda row: (len(row["token_ids"]) + 9, row["logit"] + 1), tei=tei)
    assert code == 1 and report["causes"] == ["template loaded"]
    assert "without --chat-template" in capsys.readouterr().out


def test_another_tokenizer_is_another_model(ask: Any) -> None:
    code, report = ask(lambda row: (len(row["token_ids"]) + 9, row["logit"] + 1), shift=1)
    assert code == 1 and report["causes"] == ["other model or revision"]


def test_other_weights_are_another_model(ask: Any) -> None:
    assert ask(lambda row: (len(row["token_ids"]), -row["logit"] - 3))[1]["causes"] == ["other model or revision"]


def test_an_instruction_that_is_read_is_named(ask: Any) -> None:
    def make(row: Row) -> Answer:
        word = row["request"].get("instruction")
        return (len(row["token_ids"]) + 2, row["logit"] + 1) if word else right(row)

    code, report = ask(make)
    assert code == 1 and report["causes"] == ["instruction read"]


def test_sides_that_change_places_are_named(ask: Any) -> None:
    def make(row: Row) -> Answer:
        swapped = next(iter(row["suspects"]), None)
        return (len(swapped["token_ids"]), swapped["logit"]) if swapped else right(row)

    code, report = ask(make)
    assert code == 1 and report["causes"] == ["sides swapped"]


@pytest.mark.parametrize("tei", [False, True])
def test_what_is_cut_or_refused_is_another_pair(ask: Any, tei: bool) -> None:
    code, report = ask(lambda row: (len(row["token_ids"]) - 1, row["logit"] + 1), tei=tei)
    assert code == 1 and report["causes"] == ["other pair"]
    code, report = ask(lambda row: (5, math.nan) if row["covers"] == "scripts" else right(row), tei=tei)
    (bad,) = [r for r in report["rows"] if r["wrong"]]
    assert code == 1 and bad["covers"] == "scripts" and bad["refused"] and report["causes"] == ["other pair"]


def test_half_precision_warns_and_fails_when_strict(ask: Any, rows: list[Row]) -> None:
    def make(row: Row) -> Answer:
        return len(row["token_ids"]), row["logit"] + row["noise"] * (0.5 if rows.index(row) % 2 else -0.5)

    code, report = ask(make)
    assert code == 0 and report["warnings"][0].startswith("other dtype") and ask(make, "--strict")[0] == 1


def test_causes_of_a_template_are_never_named(ask: Any) -> None:
    for make in (lambda row: (1, 9.0), lambda row: (len(row["token_ids"]) + 1, 9.0), lambda row: (3, math.nan)):
        for shows in (True, False):
            assert set(ask(make, shows=shows)[1]["causes"]) <= OFFERED


def test_the_one_file_runs_by_itself(folder: Path, rows: list[Row], out: Outgoing) -> None:
    with served(Front(None, Stub(rows, out.scorer, right))) as url:
        done = subprocess.run([sys.executable, "-I", str(folder / "check.py"), url], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "ok: the server gives what was exported" in done.stdout, done.stderr
    source = (folder / "check.py").read_text(encoding="utf-8")
    assert "workbench" not in source and source.count("from __future__") == 1
