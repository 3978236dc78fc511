"""Fixtures everybody shares: tiny checkpoints, a renderer, a media library, a bench. Nothing here reaches a network."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tiny_qwen3() -> Path:
    from tests.tiny import checkpoint

    return checkpoint("qwen3", ROOT / ".cache" / "tiny")


@pytest.fixture(scope="session")
def tiny_qwen3_vl() -> Path:
    from tests.tiny import checkpoint

    return checkpoint("qwen3-vl", ROOT / ".cache" / "tiny")


@pytest.fixture(scope="module")
def hurried() -> Iterator[None]:
    """Measurements begin at once: beside other tests the machine is never quiet, and what is tested here is no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("workbench.bench.measure"), "PATIENCE", 0)
        yield


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A bench on the CPU in float32; its default model needs no weights."""
    from workbench.pool import LEXICAL, open_bench

    opened = open_bench(
        model=LEXICAL, data=tmp_path_factory.mktemp("data"), families=ROOT / "templates", device="cpu", dtype="float32"
    )
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A bench whose default model is the one that ships."""
    from workbench.pool import open_bench

    model, data = ROOT / "assets" / "demo-reranker", tmp_path_factory.mktemp("data")
    opened = open_bench(model=model.name, data=data, families=ROOT / "templates", shipped=model, device="cpu")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def renderer(bench: object) -> object:
    return bench.renderer  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def library(bench: object) -> object:
    return bench.library  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def exported(bench: object, tiny_qwen3: Path) -> object:
    """One tuned prompt on the tiny checkpoint, proved and scored: what bundles of every target are made from."""
    from workbench.export import outgoing
    from workbench.types import Document, Query, Text, Variant

    query, rows = Query("q", (Text("q"),)), [Document("d", (Text("d"),))]
    return outgoing(bench, Variant(str(tiny_qwen3), instruction="Only law."), query, rows)  # type: ignore[arg-type]
