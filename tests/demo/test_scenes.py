"""Scenes are the same for the same seed, clips survive their file, and a moving shape goes where its name says."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from workbench.demo.drawing import draw, film
from workbench.demo.files import mp4, read_mp4, sample
from workbench.demo.pool import LIMIT, UNSEEN, Item, build, clip, clip_file, patches, picture, shrink, units
from workbench.demo.scenes import COLOURS, DIRECTIONS, SHAPES, Scene
from workbench.scorers import _vision as pixels
from workbench.types import ClipSampling, PixelLimits


@pytest.mark.parametrize("shape", SHAPES)
def test_a_picture_depends_on_its_seed_alone(shape: str) -> None:
    scene = Scene("red", shape)
    assert np.array_equal(draw(scene, 7), draw(scene, 7))
    assert not np.array_equal(draw(scene, 7), draw(scene, 8))


@pytest.mark.parametrize("colour", COLOURS)
def test_the_middle_of_a_square_has_the_named_colour(colour: str) -> None:
    pixels = draw(Scene(colour, "square", "large"), 3, plain=True).reshape(-1, 3).astype(int)
    red, green, blue = pixels[np.argmax(pixels.max(1) - pixels.min(1))]  # the most saturated pixel is the shape's
    strongest = {"red": red, "orange": red, "yellow": red, "green": green, "cyan": blue, "blue": blue, "purple": blue,
                 "pink": red}[colour]  # fmt: skip
    assert strongest >= max(red, green, blue) - 40


@pytest.mark.parametrize(("motion", "axis", "sign"), [("left", 1, -1), ("right", 1, 1), ("up", 0, -1), ("down", 0, 1)])
def test_a_clip_moves_as_named_also_after_the_codec(motion: str, axis: int, sign: int) -> None:
    assert motion in DIRECTIONS
    frames, fps = film(Scene("red", "circle", motion=motion), 5, plain=True)
    back, rate = read_mp4(mp4(frames, fps))
    assert back.shape == frames.shape and rate == fps
    where = [np.argwhere(f[..., 0].astype(int) - f[..., 1] > 80).mean(0)[axis] for f in (back[0], back[-1])]
    assert sign * (where[1] - where[0]) > 8


def test_frames_are_sampled_as_the_reference_recipe_does() -> None:
    assert sample(24, 8) == [0, 8, 15, 23]
    assert len(sample(80, 8)) == 10
    assert sample(3, 8) == [0, 2]


def test_items_are_the_same_for_the_same_seed() -> None:
    scene = Scene("blue", "star", "small", motion="up")
    one, two = clip(scene, UNSEEN + 1, (64, 64)), clip(scene, UNSEEN + 1, (64, 64))
    assert torch.equal(one.frames, two.frames) and one.seconds == two.seconds
    assert one.groups == len(one.frames) // 2 and picture(scene, 1, (64, 96)).tokens == 6


def test_an_uncoded_clip_is_the_coded_one_before_its_file() -> None:
    scene = Scene("green", "cross", motion="down", then="left")
    plain, coded = (clip(scene, UNSEEN + 3, (96, 64), coded=c) for c in (False, True))
    assert plain.seconds == coded.seconds and plain.frames.shape == coded.frames.shape
    assert (plain.frames.float() - coded.frames.float()).abs().mean() < 12
    frames, _ = read_mp4(clip_file(scene, UNSEEN + 3, (96, 64)))
    assert np.array_equal(frames[0], coded.frames[0].permute(1, 2, 0).numpy())


def test_a_small_pool_is_reproducible_and_finds_what_it_holds() -> None:
    first, second = build(0.005, workers=1), build(0.005, workers=1)
    assert 60 < len(first.items) < 600
    assert all(torch.equal(a.frames, b.frames) and a.scene == b.scene for a, b in zip(first.items, second.items, strict=True))
    item = first.items[7]
    assert first.find("clip" if item.seconds else "picture", item.scene, random.Random(1)).scene == item.scene


def blobs(picture: np.ndarray, colour: tuple[bool, bool, bool]) -> list[tuple[float, float]]:
    """Centres (x, y) of the connected regions in which exactly these channels are strong."""
    strong = np.all((picture > 140) == np.array(colour), axis=-1)
    found, left = [], {(int(y), int(x)) for y, x in np.argwhere(strong)}
    while left:
        region, edge = set(), {left.pop()}
        while edge:
            y, x = edge.pop()
            region.add((y, x))
            near = {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)} & left
            left -= near
            edge |= near
        if len(region) > 30:
            found.append((sum(x for _, x in region) / len(region), sum(y for y, _ in region) / len(region)))
    return found


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_things_are_drawn_as_named(count: int) -> None:
    for seed in range(10):
        assert len(blobs(draw(Scene("red", "square", count=count), seed, plain=True), (True, False, False))) == count


@pytest.mark.parametrize(("relation", "axis"), [("left", 0), ("above", 1)])
def test_a_pair_stands_as_named(relation: str, axis: int) -> None:
    for seed in range(10):
        drawn = draw(Scene("red", "square", relation=relation, other_colour="blue", other_shape="circle"), seed, plain=True)
        (first,), (other,) = blobs(drawn, (True, False, False)), blobs(drawn, (False, False, True))
        assert other[axis] - first[axis] > 20 and abs(other[1 - axis] - first[1 - axis]) < other[axis] - first[axis]


@pytest.mark.parametrize(
    ("place", "axis", "low"), [("left", 0, True), ("right", 0, False), ("top", 1, True), ("bottom", 1, False)]
)
def test_a_thing_stands_at_its_place(place: str, axis: int, low: bool) -> None:
    for seed in range(10):
        ((x, y),) = blobs(draw(Scene("red", "square", place=place), seed, plain=True), (True, False, False))
        assert ((x, y)[axis] < 0.36 * 96) is low and 0.3 * 96 < (x, y)[1 - axis] < 0.7 * 96


@pytest.mark.parametrize(("motion", "before", "after"), [("appear", 0, 1), ("disappear", 1, 0)])
def test_things_come_and_go(motion: str, before: int, after: int) -> None:
    frames, _ = film(Scene("red", "square", motion=motion), 4, plain=True)
    assert [len(blobs(f, (True, False, False))) for f in (frames[0], frames[-1])] == [before, after]


def test_sizes_do_not_overlap() -> None:
    def area(size: str | None, seed: int) -> int:
        return int(np.all((draw(Scene("red", "square", size), seed, plain=True) > 140) == (True, False, False), axis=-1).sum())

    areas = {size: [area(size, seed) for seed in range(20)] for size in ("small", None, "large")}
    assert max(areas["small"]) < min(areas[None]) and max(areas[None]) < min(areas["large"])


def test_patches_are_those_of_the_product() -> None:
    rules = pixels.PixelRecipe("reference", PixelLimits(4096, LIMIT), ClipSampling(1, 4, 64, 4096, LIMIT, 4 * LIMIT))
    large = torch.from_numpy(draw(Scene("green", "heart"), 4, 150, 128)).permute(2, 0, 1)[None]
    small = shrink(large)
    item = Item(Scene("green", "heart"), small)
    theirs = pixels.patches(large.permute(0, 2, 3, 1).numpy(), item.size, rules)
    assert item.size[0] * item.size[1] <= LIMIT
    assert torch.equal(patches(units(item))[0], theirs)
    assert pixels.smart_resize(128, 150, factor=32, min_pixels=4096, max_pixels=LIMIT) == item.size
    moving = clip(Scene("red", "star", "small", motion="left"), UNSEEN + 2, (64, 96))
    theirs = pixels.patches(moving.frames.permute(0, 2, 3, 1).numpy(), (64, 96), rules)
    assert torch.equal(patches(units(moving)).flatten(0, 1), theirs)
