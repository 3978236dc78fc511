"""README stays true: its commands run as written, its pictures exist, its tree names every module."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from workbench.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.S)
COMMANDS = [line for block in BLOCKS for line in re.sub(r"\\\n\s*", "", block).splitlines() if line.strip()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place that looks like the checkout, where commands may write."""
    place = tmp_path_factory.mktemp("checkout")
    for name in ("assets", "templates", "workbench", "app.py"):
        (place / name).symlink_to(ROOT / name)
    (place / ".venv/bin").mkdir(parents=True)
    (place / ".venv/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (place / ".venv/bin/python").chmod(0o755)
    return place


def test_the_command_line_block_runs_as_written(folder: Path) -> None:
    (block,) = [b for b in BLOCKS if "requests.jsonl" in b]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(["sh", "-euc", block], cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert out.returncode == 0, out.stderr
    assert (folder / "bundle/template.jinja").is_file()
    first = json.loads(out.stdout.splitlines()[0])
    assert [r["document"]["text"] for r in first["results"]], first
    assert {p["index"] for p in first["pairs"]} == {0, 1}


@pytest.mark.usefixtures("hurried")
def test_the_bench_line_runs_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = [c for c in COMMANDS if " bench " in c]
    program, *arguments = shlex.split(line)
    assert [program, *arguments[:2]] == [".venv/bin/python", "-m", "workbench"]
    assert main(arguments[2:]) == 0
    assert "four instructions together" in capsys.readouterr().out


def test_the_first_two_commands_are_the_set_up() -> None:
    assert COMMANDS[0] == (
        "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python app.py"
    )
    assert COMMANDS[1] == "bash tests/run"
    assert "bash tests/run" in (ROOT / ".ci/run").read_text()


def test_the_curl_body_is_what_the_server_takes(bench: object) -> None:
    from workbench import wire

    (line,) = [b for b in BLOCKS if b.startswith("curl")]
    body = json.loads(re.search(r"-d '(.*)'", line, re.S)[1])  # type: ignore[index]
    assert wire.read_rerank(body, bench).query.content  # type: ignore[arg-type]


def test_pictures_and_links_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_tree_names_every_module() -> None:
    tree = README.split("## What is where")[1].split("\n## ")[0]
    modules = [p for p in (ROOT / "workbench").iterdir() if p.suffix == ".py" or (p.is_dir() and list(p.glob("*.py")))]
    for module in modules:
        name = f"{module.name}/" if module.is_dir() else module.name
        assert name in tree or module.name == "__init__.py", f"{name} is missing in README's tree"
    for name in re.findall(r"^ {4}(\w+(?:\.py|/))", tree, re.M):
        assert (ROOT / "workbench" / name).exists(), f"README's tree names {name}, which is not there"


def test_the_space_header_agrees_with_the_pins() -> None:
    header = README.split("---")[1]
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.M))
    assert f"sdk_version: {pins['gradio']}" in header and "sdk: gradio" in header and "app_file: app.py" in header
    assert "license: apache-2.0" in header and 'python_version: "3.11"' in header


def test_settings_are_valid() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["strict"] is True
