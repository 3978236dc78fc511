"""What lies outside the small model's world is told apart from what lies inside: texts, pictures, clips."""

from __future__ import annotations

import io
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from workbench.demo.drawing import draw, film
from workbench.demo.files import jpeg, mp4
from workbench.demo.scenes import random_pair, random_scene
from workbench.errors import RequestInvalid
from workbench.media import Library
from workbench.scenario import read_scenario, read_scenes
from workbench.types import Document, Image, Text
from workbench.world import Judge, World, foreign_picture, foreign_text, read_world

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = Path(gradio.__file__).parent / "media_assets"


@pytest.fixture(scope="module")
def world() -> World:
    found = read_world(ROOT / "assets/demo-reranker")
    assert found is not None
    return found


# ---------------------------------------------------------------- texts
@pytest.mark.parametrize(
    "text",
    [
        "", "  \n", "a red star", "A crimson disc.", "three green hearts", "3 green hearts", "anything red",
        "a small blue square moving to the left", "Only the colour matters.", "Ignore the size, compare the shape!",
        "Given a search query, retrieve relevant candidates that answer the query.",
        "there is a large red star on the left, then the star moves up and to the right slowly",  # one word in 17
    ],
)  # fmt: skip
def test_texts_of_the_world_are_at_home(world: World, text: str) -> None:
    assert not foreign_text(world, text)


FOREIGN_TEXTS = [
    "a red dog", "a big red dog", "cats", "How do I reset my password?", "4711", "?!", "🐕",
    "The quarterly revenue grew by seven percent in Europe.", "the capital of France is a large city",
    "Ein roter Stern auf weißem Grund", "Der Hund springt nach links", "une étoile rouge", "红色的星星",
    "a red star, a blue star, a green star, a large ring, the small heart, 星",  # long, but in other letters
    "| name | price |\n| red | 12.50 |\n| blue | 99 |",
]  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN_TEXTS)
def test_other_texts_are_foreign(world: World, text: str) -> None:
    assert foreign_text(world, text)


# ---------------------------------------------------------------- pictures
def test_drawn_pictures_are_at_home_at_every_size_and_quality() -> None:
    alarms, spent, count = list[tuple[int, ...]](), list[float](), 500
    for seed in range(count):
        rng = random.Random(seed)
        height = rng.choice([48, 64, 80, 96, 128, 192, 256, 400])
        width, quality = int(height * rng.choice([0.75, 1, 1, 1.33, 1.6])), rng.choice([0, 45, 45, 60, 80, 95])
        picture = draw(random_pair(rng) if seed % 4 == 0 else random_scene(rng), seed, width, height)
        picture = jpeg(picture, quality) if quality else picture
        began = time.thread_time()
        if foreign_picture(picture):
            alarms.append((seed, width, height, quality))
        spent.append(time.thread_time() - began)
    print(f"{len(alarms)} false alarms of {count}: {alarms}; {1000 * statistics.median(spent):.1f} ms a picture")
    assert len(alarms) <= count // 100
    assert statistics.median(spent) < 0.010


def test_drawn_clips_are_at_home() -> None:
    for seed in range(12):
        rng = random.Random(seed)
        clip, _ = film(random_scene(rng, moving=True), seed, 96, 96)
        assert not foreign_picture(clip[0]) and not foreign_picture(clip[-1]), seed


@pytest.mark.parametrize("path", sorted((ROOT / "assets" / "scenarios").glob("*.json")), ids=lambda p: p.stem)
def test_everything_in_a_shipped_scenario_is_at_home(world: World, library: Library, path: Path) -> None:
    judge, scenario = Judge(library), read_scenario(path, library)
    contents = [scenario.query.content, *(row.content for row in scenario.rows if isinstance(row, Document))]
    contents += [(Text(side.instruction or ""),) for side in (scenario.a, scenario.b)]
    assert len(contents) == len(scenario.rows) + 3
    assert not [content for content in contents if judge.foreign(world, content)]


def test_every_scene_that_can_be_added_is_at_home(world: World, library: Library) -> None:
    judge, scenes = Judge(library), read_scenes(ROOT / "assets/scenes")
    assert scenes and not [s.label for s in scenes if judge.foreign(world, [library.add_file(s.path)])]


def png(picture: Any) -> bytes:
    out = io.BytesIO()
    (picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(picture)).save(out, "PNG")
    return out.getvalue()


