"""Says whether a text, picture or clip lies outside the small world that a model was trained on (its `world.json`).

Knows nothing of models, scores or screens, and decodes nothing itself. A text is foreign by the share of words that the world
does not have; a picture when it is not one to three flat, saturated shapes on a flat, nearly grey ground.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from workbench.errors import MediaInvalid, RequestInvalid
from workbench.media import Library
from workbench.types import ContentPart, Image, Media, Text, Video

FILE = "world.json"
FORGIVEN = 10  # one word in so many may be unknown: a slip in a long text, never the point of a short one
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+")
NUMBERS = {"1", "2", "3"}  # objects a scene may have
CLIP_AT = (0.25, 0.7)  # where a clip is looked at, as shares of its length
REMEMBERED = 20_000  # digests

# The picture rule. A picture is looked at on a grid of at most 256 points a side, each the mean of four pixels, which halves
# noise and keeps the strokes of letters. All bounds stand outside what 2,000 drawn scenes of 48 to 400 pixels showed (three
# objects, noise of sigma 9, JPEG from quality 45); their extremes are given in brackets.
GRID = 128
NEAR = 26.0  # levels between a point and the ground that are noise: 5 sigma, the slope's clipping at white, JPEG
RIM = 0.75  # share of the border that is ground (0.86)
TINT = 45.0  # levels between the ground's strongest and weakest channel: grey and pastel (29)
SLOPE = 60.0  # levels that the ground changes from the middle to a corner (38)
NOISE = 18.0  # levels, the spread of the ground (14)
SHAPES = 3
SATURATED = 30.0  # levels between the channels of a shape's colour, thin and blurred ones included
FLAT = 14.0  # levels that a shape's colour may differ from itself, and twice the noise on top
HALO = 3  # grid points around a shape that antialiasing and JPEG smear
LEFT = 480.0  # / side²: share of points that are neither ground nor a shape nor its halo (0.106 at 64, 0.042 at 128)
GREY = 1.5  # / side: the share of those that have no colour, such as letters (0.008 at 64, 0.002 at 128)

Pixels: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
Points: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class World:
    """The words a model knows, in lower case, and what it saw in training, in one sentence."""

    words: frozenset[str]
    saw: str


def read_world(folder: Path) -> World | None:
    """The world of the model in `folder`; None where it names none. RequestInvalid when the file cannot be read."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        words, saw = value["words"], value["saw"]
        if not (isinstance(saw, str) and isinstance(words, list) and all(isinstance(w, str) for w in words)):
            raise ValueError("`words` must be a list of texts and `saw` a text")
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = 'Expected {"words": ["red", …], "saw": "…"}.'
        raise RequestInvalid(f"cannot be read ({error})", where=str(path), hint=hint) from error
    return World(frozenset(w.lower() for w in words), saw)


class Judge:
    """Judges content, each picture and clip once. Safe to use from many threads."""

    def __init__(self, library: Library) -> None:
        self._library, self._lock, self._known = library, threading.Lock(), dict[str, bool]()

    def foreign(self, world: World, content: Sequence[ContentPart]) -> bool:
        """Whether any part lies outside `world`. A file that cannot be decoded is an error elsewhere, and not foreign."""
        return any(
            foreign_text(world, part.text) if isinstance(part, Text) else self._media(part) for part in content
        )

    def _media(self, part: Media) -> bool:
        with self._lock:
            if part.digest in self._known:
                return self._known[part.digest]
        try:
            found = any(foreign_picture(pixels) for pixels in self._look(part))
        except MediaInvalid:
            return False
        with self._lock:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[part.digest] = found
        return found

    def _look(self, part: Media) -> Sequence[Pixels]:
        if isinstance(part, Image):
            return [self._library.picture(part)]
        assert isinstance(part, Video)
        last = self._library.probe(part).frames - 1
        return list(self._library.frames(part, sorted({round(at * last) for at in CLIP_AT})))


# ---------------------------------------------------------------- texts
def foreign_text(world: World, text: str) -> bool:
    """More than one word in ten is unknown, or a word is written in letters that English lacks; blank text is at home."""
    words, unknown = WORD.findall(text), unknown_words(world, text)
    if not words:
        return bool(text.strip())  # signs alone
    return len(unknown) * FORGIVEN > len(words) or any(not word.isascii() for word in unknown)


