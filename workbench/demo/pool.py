"""Draws pictures and clips once, keeps them as uint8 tensors, finds them by what they show, and cuts them into patches.
Knows nothing of questions, prompts or labels."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from workbench.demo.drawing import Frames, draw, film
from workbench.demo.files import jpeg, mp4, read_mp4, sample
from workbench.demo.scenes import COLOURS, DIRECTIONS, MOTIONS, PLACES, RELATIONS, SHAPES, SIZES, Scene

PATCH, MERGE, LIMIT = 16, 2, 9216  # the largest picture the model knows has the area of 96×96; larger ones are shrunk
UNSEEN = 10**9  # seeds from here on are never trained on
FORMATS = ((96, 96),) * 5 + ((64, 96), (96, 64)) * 2 + ((64, 128), (128, 64), (64, 64))  # height, width
# How many items of each scene are drawn: one thing, several, two different ones; clips; clips that turn.
SINGLES, GROUPS, PAIRS, CLIPS, TURNS = 22, 40, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Item:
    """A picture (one frame) or a clip (sampled frames, seconds of each group of two) as the model gets it."""

    scene: Scene
    frames: torch.Tensor  # uint8 [frame, 3, height, width]
    seconds: tuple[float, ...] = ()  # empty: a picture
    number: int = -1  # its place in the pool, where it has one

    @property
    def size(self) -> tuple[int, int]:
        return int(self.frames.shape[2]), int(self.frames.shape[3])

    @property
    def groups(self) -> int:
        return max(1, len(self.seconds))

    @property
    def tokens(self) -> int:
        """Vision tokens of one group."""
        height, width = self.size
        return height * width // (PATCH * MERGE) ** 2


def _tensor(frames: Frames) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).contiguous()


def picture(scene: Scene, seed: int, size: tuple[int, int]) -> Item:
    """A picture [1, 3, height, width]; some have been through JPEG."""
    rng = random.Random(f"picture item {seed}")
    drawn = draw(scene, seed, size[1], size[0], plain=rng.random() < 0.25)
    return Item(scene, _tensor((jpeg(drawn, rng.randint(45, 95)) if rng.random() < 0.3 else drawn)[None]))


def clip_file(scene: Scene, seed: int, size: tuple[int, int]) -> bytes:
    """The mp4 that `clip` reads its frames from."""
    rng = random.Random(f"clip item {seed}")
    plain, quality = rng.random() < 0.25, rng.randint(16, 28)
    return mp4(*film(scene, seed, size[1], size[0], plain=plain), quality=quality)


def clip(scene: Scene, seed: int, size: tuple[int, int], *, coded: bool = True, wanted: int = 4) -> Item:
    """A clip's sampled frames: by the reference recipe, or `wanted` more of them. `coded`: after H.264, as from a file."""
    plain = random.Random(f"clip item {seed}").random() < 0.25
    chosen: list[int] = []

    def pick(total: int, fps: float) -> list[int]:
        chosen[:] = sample(total, fps) if wanted == 4 else [round(i) for i in np.linspace(0, total - 1, wanted)]
        return chosen

    if coded:
        frames, fps = read_mp4(clip_file(scene, seed, size))
        frames = frames[pick(len(frames), fps)]
    else:
        frames, fps = film(scene, seed, size[1], size[0], plain=plain, only=pick)
    seconds = tuple((chosen[i] + chosen[i + 1]) / 2 / fps for i in range(0, len(chosen), 2))
    return Item(scene, _tensor(frames), seconds)


def scenes() -> Iterator[tuple[str, Scene, int]]:
    """Every scene of the pool with its kind and how many items of it are drawn."""
    for colour, shape in product(COLOURS, SHAPES):
        for size in (None, *SIZES):
            yield "picture", Scene(colour, shape, size), SINGLES
        for place in PLACES:
            yield "picture", Scene(colour, shape, place=place), SINGLES
        for count in (2, 3):
            yield "picture", Scene(colour, shape, count=count), GROUPS
        for motion in (None, *MOTIONS):
            for size in (None, *SIZES):
                yield "clip", Scene(colour, shape, size, motion=motion), CLIPS
            for count in (2, 3):
                yield "clip", Scene(colour, shape, count=count, motion=motion), CLIPS
        for first, then in product(DIRECTIONS, DIRECTIONS):
            if first != then:
                yield "clip", Scene(colour, shape, motion=first, then=then), TURNS
        for relation, other, form in product(RELATIONS, COLOURS, SHAPES):
            if other != colour and form != shape:
                yield "picture", Scene(colour, shape, relation=relation, other_colour=other, other_shape=form), PAIRS