def gradient() -> bytes:
    ramp = np.linspace(0, 255, 160).astype(np.uint8)
    across, down = np.meshgrid(ramp, ramp)
    return png(np.stack([across, down, 255 - across], -1))


def shaded_ball() -> bytes:
    y, x = np.mgrid[-100:100, -100:100]
    r = np.hypot(x, y)[..., None]
    return png(np.where(r < 70, np.concatenate([255 - 2.5 * r, 80 - r / 2, 60 - r / 2], -1), 245).clip(0, 255).astype(np.uint8))


def page_of_text() -> bytes:
    page = Pillow.new("RGB", (600, 800), "white")
    for i in range(24):
        words = "The quick brown fox jumps over the lazy dog, and then it sleeps."
        ImageDraw.Draw(page).text((30, 30 + 30 * i), words, fill="black", font=ImageFont.load_default(16))
    return png(page)


def table() -> bytes:
    sheet = Pillow.new("RGB", (500, 300), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for i in range(6):
        pen.line((20, 20 + 45 * i, 480, 20 + 45 * i), fill="grey")
        for j in range(4) if i < 5 else ():
            pen.text((30 + 115 * j, 32 + 45 * i), f"{37 * i + 11 * j}.{j}", fill="black", font=font)
    return png(sheet)


def sun_in_the_sky() -> bytes:
    sky = Pillow.new("RGB", (300, 300), (120, 170, 230))
    ImageDraw.Draw(sky).ellipse((80, 80, 200, 200), fill="yellow")
    return png(sky)


FOREIGN_PICTURES: dict[str, Callable[[], bytes]] = {
    **{f"photo {n}": (PHOTOS / "images" / n).read_bytes
       for n in ("cheetah.jpg", "cheetah1.jpg", "groot.jpeg", "lion.jpg", "tower.jpg")},
    **{f"screenshot {n}": (ROOT / "assets" / f"screenshot-{n}.png").read_bytes for n in ("light", "dark")},
    "gradient": gradient, "shaded ball": shaded_ball, "page of text": page_of_text, "table": table,
    "coloured ground": sun_in_the_sky, "noise": lambda: png(np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)),
    "film": (PHOTOS / "videos" / "b.mp4").read_bytes,
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN_PICTURES)
def test_other_pictures_and_clips_are_foreign(world: World, library: Library, name: str) -> None:
    part = library.add(FOREIGN_PICTURES[name](), name)
    assert Judge(library).foreign(world, [Text("a red star"), part])


# ---------------------------------------------------------------- judging
def test_a_picture_is_looked_at_once(world: World, library: Library) -> None:
    judge = Judge(library)
    part = library.add(FOREIGN_PICTURES["photo tower.jpg"](), "tower.jpg")
    assert judge.foreign(world, [part])
    began = time.thread_time()
    assert all(judge.foreign(world, [part]) for _ in range(1000))
    assert time.thread_time() - began < 0.5  # a thousand looks would take seconds


def test_a_file_that_cannot_be_decoded_is_an_error_elsewhere(world: World, library: Library) -> None:
    cut = library.add(png(np.zeros((64, 64, 3), np.uint8))[:60], "cut.png")
    assert isinstance(cut, Image) and not Judge(library).foreign(world, [cut])


def test_a_clip_is_foreign_by_any_frame_that_is_looked_at(world: World, library: Library) -> None:
    clip, rate = film(random_scene(random.Random(1), moving=True), 1, 96, 96, plain=True)
    home = library.add(mp4(clip, rate), "home.mp4")
    clip = clip.copy()
    clip[len(clip) // 2 :] = np.random.default_rng(0).integers(0, 256, clip[0].shape, np.uint8)
    cut = library.add(mp4(clip, rate), "cut.mp4")
    judge = Judge(library)
    assert [judge.foreign(world, [part]) for part in (home, cut)] == [False, True]


def test_a_model_without_a_world_has_none_and_a_broken_file_is_named(tmp_path: Path) -> None:
    assert read_world(tmp_path) is None
    for text in ("{", "[]", '{"words": "red", "saw": "x"}', '{"words": ["red"]}', '{"words": [1], "saw": "x"}'):
        (tmp_path / "world.json").write_text(text)
        with pytest.raises(RequestInvalid, match=r"world\.json"):
            read_world(tmp_path)
    (tmp_path / "world.json").write_text(json.dumps({"words": ["Red"], "saw": "red"}))
    assert read_world(tmp_path) == World(frozenset({"red"}), "red")
