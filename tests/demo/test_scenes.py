"""Scenes are the same for the same seed, clips survive their file, and a moving shape goes where its name says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.demo.pool import LIMIT, UNSEEN, Item, build, clip, patches, picture, shrink, units
from workbench.demo.scenes import COLOURS, MOTIONS, SHAPES, Scene, draw, film, mp4, read_mp4, sample
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
    assert motion in MOTIONS
    frames, fps = film(Scene("red", "circle", "middling", motion), 5, plain=True)
    back, rate = read_mp4(mp4(frames, fps))
    assert back.shape == frames.shape and rate == fps
    where = [np.argwhere(f[..., 0].astype(int) - f[..., 1] > 80).mean(0)[axis] for f in (back[0], back[-1])]
    assert sign * (where[1] - where[0]) > 8


def test_frames_are_sampled_as_the_reference_recipe_does() -> None:
    assert sample(24, 8) == [0, 8, 15, 23]
    assert len(sample(80, 8)) == 10
    assert sample(3, 8) == [0, 2]


def test_items_are_the_same_for_the_same_seed() -> None:
    scene = Scene("blue", "star", "small", "up")
    one, two = clip(scene, UNSEEN + 1, (64, 64)), clip(scene, UNSEEN + 1, (64, 64))
    assert torch.equal(one.frames, two.frames) and one.seconds == two.seconds
    assert one.groups == len(one.frames) // 2 and picture(scene, 1, (64, 96)).tokens == 6


def test_a_small_pool_is_reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.demo.pool.CLIPS", {})
    monkeypatch.setattr("workbench.demo.pool.PICTURES", {(64, 64): 1})
    first, second = build(workers=1), build(workers=1)
    assert all(torch.equal(a.frames, b.frames) for a, b in zip(first.items, second.items, strict=True))


def test_patches_are_those_of_the_product() -> None:
    rules = pixels.PixelRecipe("reference", PixelLimits(4096, LIMIT), ClipSampling(1, 4, 64, 4096, LIMIT, 4 * LIMIT))
    large = torch.from_numpy(draw(Scene("green", "heart"), 4, 150, 128)).permute(2, 0, 1)[None]
    small = shrink(large)
    item = Item(Scene("green", "heart"), small)
    theirs = pixels.patches(large.permute(0, 2, 3, 1).numpy(), item.size, rules)
    assert item.size[0] * item.size[1] <= LIMIT
    assert torch.equal(patches(units(item))[0], theirs)
    assert pixels.smart_resize(128, 150, factor=32, min_pixels=4096, max_pixels=LIMIT) == item.size
    moving = clip(Scene("red", "star", "small", "left"), UNSEEN + 2, (64, 96))
    theirs = pixels.patches(moving.frames.permute(0, 2, 3, 1).numpy(), (64, 96), rules)
    assert torch.equal(patches(units(moving)).flatten(0, 1), theirs)
