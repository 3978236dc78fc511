"""Copies of a picture or clip with a part of it grey, for asking what a score stands on.

Knows nothing of models; what it writes is lossless, so that nothing but the grey differs.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import PIL.Image

from workbench.errors import MediaInvalid

GREY = 128
MOST_PIXELS = 2_000_000  # of a copied picture: models shrink larger ones anyway
MOST_CLIP = 200_000_000  # pixels of all frames of a copied clip


def covered(image: PIL.Image.Image, rows: int, columns: int, tile: int | None) -> bytes:
    """PNG of the picture, shrunk to MOST_PIXELS, with tile number `tile` (row by row) grey; None covers nothing."""
    scale = (MOST_PIXELS / (image.width * image.height)) ** 0.5
    if scale < 1:
        image = image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))))
    if tile is not None:
        row, column = divmod(tile, columns)
        left, right = (image.width * c // columns for c in (column, column + 1))
        top, bottom = (image.height * r // rows for r in (row, row + 1))
        image = image.copy()
        image.paste((GREY, GREY, GREY), (left, top, right, bottom))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def greyed(frames: Iterator[tuple[int, Any]], fps: float, grey: Sequence[int]) -> bytes:
    """FFV1 in Matroska of all frames at the same rate, those numbered `grey` replaced by grey."""
    rate, target, pixels = Fraction(fps).limit_denominator(65535), io.BytesIO(), 0
    if rate <= 0:
        raise MediaInvalid("does not say its frame rate, so it cannot be copied frame by frame")
    with av.open(target, "w", format="matroska") as container:
        stream = None
        for index, frame in frames:
            pixels += frame.shape[0] * frame.shape[1]
            if pixels > MOST_CLIP:
                raise MediaInvalid("is too long to be copied frame by frame", hint="Look at a shorter clip.")
            if stream is None:
                stream = container.add_stream("ffv1", rate=rate)
                stream.height, stream.width, stream.pix_fmt = frame.shape[0], frame.shape[1], "bgr0"
            shown = np.full_like(frame, GREY) if index in grey else frame
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode())
    return target.getvalue()
