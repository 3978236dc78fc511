"""A model with a world and a folder of scenes: the shipped ones where they are there, else small ones made here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from workbench.demo.scenes import Scene

try:  # the drawing of the demo world moved into rooms of its own
    from workbench.demo.drawing import draw, film
    from workbench.demo.files import jpeg, mp4
except ImportError:
    from workbench.demo.scenes import draw, film, jpeg, mp4  # type: ignore[attr-defined,no-redef]

__all__ = ["Scene", "draw", "film", "jpeg", "model_with_world", "mp4", "scenes_folder"]
ASSETS = Path(__file__).resolve().parent.parent / "assets"
MODEL, SCENES = ASSETS / "demo-reranker", ASSETS / "scenes"
WORDS = """
    a about above all alone an and answer answers any anything are as at background be below big blue both bottom box but by
    candidates care circle colour colours compare count counts crescent crimson cross cyan dark decides detail details different
    direction disc do document documents does down drawing drifting each every everything exact find form from given going
    golden green grey has heart hearts here huge ignore image in instruction is it large left little location look lower match
    matches matter matters middle motion move moves moving must navy no not nothing number object objects of on one only or
    orange passages pentagram picture pink place plain position purple query rank red relevant retrieve right ring same search
    see shape shapes show shows side size small something square star stars tell that the then there thing things this three
    tint tiny to top triangle triangles two up upper upwards violet we web what whatever whether which white whole with yellow
""".split()


def model_with_world(folder: Path) -> Path:
    """The shipped model's folder; a copy with a list of words of ours while it does not name its world."""
    if (MODEL / "world.json").is_file():
        return MODEL
    copy = shutil.copytree(MODEL, folder / MODEL.name)
    (copy / "world.json").write_text(json.dumps({"words": WORDS, "saw": "one coloured shape on a plain background"}))
    return Path(copy)


def scenes_folder(folder: Path, count: int = 6) -> Path:
    """The shipped scenes, or `count` drawn here, every third of them a clip."""
    from PIL import Image

    if (SCENES / "index.json").is_file():
        return SCENES
    folder.mkdir(parents=True, exist_ok=True)
    index: list[dict[str, Any]] = []
    colours, shapes = ("red", "blue", "green", "yellow", "purple", "orange"), ("star", "heart", "ring", "cross")
    for i in range(count):
        colour, shape, clip = colours[i % 6], shapes[i % 4], i % 3 == 2
        name = f"{colour}-{shape}" + ("-left.mp4" if clip else ".png")
        if clip:
            (folder / name).write_bytes(mp4(*film(Scene(colour, shape, motion="left"), i, 128, 128, plain=True)))
        else:
            Image.fromarray(draw(Scene(colour, shape), i, 128, 128, plain=True)).save(folder / name)
        kind = "clip" if clip else "picture"
        index.append({"file": name, "label": f"{colour} {shape}{' moving left' if clip else ''}, {kind}", "kind": kind})
    (folder / "index.json").write_text(json.dumps(index))
    return folder
