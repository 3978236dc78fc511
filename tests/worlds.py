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
    a about above afterwards agree all alone am an and answer answered answers any anything appear appearing appears aqua
    are as asks at attention background be below beneath big bigness blue both bottom box boxes but by can candidates
    cannot care circle circles climb climbing climbs clip cobalt color colour coloured colours compare completely consider
    count counts crescent crescents crimson criterion cross crosses cyan dark decides depends describes description detail
    details differ dimensions direction disappear disappearing disappears disc discs disregard do document documents does
    don't dot dots down downwards drawing drift drifting drifts drop dropping drops each else emerald every everything
    exact exactly except fall falling falls figure find first focus footage for forget form full geometric give given
    glide glides gliding go goes going golden green grey half has have head heading heads heart hearts here hoop hoops hue
    huge i if ignore image important in is it its judge just kind large left leftwards lemon little location look looking
    love lower match matches matter matters may me means mind moon moons motion move movement moves moving must navy near
    need never no not nothing number objects of on one ones only or orange order outline over overall pair passages pay
    pentagram pentagrams photo picture pictures pink place plain please plus pop popping pops position purple quantity
    query rank red regardless relevant retrieve right rightwards ring rings rise rises rising rose same says scale scarlet
    search see seen shade shape shapes share should show showing shows side sign signs single sink sinking sinks size
    slide slides sliding small some something spot square squares star stars tangerine that the them then there thing
    things this three tint tiny to top travel travelling travels triangle triangles turquoise two under underneath up
    upper upwards use vanish vanishes vanishing video violet want we web wedge wedges what whatever when whereabouts which
    white whole whose will with yellow you
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
