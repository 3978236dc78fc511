"""Handlers as plain functions: fields in, panels out, on a bench whose model needs no weights."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from tests.tiny import checkpoint
from workbench.errors import WorkbenchError
from workbench.pool import LEXICAL, Bench
from workbench.types import Document, Text
from workbench.ui import build, mount_options
from workbench.ui.export import Export
from workbench.ui.intake import Intake
from workbench.ui.loop import Loop
from workbench.ui.returning import Return
from workbench.ui.rows import content_of, item_of, named, row_of, with_text
from workbench.ui.uploads import Uploads

ROOT = Path(__file__).resolve().parents[2]
VIEW = {"side": "b", "at": 0}


@pytest.fixture(scope="module")
def loop(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    folder = tmp_path_factory.mktemp("scenarios")
    body = {
        "title": "Words", "need": "stars", "look": "watch", "query": "a red star",
        "documents": [{"id": "x", "content": "red star", "grade": 3}, {"id": "y", "content": "blue moon", "grade": 0}],
        "a": {"instruction": "one"}, "b": {"instruction": "two"},
    }  # fmt: skip
    (folder / "words.json").write_text(json.dumps(body))
    (folder / "broken.json").write_text("{")
    return Loop(bench, folder)


@pytest.fixture
def values(loop: Loop) -> list[Any]:
    """model, target, query, query parts, items, template A, instruction A, template B, instruction B"""
    _, query, parts, _, items, _, *sides, _ = loop.on_scenario("words", LEXICAL)
    return [LEXICAL, "reference", query, parts, items, *sides]


def event(**data: object) -> Any:
    return SimpleNamespace(_data=data)


def request(session: str = "s") -> Any:
    return SimpleNamespace(session_hash=session)


def test_a_scenario_fills_the_fields(loop: Loop, values: list[Any]) -> None:
    assert values[2] == "a red star" and [i["id"] for i in values[4]] == ["x", "y"]
    assert (values[6], values[8]) == ("one", "two") and values[5] == values[7]
    assert not values[5].startswith("{#")  # the facts stay out of the editor
    look = loop.on_scenario("broken", LEXICAL)[0]
    assert "broken.json" in look and "notice" in look
    assert "notice" in loop.on_scenario("../../etc/passwd", LEXICAL)[0]


def test_the_preview_shows_both_sides(loop: Loop, values: list[Any]) -> None:
    *silent, head_a, lint_a, head_b, lint_b, head, prompt, stale = loop.on_preview(VIEW, {}, *values)
    assert "Baseline" in head_a and "Draft" in head_b and "model card recipe" in head_a
    assert "renders" in lint_a and "renders" in lint_b and "document 1 of 2" in head
    assert '<span class="instruction">two</span>' in prompt and stale == ""
    assert all("words are counted in query and document alone" in said for said in silent)


def test_a_broken_template_keeps_the_last_prompt(loop: Loop, values: list[Any]) -> None:
    values[7] = "{% if %}"
    *_, lint_b, head, prompt, _ = loop.on_preview(VIEW, {}, *values)
    assert 'data-broken="b"' in lint_b and "line 1" in lint_b and 'data-broken-view="b"' in head
    assert isinstance(prompt, dict)  # nothing is drawn anew
    assert "line 1, column 7" in head and "{% if %}\n<b>      ^</b>" in head and "<code>messages</code>" in head


def test_the_switches_of_the_preview(loop: Loop, values: list[Any]) -> None:
    view = loop.on_view(event(do="step", by="-1"), VIEW, {}, *values)[0]
    assert view == {"side": "b", "at": 1}
    assert loop.on_view(event(do="side", side="a"), view, {}, *values)[0] == {"side": "a", "at": 1}
    for nonsense in ({}, {"do": "side", "side": "<b>"}):
        assert loop.on_view(event(**nonsense), VIEW, {}, *values)[0] == VIEW
    assert loop.on_view(SimpleNamespace(_data=None), VIEW, {}, *values)[0] == VIEW  # type: ignore[arg-type]


def test_scoring_ranks_both_sides_and_tells_what_it_scored(loop: Loop, values: list[Any]) -> None:
    drawn = list(loop.on_rank(request(), *values))
    verdict, results, scores, prints, stale, _, outcome = drawn[-2]
    assert outcome.names == ("x", "y") and outcome.instruction == "two"
    assert results.index('data-doc="x"') < results.index('data-doc="y"') and 'data-side="b"' in results
    assert "2 of 2 judged" in verdict and "<svg" in scores and stale == ""
    assert loop.on_preview(VIEW, prints, *values)[-1] == ""
    values[8] = "three"
    assert 'data-stale="b"' in loop.on_preview(VIEW, prints, *values)[-1]
    values[2] = "another query"
    assert 'data-stale="a b"' in loop.on_preview(VIEW, prints, *values)[-1]


@pytest.mark.parametrize(
    ("at", "value", "said"), [(2, "", "query is empty"), (4, [], "no documents"), (0, "nobody/x", "nobody/x")]
)
def test_what_cannot_be_scored_is_a_sentence(loop: Loop, values: list[Any], at: int, value: Any, said: str) -> None:
    values[at] = value
    (verdict, *_), *_ = list(loop.on_rank(request(), *values))[-1:]
    assert said in verdict and "error" in verdict


def test_what_is_stale_is_asked_of_the_fields_as_they_are(loop: Loop, values: list[Any]) -> None:
    scored = list(loop.on_rank(request(), *values))[-2][3]
    stale, status = loop.on_ended(scored, *values)
    assert stale == "" and loop.bench.pool.get(values[0]).name in status
    assert 'data-stale="b"' in loop.on_ended(scored, *values[:-1], "three")[0]
    assert 'data-stale="b"' in loop.on_settled("", VIEW, scored, *values[:-1], "three")[2]
    drawn = loop.on_preview(VIEW, scored, *values)[6]
    assert loop.on_settled(drawn, VIEW, scored, *values)[2] == ""
    assert 'data-stale="a b"' in loop.on_ended(scored, values[0], values[1], "another query", *values[3:])[0]


def test_back_from_another_tab_all_that_shows_rows_is_drawn_again(loop: Loop, values: list[Any]) -> None:
    *_, outcome = list(loop.on_rank(request(), *values))[-2]
    there, here = (gr.SelectData(None, {"index": at, "value": ""}) for at in (1, 0))
    assert all(isinstance(x, dict) for x in Return(loop).on_return(there, values[4], outcome, VIEW, {}, *values))
    called = [{**values[4][0], "label": "The first"}, *values[4][1:]]
    fields = [*values[:4], called, *values[5:]]
    tray, lists, _, table, *seen = Return(loop).on_return(here, called, outcome, VIEW, {}, *fields)
    assert all("The first" in shown for shown in (tray, lists, table))
    assert len(seen) == 9 and "prompt" in seen[7]


def test_stop_ends_the_run_of_its_own_session_only(loop: Loop, values: list[Any]) -> None:
    def started(session: str) -> Iterator[Any]:
        steps = loop.on_rank(request(session), *values)
        next(steps)
        return steps

    one, two = started("one"), started("two")
    loop.on_stop(request("one"))
    assert any("stopped" in str(step[0]) for step in one)
    assert not any("stopped" in str(step[0]) for step in two)
    loop.on_stop(request("one"))  # nothing runs: nothing happens
    assert not any("stopped" in str(step[0]) for step in loop.on_rank(request("one"), *values))


def test_a_model_that_cannot_be_had_leaves_the_old_one(loop: Loop, values: list[Any]) -> None:
    *_, last = loop.on_model("/no/such/folder", LEXICAL, values[5], values[7])
    assert last[1]["value"] == LEXICAL and LEXICAL in last[2] and "/no/such/folder" in last[3]
    assert isinstance(last[0], dict)
    (only,) = loop.on_model(" ", LEXICAL, "", "")
    assert only[1]["value"] == LEXICAL


def test_a_new_model_replaces_only_templates_that_were_not_edited(
    loop: Loop, values: list[Any], tiny_qwen3_vl: Path
) -> None:
    *_, last = loop.on_model(str(tiny_qwen3_vl), LEXICAL, values[5], "my own")
    assert last[0] == str(tiny_qwen3_vl) and "<Query>:" in last[4] and isinstance(last[5], dict)
    assert last[6]["placeholder"].endswith("the query.")


# ---------------------------------------------------------------- rows
def test_rows_survive_the_session(bench: Bench) -> None:
    rows = [Document("x", (Text("one"),)), WorkbenchError("is bad", where="f.png", hint="Do this.")]
    items = json.loads(json.dumps(named([], rows, ["label"], [2])))
    assert row_of(items[0]) == rows[0] and str(row_of(items[1])) == str(rows[1])
    assert items[0]["label"] == "label" and items[0]["grade"] == 2 and items[1]["label"] == "f.png"


def test_names_are_unique_and_edits_drop_the_grade() -> None:
    items = named([], [Document("", (Text("a"),)), Document("d1", ()), Document("d1", ())])
    assert len({i["id"] for i in items}) == 3
    edited = with_text(item_of(Document("x", (Text("a"),)), "x", "label", 3), "b")
    assert content_of(edited["parts"]) == (Text("b"),) and edited["grade"] is None and edited["label"] == ""


def test_the_tray_checks_what_the_browser_sends(loop: Loop, values: list[Any]) -> None:
    intake, items = Intake(loop), values[4]
    assert [i["id"] for i in intake.on_tray(event(do="remove", id="x"), items)[0]] == ["y"]
    for name in ("z", "0", "", None):
        assert isinstance(intake.on_tray(event(do="remove", id=name), items)[0], dict)
    assert isinstance(intake.on_tray(event(do="other", id="x"), items)[0], dict)
    assert intake.on_edit(event(id="y", text="new"), items)[1]["parts"] == [["text", "new", ""]]
    assert isinstance(intake.on_edit(event(id="z", text="new"), items), dict)


def test_uploads(loop: Loop, tmp_path: Path) -> None:
    flip = ROOT / "assets" / "scenarios" / "flip"
    files = []
    for name, data in {
        "a.png": next(flip.glob("*.png")).read_bytes(), "b.mp4": next(flip.glob("*.mp4")).read_bytes(),
        "cut.mp4": next(flip.glob("*.mp4")).read_bytes()[:900], "cut.png": next(flip.glob("*.png")).read_bytes()[:99],
        "c.bin": b"nothing", "empty.png": b"", "list.txt": b"one\ntwo\n", "bad.txt": b"\xff\xfe\xfa",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
        files.append(str(tmp_path / name))
    items, tray, _, _ = Intake(loop).on_take([], Uploads(loop).on_files(files, [], [], request()), [])
    good = [i["parts"][0][0] for i in items if not i["error"]]
    assert good == ["image", "video", "text", "text"]
    bad = [item for item in items if item["error"]]
    assert [b["label"] for b in bad] == ["cut.mp4", "cut.png", "c.bin", "empty.png", "bad.txt"]
    assert all(b["error"][0] for b in bad) and tray.count('class="doc-row bad"') == 5
    assert not list(tmp_path.iterdir())  # the temporary copies are gone


def test_a_paste_fills_the_fields(loop: Loop, values: list[Any]) -> None:
    intake = Intake(loop)
    items, _, said, look, query, _, _, instruction, template = intake.on_paste(
        json.dumps({"query": "q", "documents": ["x"], "instruction": "i"}), values[4], request()
    )
    assert (
        (len(items), query, instruction, look) == (1, "q", "i", "") and "/rerank" in said and isinstance(template, dict)
    )
    items = intake.on_paste("one\ntwo", values[4], request())[0]
    assert len(items) == 4  # documents alone are put behind the others
    assert "error" in intake.on_paste("{", values[4], request())[2]


# ---------------------------------------------------------------- export and the page
def test_export_offers_first_what_needs_no_restart(loop: Loop, values: list[Any]) -> None:
    export = Export(loop)  # its downloads live as long as it does
    files, archive, template = export.on_look("b", "vllm", False, *values)
    text = Path(template["value"]).read_text()
    assert text.startswith("{#-") and "'two'" in text and archive["interactive"] is False
    assert (
        files.index('data-file="instruction"')
        < files.index('data-file="request"')
        < files.index('data-file="template.jinja"')
    )
    assert "no restart" in files
    values[7] = values[7] + "{{- 'more' -}}"
    assert "no restart" not in export.on_look("b", "vllm", False, *values)[0]  # a server does not have this template
    values[7] = "{{"
    said, archive, template = export.on_look("b", "vllm", False, *values)
    assert "Nothing goes out" in said and archive["interactive"] is False and template["value"] is None


def test_a_checked_prompt_goes_out_for_every_target_that_takes_it(loop: Loop, values: list[Any]) -> None:
    export = Export(loop)
    working, (files, archive, _) = export.on_check("b", "vllm", False, *values)
    assert "Scoring" in working[0] and working[1]["interactive"] is False
    assert "vllm serve" in files and archive["value"].endswith("-b.zip")
    with zipfile.ZipFile(archive["value"]) as bundle:
        assert {"template.jinja", "manifest.json", "golden.jsonl", "check.py", "serve.sh"} <= set(bundle.namelist())
        assert "blue moon" in bundle.read("golden.jsonl").decode()
    files, archive, _ = export.on_look(
        "b", "kubernetes", False, *values
    )  # scored before: another target is there at once
    with zipfile.ZipFile(archive["value"]) as bundle:
        assert "kubernetes.yaml" in bundle.namelist()
    files, archive, _ = export.on_look("b", "text-embeddings-inference", False, *values)
    assert archive["interactive"] is False and "has no score template" in files
    assert export.on_look("a", "vllm", False, *values)[1]["interactive"] is False  # the other side was not checked
    *_, (_, archive, _) = export.on_check("b", "vllm", True, *values)
    with zipfile.ZipFile(archive["value"]) as bundle:
        assert not any("blue moon" in bundle.read(name).decode() for name in bundle.namelist())
        assert json.loads(bundle.read("manifest.json"))["golden"]["synthetic"] is True
    values[7] = "{{"
    assert "Nothing goes out" in list(export.on_check("b", "vllm", False, *values))[-1][0]


def test_a_model_without_a_template_goes_out_alone(loop: Loop, values: list[Any]) -> None:
    export, target = Export(loop), "text-embeddings-inference"
    values[0], values[5:] = str(checkpoint("xlm-roberta-ce", ROOT / ".cache" / "tiny")), ["", "", "", ""]
    files, archive, template = export.on_look("b", target, False, *values)
    assert 'data-file="request.json"' in files and "template.jinja" not in files
    assert template["interactive"] is False and template["value"] is None
    *_, (files, archive, template) = export.on_check("b", target, False, *values)
    assert 'data-file="serve-tei.sh"' in files and template["interactive"] is False
    with zipfile.ZipFile(archive["value"]) as bundle:
        assert {"serve-tei.sh", "request-tei.json", "check.py"} <= set(bundle.namelist())
        assert "template.jinja" not in bundle.namelist()
    values[8] = "two"
    assert "reads no instruction" in export.on_look("b", target, False, *values)[0]


def test_the_page_builds_and_brings_everything_itself(bench: Bench) -> None:
    page = build(bench)
    ids = {str(b.elem_id) for b in page.blocks.values() if b.elem_id}
    wanted = (
        "scenario model query documents score stop preview results export template-a instruction-a lint-a template-b"
    )
    assert set(wanted.split()) <= ids
    assert len(page.blocks) < 150
    options = mount_options()
    head = re.sub(r'<script type="application/json".*?</script>', "", options["head"], flags=re.S)  # words, which load nothing
    assert "<script>" in head and "http://" not in head and "https://" not in head


# ---------------------------------------------------------------- the prompt panel's views
def test_every_view_is_one_round_trip_and_only_the_open_one_is_built(loop: Loop, values: list[Any]) -> None:
    marks = {"prompt": "prompt mono drawn", "tokens": "toks drawn", "diff": "diff drawn", "budget": "fills drawn"}
    for tab, mark in marks.items():
        view, *drawn = loop.on_view(event(do="tab", tab=tab), VIEW, {}, *values)
        assert view["tab"] == tab and f'data-view="{tab}"' in drawn[6]
        assert mark in drawn[7] and not any(other in drawn[7] for other in marks.values() if other != mark)
        assert loop.on_preview(view, {}, *values)[7] == drawn[7]
    assert loop.on_view(event(do="tab", tab="<b>"), VIEW, {}, *values)[0] == VIEW
    assert loop.on_scenario("words", LEXICAL, {"side": "a", "at": 1, "tab": "diff", "order": [1, 0]})[-1] == {
        "side": "b", "at": 0, "tab": "diff"
    }  # fmt: skip


def test_what_the_panel_is_sent_is_checked(loop: Loop, values: list[Any]) -> None:
    for nonsense in (
        {"do": "page", "to": "-1"}, {"do": "page", "to": "x"}, {"do": "page", "to": "9" * 40}, {"do": "at", "at": "7"},
        {"do": "at", "at": None}, {"do": "order", "order": "up"},
    ):  # fmt: skip
        assert loop.on_view(event(**nonsense), VIEW, {}, *values)[0] == VIEW
    view = loop.on_view(event(do="at", at="1"), {**VIEW, "tab": "budget"}, {}, *values)[0]
    assert view == {"side": "b", "at": 1, "tab": "prompt"}
    assert loop.on_view(event(do="page", to="99999999"), {**VIEW, "tab": "budget"}, {}, *values)[0]["first"] == 99999999


def test_documents_that_change_most_come_first(loop: Loop, values: list[Any]) -> None:
    values[7] = values[7] + "{{- ' and then some' if messages[1].content == 'blue moon' -}}"
    view, *drawn = loop.on_view(event(do="order", order="changed"), VIEW, {}, *values)
    assert (
        view["by"] == "changed" and view["order"] == [1, 0] and view["at"] == 1
    )  # the one with more tokens that differ
    assert "document 1 of 2" in drawn[6]
    on = loop.on_view(event(do="step", by="1"), view, {}, *values)[0]
    assert on["at"] == 0
    scored = list(loop.on_rank(request(), *values))[-2][3]
    ranked = loop.on_view(event(do="order", order="changed"), VIEW, {**scored, "climbs": {0: 3, 1: 0}}, *values)[0]
    assert ranked["order"] == [0, 1]  # these very fields were scored: moves in rank count
    values[8] = "another"
    stale = loop.on_view(event(do="order", order="changed"), VIEW, {**scored, "climbs": {0: 3, 1: 0}}, *values)[0]
    assert stale["order"] == [1, 0]  # a run of other fields says nothing of these
    assert "by" not in loop.on_view(event(do="order", order="listed"), ranked, scored, *values)[0]


def test_a_broken_side_is_said_where_it_is_looked_at_anew(loop: Loop, values: list[Any]) -> None:
    values[7] = "{% if %}"
    drawn = {
        tab: loop.on_view(event(do="tab", tab=tab), VIEW, {}, *values)[8]
        for tab in ("prompt", "tokens", "diff", "budget")
    }
    assert all("line 1" in html for html in drawn.values())
    assert "1 line of the template differs" not in drawn["diff"] and "lines of the template differ" in drawn["diff"]
    for tab in ("prompt", "tokens", "budget"):  # while it is typed, the last good one stays
        *_, head, body, _ = loop.on_preview({**VIEW, "tab": tab}, {}, *values)
        assert isinstance(body, dict) and "data-broken-view" in head


def test_long_prompts_are_not_counted_at_every_key(loop: Loop, values: list[Any]) -> None:
    values[8] = "word " * 30_000
    view = {**VIEW, "tab": "budget"}
    *_, head, body, _ = loop.on_preview(view, {}, *values)
    assert isinstance(body, dict) and "press Budget to count again" in head
    assert "fills drawn" in loop.on_view(event(do="tab", tab="budget"), view, {}, *values)[8]


def test_a_late_answer_is_drawn_again(loop: Loop, values: list[Any]) -> None:
    view = loop.on_view(event(do="tab", tab="diff"), VIEW, {}, *values)[0]
    now = loop.on_preview(view, {}, *values)
    assert all(isinstance(part, dict) for part in loop.on_settled(now[6], view, {}, *values)[:2])  # nothing to draw
    late = loop.on_preview(VIEW, {}, *values)  # of the tab that was open before
    assert loop.on_settled(late[6], view, {}, *values) == now[6:9]
    assert loop.on_settled(now[6], view, {}, *values[:-1], "three")[1] != now[7]  # of what was typed before
