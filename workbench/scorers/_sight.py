"""What the vision tower sees in pictures and clips, once for each: kept by content and preprocessing, across every prompt.

Knows nothing of prompts or scores. Features stay on the model's device, within a budget, and on disk where that is wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from workbench.media import Library
from workbench.scorers._features import Features
from workbench.scorers._kept import Kept
from workbench.scorers._packed import Visual
from workbench.scorers._tree import Symbols
from workbench.scorers._vision import PixelRecipe, patches_of
from workbench.types import Image, MediaInput

BYTES = {"cpu": 512 << 20, "cuda": 4 << 30, "npu": 4 << 30, "mps": 1 << 30}
PATCHES = {"cpu": 1024}  # in one pass of the tower; more where there is an accelerator
OFFSETS = 1 << 17  # symbols of one picture or clip: more than it can have tokens


class Sight:
    """One model's. `looks` counts pictures and clips that went through the tower."""

    def __init__(self, library: Library, device: torch.device, stored: Features | None = None) -> None:
        self._library, self._device, self._stored = library, device, stored
        self._features: Kept[str, Visual] = Kept(BYTES.get(device.type, 512 << 20), Visual.bytes)
        self.looks = 0

    def known(self, key: str) -> Visual | None:
        found = self._features.get(key)
        if found is None and self._stored is not None and (found := self._stored.get(key, self._device)) is not None:
            self._features.put(key, found)
        return found

    def pixels(self, item: MediaInput, rules: PixelRecipe) -> torch.Tensor:
        """float32 patches. Raises MediaInvalid where the file cannot be read."""
        return patches_of(item, rules, self._library)

    @torch.inference_mode()
    def look(self, backbone: Any, seen: Sequence[tuple[str, MediaInput, torch.Tensor]]) -> dict[str, Visual]:
        """One pass of the tower over these (key, item, patches); what it says is kept, and returned by key."""
        tower = backbone.visual
        patches = torch.cat([p for *_, p in seen])
        if tower.device.type == "cuda":  # from pinned memory the copy runs beside the next pictures' decoding
            patches = patches.pin_memory().to(tower.device, non_blocking=True)
        patches = patches.to(tower.device, tower.dtype)
        grids = torch.tensor([i.grid for _, i, _ in seen], device=tower.device)
        out = backbone.get_image_features(patches, grids)
        found: dict[str, Visual] = {}
        deep = getattr(out, "deepstack_features", None) or []
        for n, (key, *_) in enumerate(seen):
            whole = out.pooler_output[n]
            levels = torch.stack([level[n] for level in deep]) if len(deep) else whole.new_empty((0, *whole.shape))
            found[key] = Visual(whole.clone(), levels)
            self._features.put(key, found[key])
            if self._stored is not None:
                self._stored.put(key, found[key])
        self.looks += len(seen)
        return found

    def clear(self) -> None:
        self._features.clear()


def name(item: MediaInput, rules: PixelRecipe) -> str:
    """A picture or clip as the model gets it, by content: all that decides its pixels."""
    what = (item.part.digest, type(item.part).__name__, item.width, item.height, item.grid, item.frames)
    made = (rules.patch, rules.merge, rules.temporal, rules.mean, rules.std)
    return hashlib.blake2b(repr((what, made)).encode(), digest_size=16).hexdigest()


def symbols(ids: Symbols, places: Symbols, items: Iterable[tuple[str, int]]) -> Symbols:
    """The ids with those at `places` replaced by negative numbers made of content: `items` are (name, tokens) in order."""
    named = ids.copy()
    at = 0
    for key, tokens in items:
        low = -(int(key[:11], 16) + 1) * OFFSETS
        named[places[at : at + tokens]] = low + np.arange(tokens)
        at += tokens
    return named


def positions(backbone: Any, ids: Symbols, items: Sequence[MediaInput], image_id: int, video_id: int) -> torch.Tensor:
    """The model's own positions of one prompt: int64 [3, tokens]."""
    one = torch.from_numpy(ids)[None]
    kinds = torch.where(one == image_id, 1, torch.where(one == video_id, 2, 0))
    grids: dict[bool, list[Any]] = {True: [], False: []}
    for item in items:
        grids[isinstance(item.part, Image)].append(item.grid)
    images, videos = (torch.tensor(grids[k]) if grids[k] else None for k in (True, False))
    found, _ = backbone.get_rope_index(one, mm_token_type_ids=kinds, image_grid_thw=images, video_grid_thw=videos)
    return found[:, 0]  # type: ignore[no-any-return]


