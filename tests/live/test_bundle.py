"""An exported bundle served by a real vLLM with its own arguments proves itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles import unpacked
from tests.live.bundles import QUERY, ROWS, TEXTS, checked, serving, tuned
from tests.live.conftest import ENV, HOME, START_SECONDS
from workbench.export import bundle
from workbench.pool import Bench


@pytest.fixture(scope="module")
def folder(bench: Bench, tiny_qwen3: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prompt tuned on the tiny checkpoint, exported."""
    files = bundle(bench, tuned(tiny_qwen3), QUERY, ROWS)
    return unpacked(files, tmp_path_factory.mktemp("bundle"))


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
    variant = tuned(tiny_qwen3)
    folder = unpacked(bundle(bench, variant, QUERY, ROWS, target="vllm-offline"), tmp_path)
    script = folder / "offline.py"
    said = script.read_text(encoding="utf-8")
    quicker = said.replace("OPTIONS = {", "OPTIONS = {'enforce_eager': True, ", 1)  # no minutes of compiling for three pairs
    assert quicker != said
    script.write_text(quicker, encoding="utf-8")
    command = [str(HOME / "bin" / "python"), str(script)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, env=ENV, cwd=folder)
    lines = [line.split(" ", 1) for line in out.stdout.splitlines() if line.split(" ", 1)[-1] in TEXTS]
    printed = {text: float(number) for number, text in lines}
    assert set(printed) == set(TEXTS), out.stdout[-2000:] + out.stderr[-2000:]
    for result in bench.rank(variant, QUERY, ROWS):
        assert result.score and printed[TEXTS[int(result.document.id)]] == pytest.approx(result.score.value, abs=1e-4)
