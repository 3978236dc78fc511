"""The page, `/rerank` and the command line rank the same documents the same way."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import ROOT

SCENARIOS = ROOT / "assets" / "scenarios"
MODEL = ROOT / "assets" / "demo-reranker"
TYPES = {".png": "image/png", ".mp4": "video/mp4"}


def scenario() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCENARIOS / "flip.json").read_text(encoding="utf-8"))
    return loaded


def inline(part: dict[str, Any]) -> dict[str, Any]:
    """The part with its file as a data URL."""
    kind = part["type"]
    if kind == "text":
        return part
    path = SCENARIOS / part[kind]["url"]
    data = base64.b64encode(path.read_bytes()).decode()
    return {"type": kind, kind: {"url": f"data:{TYPES[path.suffix]};base64,{data}"}}


def shown(page: Page, side: str) -> list[str]:
    cards = page.locator(f"#lists .card[data-side={side}]")
    ranked = sorted((int(c.get_attribute("data-rank") or 0), c.get_attribute("data-doc") or "") for c in cards.all())
    return [name for _, name in ranked]


@pytest.mark.parametrize("side", ["a", "b"])
def test_the_doors_agree(page: Page, address: str, tmp_path: Path, side: str) -> None:
    told = scenario()
    names = [d["id"] for d in told["documents"]]
    body = {"query": told["query"]["content"][0]["text"], "instruction": told[side]["instruction"]}
    over_http = {**body, "documents": [{"content": [inline(p) for p in d["content"]]} for d in told["documents"]]}
    answer = httpx.post(f"{address}/rerank", json=over_http, timeout=60).json()

    (tmp_path / "flip").symlink_to(SCENARIOS / "flip")
    lines = {**body, "documents": [{"content": d["content"]} for d in told["documents"]]}
    (tmp_path / "requests.jsonl").write_text(json.dumps(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "workbench", "rerank", "--device", "cpu", "--in", str(tmp_path / "requests.jsonl")]
    model = ["--model", str(MODEL)]
    out = subprocess.run([*command, *model], cwd=ROOT, env={**os.environ}, capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr
    from_file = json.loads(out.stdout)

    order = [names[r["index"]] for r in answer["results"]]
    assert order == [names[r["index"]] for r in from_file["results"]]
    assert order == shown(page, side)
    scores = [r["relevance_score"] for r in answer["results"]]
    assert scores == pytest.approx([r["relevance_score"] for r in from_file["results"]], abs=1e-5)
