"""Scorers over the tiny checkpoints, and makers of queries, documents, pictures and clips."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest

from tests.tiny import checkpoint
from workbench.media import Library
from workbench.pool import Bench
from workbench.scorers import Scorer
from workbench.types import Document, Media, Query, Text

Maker = Callable[..., Media]


@pytest.fixture(scope="session")
def qwen3(bench: Bench, tiny_qwen3: Path) -> Scorer:
    return bench.pool._load(str(tiny_qwen3), lambda _: None)


@pytest.fixture(scope="session")
def qwen3_vl(bench: Bench, tiny_qwen3_vl: Path) -> Scorer:
    return bench.pool._load(str(tiny_qwen3_vl), lambda _: None)


@pytest.fixture(scope="session")
def tiny(root: Path) -> Callable[[str], Path]:
    """The folder of a tiny checkpoint by its name in tests/tiny.py or tests/tiny_encoders.py."""
    return lambda name: checkpoint(name, root / ".cache" / "tiny")


@pytest.fixture(scope="session")
def open_tiny(bench: Bench, tiny: Callable[[str], Path]) -> Callable[[str], Scorer]:
    """A scorer over a tiny checkpoint, resolved by its own config; each opened once."""
    return functools.cache(lambda name: bench.pool._load(str(tiny(name)), lambda _: None))


def noise(height: int, width: int, seed: int) -> np.ndarray:
    """A smooth random picture: uint8 [height, width, 3]."""
    small = np.random.default_rng(seed).integers(0, 255, (max(2, height // 8), max(2, width // 8), 3), dtype=np.uint8)
    return np.array(PIL.Image.fromarray(small).resize((width, height), PIL.Image.Resampling.BICUBIC))


@pytest.fixture(scope="session")
def picture(library: Library) -> Maker:
    def make(height: int = 64, width: int = 96, seed: int = 0) -> Media:
        out = io.BytesIO()
        PIL.Image.fromarray(noise(height, width, seed)).save(out, "PNG")
        return library.add(out.getvalue(), f"picture-{seed}.png")

    return make


@pytest.fixture(scope="session")
def clip(library: Library) -> Maker:
    def make(frames: int = 8, fps: int = 2, height: int = 64, width: int = 96, seed: int = 0) -> Media:
        out = io.BytesIO()
        with av.open(out, "w", format="mp4") as file:
            stream = file.add_stream("libx264", rate=Fraction(fps))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for i in range(frames):
                file.mux(
                    stream.encode(av.VideoFrame.from_ndarray(noise(height, width, seed * 100 + i), format="rgb24"))
                )
            file.mux(stream.encode())
        return library.add(out.getvalue(), f"clip-{seed}.mp4")

    return make


def query(*parts: object) -> Query:
    return Query("q", tuple(Text(p) if isinstance(p, str) else p for p in parts))  # type: ignore[misc]


def document(*parts: object, id: str = "d") -> Document:
    return Document(id, tuple(Text(p) if isinstance(p, str) else p for p in parts))  # type: ignore[misc]
