"""A named model is fetched from the hub that HF_ENDPOINT names: here a small server on this machine with the hub's routes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

NAME, COMMIT = "Qwen/Qwen3-Reranker-0.6B", "0123456789abcdef0123456789abcdef01234567"
FETCH = """
import json, sys
from pathlib import Path
from workbench.pool import open_bench
from workbench.types import Document, Query, Text
bench = open_bench(model=sys.argv[1], data=Path(sys.argv[2]), families=Path("templates"), device="cpu")
said = []
scorer = bench.pool.get(sys.argv[1], said.append)
(result,) = bench.rank(bench.variant(), Query("q", (Text("q"),)), [Document("d", (Text("d"),))])
print(json.dumps({"family": scorer.family.name, "logit": result.score.logit, "said": said}))
bench.close()
"""


class Hub(BaseHTTPRequestHandler):
    folder: Path
    seen: list[str]

    def do_HEAD(self) -> None:
        self.answer(False)

    def do_GET(self) -> None:
        self.answer(True)

    def answer(self, body: bool) -> None:
        self.seen.append(self.path)
        path = self.path.split("?")[0]
        if path.startswith(f"/api/models/{NAME}"):
            files = [{"rfilename": f.name} for f in self.folder.iterdir()]
            data = json.dumps({"id": NAME, "modelId": NAME, "sha": COMMIT, "siblings": files}).encode()
            tree = [{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": "0"} for f in self.folder.iterdir()]
            data = json.dumps(tree).encode() if "/tree/" in path else data
            return self.send(200, data, body, {"Content-Type": "application/json"})
        file = self.folder / Path(path).name
        if not (path.startswith(f"/{NAME}/resolve/{COMMIT}/") and file.is_file()):
            return self.send(404, b"", body, {"X-Error-Code": "EntryNotFound"})
        data = file.read_bytes()
        tag = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        return self.send(200, data, body, {**tag, "Content-Type": "application/octet-stream"})

    def send(self, status: int, data: bytes, body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tiny_qwen3: Path) -> Iterator[tuple[str, list[str]]]:
    handler = type("TinyHub", (Hub,), {"folder": tiny_qwen3, "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.seen  # type: ignore[attr-defined]
    server.shutdown()


def fetch(root: Path, tmp_path: Path, endpoint: str) -> dict[str, object]:
    env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hub")}
    env |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", FETCH, NAME, str(tmp_path / "data")]
    out = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr
    answer: dict[str, object] = json.loads(out.stdout.splitlines()[-1])
    return answer


def test_a_model_is_fetched_once_from_the_named_endpoint(
    hub: tuple[str, list[str]], root: Path, tmp_path: Path
) -> None:
    endpoint, seen = hub
    first = fetch(root, tmp_path, endpoint)
    assert first["family"] == "qwen3-reranker"
    assert any(p.endswith("model.safetensors") for p in seen) and not any(".bin" in p or ".py" in p for p in seen)
    assert str(first["said"]).startswith("['Downloading Qwen/Qwen3-Reranker-0.6B"), first["said"]
    asked = len(seen)
    again = fetch(root, tmp_path, "http://127.0.0.1:9")  # no hub there: the cache is enough
    assert again["logit"] == first["logit"] and len(seen) == asked
