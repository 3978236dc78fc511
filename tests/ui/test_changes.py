"""Keep, Revert, Reset, Fix and Undo as plain functions; what the linter says under an editor."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.pool import Bench
from workbench.ui.changes import INSTRUCTION, ITEMS, QUERY, TEMPLATE, WRITTEN, Changes
from workbench.ui.desk import body_of
from workbench.ui.loop import Loop

VIEW = {"side": "b", "at": 0}
TAIL = "<|im_end|>\n<|im_start|>assistant\n"
LAST = "{{- '<|im_start|>assistant\\n' -}}"


@pytest.fixture(scope="module")
def loop(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    folder = tmp_path_factory.mktemp("scenarios")
    documents = [
        {"id": "x", "content": "red star", "grade": 3},
        {"id": "y", "content": f"<Document>:blue moon{TAIL}", "grade": 1},
    ]
    body = {
        "title": "Words",
        "query": "a red star",
        "documents": documents,
        "a": {"instruction": "one"},
        "b": {"instruction": "two"},
    }
    (folder / "words.json").write_text(json.dumps(body))
    return Loop(bench, folder)


@pytest.fixture
def values(loop: Loop, tiny_qwen3_vl: Path) -> list[Any]:
    """model, target, query, query parts, items, template A, instruction A, template B, instruction B"""
    _, query, parts, _, items, _, *sides, _ = loop.on_scenario("words", str(tiny_qwen3_vl))
    return [str(tiny_qwen3_vl), "reference", query, parts, items, *sides]


def event(**data: object) -> Any:
    return SimpleNamespace(_data=data)


def clicked(
    loop: Loop, steps: list[Any], values: list[Any], view: dict[str, Any] = VIEW, **data: object
) -> tuple[list[Any], str, list[Any]]:
    """(steps, undo button, the fields as they are afterwards)"""
    after, undo, _, *new = Changes(loop).on_click(event(**data), steps, view, {}, *values)
    fields = list(values)
    for at, value in zip(WRITTEN, new, strict=True):
        if not (isinstance(value, dict) and "__type__" in value):
            fields[at] = value
    return (steps if isinstance(after, dict) else after), undo, fields


def test_keep_and_revert_can_be_taken_back(loop: Loop, values: list[Any]) -> None:
    values[TEMPLATE["b"]] += "{#- mine -#}"
    steps, undo, kept = clicked(loop, [], values, do="keep", side="b")
    assert kept[TEMPLATE["a"]] == values[TEMPLATE["b"]] and kept[INSTRUCTION["a"]] == "two" and "undo" in undo
    kept[INSTRUCTION["b"]] = "three"
    steps, _, reverted = clicked(loop, steps, kept, do="revert", side="b")
    assert reverted[INSTRUCTION["b"]] == "two" and len(steps) == 2
    steps, _, fields = clicked(loop, steps, reverted, do="undo")
    assert fields == kept
    fields[INSTRUCTION["b"]] = "typed after Keep"  # what Keep did not write, its Undo leaves alone
    steps, undo, fields = clicked(loop, steps, fields, do="undo")
    assert fields == [*values[:8], "typed after Keep"] and steps == [] and undo == ""
    assert clicked(loop, [], values, do="undo")[2] == values


def test_reset_is_the_model_cards_recipe(loop: Loop, values: list[Any]) -> None:
    own = body_of(loop.bench, values[0])
    for side in "ab":
        values[TEMPLATE[side]] = "{{ messages }}"
        steps, _, fields = clicked(loop, [], values, do="reset", side=side)
        assert fields[TEMPLATE[side]] == own and fields[INSTRUCTION[side]] == values[INSTRUCTION[side]]
        assert clicked(loop, steps, fields, do="undo")[2] == values
    assert clicked(loop, [], values, do="reset", side="c")[2] == values


def test_a_fix_is_one_click_and_its_undo_another(loop: Loop, values: list[Any]) -> None:
    values[TEMPLATE["b"]] = values[TEMPLATE["b"]].replace(LAST, LAST.replace("\\n", ""))
    _, drawn = Changes(loop).on_lint(VIEW, {}, *values)
    assert (
        'data-code="E6"' in drawn and 'data-do="fix"' in drawn and "Add the newline" in drawn and "renders" not in drawn
    )
    quick = loop.on_preview(VIEW, {}, *values)[5]
    assert 'data-code="E6"' in quick and 'data-do="fix"' not in quick  # a key press does not wait for fixes to be tried
    steps, _, fields = clicked(loop, [], values, do="fix", side="b", code="E6", nth="0")
    assert fields[TEMPLATE["b"]] == values[TEMPLATE["a"]]
    assert "renders" in Changes(loop).on_lint(VIEW, {}, *fields)[1]
    assert clicked(loop, steps, fields, do="undo")[2] == values
    for nonsense in ({"code": "E9"}, {"code": "E6", "nth": "7"}, {}):
        assert clicked(loop, [], values, do="fix", side="b", **nonsense)[2] == values


def test_wrapped_documents_are_unwrapped_and_keep_their_grades(loop: Loop, values: list[Any]) -> None:
    view = {"side": "b", "at": 1}
    assert "Unwrap the documents" in Changes(loop).on_lint(view, {}, *values)[0]
    steps, _, fields = clicked(loop, [], values, view, do="fix", side="a", code="E5", nth="0")
    assert [i["parts"][0][1] for i in fields[ITEMS]] == ["red star", "blue moon"] and fields[QUERY] == values[QUERY]
    assert [i["grade"] for i in fields[ITEMS]] == [3, 1]
    assert clicked(loop, steps, fields, do="undo")[2] == values


def test_flat_scores_are_said_after_the_run_they_belong_to(loop: Loop, values: list[Any]) -> None:
    from workbench.ui import desk

    prints = desk.read(loop.bench, *values).prints
    scored = {**prints, "logits-a": [1.0, 1.001, 1.002], "logits-b": [1.0, 3.0, 2.0]}
    a, b = Changes(loop).on_lint(VIEW, scored, *values)
    assert 'data-code="W6"' in a and 'data-code="W6"' not in b
    values[INSTRUCTION["a"]] = "edited since"
    assert 'data-code="W6"' not in Changes(loop).on_lint(VIEW, scored, *values)[0]


def test_two_lines_stand_and_the_rest_is_folded(loop: Loop, values: list[Any]) -> None:
    page = (Path(__file__).resolve().parents[2] / "assets/scenarios/page-you-followed/as-shown.jinja").read_text()
    values[TEMPLATE["b"]] = page
    drawn = Changes(loop).on_lint(VIEW, {}, *values)[1]
    places = {code: drawn.find(f'data-code="{code}"') for code in ("E3", "E6", "E5")}
    assert -1 not in places.values() and list(places.values()) == sorted(places.values()), drawn
    assert "<summary>+1</summary>" in drawn and drawn.index("<summary>") < drawn.index('data-code="E5"')
    assert "#template-b .cm-line:nth-child(5)" in drawn and 'title="line 5, column' in drawn
