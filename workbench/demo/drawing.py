"""Draws scenes: shapes still in a picture or moving through a clip, the same pixels for the same seed.
Knows nothing of captions, instructions or models."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw

from workbench.demo.scenes import DIRECTIONS, Scene

Frames = npt.NDArray[np.uint8]  # [frame, height, width, 3]
Point = tuple[float, float]

# hue range in degrees, saturation range, value range. Gaps between neighbours keep every name certain.
SHADES: dict[str, tuple[Point, Point, Point]] = {
    "red": ((-7, 7), (0.78, 1.0), (0.72, 1.0)),
    "orange": ((22, 39), (0.82, 1.0), (0.88, 1.0)),
    "yellow": ((50, 62), (0.70, 1.0), (0.88, 1.0)),
    "green": ((100, 148), (0.55, 1.0), (0.42, 0.85)),
    "cyan": ((176, 191), (0.60, 1.0), (0.78, 1.0)),
    "blue": ((212, 243), (0.68, 1.0), (0.55, 1.0)),
    "purple": ((268, 298), (0.50, 1.0), (0.42, 0.82)),
    "pink": ((325, 348), (0.28, 0.62), (0.92, 1.0)),
}
STEP = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
# Radius as a share of the shorter side: of one object by size, of each of two or three, of each in a pair.
RADIUS: dict[str | int | None, Point] = {"small": (0.14, 0.185), None: (0.21, 0.30), "large": (0.34, 0.43),
                                         2: (0.16, 0.20), 3: (0.14, 0.18), "pair": (0.16, 0.20)}  # fmt: skip
IN_CLIPS = 0.8  # a moving object is drawn smaller, so that it has somewhere to go
BACKGROUNDS = ((250, 250, 250), (14, 14, 16), (128, 128, 130), (205, 205, 205), (66, 68, 74), (243, 236, 216),
               (222, 232, 240), (226, 238, 224), (44, 52, 68), (58, 46, 40))  # fmt: skip
SMOOTH = 4  # supersampling of the outline: an aliased 64-pixel circle is too close to a rounded square
TILT = {"circle": 180, "ring": 180, "square": 12, "triangle": 18, "star": 36, "cross": 14, "heart": 16, "crescent": 30}


def outline(shape: str) -> list[list[Point]]:
    """Polygons of a shape in a circle of radius 1: the first is filled, the others are holes."""

    def arc(radius: float, start: float = 0, stop: float = 360, at: Point = (0, 0)) -> Any:
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
    raise ValueError(f"unknown shape {shape!r}; known: {', '.join(TILT)}")


def rgb(colour: str, rng: random.Random) -> tuple[int, int, int]:
    """A shade that people would call `colour`."""
    (h0, h1), (s0, s1), (v0, v1) = SHADES[colour]
    hue, saturation, value = rng.uniform(h0, h1) % 360 / 60, rng.uniform(s0, s1), rng.uniform(v0, v1)
    channel = [value - value * saturation * max(0.0, min((n + hue) % 6, 4 - (n + hue) % 6, 1.0)) for n in (5, 3, 1)]
    red, green, blue = (round(255 * c) for c in channel)
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Object:
    """One shape as it is drawn."""

    shape: str
    fill: tuple[int, int, int]
    radius: float
    tilt: float
    mirror: bool
    at: Point


@dataclass(frozen=True, slots=True)
class Look:
    """What the seed decides and no caption tells: shades, tilts, pixels, background, the way that all objects go.

    `way(t)`: how far the objects stand from where they are drawn at time t in [0, 1]; None: they are out of sight.
    """

    objects: tuple[Object, ...]
    back: tuple[int, int, int]
    slope: float
    noise: float
    way: Callable[[float], Point | None]


def look(scene: Scene, rng: random.Random, width: int, height: int, *, clip: bool = False, plain: bool = False) -> Look:
    """Draws the unsaid part. `plain`: a quiet background, for pictures that people look at."""
    kind = "pair" if scene.relation else scene.count if scene.count > 1 else scene.size
    radius = min(width, height) * rng.uniform(*RADIUS[kind]) * (IN_CLIPS if clip else 1.0)
    if scene.relation:
        spots = _apart(scene.relation, radius, rng, width, height)
    elif scene.motion in DIRECTIONS:
        spots = _cluster(scene, radius, rng)
    else:
        spots = _spots(scene, radius, rng, width, height)
    named = [(scene.colour, scene.shape)] * len(spots)
    if scene.other_colour and scene.other_shape:
        named[1] = (scene.other_colour, scene.other_shape)
    shades = {colour: rgb(colour, rng) for colour, _ in named}
    objects = tuple(Object(s, shades[c], radius * rng.uniform(0.94, 1.0), rng.uniform(-1, 1) * TILT[s], rng.random() < 0.5, at)
                    for (c, s), at in zip(named, spots, strict=True))  # fmt: skip
    back = rng.choice(BACKGROUNDS[:1] + BACKGROUNDS[5:8] if plain else BACKGROUNDS)
    if not plain and rng.random() < 0.3:
        grey = rng.randrange(256)
        back = (grey, min(255, max(0, grey + rng.randint(-12, 12))), min(255, max(0, grey + rng.randint(-12, 12))))
    slope, noise = (0.0, 0.0) if plain else (rng.uniform(-0.18, 0.18), rng.choice([0, 0, 0, 4, 9]))
    return Look(objects, back, slope, noise, _way(scene, objects, rng, width, height))


def _spots(scene: Scene, radius: float, rng: random.Random, width: int, height: int) -> list[Point]:
    """Places inside the frame, apart from each other; a named place is a third of the frame."""
    margin = radius * 1.06
    x0, x1, y0, y1 = margin, width - margin, margin, height - margin
    match scene.place:
        case "left":
            x1, y0, y1 = max(x0, 0.33 * width), max(y0, 0.36 * height), min(y1, 0.64 * height)
        case "right":
            x0, y0, y1 = min(x1, 0.67 * width), max(y0, 0.36 * height), min(y1, 0.64 * height)
        case "top":
            y1, x0, x1 = max(y0, 0.33 * height), max(x0, 0.36 * width), min(x1, 0.64 * width)
        case "bottom":
            y0, x0, x1 = min(y1, 0.67 * height), max(x0, 0.36 * width), min(x1, 0.64 * width)
    while True:
        found: list[Point] = []
        for _ in range(60):
            spot = (rng.uniform(x0, x1), rng.uniform(y0, y1))
            if all(math.dist(spot, other) > 2.2 * radius for other in found):
                found.append(spot)
            if len(found) == scene.count:
                return found


def _cluster(scene: Scene, radius: float, rng: random.Random) -> list[Point]:
    """Objects side by side around (0, 0), across the way they go (two may stand slanted), so that they have room."""
    across = 0.5 if scene.motion in ("left", "right") else 0.0
    angle = math.pi * (across + (rng.choice((-0.25, 0.0, 0.25)) if scene.count == 2 else 0.0))
    steps = [2.25 * radius * (i - (scene.count - 1) / 2) for i in range(scene.count)]
    return [(math.cos(angle) * step, math.sin(angle) * step) for step in steps]


def _apart(relation: str, radius: float, rng: random.Random, width: int, height: int) -> list[Point]:
    """Two spots, the first left of or above the second, with little shift across."""
    along, across = (width, height) if relation == "left" else (height, width)
    first = rng.uniform(1.06 * radius, along / 2 - 1.1 * radius)
    second = rng.uniform(max(along / 2 + 1.1 * radius, first + 2.3 * radius), along - 1.06 * radius)
    middle = rng.uniform(1.3 * radius, across - 1.3 * radius)
    sides = [min(max(middle + rng.uniform(-0.5, 0.5) * radius, 1.06 * radius), across - 1.06 * radius) for _ in range(2)]
    spots = [(first, sides[0]), (second, sides[1])]
    return spots if relation == "left" else [(y, x) for x, y in spots]


def _way(scene: Scene, objects: Sequence[Object], rng: random.Random, width: int, height: int) -> Callable[[float], Point | None]:
    """The way of all objects: along one direction, or along two; or into sight or out of it."""
    if scene.motion in ("appear", "disappear"):
        turn, before = rng.uniform(0.40, 0.60), scene.motion == "disappear"
        return lambda t: (0.0, 0.0) if (t < turn) == before else None
    if scene.motion is None:
        return lambda t: (0.0, 0.0)
    corners = _walk([scene.motion, *([scene.then] if scene.then else [])], objects, rng, width, height)
    legs = len(corners) - 1

    def along(t: float) -> Point:
        leg = min(int(t * legs), legs - 1)
        (x, y), (u, v) = corners[leg], corners[leg + 1]
        return x + (u - x) * (t * legs - leg), y + (v - y) * (t * legs - leg)

    return along


def _walk(legs: list[str], objects: Sequence[Object], rng: random.Random, width: int, height: int) -> list[Point]:
    """The corners of a walk that keeps all objects inside the frame and uses most of its room."""
    start, travel = [0.0, 0.0], [0.0, 0.0]
    for axis, length in ((0, width), (1, height)):
        low = min(o.at[axis] - 1.06 * o.radius for o in objects)
        room = max(0.0, length - (max(o.at[axis] + 1.06 * o.radius for o in objects) - low))
        signs = [STEP[leg][axis] for leg in legs if STEP[leg][axis]]
        travel[axis] = room * rng.uniform(0.75, 1.0) if signs else 0.0
        free = rng.uniform(0, room - travel[axis])
        start[axis] = free - low + (travel[axis] if signs and signs[0] < 0 else 0.0)
    corners = [(start[0], start[1])]
    for leg in legs:
        x, y = corners[-1]
        corners.append((x + STEP[leg][0] * travel[0], y + STEP[leg][1] * travel[1]))
    return corners


def paint(how: Look, width: int, height: int, at: float, rng: random.Random) -> Frames:
    """One frame [height, width, 3] at time `at` (0 first, 1 last)."""
    shade = 1 + how.slope * np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(np.asarray(how.back, np.float32) * shade, (height, width, 3))
    moved = how.way(at)
    for one in how.objects if moved is not None else ():
        mask = Pillow.new("L", (width * SMOOTH, height * SMOOTH))
        pen = ImageDraw.Draw(mask)
        x, y = one.at[0] + moved[0], one.at[1] + moved[1]  # type: ignore[index]
        cos, sin, flip = math.cos(math.radians(one.tilt)), math.sin(math.radians(one.tilt)), -1 if one.mirror else 1
        for number, polygon in enumerate(outline(one.shape)):
            turned = [(u * flip * cos - v * sin, u * flip * sin + v * cos) for u, v in polygon]
            pen.polygon([((x + one.radius * u) * SMOOTH, (y + one.radius * v) * SMOOTH) for u, v in turned],
                        fill=0 if number else 255)  # fmt: skip
        alpha = np.asarray(mask.reduce(SMOOTH), dtype=np.float32)[..., None] / 255
        picture = picture * (1 - alpha) + np.asarray(one.fill, np.float32) * alpha
    if how.noise:
        picture = picture + np.random.default_rng(rng.randrange(2**32)).normal(0, how.noise, picture.shape)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def draw(scene: Scene, seed: int, width: int = 96, height: int = 96, *, plain: bool = False) -> Frames:
    """A picture [height, width, 3]."""
    rng = random.Random(f"picture {seed}")
    still = replace(scene, motion=None, then=None)
    return paint(look(still, rng, width, height, plain=plain), width, height, 0.0, rng)


def film(scene: Scene, seed: int, width: int = 96, height: int = 96, *, plain: bool = False,
         only: Callable[[int, float], Sequence[int]] | None = None) -> tuple[Frames, int]:  # fmt: skip
    """A clip [frame, height, width, 3] of 2 to 4 seconds, and its frames per second.

    `only(total, fps)`: the frames that are wanted, where the others need not be painted.
    """
    rng = random.Random(f"clip {seed}")
    fps = rng.choice([4, 5, 6, 8])
    count = rng.randint(2 * fps, 4 * fps)
    how = look(scene, rng, width, height, clip=True, plain=plain)
    chosen = range(count) if only is None else only(count, fps)
    return np.stack([paint(how, width, height, i / (count - 1), rng) for i in chosen]), fps
