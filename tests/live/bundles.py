"""What bundles are served and checked with, and the prompt that is tuned: each file of tests starts servers of its own."""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.conftest import HOME, running
from workbench.types import Document, Query, Text, Variant

QUERY = Query("q", (Text("the cat is"),))
PAIR_ROWS = [Document(str(i), (Text(t),)) for i, t in enumerate(("a dog", "the cat is a dog", "é [SEP] 😀"))]
QUERY = Query("q", (Text("how do bees find flowers"),))
TEXTS = ("Bees see ultraviolet.", "Taxes are due.", "蜜蜂 🐝")
ROWS = [Document(str(i), (Text(t),)) for i, t in enumerate(TEXTS)]


def tuned(model: Path) -> Variant:
    return Variant(str(model), instruction="Prefer pollinators.")


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
