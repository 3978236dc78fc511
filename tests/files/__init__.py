"""Makers of real pictures and clips: every file the tests decode is encoded here, so that its pixels are known.

Knows nothing of the workbench.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import PIL.Image

Array = np.ndarray[Any, Any]
LOSSLESS = {
    "mp4": ("mp4", "libx264rgb", "rgb24", {"qp": "0"}),
    "mov": ("mov", "qtrle", "rgb24", {}),
    "mkv": ("matroska", "ffv1", "bgr0", {}),
    "webm": ("webm", "libvpx-vp9", "gbrp", {"lossless": "1"}),
    "avi": ("avi", "png", "rgb24", {}),
}  # container, codec, pixel format and options that give back what was put in


def noise(height: int = 48, width: int = 64, seed: int = 0) -> Array:
    """uint8 [height, width, 3]; no two seeds and no turned or mirrored picture are alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def blocks(height: int = 48, width: int = 64, seed: int = 0) -> Array:
    """As `noise` in squares of 8 pixels, which lossy formats keep nearly as they are."""
    small = noise(-(-height // 8), -(-width // 8), seed)
    return np.kron(small, np.ones((8, 8, 1), np.uint8))[:height, :width]


def encoded(picture: Array | PIL.Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image = picture if isinstance(picture, PIL.Image.Image) else PIL.Image.fromarray(picture)
    image.save(out, form, **options)
    return out.getvalue()


def with_orientation(picture: Array, orientation: int, form: str = "JPEG", **options: Any) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture, form, exif=exif, **options)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG of any size and depth, its rows (each with a filter byte) as given: also bombs, and 16-bit colour."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def clip(
    frames: Sequence[Array],
    form: str = "mp4",
    *,
    rate: int = 8,
    times: Sequence[int] | None = None,
    turn: tuple[float, bool, bool] | None = None,
    options: dict[str, str] | None = None,
    recipe: tuple[str, str, str, dict[str, str]] | None = None,
) -> bytes:
    """The frames as a clip, losslessly unless a `recipe` says otherwise.

    `times`: milliseconds of each frame (variable rate); `turn`: degrees and flips written as a display matrix;
    `options`: of the container.
    """
    container, codec, pixels, codec_options = recipe or LOSSLESS[form]
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options or {}) as file:
        stream = file.add_stream(codec, rate=Fraction(rate))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = pixels, codec_options
        if turn:
            stream.set_display_rotation(turn[0], hflip=turn[1], vflip=turn[2])
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            if times:
                picture.pts, picture.time_base = times[i], Fraction(1, 1000)
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return out.getvalue()
