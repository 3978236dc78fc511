"""The demo world's nouns: what a scene holds, which values each facet may take, and random scenes.
Knows nothing of pixels, captions, instructions or models."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
SHAPES = ("circle", "square", "triangle", "star", "cross", "heart", "ring", "crescent")
SIZES = ("small", "large")  # None: in between, and no caption tells it
COUNTS = (1, 2, 3)
PLACES = ("left", "right", "top", "bottom")  # None: anywhere
DIRECTIONS = ("left", "right", "up", "down")
MOTIONS = (*DIRECTIONS, "appear", "disappear")  # None: a picture, or a clip in which nothing happens
RELATIONS = ("left", "above")  # of the first object to the other one; "right of" and "below" are the same two, turned round
OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up", "top": "bottom", "bottom": "top",
            "appear": "disappear", "disappear": "appear"}  # fmt: skip

# Every facet with its values: what a side may tell, what an instruction may choose, what training asks the model to know.
FACETS: dict[str, tuple[str | int, ...]] = {
    "colour": COLOURS, "shape": SHAPES, "size": SIZES, "count": COUNTS, "place": PLACES, "motion": MOTIONS,
    "then": DIRECTIONS, "relation": RELATIONS, "other_colour": COLOURS, "other_shape": SHAPES,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """One to three equal objects, or two different ones.

    `then`: where the object goes after `motion`. `relation`: the object stands left of or above the other one, which has
    `other_colour` and `other_shape`.
    """

    colour: str
    shape: str
    size: str | None = None
    count: int = 1
    place: str | None = None
    motion: str | None = None
    then: str | None = None
    relation: str | None = None
    other_colour: str | None = None
    other_shape: str | None = None


def fact(scene: Scene, facet: str) -> str | int | None:
    """The scene's value of a facet, None where it has none."""
    value: str | int | None = getattr(scene, facet)
    return value


def swapped(scene: Scene) -> Scene:
    """The two objects of a pair change places."""
    assert scene.other_colour and scene.other_shape
    return replace(scene, colour=scene.other_colour, shape=scene.other_shape, other_colour=scene.colour,
                   other_shape=scene.shape)  # fmt: skip


def plausible(scene: Scene) -> Scene:
    """The scene without what is not drawn together: a group has no size, and a place belongs to one still thing of any size."""
    if scene.relation:
        return replace(scene, size=None, count=1, place=None, motion=None, then=None)
    if scene.count > 1:
        scene = replace(scene, size=None, place=None, then=None)
    if scene.motion or scene.size:
        scene = replace(scene, place=None)
    return scene if scene.motion in DIRECTIONS else replace(scene, then=None)


def random_scene(rng: random.Random, *, moving: bool = False) -> Scene:
    """Mostly one object; `moving`: it mostly does something."""
    scene = Scene(rng.choice(COLOURS), rng.choice(SHAPES), rng.choice((None, *SIZES)), rng.choice((1, 1, 1, 1, 2, 3)))
    if moving:
        chosen = rng.choice((*DIRECTIONS, *MOTIONS, *MOTIONS, None))
        scene = replace(scene, motion=chosen)
    elif rng.random() < 0.2:
        scene = replace(scene, place=rng.choice(PLACES), size=None)
    return plausible(scene)


def random_pair(rng: random.Random) -> Scene:
    """Two objects that differ in colour and shape."""
    (one, two), (first, second) = rng.sample(COLOURS, 2), rng.sample(SHAPES, 2)
    return Scene(one, first, relation=rng.choice(RELATIONS), other_colour=two, other_shape=second)