def _job(job: tuple[list[tuple[str, Scene, int]], int]) -> list[tuple[Scene, Frames, tuple[float, ...]]]:
    # arrays, not tensors, cross the process boundary: each tensor would hold a file descriptor
    made, (wanted, seed) = [], job
    for kind, scene, count in wanted:
        for _ in range(count):
            rng = random.Random(f"pool {seed}")
            size = rng.choice(FORMATS)
            if kind == "picture":
                item = picture(scene, seed, size)
            else:
                item = clip(scene, seed, size, coded=rng.random() < 0.2, wanted=rng.choice((4, 4, 4, 4, 4, 4, 6, 8)))
            made.append((scene, item.frames.numpy(), item.seconds))
            seed += 1
    return made


class Pool:
    """All drawn items, found by what they show."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = [replace(item, number=i) for i, item in enumerate(items)]
        self._found: dict[tuple[bool, Scene], list[int]] = defaultdict(list)
        for i, item in enumerate(self.items):
            self._found[bool(item.seconds), item.scene].append(i)

    def find(self, kind: str, scene: Scene, rng: random.Random) -> Item:
        return self.items[rng.choice(self._found[kind == "clip", scene])]


def build(share: float = 1.0, workers: int = 2) -> Pool:
    """Draws the pool. `share` scales it (tests use a small one); the same for the same share."""
    jobs, wanted, seed, start = [], list[tuple[str, Scene, int]](), 0, 0
    for kind, scene, count in scenes():
        some = int(count * share) or int(random.Random(f"share {scene}").random() < count * share)
        wanted.append((kind, scene, some))
        seed += some
        if seed - start >= 500:
            jobs.append((wanted, start))
            wanted, start = [], seed
    jobs.append((wanted, start))
    if workers < 2:
        return Pool(Item(s, torch.from_numpy(f), t) for job in jobs for s, f, t in _job(job))
    with ProcessPoolExecutor(workers) as executor:
        return Pool([Item(s, torch.from_numpy(f), t) for made in executor.map(_job, jobs) for s, f, t in made])


def load_or_build(path: Path) -> Pool:
    """The pool from a file of an earlier run (mapped, not copied), or drawn now and kept there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        items = build().items
        scratch = path.with_suffix(".new")
        torch.save({"rows": [(astuple(i.scene), i.seconds, i.size) for i in items], "counts": [len(i.frames) for i in items],
                    "bytes": torch.cat([i.frames.flatten() for i in items])}, scratch)  # fmt: skip
        scratch.replace(path)
    kept, at, found = torch.load(path, weights_only=True, mmap=True), 0, []
    for (scene, seconds, (height, width)), count in zip(kept["rows"], kept["counts"], strict=True):
        length = count * 3 * height * width
        found.append(Item(Scene(*scene), kept["bytes"][at : at + length].view(count, 3, height, width), tuple(seconds)))
        at += length
    return Pool(found)


def patches(frames: torch.Tensor, gain: torch.Tensor | None = None) -> torch.Tensor:
    """uint8 [unit, 2, 3, height, width], a multiple of 32 each → float32 [unit, patches, 3·2·16·16] in Qwen's order.

    `gain` [unit] makes a unit brighter or darker (training only).
    """
    x = frames.to(torch.float32)
    if gain is not None:
        x = (x * gain.view(-1, 1, 1, 1, 1)).clamp_(0, 255)
    x = (x - 127.5) / 127.5
    units, _, _, height, width = frames.shape
    rows, columns = height // PATCH, width // PATCH
    x = x.view(units, 2, 3, rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH)
    return x.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(units, rows * columns, 3 * 2 * PATCH * PATCH)


def units(item: Item) -> torch.Tensor:
    """The item's groups [group, 2, 3, height, width]: a picture is one frame twice."""
    frames = item.frames
    if not item.seconds:
        frames = frames.expand(2, -1, -1, -1)
    return frames.reshape(-1, 2, *frames.shape[1:])


def shrink(frames: torch.Tensor, limit: int = LIMIT) -> torch.Tensor:
    """uint8 [frame, 3, h, w] of any size → the size the model knows, as the product's pixel code does it."""
    height, width = frames.shape[-2:]
    factor = PATCH * MERGE
    h, w = max(factor, round(height / factor) * factor), max(factor, round(width / factor) * factor)
    if h * w > limit:
        ratio = (height * width / limit) ** 0.5
        h, w = (max(factor, int(side / ratio / factor) * factor) for side in (height, width))
    return frames if (h, w) == (height, width) else F.interpolate(frames, (h, w), mode="bicubic", antialias=True)

