"""Pictures of one fixed size, as CLIP, SigLIP and PaliGemma take them: resized, perhaps cropped, normalised.

Knows nothing of prompts or weights. The arithmetic follows transformers' CLIP and SigLIP image processors (which need
torchvision for their fast form); the uint8 tensor is resized with antialiasing and rounded before it is scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.errors import ModelUnavailable
from workbench.types import JSON, Media, MediaInput

KERNELS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class FixedPixels:
    """What makes the pixels. `shortest`: the shorter edge after resizing, the rest cropped away; 0 = squeezed into the size.

    `patch`: edge of a patch in pixels; `tokens`: what one picture counts in a prompt, 0 = a token a patch.
    """

    height: int
    width: int
    patch: int
    tokens: int = 0
    shortest: int = 0
    kernel: str = "bicubic"
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def plan(self, part: Media) -> MediaInput:
        rows, columns = self.height // self.patch, self.width // self.patch
        return MediaInput(part, self.width, self.height, (1, rows, columns), self.tokens or rows * columns)

    def pixels(self, picture: np.ndarray[Any, Any]) -> torch.Tensor:
        """uint8 [height, width, 3] → float32 [1, 3, height, width]."""
        x = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
        height, width = x.shape[-2:]
        size = (self.height, self.width)
        if self.shortest:
            short = min(height, width)
            size = self.shortest * height // short, self.shortest * width // short
        if (height, width) != size:
            x = torch.nn.functional.interpolate(x, size=size, mode=self.kernel, antialias=True)
        top, left = (size[0] - self.height) // 2, (size[1] - self.width) // 2
        x = x[:, :, top : top + self.height, left : left + self.width].float()
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (self.mean, self.std))
        return (x - mean) / std


def fixed_pixels(
    config: Mapping[str, JSON], vision: Mapping[str, JSON], name: str, *, crops: bool = False, tokens: int = 0
) -> FixedPixels:
    """From a checkpoint's image processor config and its vision config. `crops`: whether its kind crops unless told otherwise."""
    edge, patch = int(vision["image_size"]), int(vision["patch_size"])
    crops = bool(config.get("do_center_crop", crops))
    kernel = KERNELS.get(int(config.get("resample", 3)))
    if kernel is None:
        raise ModelUnavailable(f"resizes pictures by Pillow's filter {config['resample']}, not built here", where=name)
    size = config.get("size") or edge
    shortest = size.get("shortest_edge", 0) if isinstance(size, Mapping) else size if crops else 0
    own = config.get("crop_size") if crops else size
    height, width = (own.get("height", edge), own.get("width", edge)) if isinstance(own, Mapping) else (edge, edge)
    if (height, width) != (edge, edge) or (shortest and shortest < edge):
        raise ModelUnavailable(
            f"makes pictures {width}×{height}, and its vision tower takes {edge}×{edge}", where=name,
            hint="Its preprocessor_config.json and config.json must agree.",
        )  # fmt: skip
    mean, std = (CLIP_MEAN, CLIP_STD) if crops else ((0.5,) * 3, (0.5,) * 3)
    mean, std = tuple(config.get("image_mean") or mean), tuple(config.get("image_std") or std)
    return FixedPixels(edge, edge, patch, tokens, int(shortest), kernel, mean, std)
