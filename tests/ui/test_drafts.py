"""How the page opens: on a scenario, on what this tab had typed, and on nobody else's text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workbench.pool import LEXICAL, Bench
from workbench.ui.drafts import RESTORED, TEXTS, Drafts
from workbench.ui.loop import Loop

TYPED = ["my query", "template a", "one", "template b", "mine"]


@pytest.fixture(scope="module")
def drafts(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Drafts:
    folder = tmp_path_factory.mktemp("scenarios")
    for name, order in (("words", 1), ("others", 2)):
        body = {"title": name, "order": order, "query": f"query of {name}", "documents": [{"content": "red"}]}
        (folder / f"{name}.json").write_text(json.dumps(body))
    return Drafts(Loop(bench, folder))


def kept(asked: str | None = None, **changed: Any) -> str:
    draft = {"scenario": "others", "model": LEXICAL, "texts": TYPED, **changed}
    return json.dumps({"draft": json.dumps(draft), "asked": asked})


def opened(drafts: Drafts, sent: str | None) -> tuple[Any, str, list[str]]:
    """(scenario menu, note, query and the four fields)"""
    menu, note, *filled = drafts.on_open("words", LEXICAL, sent)
    return menu, note, [filled[at] for at in TEXTS]


def test_what_was_typed_comes_back_after_a_reload(drafts: Drafts) -> None:
    assert opened(drafts, kept()) == ("others", RESTORED, TYPED)
    note, *filled = drafts.on_clean("others", LEXICAL)
    assert note == "" and filled[1] == "query of others"


def test_a_named_scenario_opens_clean(drafts: Drafts) -> None:
    menu, note, texts = opened(drafts, kept(asked="words"))
    assert (menu, note, texts[0]) == ("words", "", "query of words")
    assert opened(drafts, kept(asked="../../etc/passwd"))[1] == RESTORED  # no such scenario: nothing was asked for


def test_a_draft_that_says_nothing_new_is_not_mentioned(drafts: Drafts) -> None:
    own = opened(drafts, None)[2]
    menu, note, texts = opened(drafts, kept(scenario="words", texts=own))
    assert (menu, note, texts) == ("words", "", own)


@pytest.mark.parametrize(
    "sent",
    [
        None, "", "nonsense", "[1]", "{}", json.dumps({"draft": "{"}), json.dumps({"draft": ["x"]}), kept(model="another"),
        kept(scenario="gone"), kept(texts=["a"]), kept(texts=[1, 2, 3, 4, 5]), kept(texts="abcde"), "[" * 100_000,
        kept(texts=["x" * (1 << 20), "", "", "", ""]),
    ],
    ids=range(14),
)  # fmt: skip
def test_what_is_no_draft_of_this_model_is_left(drafts: Drafts, sent: str | None) -> None:
    _, note, texts = opened(drafts, sent)
    assert note == "" and texts[0] == "query of words"
