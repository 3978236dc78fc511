"""A cross-encoder that reads its tokenizer's pair, exported and served by a real vLLM, and two sabotages of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bundles import unpacked
from tests.live.bundles import checked, serving
from tests.live.conftest import bert
from tests.tiny import fill
from workbench.export import bundle
from workbench.pool import Bench
from workbench.types import Document, Query, Text, Variant

PAIR_QUERY = Query("q", (Text("the cat is"),))
PAIR_ROWS = [Document(str(i), (Text(t),)) for i, t in enumerate(("a dog", "the cat is a dog", "é [SEP] 😀"))]


@pytest.fixture(scope="module")
def pair_folder(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder that reads its tokenizer's pair, exported."""
    return unpacked(bundle(bench, Variant(str(bert())), PAIR_QUERY, PAIR_ROWS), tmp_path_factory.mktemp("pairs"))


def test_a_pair_is_served_as_it_was_exported(pair_folder: Path, tmp_path: Path) -> None:
    with serving(pair_folder, tmp_path, {"--max-model-len": None}) as url:
        code, said, report = checked(pair_folder, url, "--strict")
    assert code == 0 and not report["warnings"], said
    assert all(row["counted"] == row["tokens"] and not row["wrong"] for row in report["rows"])


@pytest.mark.parametrize("sabotage", ["other model", "template loaded"])
def test_a_sabotage_of_a_pair_is_named(pair_folder: Path, tmp_path: Path, sabotage: str) -> None:
    changes: dict[str, str | None] = {"--max-model-len": None}
    if sabotage == "template loaded":
        body = "{{- 'is it asked: ' ~ messages[0].content ~ ' and is it told: ' ~ messages[1].content -}}"
        (tmp_path / "t.jinja").write_text(body, encoding="utf-8")
        changes["--chat-template"] = str(tmp_path / "t.jinja")
    else:
        from transformers import BertForSequenceClassification

        shutil.copytree(bert(), tmp_path / "other")
        fill(BertForSequenceClassification.from_pretrained(bert()).float(), scale=0.15).save_pretrained(tmp_path / "other")
        changes["--model"] = str(tmp_path / "other")
    with serving(pair_folder, tmp_path, changes) as url:
        code, said, report = checked(pair_folder, url)
    assert code == 1 and report["causes"] == [sabotage], said
    assert f"cause: {sabotage}" in said