def unknown_words(world: World, text: str) -> list[str]:
    """The words and numbers that the world does not have, in lower case, in order, repeats included."""
    return [word for word in map(str.lower, WORD.findall(text)) if not _knows(world, word)]


def _knows(world: World, word: str) -> bool:
    """The word itself, its singular, or what stands before an apostrophe."""
    word = word.replace("’", "'")
    forms = {word, word.removesuffix("s"), word.split("'")[0]}
    return word in NUMBERS or not forms.isdisjoint(world.words)


# ---------------------------------------------------------------- pictures
def foreign_picture(pixels: Pixels) -> bool:
    """uint8 [height, width, 3] in 3 to 8 ms: a photo, a page, a gradient or a busy ground is foreign; a blank one is not."""
    if min(pixels.shape[:2]) < 8:
        return True  # nothing was ever drawn so small
    points = _grid(pixels)
    fit = _ground(points)
    if fit is None:
        return True
    plane, rim, tint, slope = fit
    away = np.abs(points - plane).max(-1)
    ground = away < NEAR
    noise = 1.4826 * float(np.median(away[ground])) if ground.any() else np.inf
    if rim < RIM or tint > TINT or slope > SLOPE or noise > NOISE:
        return True
    coloured = ~ground & (np.ptp(points, axis=-1) >= SATURATED)
    explained = ground | _spread(_flat(points, coloured, FLAT + 2 * noise), HALO)
    side = min(points.shape[:2])
    grey = ~explained & ~coloured
    return bool((~explained).mean() > LEFT / side**2 or grey.mean() > GREY / side)


def _grid(pixels: Pixels) -> Points:
    """[rows, columns, 3]: points evenly over the picture, each the mean of two by two pixels."""
    step = max(1, max(pixels.shape[:2]) // GRID)
    height, width = ((n - 1) // step * step for n in pixels.shape[:2])
    total = np.zeros((-(-height // step), -(-width // step), 3), np.uint16)
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        total += pixels[y : y + height : step, x : x + width : step]
    return total.astype(np.float32) / np.float32(4)


def _ground(points: Points) -> tuple[Points, float, float, float] | None:
    """The plane through the border's colours: (its value everywhere, share of the border on it, tint, slope in levels).

    Fitted three times by least squares, each time without what lies off it; None where the border has no common colour.
    """
    height, width, _ = points.shape
    one = np.float32(1)
    across, down = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    places = np.stack(np.broadcast_arrays(one, across[None], down[:, None]), -1)
    at, colours = _rim(places), _rim(points)
    keep = (np.abs(colours - np.median(colours, 0)) < 60).all(-1)
    for near in (60.0, 40.0, NEAR):
        if keep.sum() < 12:
            return None
        plane = np.linalg.lstsq(at[keep], colours[keep], rcond=None)[0]
        keep = (np.abs(colours - at @ plane) < near).all(-1)
    return places @ plane, float(keep.mean()), float(np.ptp(plane[0])), float(np.abs(plane[1:]).sum(0).max())


def _rim(values: Points) -> Points:
    """The outermost two points on each side, one after the other."""
    sides = (values[:2], values[-2:], values[:, :2], values[:, -2:])
    return np.concatenate([side.reshape(-1, values.shape[-1]) for side in sides])


def _flat(points: Points, left: Mask, near: float) -> Mask:
    """Where up to three flat colours cover `left`: the most frequent one first, then the most frequent of what remains."""
    found = np.zeros_like(left)
    for _ in range(SHAPES):
        rest = left & ~found
        colours = points[rest]
        if len(colours) < 8:
            break
        colours = colours[:: max(1, len(colours) // 2000)]  # enough for a median
        coarse = (colours // 20).astype(np.int32) @ np.array([1, 16, 256], np.int32)
        middle = np.median(colours[coarse == np.bincount(coarse).argmax()], 0)
        middle = np.median(colours[np.abs(colours - middle).max(-1) < near], 0)
        found |= rest & (np.abs(points - middle).max(-1) < near)
    return found


def _spread(mask: Mask, by: int) -> Mask:
    """The mask grown by so many points in each direction."""
    for _ in range(by):
        mask = mask.copy()
        mask[1:] |= mask[:-1].copy()
        mask[:-1] |= mask[1:].copy()
        mask[:, 1:] |= mask[:, :-1].copy()
        mask[:, :-1] |= mask[:, 1:].copy()
    return mask
