"""check.py against servers that go wrong in known ways: each is named, with and without token ids to look at."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.bundles import Row, as_sglang, bundle_of, checked, golden_of, versioned
from tests.servers import Fault, Front, error, served
from workbench.__main__ import main as workbench_main
from workbench.export import Outgoing, check
from workbench.export._causes import in_order
from workbench.pool import Bench

Answer = tuple[list[int], float]  # ids and logit
SUSPECTS = ["template not loaded", "newline lost", "instruction ignored", "double wrap"]


@pytest.fixture(scope="module")
def folder(bench: Bench, exported: Outgoing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_of(bench, exported, tmp_path_factory)


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Row]:
    return golden_of(folder)


class Stub:
    """Answers as vLLM does from golden rows: `make` says what it makes of one."""

    def __init__(self, rows: list[Row], make: Callable[[Row], Answer], detokenize: Callable[[list[int]], str]) -> None:
        self.rows, self.make, self.detokenize = rows, make, detokenize
        self.shows, self.counts, self.root, self.probabilities, self.extra = True, True, "", False, 0

    def __call__(self, path: str, body: Row) -> Response:
        if path == "/v1/models":
            return JSONResponse({"data": [{"id": "m", "root": self.root}]})
        if path == "/tokenize" and self.shows:
            return JSONResponse({"tokens": self._answer(body)[0] if "messages" in body else [1]})
        if path == "/detokenize" and self.shows:
            return JSONResponse({"prompt": self.detokenize(body["tokens"])})
        if path != "/rerank":
            return error(404)
        ids, logit = ([1], 0.0) if body["documents"] == ["d"] and body["query"] == "q" and len(body) < 4 else self._answer(body)
        if math.isnan(logit):
            return error(400)
        number = 1 / (1 + math.exp(-logit)) if self.probabilities else logit
        usage = {"usage": {"prompt_tokens": len(ids) + self.extra}} if self.counts else {}
        return JSONResponse({**usage, "results": [{"index": 0, "relevance_score": number}]})

    def _answer(self, body: Row) -> Answer:
        if "messages" in body:
            asked = (*(m["content"] for m in body["messages"]), body["chat_template_kwargs"].get("instruction") or None)
        else:
            asked = (body["query"], body["documents"][0], body.get("instruction") or None)
        return self.make(next(r for r in self.rows if asked == key(r)))


def key(row: Row) -> tuple[Any, ...]:
    request = row["request"]
    return request["query"], request["documents"][0], request.get("instruction") or None  # a blank one is the default


def right(row: Row) -> Answer:
    return row["token_ids"], row["logit"]


def mistaken(cause: str) -> Callable[[Row], Answer]:
    """What the bundle says that a mistake gives, for the pairs it says it of."""
    return lambda row: next(((s["token_ids"], s["logit"]) for s in row["suspects"] if s["cause"] == cause), right(row))


@pytest.fixture
def ask(rows: list[Row], folder: Path, exported: Outgoing) -> Callable[..., tuple[int, Row]]:
    """(exit code, report) of check.py against a stub, which `behind` may stand in front of."""
    scorer: Any = exported.scorer

    def asked(
        make: Callable[[Row], Answer] = right, *flags: str, behind: Callable[[Fault], Fault] = lambda stub: stub, **settings: Any
    ) -> tuple[int, Row]:
        stub = Stub(rows, make, scorer.detokenize)
        for name, value in settings.items():
            setattr(stub, name, value)
        return checked(folder, behind(stub), *flags)

    return asked


def test_a_server_that_is_right_passes(ask: Any, capsys: Any) -> None:
    for settings in ({}, {"shows": False}, {"shows": False, "counts": False}, {"probabilities": True}, {"behind": versioned}):
        code, report = ask(right, "--strict", **settings)
        assert code == 0 and report["ok"] and not report["causes"] and not report["warnings"], settings
        assert "ok: the server gives what was exported" in capsys.readouterr().out


@pytest.mark.parametrize("cause", SUSPECTS)
@pytest.mark.parametrize("shows", [True, False])
def test_known_mistakes_are_named(ask: Any, capsys: Any, cause: str, shows: bool) -> None:
    code, report = ask(mistaken(cause), shows=shows, root="other/model")
    assert code == 1 and report["causes"] == [cause]
    said = capsys.readouterr().out
    assert f"cause: {cause}. {check.HINTS[cause]}" in said and "other/model" in said


def test_sglang_is_asked_where_it_ranks_and_in_its_words(ask: Any, capsys: Any) -> None:
    code, report = ask(right, "--strict", behind=as_sglang)
    assert code == 0 and report["ok"] and not report["warnings"] and not any(row["shown"] for row in report["rows"])
    assert "The server shows no token ids" in capsys.readouterr().out
    for cause in SUSPECTS:
        assert ask(mistaken(cause), behind=as_sglang)[1]["causes"] == [cause]


def test_a_refused_pair_does_not_make_logits_of_probabilities(ask: Any) -> None:
    code, report = ask(lambda r: (r["token_ids"], math.nan if r["covers"] == "scripts" else r["logit"]), behind=as_sglang)
    assert code == 1 and [r["covers"] for r in report["rows"] if r["wrong"]] == ["scripts"]


def test_a_newline_lost_anywhere_is_found_through_its_text(ask: Any, exported: Outgoing) -> None:
    scorer: Any = exported.scorer

    def make(row: Row) -> Answer:
        text = scorer.detokenize(row["token_ids"])
        return scorer.tokenize(text.replace("<|im_end|>\n<|im_start|>user", "<|im_end|><|im_start|>user")), row["logit"] + 1

    assert ask(make)[1]["causes"] == ["newline lost"]


def test_a_second_wrapping_is_found_by_its_ends(ask: Any) -> None:
    assert ask(lambda row: ([*row["token_ids"], *row["token_ids"][-9:]], row["logit"] + 1))[1]["causes"] == ["double wrap"]


def test_other_words_are_another_prompt_with_its_first_token(ask: Any) -> None:
    code, report = ask(lambda row: ([*row["token_ids"][:5], 11, *row["token_ids"][6:]], row["logit"] + 1))
    assert code == 1 and report["causes"] == ["other prompt"] and {r["first"] for r in report["rows"]} == {5}


def test_half_precision_warns_and_fails_when_strict(ask: Any, rows: list[Row]) -> None:
    def make(row: Row) -> Answer:
        return row["token_ids"], row["logit"] + row["noise"] * (0.5 if rows.index(row) % 2 else -0.5)

    code, report = ask(make)
    assert code == 0 and report["ok"] and report["warnings"][0].startswith("other dtype")
    assert ask(make, "--strict")[0] == 1


def test_other_weights_are_another_model(ask: Any) -> None:
    assert ask(lambda row: (row["token_ids"], -row["logit"]))[1]["causes"] == ["other model or revision"]
    assert ask(lambda row: (row["token_ids"], row["logit"] + 2 * row["noise"]))[1]["causes"] == ["other model or revision"]


def test_a_server_that_says_what_it_loaded_tells_another_model_from_another_revision(
    ask: Any, exported: Outgoing, capsys: Any
) -> None:
    for root, cause in (("other/model", "other model"), (exported.served, "other revision")):
        code, report = ask(lambda row: (row["token_ids"], -row["logit"]), root=root)
        assert code == 1 and report["causes"] == [cause]
        assert f"cause: {cause}. {check.HINTS[cause]}" in capsys.readouterr().out


def test_the_key_stays_with_the_server_it_was_given_for(folder: Path) -> None:
    """A redirect is an error and not a place to send a key to."""
    elsewhere = Front(None, lambda path, body: error(404))
    with served(elsewhere) as other:
        first = Front(None, lambda path, body: RedirectResponse(f"{other}{path}", 307))
        with served(first) as url:
            assert check.main([url, "--bundle", str(folder), "--key", "s3cret"]) == 2
    assert not elsewhere.seen and ("/rerank", "Bearer s3cret") in first.seen


def test_clear_places_must_hold() -> None:
    golden = [{"logit": x, "noise": 0.1} for x in (0.0, 0.15, 1.0)]
    assert in_order(golden, [{"logit": x} for x in (0.1, 0.0, 0.5)])  # the first two are within the noise
    assert not in_order(golden, [{"logit": x} for x in (0.0, 0.6, 0.5)])


def test_what_tokenize_shows_must_be_what_is_scored(ask: Any) -> None:
    assert ask(lambda row: (row["token_ids"], row["logit"] + 1), extra=3)[1]["causes"] == ["what is scored is not what is shown"]


def test_a_pair_that_is_refused_has_no_number(ask: Any, rows: list[Row], capsys: Any) -> None:
    def make(row: Row) -> Answer:
        return row["token_ids"], math.nan if row["covers"] == "scripts" else row["logit"]

    code, report = ask(make)
    (bad,) = [r for r in report["rows"] if r["wrong"]]
    assert code == 1 and bad["covers"] == "scripts" and bad["found"] is None and "400" in bad["refused"]
    assert "refused" in capsys.readouterr().out and "NaN" not in json.dumps(report)


def test_what_cannot_be_asked_exits_with_two(folder: Path, tmp_path: Path, capsys: Any) -> None:
    for arguments in (["http://127.0.0.1:9", "--bundle", str(folder)], ["http://127.0.0.1:9", "--bundle", str(tmp_path)]):
        assert check.main(arguments) == 2 and "check: " in capsys.readouterr().err
    with served(Front(None, lambda path, body: error(404))) as url:
        assert check.main([url, "--bundle", str(folder)]) == 2


def test_the_command_names_every_token_that_differs(
    folder: Path, rows: list[Row], exported: Outgoing, tmp_path: Path, capsys: Any
) -> None:
    scorer: Any = exported.scorer
    report = tmp_path / "report.json"
    with served(Front(None, Stub(rows, mistaken("instruction ignored"), scorer.detokenize))) as url:
        assert workbench_main(["check", url, "--bundle", str(folder), "--json", str(report)]) == 1
    said = capsys.readouterr().out
    assert "cause: instruction ignored" in said and "Only law" in said and "is expected" in said and "is served" in said
    assert json.loads(report.read_text(encoding="utf-8"))["causes"] == ["instruction ignored"]
    with served(Front(None, Stub(rows, right, scorer.detokenize))) as url:
        assert workbench_main(["check", url, "--bundle", str(folder), "--strict"]) == 0
    assert workbench_main(["check", "http://127.0.0.1:9", "--bundle", str(folder)]) == 2
