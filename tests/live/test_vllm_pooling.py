"""/pooling beside real vLLM servers: one vector of a text, a vector for every token."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.live.conftest import asking, scored_here, serving
from tests.tiny import checkpoint
from workbench import wire
from workbench.pool import Bench

TEXTS = ["the cat is a dog", "é😀 [SEP] the", "dog " * 30]
FIELDS: dict[str, dict[str, Any]] = {
    "plain": {}, "not normalised": {"use_activation": False}, "cut": {"truncate_prompt_tokens": 4},
    "cut to less than stands around it": {"truncate_prompt_tokens": 1},
    "bytes": {"encoding_format": "base64"},
}  # fmt: skip


@pytest.fixture(scope="module", params=[("st-mean", "embed"), ("colbert", "token_embed")], ids=["embed", "token_embed"])
def both(request: pytest.FixtureRequest, bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(the server's answer, ours, the task) for a model of each task."""
    name, task = request.param
    folder: Path = checkpoint(name, ROOT / ".cache" / "tiny")
    with serving(tmp_path_factory.mktemp(name), folder, None, {}) as url:
        yield asking(url), scored_here(bench, folder, None), task


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_pooling_is_the_servers(both: Any, fields: dict[str, Any]) -> None:
    ask, here, task = both
    body = {"input": TEXTS, "task": task, **fields}
    theirs, ours = ask("/pooling", body), wire.answer_pooling(here, wire.read_pooling(body, here))
    assert theirs.status_code == 200, theirs.text
    assert ours["usage"] == theirs.json()["usage"]
    for mine, other in zip(ours["data"], theirs.json()["data"], strict=True):
        assert _numbers(mine["data"]) == pytest.approx(_numbers(other["data"]), abs=1e-4)


def _numbers(data: Any) -> list[float]:
    """Row after row."""
    if isinstance(data, str):
        raw = base64.b64decode(data)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return [n for row in data for n in (row if isinstance(row, list) else [row])]
