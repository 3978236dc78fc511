"""Draws thousands of pictures and clips once, keeps them as uint8 tensors, and turns them into patches of the vision tower.
Knows nothing of questions, prompts or labels."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from workbench.demo.scenes import (
    COLOURS,
    MOTIONS,
    SHAPES,
    SIZES,
    Frames,
    Scene,
    draw,
    film,
    jpeg,
    mp4,
    read_mp4,
    sample,
)

PATCH, MERGE, LIMIT = 16, 2, 9216  # the largest picture the model knows is 96×96; larger ones are shrunk to it
UNSEEN = 10**9  # seeds from here on are never trained on
# (height, width) and how many items of each kind of scene are drawn: pictures per colour and shape, clips per motion too
PICTURES = {(64, 64): 160, (96, 96): 110, (64, 96): 60, (96, 64): 60}
CLIPS = {(64, 64): 18, (96, 96): 10, (64, 96): 5, (96, 64): 5}


@dataclass(frozen=True, slots=True)
class Item:
    """A picture (one frame) or a clip (sampled frames, seconds of each group of two) as the model gets it."""

    scene: Scene
    frames: torch.Tensor  # uint8 [frame, 3, height, width]
    seconds: tuple[float, ...] = ()  # empty: a picture

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


def clip(scene: Scene, seed: int, size: tuple[int, int], *, coded: bool = True) -> Item:
    """A clip's sampled frames; `coded`: after H.264, as from a file."""
    rng = random.Random(f"clip item {seed}")
    frames, rate = film(scene, seed, size[1], size[0], plain=rng.random() < 0.25)
    fps = float(rate)
    if coded:
        frames, fps = read_mp4(mp4(frames, rate, quality=rng.randint(16, 28)))
    count = rng.choice([4, 4, 4, 4, 4, 4, 6, 8])
    chosen = sample(len(frames), fps) if count == 4 else [round(i) for i in np.linspace(0, len(frames) - 1, count)]
    seconds = tuple((chosen[i] + chosen[i + 1]) / 2 / fps for i in range(0, len(chosen), 2))
    return Item(scene, _tensor(frames[chosen]), seconds)


def _job(job: tuple[str, int, int, tuple[int, int]]) -> list[tuple[Scene, npt.NDArray[np.uint8], tuple[float, ...]]]:
    # arrays, not tensors, cross the process boundary: each tensor would hold a file descriptor
    kind, first, count, size = job
    rng, made = random.Random(f"pool {kind} {first} {size}"), []
    combos = [(c, s, m) for c in COLOURS for s in SHAPES for m in ((*MOTIONS, None) if kind == "clip" else (None,))]
    for number in range(count):
        for index, (colour, shape, motion) in enumerate(combos):
            scene, seed = Scene(colour, shape, rng.choice(SIZES), motion), (first + number) * 1000 + index
            coded = rng.random() < 0.3
            item = picture(scene, seed, size) if kind == "picture" else clip(scene, seed, size, coded=coded)
            made.append((scene, item.frames.numpy(), item.seconds))
    return made


class Pool:
    """All drawn items, found by what they show."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = list(items)
        self._found: dict[tuple[bool, str, str, str | None], list[int]] = defaultdict(list)
        for i, item in enumerate(self.items):
            self._found[bool(item.seconds), item.scene.colour, item.scene.shape, item.scene.motion].append(i)

    def find(self, kind: str, scene: Scene, rng: random.Random) -> Item:
        is_clip = kind == "clip"
        return self.items[rng.choice(self._found[is_clip, scene.colour, scene.shape, scene.motion if is_clip else None])]


def build(share: float = 1.0, workers: int = 2) -> Pool:
    """Draws the pool. `share` scales it (tests use a small one); the same for the same share."""
    jobs = []
    for kind, table in (("picture", PICTURES), ("clip", CLIPS)):
        for number, (size, count) in enumerate(table.items()):
            wanted, step = max(1, round(count * share)), 10 if kind == "picture" else 1
            jobs += [(kind, 10_000 * number + at, min(step, wanted - at), size) for at in range(0, wanted, step)]
    if workers < 2:
        return Pool([Item(s, torch.from_numpy(f), t) for job in jobs for s, f, t in _job(job)])
    with ProcessPoolExecutor(workers) as executor:
        return Pool([Item(s, torch.from_numpy(f), t) for made in executor.map(_job, jobs) for s, f, t in made])


def load_or_build(path: Path) -> Pool:
    """The pool from a file of an earlier run, or drawn now and kept there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        items = build().items
        rows = [(i.scene.colour, i.scene.shape, i.scene.size, i.scene.motion, i.seconds, i.size) for i in items]
        scratch = path.with_suffix(".new")
        torch.save({"rows": rows, "counts": [len(i.frames) for i in items],
                    "bytes": torch.cat([i.frames.flatten() for i in items])}, scratch)  # fmt: skip
        scratch.replace(path)
        return Pool(items)
    kept, at, found = torch.load(path, weights_only=True), 0, []
    for (colour, shape, size, motion, seconds, (height, width)), count in zip(kept["rows"], kept["counts"], strict=True):
        length = count * 3 * height * width
        frames = kept["bytes"][at : at + length].view(count, 3, height, width)
        found.append(Item(Scene(colour, shape, size, motion), frames, tuple(seconds)))
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
