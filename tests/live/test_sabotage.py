"""A bundle on a real vLLM that serves it otherwise: every sabotage is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.bundles import unpacked
from tests.live.bundles import QUERY, ROWS, checked, serving, tuned
from tests.tiny import fill
from workbench.export import bundle
from workbench.pool import Bench


@pytest.fixture(scope="module")
def folder(bench: Bench, tiny_qwen3: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prompt tuned on the tiny checkpoint, exported."""
    files = bundle(bench, tuned(tiny_qwen3), QUERY, ROWS)
    return unpacked(files, tmp_path_factory.mktemp("bundle"))


def other_model(tiny: Path, place: Path) -> Path:
    """The same architecture and tokenizer with other weights."""
    from transformers import Qwen3ForCausalLM

    shutil.copytree(tiny, place)
    fill(Qwen3ForCausalLM.from_pretrained(tiny).float(), scale=0.15).save_pretrained(place)
    return place


@pytest.mark.parametrize("sabotage", ["template not loaded", "newline lost", "instruction ignored", "other model"])
def test_a_sabotage_is_named(folder: Path, tmp_path: Path, tiny_qwen3: Path, root: Path, sabotage: str) -> None:
    changes: dict[str, str | None] = {}
    if sabotage == "template not loaded":
        changes["--chat-template"] = None
    elif sabotage == "newline lost":
        source = (folder / "template.jinja").read_text(encoding="utf-8")
        (tmp_path / "t.jinja").write_text(source.replace("</think>\\n\\n'", "</think>\\n'"), encoding="utf-8")
        assert (tmp_path / "t.jinja").read_text(encoding="utf-8") != source
        changes["--chat-template"] = str(tmp_path / "t.jinja")
    elif sabotage == "instruction ignored":
        changes["--chat-template"] = str(root / "templates" / "qwen3-reranker.jinja")
    else:
        changes["--model"] = str(other_model(tiny_qwen3, tmp_path / "other"))
    with serving(folder, tmp_path, changes) as url:
        code, said, report = checked(folder, url)
    assert code == 1 and report["causes"][0] == sabotage, said
    assert f"cause: {sabotage}" in said
