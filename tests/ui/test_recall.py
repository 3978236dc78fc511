"""The history's handlers as plain functions: found, opened, compared, written on, restored, and nobody else's."""

from __future__ import annotations

import html
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.ui.test_inspector import NASTY, event
from tests.ui.test_past import request
from workbench.pool import LEXICAL, Bench
from workbench.store import Kept, Store
from workbench.types import Document, Text
from workbench.ui import build, desk
from workbench.ui.bump import tracks
from workbench.ui.loop import Loop
from workbench.ui.owner import owner_of
from workbench.ui.past import past_of
from workbench.ui.recall import NOTHING, Recall
from workbench.ui.rows import named
from workbench.ui.side_by_side import differing, together

OTHER = "f" * 32


@pytest.fixture
def recall(bench: Bench, tmp_path: Path) -> Recall:
    store = Store(tmp_path / "history.db")
    return Recall(Loop(bench, tmp_path, None, store), store)


def values(
    recall: Recall, b: str = "two", *, query: str = "a red star", rows: tuple[str, ...] = ("red star", "moon")
) -> list[Any]:
    own = desk.body_of(recall.loop.bench, LEXICAL)
    documents = [Document(f"d{i}", (Text(text),)) for i, text in enumerate(rows)]
    return [LEXICAL, "reference", query, [], named([], documents, (), [3, 0, 1, 2]), own, "one", own, b]


def score(recall: Recall, *args: Any, who: Any = None, **named_: Any) -> Kept:
    list(recall.loop.on_rank(who or request(), *values(recall, *args, **named_)))
    return recall.store.page(owner_of(who or request()))[0][0]


def click(recall: Recall, view: dict[str, Any], who: Any = None, **data: str) -> tuple[Any, ...]:
    return recall.on_click(event(**data), who or request(), view)


def test_the_tab_lists_runs_and_opens_the_newest(recall: Recall) -> None:
    assert "No runs yet" in recall.on_enter(request(), NOTHING)[1]
    one, two = score(recall, "two"), score(recall, "three")
    view, listed, _, head, rankings, chart = recall.on_enter(request(), NOTHING)
    assert view["opened"] == two.id and listed.index(two.id) < listed.index(one.id)
    assert 'data-doc="d0"' in rankings and "Restore into Tune" in head and "three" in listed
    assert "<svg" in chart and chart.count('class="col') == 2 and chart.count('class="track') == 2
    view, *_, head, rankings, _ = click(recall, view, do="open", run=one.id)
    assert view["opened"] == one.id and one.id in head
    found = recall.on_find(request(), "THREE", view)
    assert one.id not in found[1] and two.id in found[1] and found[0]["opened"] == one.id
    assert "No run matches" in recall.on_find(request(), "nothing like it", view)[1]


def test_what_an_owner_writes_stays_and_narrows(recall: Recall) -> None:
    run = score(recall)
    view = recall.on_enter(request(), NOTHING)[0]
    for index, text in (("name", "Gold <b>"), ("note", "why"), ("tags", "law, pets"), ("colour", "x")):
        recall.on_write(event(index=index, text=text), request(), view)
    click(recall, view, do="pin", run=run.id)
    kept = recall.store.get(run.id)
    assert kept and (kept.name, kept.note, kept.tags, kept.pinned) == ("Gold <b>", "why", ("law", "pets"), True)
    view, listed, filters, head, *_ = click(recall, view, do="tag", name="law")
    assert view["tag"] == "law" and "Gold &lt;b&gt;" in listed and 'aria-pressed="true"' in filters and "Unpin" in head
    assert "No run matches" in click(recall, view, do="tag", name="other")[1]
    assert click(recall, view, do="tag", name="law")[0]["tag"] == ""


def test_nobody_sees_or_changes_another_ones_runs(recall: Recall) -> None:
    mine, eve = score(recall), request("e", OTHER)
    view, listed, filters, head, *_ = recall.on_enter(eve, NOTHING)
    assert "No runs yet" in listed and (head, view["opened"]) == ("", "") and "a red star" not in listed + filters
    view = {**NOTHING, "opened": mine.id}
    for data in ({"do": "delete", "run": mine.id}, {"do": "pin", "run": mine.id}):
        click(recall, view, eve, **data)
    recall.on_write(event(index="name", text="stolen"), eve, view)
    kept = recall.store.get(mine.id)
    assert kept and (kept.name, kept.pinned) == ("", False)


def test_a_link_opens_read_only(recall: Recall) -> None:
    run, eve = score(recall), request("e", OTHER)
    eve.query_params = {"s": run.id}
    *_, head, rankings, chart, tab = recall.on_link(eve, NOTHING)
    assert "read only" in head and "<input" not in head and "Delete" not in head and 'data-doc="d0"' in rankings
    assert chart == "" and tab["selected"] == "history"
    for wrong in ("x", "<b>", "a" * 500):
        eve.query_params = {"s": wrong}
        assert "not there" in recall.on_link(eve, NOTHING)[3]
    assert all(isinstance(x, dict) for x in recall.on_link(request(), NOTHING))


def test_a_deleted_run_is_gone(recall: Recall) -> None:
    one, two = score(recall, "two"), score(recall, "three")
    view, listed, *_ = click(recall, {**NOTHING, "opened": two.id}, do="delete", run=two.id)
    assert view["opened"] == one.id and two.id not in listed and recall.store.get(two.id) is None


