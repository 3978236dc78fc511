"""An exported bundle served by a real vLLM with its own arguments proves itself, and every sabotage is named."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bundles import unpacked
from tests.live.conftest import ENV, HOME, START_SECONDS, bert, running
from tests.tiny import fill
from workbench.export import bundle
from workbench.pool import Bench
from workbench.types import Document, Query, Text, Variant

PAIR_QUERY = Query("q", (Text("the cat is"),))
PAIR_ROWS = [Document(str(i), (Text(t),)) for i, t in enumerate(("a dog", "the cat is a dog", "é [SEP] 😀"))]
QUERY = Query("q", (Text("how do bees find flowers"),))
TEXTS = ("Bees see ultraviolet.", "Taxes are due.", "蜜蜂 🐝")
ROWS = [Document(str(i), (Text(t),)) for i, t in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def folder(bench: Bench, tiny_qwen3: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prompt tuned on the tiny checkpoint, exported."""
    files = bundle(bench, Variant(str(tiny_qwen3), instruction="Prefer pollinators."), QUERY, ROWS)
    return unpacked(files, tmp_path_factory.mktemp("bundle"))


@contextlib.contextmanager
def serving(folder: Path, place: Path, changes: dict[str, str | None]) -> Iterator[str]:
    """The bundle's own `vllm serve` arguments, started as a module; `changes` replaces or (None) takes out options."""
    words = shlex.split((folder / "serve.sh").read_text().splitlines()[-1])
    options = {
        "--model": words[2], "--max-model-len": "2048", **dict(zip(words[3::2], words[4::2], strict=True)), **changes,
    }  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = [w for name, value in options.items() if value is not None for w in (name, value)]
    command = [
        str(HOME / "bin" / "python"), "-m", "vllm.entrypoints.openai.api_server", *given, "--enforce-eager",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    with running(command, folder, place, port) as url:
        yield url


def checked(folder: Path, url: str, *flags: str) -> tuple[int, str, dict[str, Any]]:
    """The bundle's own check.py, with nothing of ours on its path: exit code, what it printed, its report."""
    report = folder / "report.json"
    command = [sys.executable, "-I", str(folder / "check.py"), url, "--json", str(report), *flags]
    out = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return out.returncode, out.stdout + out.stderr, json.loads(report.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pair_folder(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder that reads its tokenizer's pair, exported."""
    return unpacked(bundle(bench, Variant(str(bert())), PAIR_QUERY, PAIR_ROWS), tmp_path_factory.mktemp("pairs"))


def other_model(tiny: Path, place: Path) -> Path:
    """The same architecture and tokenizer with other weights."""
    from transformers import Qwen3ForCausalLM

    shutil.copytree(tiny, place)
    fill(Qwen3ForCausalLM.from_pretrained(tiny).float(), scale=0.15).save_pretrained(place)
    return place


def test_the_bundle_serves_what_was_exported(folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path, {}) as url:
        code, said, report = checked(folder, url, "--strict")
        assert code == 0 and not report["warnings"], said
        assert all(row["shown"] and row["counted"] == row["tokens"] and not row["wrong"] for row in report["rows"])
        command = [sys.executable, "-m", "workbench", "check", url, "--bundle", str(folder), "--strict"]
        ours = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert ours.returncode == 0, ours.stdout + ours.stderr


def test_half_precision_is_a_warning_and_with_strict_a_failure(folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path, {"--dtype": "bfloat16"}) as url:
        code, said, report = checked(folder, url)
        assert code == 0 and report["warnings"] and report["warnings"][0].startswith("other dtype"), said
        assert all("ids" not in row["wrong"] and "count" not in row["wrong"] for row in report["rows"])
        assert checked(folder, url, "--strict")[0] == 1


def test_the_offline_script_prints_the_scores_that_were_tuned(bench: Bench, tiny_qwen3: Path, tmp_path: Path) -> None:
    tuned = Variant(str(tiny_qwen3), instruction="Prefer pollinators.")
    folder = unpacked(bundle(bench, tuned, QUERY, ROWS, target="vllm-offline"), tmp_path)
    script = folder / "offline.py"
    said = script.read_text(encoding="utf-8")
    quicker = said.replace("OPTIONS = {", "OPTIONS = {'enforce_eager': True, ", 1)  # no minutes of compiling for three pairs
    assert quicker != said
    script.write_text(quicker, encoding="utf-8")
    command = [str(HOME / "bin" / "python"), str(script)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, env=ENV, cwd=folder)
    lines = [line.split(" ", 1) for line in out.stdout.splitlines() if line.split(" ", 1)[-1] in TEXTS]
    assert [text for _, text in lines] == list(TEXTS), out.stdout[-2000:] + out.stderr[-2000:]
    wanted = {result.document.id: result.score for result in bench.rank(tuned, QUERY, ROWS)}
    for at, (number, _) in enumerate(lines):
        score = wanted[str(at)]
        assert score is not None and float(number) == pytest.approx(score.value, abs=1e-4)


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


# ---------------------------------------------------------------- a model that reads its tokenizer's pair
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
