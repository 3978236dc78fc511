"""A finished run is remembered whole: rankings, rows and fields come back as they were, and a failure to write loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.errors import WorkbenchError
from workbench.pool import LEXICAL, Bench
from workbench.snapshot import plain, variant_of, variant_plain
from workbench.store import Kept, Store
from workbench.types import Limits, Placeholders, ScoreTemplate, Text, Variant
from workbench.ui import desk
from workbench.ui.loop import Loop
from workbench.ui.owner import owner_of
from workbench.ui.past import past_of
from workbench.ui.ranking_view import Run, results_html
from workbench.ui.rows import named, row_of

NUMBER = "0123456789abcdef" * 2
SHOT = Path(__file__).resolve().parents[2] / "assets/scenarios/flip"


def request(session: str = "s", number: str = NUMBER, user: str | None = None) -> Any:
    return SimpleNamespace(session_hash=session, headers={"x-workbench-browser": number}, username=user)


@pytest.fixture
def loop(bench: Bench, tmp_path: Path) -> Loop:
    return Loop(bench, tmp_path, None, Store(tmp_path / "history.db"))


def values(loop: Loop, b: str = "two", query: str = "a red star") -> list[Any]:
    """model, target, query, query parts, items, template A, instruction A, template B, instruction B"""
    picture = loop.bench.library.add_file(next(SHOT.glob("*.png")))
    rows = [
        desk.Document("x", (Text("red star <b>"),)), WorkbenchError("is bad", where="f.png", hint="Do this."),
        desk.Document("y", (picture, Text("blue moon"))), desk.Document("z", (Text("a red \ud800 star"),)),
    ]  # fmt: skip
    items = named([], rows, ["", "", "label y", ""], [3, None, 0, 1])
    own = desk.body_of(loop.bench, LEXICAL)
    return [LEXICAL, "reference", query, [], items, own, "one", own + " ", b]


def last_run(loop: Loop, fields: list[Any]) -> Run:
    return list(desk.runs(loop.bench, desk.read(loop.bench, *fields), lambda: False))[-1]


def kept(loop: Loop, who: Any = None) -> list[Kept]:
    assert loop.store
    return loop.store.page(owner_of(who or request()))[0]


def test_a_run_comes_back_whole(loop: Loop) -> None:
    fields = values(loop)
    list(loop.on_rank(request(), *fields))
    (head,) = kept(loop)
    past = past_of(loop.store.get(head.id))  # type: ignore[union-attr, arg-type]
    run = last_run(loop, fields)
    assert results_html(past.run(loop.bench)) == results_html(run) and run.a and run.b
    for side, ranking in (("a", run.a), ("b", run.b)):
        again = past.rankings[side]
        assert [(r.index, r.score) for r in again.ranked] == [(r.index, r.score) for r in ranking.ranked]
        assert [str(r.error) for r in again.failed] == [str(r.error) for r in ranking.failed] and again.failed
        assert again.variant == ranking.variant and again.warnings == ranking.warnings
    assert past.items == json.loads(json.dumps(fields[4])) and list(map(str, map(row_of, past.items)))
    assert past.typed("a") == (fields[5], "one") and past.typed("b") == (fields[7], "two")
    assert head.head["query"] == "a red star" and head.head["instructions"] == {"a": "one", "b": "two"}
    assert (head.head["rows"], head.head["failed"], head.head["partial"], head.head["ndcg"]) == (4, 2, False, None)
    assert head.head["templates"] == "two" and head.model == LEXICAL


def test_a_metric_is_remembered_where_all_is_judged(loop: Loop) -> None:
    fields = values(loop)
    fields[4] = [item for item in fields[4] if item["id"] in "xz"]
    fields[4][-1]["parts"][0][1] = "nothing"
    list(loop.on_rank(request(), *fields))
    assert kept(loop)[0].head["ndcg"] == {"a": 1.0, "b": 1.0}


def test_a_stopped_run_is_marked_partial(loop: Loop) -> None:
    steps = loop.on_rank(request(), *values(loop))
    next(steps)
    loop.on_stop(request())
    list(steps)
    assert [k.head["partial"] for k in kept(loop)] == [True]


def test_it_is_written_before_it_is_shown(loop: Loop) -> None:
    """Whoever sees the finished ranking finds it in the history."""
    for step in loop.on_rank(request(), *values(loop)):
        if isinstance(step[3], dict) and step[3].get("b"):
            seen = str(step[0])
            assert kept(loop) or "scoring" in seen or "stopped" in seen, seen


def test_the_same_run_again_is_no_second_one(loop: Loop) -> None:
    fields = values(loop)
    list(loop.on_rank(request(), *fields))
    list(loop.on_rank(request("another page of this browser"), *fields))
    assert [k.times for k in kept(loop)] == [2]
    list(loop.on_rank(request(), *values(loop, "three")))
    assert [k.times for k in kept(loop)] == [1, 2]


def test_what_live_scores_while_somebody_types_is_one_run(loop: Loop) -> None:
    def live(fields: list[Any]) -> None:
        who = request()
        list(loop.on_rank(SimpleNamespace(**{**vars(who), "headers": {**who.headers, "x-workbench-live": "1"}}), *fields))

    list(loop.on_rank(request(), *values(loop, "by hand")))
    for text in ("r", "re", "red"):
        live(values(loop, text))
    assert [k.head["instructions"]["b"] for k in kept(loop)] == ["red", "by hand"]
    other = values(loop, "red one")
    other[4] = other[4][:3]
    live(other)  # other documents
    list(loop.on_rank(request(), *values(loop, "by hand again")))
    assert [k.head["instructions"]["b"] for k in kept(loop)] == ["by hand again", "red one", "red", "by hand"]


def test_whose_it_is() -> None:
    assert owner_of(request("1")) == owner_of(request("2")) != owner_of(request("1", "f" * 32))
    assert NUMBER not in owner_of(request())  # the file of the history opens nobody's page
    assert owner_of(request(user="eve")) == "user:eve"
    for number in ("", "short", "F" * 32, "<script>", "user:eve"):
        assert owner_of(request("1", number)) == "session:1"


def test_what_cannot_be_written_is_said_and_loses_nothing_else(loop: Loop) -> None:
    assert loop.store
    loop.store._db.execute(f"PRAGMA max_page_count = {loop.store._db.execute('PRAGMA page_count').fetchone()[0]}")
    fields = values(loop)
    fields[4][0]["parts"][0][1] = "red star " * 30_000
    *_, shown, _ = list(loop.on_rank(request(), *fields))
    assert "Not in the history" in shown[0] and "full" in shown[0] and 'data-doc="y"' in shown[1]
    loop.store.close()
    *_, shown, _ = list(loop.on_rank(request(), *values(loop)))
    assert "Not in the history" in shown[0] and 'data-doc="y"' in shown[1]


def test_without_a_store_nothing_is_remembered(bench: Bench, tmp_path: Path) -> None:
    loop = Loop(bench, tmp_path)
    *_, shown, _ = list(loop.on_rank(request(), *values(loop)))
    assert "Not in the history" not in shown[0] and 'data-doc="y"' in shown[1]


def test_a_variant_survives_as_plain_values(loop: Loop) -> None:
    variant = Variant(
        "m", ScoreTemplate("{{ x }}", Placeholders("<i>", "<v>"), "pair"), None, {"k": [1, None]}, Limits(3, 4, -1, "left", 9),
        "vllm", {"fps": 2},
    )  # fmt: skip
    assert variant_of(json.loads(json.dumps(variant_plain(variant)))) == variant
    run = last_run(loop, values(loop))
    assert run.a and json.loads(json.dumps(plain(run.a))) == plain(run.a)


def test_a_run_that_was_written_otherwise_is_an_error(loop: Loop) -> None:
    with pytest.raises(WorkbenchError, match="cannot be read"):
        past_of(Kept("x", "me", 0.0, 1, "q", "m", {}, body={"items": [1]}, contents=([], [])))
