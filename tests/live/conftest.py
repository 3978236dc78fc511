"""Real vLLM servers on tiny checkpoints, each started once; where vLLM is not installed its tests are NOT RUN, loudly."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.tiny import checkpoint
from workbench.pool import Bench, Pool
from workbench.template import template_of

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("VLLM_HOME") or ROOT / ".cache" / "vllm")
GOLDEN = json.loads((ROOT / "tests" / "golden" / "vllm_qwen.json").read_text(encoding="utf-8"))
TEMPLATE: str = GOLDEN["templates"]["qwen3"]
SEEING: str = GOLDEN["templates"]["qwen3-vl"]
ENV = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "PYTHONPATH": ""}
OVERRIDES = {
    "architectures": ["Qwen3ForSequenceClassification"],
    "classifier_from_token": ["no", "yes"],
    "is_original_qwen3_reranker": True,
}
START_SECONDS = 600  # half a minute on two idle cores; beside other work it has taken ten


def missing() -> str:
    """Why no server can be started, "" where it can."""
    if (HOME / "installed").is_file():
        return ""
    why = HOME.with_suffix(".failed")
    said = f" ({why.read_text(encoding='utf-8').strip()[-300:]})" if why.is_file() else ""
    return f"vLLM is not installed in {HOME}{said}; WITH_VLLM=1 bash tests/run installs it and runs them"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing()
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.vllm)
            if reason:
                item.add_marker(pytest.mark.skip(reason=f"NOT RUN: {reason}"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    left = [r for r in terminalreporter.stats.get("skipped", []) if "NOT RUN" in str(r.longrepr)]
    if left:
        terminalreporter.section("NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(left)} tests against a real vLLM server were NOT RUN: {missing()}", red=True, bold=True)


# ---------------------------------------------------------------- the servers
@contextlib.contextmanager
def serving(place: Path, model: Path, template: str | None, overrides: dict[str, Any]) -> Iterator[str]:
    """The address of a vLLM that serves a tiny checkpoint in float32."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command: list[Any] = [
        HOME / "bin" / "python", "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", "tiny",
        "--runner", "pooling", "--dtype", "float32", "--enforce-eager", "--host", "127.0.0.1", "--port", port,
    ]  # fmt: skip
    if template is not None:
        (place / "template.jinja").write_text(template, encoding="utf-8")
        command += ["--chat-template", place / "template.jinja"]
    command += ["--hf-overrides", json.dumps(overrides)] if overrides else []
    with running([str(c) for c in command], place, place, port) as url:
        yield url


@contextlib.contextmanager
def running(command: list[str], folder: Path, place: Path, port: int) -> Iterator[str]:
    """A server while it is needed. `folder`: where it runs; `place`: where its log goes."""
    with (place / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=ENV, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(f"http://127.0.0.1:{port}", process, place / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def server(tiny_qwen3: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Text, with the reference template."""
    with serving(tmp_path_factory.mktemp("vllm"), tiny_qwen3, TEMPLATE, overrides("Qwen3")) as url:
        yield url


@pytest.fixture(scope="session")
def seeing_server(tiny_qwen3_vl: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Text, pictures and clips."""
    with serving(tmp_path_factory.mktemp("vllm-vl"), tiny_qwen3_vl, SEEING, overrides("Qwen3VL")) as url:
        yield url


@pytest.fixture(scope="session")
def pair_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A BERT cross-encoder, which reads its tokenizer's pair and no template."""
    with serving(tmp_path_factory.mktemp("vllm-bert"), bert(), None, {}) as url:
        yield url


def overrides(kind: str) -> dict[str, Any]:
    return {
        "architectures": [f"{kind}ForSequenceClassification"],
        "classifier_from_token": ["no", "yes"],
        "is_original_qwen3_reranker": True,
    }


def bert() -> Path:
    return checkpoint("bert-ce", ROOT / ".cache" / "tiny")


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, f"vLLM ended: {log.read_text()[-3000:]}"
        try:
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(1)
    raise AssertionError(f"vLLM did not start in {START_SECONDS} s: {log.read_text()[-3000:]}")


def asking(url: str) -> Any:
    client = httpx.Client(base_url=url, timeout=120, trust_env=False)
    return lambda path, body: client.post(path, json=body)


@pytest.fixture(scope="session")
def ask(server: str) -> Any:
    return asking(server)


def scored_here(bench: Bench, model: Path, template: str | None) -> Bench:
    """A checkpoint with the server's template, scored by the workbench as vLLM scores."""
    pool = Pool(bench.families, bench.library, device="cpu", dtype="float32")
    given = None if template is None else template_of(template, pool.get(str(model)).family)
    return Bench(pool, bench.renderer, bench.library, bench.families, str(model), given, "vllm")


def scored_there(bench: Bench, url: str) -> Bench:
    """The server as a model of the workbench."""
    pool = Pool(bench.families, bench.library, endpoints=(url,))
    return Bench(pool, bench.renderer, bench.library, bench.families, url, None, "vllm")


@pytest.fixture(scope="session")
def here(bench: Bench, tiny_qwen3: Path) -> Bench:
    return scored_here(bench, tiny_qwen3, TEMPLATE)


@pytest.fixture(scope="session")
def there(bench: Bench, server: str) -> Bench:
    return scored_there(bench, server)
