"""What Export's Check says of targets stands under the editors too, and of the checked prompt alone."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.export import TargetRow
from workbench.export.targets import Difference
from workbench.lint import Target
from workbench.pool import Bench
from workbench.types import Document, Text
from workbench.ui import aims, desk
from workbench.ui.aims import targets_of
from workbench.ui.changes import Changes
from workbench.ui.export import Export
from workbench.ui.loop import Loop
from workbench.ui.rows import named

VIEW: dict[str, Any] = {"side": "b", "at": 0}


@pytest.fixture
def values(bench: Bench, tiny_qwen3: Path) -> list[Any]:
    """A query that spells what llama.cpp replaces in its stored prompt."""
    own, rows = desk.body_of(bench, str(tiny_qwen3)), [Document("x", (Text("red star"),)), Document("y", (Text("a moon"),))]
    return [str(tiny_qwen3), "reference", "what is {document}", [], named([], rows), own, "one", own, "two"]


def test_a_check_is_said_under_the_editor_until_the_prompt_is_another(bench: Bench, values: list[Any], tmp_path: Path) -> None:
    loop = Loop(bench, tmp_path)
    export = Export(loop)

    def lines(view: dict[str, Any], given: list[Any]) -> list[str]:
        """(lint A, lint B) while typing, and once the fixes are tried."""
        quick = loop.on_preview(view, {}, *given)
        return [quick[3], quick[5], *Changes(loop).on_lint(view, {}, *given)]

    assert "checked" not in export.on_told("b", False, VIEW, *values)
    list(export.on_check("b", "vllm", False, *values))
    view = export.on_told("b", False, VIEW, *values)
    a, b, whole_a, whole_b = lines(view, values)
    assert not any("text-embeddings-inference" in drawn for drawn in (a, whole_a))  # A was not checked
    for drawn in (b, whole_b):
        assert 'data-code="W4"' in drawn and "text-embeddings-inference has no score template" in drawn
        assert 'data-code="W5"' in drawn and "llama.cpp: at token" in drawn and "is expected" in drawn
        assert "text-embeddings-inference: text-embeddings-inference" not in drawn
        assert 'role="alert"' not in drawn  # warnings: they stop nothing
    assert not any("text-embeddings-inference" in drawn for drawn in lines(view, [*values[:8], "two!"]))
    assert not any("text-embeddings-inference" in drawn for drawn in lines(VIEW, values))  # another session, the same question
    turned = loop.on_view(SimpleNamespace(_data={"do": "side", "side": "a"}), view, {}, *values)[0]  # type: ignore[arg-type]
    assert turned["checked"] == json.loads(json.dumps(view))["checked"]


def test_one_reason_is_one_line_and_foreign_tokens_are_set_apart() -> None:
    odd = Difference("given", 4, ((7, "`</b>`"),), ())
    rows = [
        TargetRow("a", "Fine", "", (), 3, 3), TargetRow("b", "One", "it cannot"), TargetRow("c", "Two `x`", "it cannot"),
        TargetRow("d", "Three", "it would read other tokens: …", (), 2, 3, (odd,)),
        TargetRow("e", "Four", "it would give other types", (), 0, 3),
    ]  # fmt: skip
    assert targets_of(rows) == (
        Target("One; Two x", lacks="it cannot"),
        Target("Three", differs="at token 4 it reads `–` where `''</b>''` is expected"),
        Target("Four", differs="it would give other types"),
    )


def test_the_oldest_checks_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aims, "KEPT", 2)
    view, row = dict(VIEW), TargetRow("b", "One", "it cannot")
    for mark in "xyxz":
        view = aims.told(view, mark, [row])
    assert not aims.known(view, "y") and aims.known(view, "x") and aims.known(view, "z") == (Target("One", lacks="it cannot"),)
    assert view["side"] == "b" and VIEW == {"side": "b", "at": 0}
