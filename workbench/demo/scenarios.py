"""Writes the scenarios that the page opens with: a need, a query, two instructions and drawn documents with grades.
Knows nothing of the model that ranks them; grades belong to the need, never to an instruction."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from workbench.demo.scenes import Scene, draw, film, mp4

SIDE = 128  # pixels: pleasant to look at; the model gets them shrunk to 96×96
FIRST_SEED = 2 * 10**9  # apart from those of training and of `check`


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


def shape(colour: str, form: str, motion: str | None = None) -> Scene:
    return Scene(colour, form, "large", motion)


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
)  # fmt: skip


def stem(scene: Scene) -> str:
    return f"{scene.colour}-{scene.shape}" + (f"-{scene.motion}" if scene.motion else "")


def label(entry: Entry) -> str:
    if entry.scene is None:
        return f"“{entry.text}”"
    name = f"{entry.scene.colour} {entry.scene.shape}"
    return f"{name}, picture" if entry.scene.motion is None else f"{name} moving {entry.scene.motion}, clip"


def content(entry: Entry, folder: Path, seed: int) -> list[dict[str, Any]]:
    """The entry as OpenAI-style parts; draws its file into `folder`. Addresses are relative to the scenario's file."""
    if entry.scene is None:
        return [{"type": "text", "text": entry.text}]
    folder.mkdir(parents=True, exist_ok=True)
    if entry.scene.motion is None:
        path = folder / f"{stem(entry.scene)}.png"
        Pillow.fromarray(draw(entry.scene, seed, SIDE, SIDE, plain=True)).save(path)
        return [{"type": "image_url", "image_url": {"url": f"{folder.name}/{path.name}"}}]
    path = folder / f"{stem(entry.scene)}.mp4"
    frames, rate = film(entry.scene, seed, SIDE, SIDE, plain=True)
    path.write_bytes(mp4(frames, rate))
    return [{"type": "video_url", "video_url": {"url": f"{folder.name}/{path.name}"}}]


def write(scenario: Scenario, out: Path, first_seed: int) -> Path:
    """One scenario's JSON and media; the same bytes for the same seed and encoder."""
    folder = out / scenario.name
    documents = [
        {"id": f"d{i}", "label": label(entry), "content": content(entry, folder, first_seed + i), "grade": entry.grade}
        for i, entry in enumerate(scenario.documents, 1)
    ]
    told = {"name": scenario.name, "title": scenario.title, "need": scenario.need, "look": scenario.look,
            "query": {"content": content(scenario.query, folder, first_seed)}, "documents": documents,
            "a": {"instruction": scenario.a}, "b": {"instruction": scenario.b}}  # fmt: skip
    path = out / f"{scenario.name}.json"
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("assets/scenarios"))


def run(args: argparse.Namespace) -> int:
    args.out.mkdir(parents=True, exist_ok=True)
    for number, scenario in enumerate(SCENARIOS):
        print(write(scenario, args.out, FIRST_SEED + 100 * number))
    return 0
