"""Writes the scenarios that the page opens with (a need, a query, two instructions, drawn documents with grades) and the scenes
that can be added. Knows nothing of the model that ranks them; grades belong to the need, never to an instruction."""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from workbench.demo.captions import plural
from workbench.demo.drawing import draw, film
from workbench.demo.files import mp4
from workbench.demo.scenes import DIRECTIONS, OPPOSITE, Scene, plausible, random_pair, random_scene

SIDE = 128  # pixels: pleasant to look at; the model gets them shrunk to 96×96
FIRST_SEED = 2 * 10**9  # apart from those of training and of `check`
ORDER = (10, 20, 30, 60, 70, 80)  # in the menu; the two between them are about templates, and written by hand
COUNTED = {2: "two", 3: "three"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A document: a caption, or a scene that is drawn (a clip where it moves), with the grade of the need."""

    grade: int
    scene: Scene | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one JSON file holds."""

    name: str
    title: str
    need: str
    look: str
    query: Entry
    a: str
    b: str
    documents: tuple[Entry, ...]


def shape(colour: str, form: str, motion: str | None = None, **more: Any) -> Scene:
    return Scene(colour, form, motion=motion, **more)


SCENARIOS = (
    Scenario(
        "flip", "Flip: one detail or all of them", "anything red",
        "Under A one document stands out; under B all four red ones rise, whatever their shape.",
        Entry(0, text="a red star"), "Match every detail.", "Only the colour matters.",
        (Entry(3, shape("red", "star")), Entry(3, shape("red", "triangle")), Entry(0, shape("blue", "star")),
         Entry(3, shape("red", "cross", "right")), Entry(3, text="a crimson square"), Entry(0, text="a yellow star"),
         Entry(0, shape("green", "cross"))),
    ),
    Scenario(
        "motion", "Motion: what moves left", "what moves left",
        "A ranks by colour and ignores where things go; under B everything that moves left rises, in any colour.",
        Entry(0, text="a blue star moving left"), "Only the colour matters.", "Only the direction matters.",
        (Entry(0, shape("blue", "star", "right")), Entry(3, shape("red", "heart", "left")),
         Entry(3, shape("blue", "triangle", "left")), Entry(0, shape("blue", "cross", "up")),
         Entry(0, shape("yellow", "star", "down")), Entry(3, shape("green", "cross", "left")),
         Entry(3, text="a pink heart drifting to the left")),
    ),
    Scenario(
        "picture-query", "A picture as the query", "triangles",
        "The query is a picture of a green triangle. A finds what is green; B finds triangles.",
        Entry(0, shape("green", "triangle")), "Same colour.", "Same shape.",
        (Entry(3, shape("red", "triangle")), Entry(0, shape("green", "star")), Entry(3, text="a purple triangle"),
         Entry(0, text="a green heart"), Entry(3, shape("yellow", "triangle", "up")),
         Entry(0, shape("green", "cross", "right")), Entry(0, shape("blue", "heart"))),
    ),
    Scenario(
        "captions", "Captions only: what is said counts", "stars of any colour and size",
        "All documents are sentences. A wants every detail; B lifts every star, called by whatever name.",
        Entry(0, text="a small blue star"), "Match every detail.", "Only the shape matters.",
        (Entry(3, text="a tiny cobalt pentagram"), Entry(0, text="a small blue ring"), Entry(3, text="a large yellow star"),
         Entry(0, text="two blue hearts"), Entry(3, text="a star in pink, on the left"),
         Entry(0, text="a blue disc at the top"), Entry(3, text="three green stars"), Entry(0, text="a small triangle, navy")),
    ),
    Scenario(
        "mixed", "Pictures and captions in one list", "large things",
        "Pictures and sentences stand in one ranking. Under A crosses win; under B what is large, shown or told.",
        Entry(0, text="a large green cross"), "Match the shape.", "Only the size counts.",
        (Entry(3, shape("purple", "heart", size="large")), Entry(0, shape("green", "cross", size="small")),
         Entry(3, text="a huge orange ring"), Entry(0, text="a tiny green cross"),
         Entry(3, shape("cyan", "triangle", size="large")), Entry(0, text="a little pink crescent"),
         Entry(3, text="a big yellow box"), Entry(0, shape("red", "cross", size="small"))),
    ),
    Scenario(
        "count", "Count: how many there are", "three of anything",
        "The query tells colour, shape and number. A ranks by colour; B finds every three, in pictures, clips and captions.",
        Entry(0, text="three red stars"), "Only the colour matters.", "Only the number counts.",
        (Entry(0, shape("red", "star")), Entry(3, shape("blue", "cross", count=3)), Entry(3, text="three green rings"),
         Entry(0, shape("red", "triangle", count=2)), Entry(3, shape("yellow", "heart", "up", count=3)),
         Entry(0, text="a pair of red stars"), Entry(3, shape("red", "crescent", count=3)), Entry(0, text="one red heart")),
    ),
)  # fmt: skip


def stem(scene: Scene) -> str:
    told = [COUNTED.get(scene.count, ""), scene.size or "", scene.colour, plural(scene.shape) if scene.count > 1 else scene.shape,
            scene.place or "", scene.motion or "", scene.then or "", scene.relation or "", scene.other_colour or "",
            scene.other_shape or ""]  # fmt: skip
    return "-".join(t for t in told if t)


def name(scene: Scene) -> str:
    """What a scene shows, in words for a list."""
    noun = f"{scene.colour} {plural(scene.shape) if scene.count > 1 else scene.shape}"
    noun = " ".join(t for t in (COUNTED.get(scene.count, ""), scene.size or "", noun) if t)
    if scene.relation:
        return f"{noun} {'left of' if scene.relation == 'left' else 'above'} {scene.other_colour} {scene.other_shape}, picture"
    if scene.motion is None:
        place = {"left": ", left", "right": ", right", "top": ", top", "bottom": ", bottom"}.get(scene.place or "", "")
        return f"{noun}{place}, picture"
    if scene.motion in ("appear", "disappear"):
        return f"{noun} {'appearing' if scene.motion == 'appear' else 'disappearing'}, clip"
    return f"{noun} moving {scene.motion}" + (f", then {scene.then}" if scene.then else "") + ", clip"


def label(entry: Entry) -> str:
    return f"“{entry.text}”" if entry.scene is None else name(entry.scene)


def content(entry: Entry, folder: Path, seed: int) -> list[dict[str, Any]]:
    """The entry as OpenAI-style parts; draws its file into `folder`. Addresses are relative to the scenario's file."""
    if entry.scene is None:
        return [{"type": "text", "text": entry.text}]
    path = render(entry.scene, folder, seed)
    kind = "image_url" if path.suffix == ".png" else "video_url"
    return [{"type": kind, kind: {"url": f"{folder.name}/{path.name}"}}]


def render(scene: Scene, folder: Path, seed: int) -> Path:
    """The scene's file in `folder`: a picture, or a clip where something happens."""
    folder.mkdir(parents=True, exist_ok=True)
    if scene.motion is None:
        path = folder / f"{stem(scene)}.png"
        Pillow.fromarray(draw(scene, seed, SIDE, SIDE, plain=True)).save(path, optimize=True)
        return path
    path = folder / f"{stem(scene)}.mp4"
    path.write_bytes(mp4(*film(scene, seed, SIDE, SIDE, plain=True)))
    return path


def write(scenario: Scenario, out: Path, number: int) -> Path:
    """The JSON and media of the scenario at `number`; the same bytes for the same encoder."""
    first_seed = FIRST_SEED + 100 * number
    folder = out / scenario.name
    documents = [
        {"id": f"d{i}", "label": label(entry), "content": content(entry, folder, first_seed + i), "grade": entry.grade}
        for i, entry in enumerate(scenario.documents, 1)
    ]
    told = {"name": scenario.name, "order": ORDER[number], "title": scenario.title, "need": scenario.need, "look": scenario.look,
            "query": {"content": content(scenario.query, folder, first_seed)}, "documents": documents,
            "a": {"instruction": scenario.a}, "b": {"instruction": scenario.b}}  # fmt: skip
    path = out / f"{scenario.name}.json"
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return path


def addable() -> list[Scene]:
    """Forty scenes of every sort: single ones by size and place, groups, pairs, clips of each motion and some that turn."""
    rng, found = random.Random("addable"), list[Scene]()
    while len(found) < 40:
        number = len(found)
        scene = random_pair(rng) if number % 10 == 7 else random_scene(rng, moving=number % 5 in (1, 3))
        if scene.motion in DIRECTIONS and number % 10 == 3:
            scene = plausible(replace(scene, count=1, size=None, then=OPPOSITE[scene.motion]))
        if stem(scene) not in {stem(s) for s in found} and (scene.motion is not None) == (number % 5 in (1, 3)):
            found.append(scene)
    return found


def write_scenes(out: Path) -> Path:
    """Media and `index.json` of the scenes that the page offers to add."""
    entries = []
    for number, scene in enumerate(addable()):
        path = render(scene, out, FIRST_SEED + 10_000 + number)
        entries.append({"file": path.name, "label": name(scene), "kind": "picture" if path.suffix == ".png" else "clip"})
    (out / "index.json").write_text(json.dumps(entries, indent=1) + "\n")
    return out / "index.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("assets/scenarios"))
    parser.add_argument("--scenes", type=Path, default=Path("assets/scenes"), help="the scenes that can be added")


def run(args: argparse.Namespace) -> int:
    args.out.mkdir(parents=True, exist_ok=True)
    for number, scenario in enumerate(SCENARIOS):
        print(write(scenario, args.out, number))
    print(write_scenes(args.scenes))
    return 0
