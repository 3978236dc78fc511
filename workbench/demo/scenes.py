"""Draws the demo world: one coloured shape, still in a picture or moving through a clip, the same for the same seed.
Knows nothing of captions, instructions or models."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw

Frames = npt.NDArray[np.uint8]  # [frame, height, width, 3]

# hue range in degrees, saturation range, value range. Gaps between neighbours keep every name certain.
COLOURS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-7, 7), (0.78, 1.0), (0.72, 1.0)),
    "orange": ((22, 39), (0.82, 1.0), (0.88, 1.0)),
    "yellow": ((50, 62), (0.70, 1.0), (0.88, 1.0)),
    "green": ((100, 148), (0.55, 1.0), (0.42, 0.85)),
    "cyan": ((176, 191), (0.60, 1.0), (0.78, 1.0)),
    "blue": ((212, 243), (0.68, 1.0), (0.55, 1.0)),
    "purple": ((268, 298), (0.50, 1.0), (0.42, 0.82)),
    "pink": ((325, 348), (0.28, 0.62), (0.92, 1.0)),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "heart", "ring", "crescent")
MOTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
SIZES = ("small", "middling", "large")
SIZE_RADIUS = {"small": (0.19, 0.25), "middling": (0.26, 0.34), "large": (0.35, 0.43)}
BACKGROUNDS = ((250, 250, 250), (14, 14, 16), (128, 128, 130), (205, 205, 205), (66, 68, 74), (243, 236, 216),
               (222, 232, 240), (226, 238, 224), (44, 52, 68), (58, 46, 40))  # fmt: skip
SMOOTH = 4  # supersampling of the outline: an aliased 64-pixel circle is too close to a rounded square


@dataclass(frozen=True, slots=True)
class Scene:
    """One object. `motion` None: a picture, or a clip in which nothing moves."""

    colour: str
    shape: str
    size: str = "middling"
    motion: str | None = None


def random_scene(rng: random.Random, *, moving: bool = False) -> Scene:
    motion = rng.choice([*MOTIONS, None] if rng.random() < 0.35 else list(MOTIONS)) if moving else None
    return Scene(rng.choice(list(COLOURS)), rng.choice(SHAPES), rng.choice(SIZES), motion)


def outline(shape: str) -> list[list[tuple[float, float]]]:
    """Polygons of a shape in a circle of radius 1: the first is filled, the others are holes."""

    def arc(radius: float, start: float = 0, stop: float = 360, at: tuple[float, float] = (0, 0)) -> Any:
        steps = [math.radians(start + (stop - start) * i / 72) for i in range(73)]
        return [(at[0] + radius * math.cos(a), at[1] + radius * math.sin(a)) for a in steps]

    if shape == "circle":
        return [arc(0.95)]
    if shape == "ring":
        return [arc(0.98), arc(0.54)]
    if shape == "square":
        return [[(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)]]
    if shape == "triangle":
        return [[(0, -1.0), (0.95, 0.72), (-0.95, 0.72)]]
    if shape == "star":
        points = [(1.08 if i % 2 == 0 else 0.44, math.radians(36 * i - 90)) for i in range(10)]
        return [[(r * math.cos(a), r * math.sin(a)) for r, a in points]]
    if shape == "cross":
        w = 0.32
        return [[(-w, -1), (w, -1), (w, -w), (1, -w), (1, w), (w, w), (w, 1), (-w, 1), (-w, w), (-1, w), (-1, -w), (-w, -w)]]
    if shape == "heart":
        turn = [math.radians(5 * i) for i in range(72)]
        curve = [(16 * math.sin(t) ** 3, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)))
                 for t in turn]  # fmt: skip
        return [[(x / 16.5, (y - 2) / 16.5) for x, y in curve]]
    if shape == "crescent":
        # a disc less a disc moved to the right: the tips are where the two circles meet
        return [[*arc(1.0, 50, 310), *reversed(arc(0.80, 73.2, 286.8, at=(0.41, 0)))]]
    raise ValueError(f"unknown shape {shape!r}; known: {', '.join(SHAPES)}")


TILT = {"circle": 180, "ring": 180, "square": 12, "triangle": 18, "star": 36, "cross": 14, "heart": 16, "crescent": 30}


def rgb(colour: str, rng: random.Random) -> tuple[int, int, int]:
    """A shade that people would call `colour`."""
    (h0, h1), (s0, s1), (v0, v1) = COLOURS[colour]
    hue, saturation, value = rng.uniform(h0, h1) % 360 / 60, rng.uniform(s0, s1), rng.uniform(v0, v1)
    channel = [value - value * saturation * max(0.0, min((n + hue) % 6, 4 - (n + hue) % 6, 1.0)) for n in (5, 3, 1)]
    red, green, blue = (round(255 * c) for c in channel)
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Look:
    """What the seed decides and no caption tells: shade, tilt, size in pixels, background, path."""

    fill: tuple[int, int, int]
    back: tuple[int, int, int]
    slope: float
    noise: float
    tilt: float
    mirror: bool
    radius: float
    start: tuple[float, float]
    stop: tuple[float, float]


def look(scene: Scene, rng: random.Random, width: int, height: int, *, clip: bool = False, plain: bool = False) -> Look:
    """Draws the unsaid part. `plain`: a quiet background, for pictures that people look at."""
    side = min(width, height)
    low, high = SIZE_RADIUS[scene.size]
    radius = side * rng.uniform(low, high) * (0.72 if clip else 1.0)
    backs = [b for b in (BACKGROUNDS[:1] + BACKGROUNDS[5:8] if plain else BACKGROUNDS)]
    back = rng.choice(backs)
    if not plain and rng.random() < 0.3:
        grey = rng.randrange(256)
        back = (grey, min(255, max(0, grey + rng.randint(-12, 12))), min(255, max(0, grey + rng.randint(-12, 12))))
    margin = radius * 1.06
    spot = (rng.uniform(margin, width - margin), rng.uniform(margin, height - margin))
    start = stop = spot
    if scene.motion is not None:
        dx, dy = MOTIONS[scene.motion]
        room = (width if dx else height) - 2 * margin
        travel = room * rng.uniform(0.55, 1.0)
        first = margin + rng.uniform(0, room - travel)
        ends = (first, first + travel) if dx + dy > 0 else (first + travel, first)
        drift = rng.uniform(-0.05, 0.05) * side
        across = [min(max(c, margin), (height if dx else width) - margin) for c in
                  (spot[1 if dx else 0], spot[1 if dx else 0] + drift)]  # fmt: skip
        start, stop = ((ends[0], across[0]), (ends[1], across[1])) if dx else ((across[0], ends[0]), (across[1], ends[1]))
    return Look(rgb(scene.colour, rng), back, 0 if plain else rng.uniform(-0.18, 0.18),
                0 if plain else rng.choice([0, 0, 0, 4, 9]), rng.uniform(-1, 1) * TILT[scene.shape],
                rng.random() < 0.5, radius, start, stop)  # fmt: skip


def paint(scene: Scene, how: Look, width: int, height: int, at: float, rng: random.Random) -> Frames:
    """One frame [height, width, 3] at time `at` of the path (0 start, 1 stop)."""
    mask = Pillow.new("L", (width * SMOOTH, height * SMOOTH))
    pen = ImageDraw.Draw(mask)
    x, y = (how.start[i] + (how.stop[i] - how.start[i]) * at for i in (0, 1))
    cos, sin, flip = math.cos(math.radians(how.tilt)), math.sin(math.radians(how.tilt)), -1 if how.mirror else 1
    for number, polygon in enumerate(outline(scene.shape)):
        turned = [(u * flip * cos - v * sin, u * flip * sin + v * cos) for u, v in polygon]
        pen.polygon([((x + how.radius * u) * SMOOTH, (y + how.radius * v) * SMOOTH) for u, v in turned],
                    fill=0 if number else 255)  # fmt: skip
    alpha = np.asarray(mask.reduce(SMOOTH), dtype=np.float32)[..., None] / 255
    shade = 1 + how.slope * np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    picture = np.asarray(how.back, np.float32) * shade * (1 - alpha) + np.asarray(how.fill, np.float32) * alpha
    if how.noise:
        picture = picture + np.random.default_rng(rng.randrange(2**32)).normal(0, how.noise, picture.shape)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def draw(scene: Scene, seed: int, width: int = 64, height: int = 64, *, plain: bool = False) -> Frames:
    """A picture [height, width, 3]."""
    rng = random.Random(f"picture {seed}")
    return paint(scene, look(scene, rng, width, height, plain=plain), width, height, 0.5, rng)


def film(scene: Scene, seed: int, width: int = 64, height: int = 64, *, plain: bool = False) -> tuple[Frames, int]:
    """A clip [frame, height, width, 3] of 2 to 4 seconds, and its frames per second."""
    rng = random.Random(f"clip {seed}")
    fps = rng.choice([4, 5, 6, 8])
    count = rng.randint(2 * fps, 4 * fps)
    how = look(scene, rng, width, height, clip=True, plain=plain)
    return np.stack([paint(scene, how, width, height, i / (count - 1), rng) for i in range(count)]), fps


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
        stream.options = {"crf": str(quality), "preset": "veryfast", "threads": "1"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return target.getvalue()


def read_mp4(data: bytes) -> tuple[Frames, float]:
    """All frames and the rate. For clips made here only: files of users go through the product's own worker."""
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