def test_any_two_runs_can_be_compared(recall: Recall) -> None:
    one = score(recall, "two", rows=("red star", "moon", "sun"))
    two = score(recall, "three", rows=("comet", "moon", "red star"), query="a moon")
    pasts = [past_of(recall.store.get(k.id)) for k in (two, one)]  # type: ignore[arg-type]
    run = together(recall.loop.bench, pasts[0], "b", pasts[1], "b")
    assert [face.label for face in run.faces] == ["comet", "moon", "red star", "sun"]
    moves = {run.faces[m.index].label: (m.rank_a, m.rank_b) for m in run.moves}
    assert moves == {"moon": (1, 2), "comet": (2, None), "red star": (3, 1), "sun": (None, 3)}
    assert [name for name, *_ in differing(pasts[0], "b", pasts[1], "b")] == ["Query", "Instruction"]
    assert [name for name, *_ in differing(pasts[0], "a", pasts[1], "b")] == ["Query", "Instruction"]
    view, *_, rankings, chart = click(recall, {**NOTHING, "opened": two.id}, do="compare", run=one.id)
    assert "Compared" in rankings and "2 documents in one of them only" in rankings and chart == ""
    view, *_, rankings, _ = click(recall, view, do="left", side="a")
    assert view["left"] == "a" and "one" in rankings
    assert click(recall, view, do="alone")[0]["other"] == ""


def test_a_query_is_followed_through_its_runs(recall: Recall) -> None:
    """Documents are known by their content; where one was not in a run it has no place there."""
    runs = [score(recall, "1", rows=("moon", "red star")), score(recall, "2", rows=("red star", "sun", "moon", "moon"))]
    score(recall, "3", query="another query")
    pasts = [past_of(recall.store.get(k.id)) for k in runs]  # type: ignore[arg-type]
    assert [(t.label, t.ranks) for t in tracks(pasts, "b")] == [
        ("red star", (1, 1)), ("sun", (None, 2)), ("moon", (2, 3)), ("moon", (None, 4)),
    ]  # fmt: skip
    assert recall.on_enter(request(), {**NOTHING, "opened": runs[0].id})[5].count('class="col') == 2


def test_a_run_goes_back_into_tune(recall: Recall) -> None:
    fields = values(recall, "two", query="first\nsecond", rows=("x", NASTY))
    fields[7] += "{# mine #}"
    list(recall.loop.on_rank(request(), *fields))
    run = recall.store.page(owner_of(request()))[0][0]
    out = recall.on_restore(event(do="restore", run=run.id), LEXICAL)
    look, query, parts, _, items, tray, *written = out[:10]
    assert (query, parts, items, written) == (fields[2], [], fields[4], fields[5:9]) and "Restored" in look and "<tr" not in tray
    assert out[13] == "reference" and out[16]["selected"] == "tune" and isinstance(out[11], dict)
    assert recall.on_restore(event(do="restore", run=run.id), "another")[11] == LEXICAL
    assert "not there" in recall.on_restore(event(do="restore", run="x"), LEXICAL)[15]
    assert all(isinstance(x, dict) for x in recall.on_restore(event(do="open"), LEXICAL))


def test_nothing_foreign_is_markup(recall: Recall) -> None:
    run = score(recall, NASTY, query=NASTY, rows=(NASTY, "x"))
    score(recall, "y", query=NASTY, rows=(NASTY, "x"))
    view = {**NOTHING, "opened": run.id}
    for index in ("name", "note", "tags"):
        recall.on_write(event(index=index, text=NASTY), request(), view)
    drawn = [str(x) for x in recall.on_enter(request(), view)[1:]]
    other = recall.store.page(owner_of(request()))[0][0].id
    drawn += [str(x) for x in click(recall, view, do="compare", run=other)[1:]]
    assert all("<img src=x" not in text and "</script>" not in text for text in drawn)
    assert html.escape("{{7*7}}") in drawn[0]
    for text in (drawn[0], drawn[2]):  # what is foreign is not to be translated
        assert not re.search(r"<(?:b|span|td|textarea|p)(?![^>]*translate=)[^>]*>[^<]*onerror", text)


def test_what_the_browser_sends_is_checked(recall: Recall) -> None:
    for data in (None, {}, {"do": "x"}, {"do": 1}):
        out = recall.on_click(SimpleNamespace(_data=data), request(), NOTHING)  # type: ignore[arg-type]
        assert all(isinstance(x, dict) for x in out)
    assert click(recall, NOTHING, do="left", side="<b>")[0]["left"] == "b"
    assert click(recall, NOTHING, do="page", by="-1")[0]["first"] == 0
    assert "not there" in click(recall, NOTHING, do="open", run="z" * 900)[3]


def test_a_history_that_cannot_be_read_is_a_sentence(recall: Recall) -> None:
    score(recall)
    recall.store.close()
    assert "could not be read" in recall.on_enter(request(), NOTHING)[3]


def test_the_page_has_a_history_where_there_is_a_store(bench: Bench, tmp_path: Path) -> None:
    store = Store(tmp_path / "history.db", lasting=False)
    ids = {str(block.elem_id) for block in build(bench, store=store).blocks.values()}
    assert {"history-list", "history-run", "inspector"} <= ids
    assert "history-list" not in {str(block.elem_id) for block in build(bench).blocks.values()}
