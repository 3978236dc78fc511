"""Writes and reads the demo's own pictures and clips as files do: JPEG, H.264 in mp4, frames as a reranker samples them.
Knows nothing of scenes; files of users go through the product's own worker."""

from __future__ import annotations

import io
from collections.abc import Sequence

import av
import numpy as np
from PIL import Image as Pillow

from workbench.demo.drawing import Frames


def sample(total: int, fps: float) -> list[int]:
    """Which frames a reranker of the family looks at: one a second, at least 4, an even number (the reference recipe)."""
    count = min(max(int(total / fps), 4), 64, total)
    count = max(count - count % 2, 2)
    return [round(float(i)) for i in np.linspace(0, total - 1, count)]


def mp4(frames: Frames, fps: int, *, quality: int = 20) -> bytes:
    """H.264 in mp4, yuv420p: every browser plays it."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        # x264's AVX-512 code gives other bytes for the same frames now and then; its AVX2 code never did, and is as fast.
        stream.options = {"crf": str(quality), "preset": "veryfast", "threads": "1", "x264-params": "asm=avx2"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return target.getvalue()


def read_mp4(data: bytes) -> tuple[Frames, float]:
    """All frames and the rate."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(stream)]), float(stream.average_rate)


def jpeg(picture: Frames, quality: int) -> Frames:
    """The picture after a trip through JPEG."""
    buffer = io.BytesIO()
    Pillow.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.array(Pillow.open(buffer).convert("RGB"))


def contact_sheet(pictures: Sequence[Frames], columns: int) -> Pillow.Image:
    """Pictures of equal size side by side, for a person to look at."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    sheet = Pillow.new("RGB", (columns * width, rows * height))
    for i, picture in enumerate(pictures):
        sheet.paste(Pillow.fromarray(picture), (i % columns * width, i // columns * height))
    return sheet
