"""Qwen-VL pixels: how large a picture or clip becomes, which frames are taken, and the patches the vision tower reads.

Knows nothing of prompts, tokenizers or weights. The arithmetic follows transformers' Qwen2-VL image and Qwen3-VL video
processors (which need torchvision and so are not used) and, for the reference recipe, the sampling of qwen-vl-utils.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from workbench.errors import MediaInvalid
from workbench.media import Library, MediaFacts
from workbench.types import JSON, ClipSampling, Family, Image, Media, MediaInput, Parity, PixelLimits

MAX_ASPECT = 200  # the processors refuse anything thinner


@dataclass(frozen=True, slots=True)
class PixelRecipe:
    """Everything that decides the pixels of one request; `parity` decides how clips are sampled and sized."""

    parity: Parity
    image: PixelLimits
    video: ClipSampling
    patch: int = 16
    merge: int = 2
    temporal: int = 2
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @property
    def factor(self) -> int:
        return self.patch * self.merge


def recipe(
    family: Family,
    image_config: Mapping[str, JSON],
    video_config: Mapping[str, JSON],
    parity: Parity,
    options: Mapping[str, JSON],
) -> PixelRecipe:
    """The recipe of a checkpoint: `reference` takes the family's limits, lowered where the checkpoint knows less;
    `vllm` takes the checkpoint's processor configs as they are. `options` are the request's mm_processor_kwargs.
    """
    image, video = (
        family.image or PixelLimits(4096, 1843200),
        family.video or ClipSampling(1, 4, 64, 4096, 786432, 7864320),
    )
    own_image, own_video = _size(image_config), _size(video_config)
    if parity == "vllm":
        image = PixelLimits(own_image[0] or image.min_pixels, own_image[1] or image.max_pixels)
        low, high = own_video[0] or 131072, own_video[1] or 786432
        fps, least, most = (video_config.get(k) or d for k, d in (("fps", 2), ("min_frames", 4), ("max_frames", 768)))
        video = ClipSampling(float(fps), int(least), int(most), low, high, high)
    else:
        image = replace(image, max_pixels=min(image.max_pixels, own_image[1] or image.max_pixels))
        total = min(video.total_pixels, own_video[1] or video.total_pixels)
        video = replace(video, max_pixels=min(video.max_pixels, image.max_pixels), total_pixels=total)
    image, video = _with_options(image, video, options)
    c = image_config
    return PixelRecipe(
        parity, image, video, int(c.get("patch_size") or 16), int(c.get("merge_size") or 2),
        int(c.get("temporal_patch_size") or 2), tuple(c.get("image_mean") or (0.5,) * 3), tuple(c.get("image_std") or (0.5,) * 3),
    )  # fmt: skip


def _size(config: Mapping[str, JSON]) -> tuple[int, int]:
    size = config.get("size") or {}
    low = config.get("min_pixels") or size.get("shortest_edge") or 0
    return int(low), int(config.get("max_pixels") or size.get("longest_edge") or 0)


def _with_options(
    image: PixelLimits, video: ClipSampling, options: Mapping[str, JSON]
) -> tuple[PixelLimits, ClipSampling]:
    low, high = _size(options)
    if low:
        image, video = replace(image, min_pixels=low), replace(video, min_pixels=low)
    if high:
        image, video = replace(image, max_pixels=high), replace(video, max_pixels=high, total_pixels=high)
    if fps := options.get("fps"):
        video = replace(video, fps=float(fps))
    if frames := options.get("num_frames"):
        video = _counted(video, int(frames))
    return image, video


def _counted(video: ClipSampling, frames: int) -> ClipSampling:
    """So many frames whatever the length of the clip, within what the recipe may take at most."""
    frames = min(max(frames, 1), video.max_frames)
    return replace(video, min_frames=frames, max_frames=frames)


def own_rules(part: Media, rules: PixelRecipe) -> PixelRecipe:
    """The recipe with what one picture or clip asks for itself, never beyond what the recipe allows at most."""
    if isinstance(part, Image):
        high = min(part.max_pixels or rules.image.max_pixels, rules.image.max_pixels)
        return replace(rules, image=PixelLimits(min(part.min_pixels or rules.image.min_pixels, high), high))
    video = replace(rules.video, fps=part.fps) if part.fps else rules.video
    return replace(rules, video=_counted(video, part.frames) if part.frames else video)


def smart_resize(
    height: int, width: int, *, factor: int, min_pixels: float, max_pixels: float, frames: int = 1
) -> tuple[int, int]:
    """(height, width) as multiples of `factor`, near the aspect, with frames·height·width within the limits.

    As transformers' `smart_resize` of the image (frames = 1) and of the video processor.
    """
    if max(height, width) / min(height, width) > MAX_ASPECT:
        raise MediaInvalid(f"is {width}×{height}: thinner than 1:{MAX_ASPECT}, which no processor of this family takes")
    h, w = round(height / factor) * factor, round(width / factor) * factor
    if frames * h * w > max_pixels:
        shrink = math.sqrt(frames * height * width / max_pixels)
        h = max(factor, math.floor(height / shrink / factor) * factor)
        w = max(factor, math.floor(width / shrink / factor) * factor)
    elif frames * h * w < min_pixels:
        grow = math.sqrt(min_pixels / (frames * height * width))
        h, w = math.ceil(height * grow / factor) * factor, math.ceil(width * grow / factor) * factor
    return h, w


def sample_frames(facts: MediaFacts, rules: PixelRecipe) -> tuple[int, ...]:
    """Indices of the frames taken from a clip, evenly from first to last.

    reference (qwen-vl-utils): an even number, at least min_frames where the clip has them.
    vllm (transformers): any number; a last odd frame is repeated when patches are made.
    """
    video, total = rules.video, max(1, facts.frames)
    wanted = total / (facts.fps or 24.0) * video.fps
    if rules.parity == "vllm":
        count = min(max(int(wanted), video.min_frames), video.max_frames, total)
    else:
        most = int(min(max(wanted, video.min_frames), video.max_frames, total))
        count = max(rules.temporal, most // rules.temporal * rules.temporal)
    return tuple(int(i) for i in np.linspace(0, total - 1, count).round())


def plan(part: Media, facts: MediaFacts, rules: PixelRecipe) -> MediaInput:
    """What the model will get of one picture or clip; needs its size only, not its pixels."""
    rules = own_rules(part, rules)
    if isinstance(part, Image):
        h, w = _picture_size(part, facts, rules)
        return _input(part, h, w, 1, rules)
    frames = sample_frames(facts, rules)
    h, w = _clip_size(facts, len(frames), rules)
    groups = -(-len(frames) // rules.temporal)
    padded = frames + (frames[-1],) * (groups * rules.temporal - len(frames))
    seconds = [i / (facts.fps or 24.0) for i in padded]
    stamps = tuple(
        (seconds[i] + seconds[i + rules.temporal - 1]) / 2 for i in range(0, len(seconds), rules.temporal)
    )  # mean of a group's first and last frame
    return _input(part, h, w, groups, rules, frames, stamps)


def _picture_size(part: Image, facts: MediaFacts, rules: PixelRecipe) -> tuple[int, int]:
    least, most = rules.image.min_pixels, rules.image.max_pixels
    h, w = smart_resize(facts.height, facts.width, factor=rules.factor, min_pixels=least, max_pixels=most)
    if part.min_pixels and h * w > most:  # growing rounds up, past the most where a picture asks for nearly that much
        h, w = smart_resize(h, w, factor=rules.factor, min_pixels=0, max_pixels=most)
    return h, w


def _clip_size(facts: MediaFacts, frames: int, rules: PixelRecipe) -> tuple[int, int]:
    height, width, video, factor = facts.height, facts.width, rules.video, rules.factor
    if rules.parity == "vllm":
        if height < factor or width < factor:
            scale = max(factor / height, factor / width)
            height, width = int(height * scale), int(width * scale)
        return smart_resize(
            height, width, factor=factor, min_pixels=video.min_pixels, max_pixels=video.total_pixels, frames=frames
        )
    # qwen-vl-utils: the even share of the whole clip's budget, two frames being merged into one group
    most = max(min(video.max_pixels, video.total_pixels / frames * rules.temporal), int(video.min_pixels * 1.05))
    return smart_resize(height, width, factor=factor, min_pixels=video.min_pixels, max_pixels=most)


def _input(
    part: Media, h: int, w: int, groups: int, rules: PixelRecipe,
    frames: tuple[int, ...] = (), stamps: tuple[float, ...] = (),
) -> MediaInput:  # fmt: skip
    rows, columns = h // rules.patch, w // rules.patch
    tokens = groups * rows * columns // rules.merge**2
    return MediaInput(part, w, h, (groups, rows, columns), tokens, frames, stamps)


def patches(frames: np.ndarray[Any, Any], size: tuple[int, int], rules: PixelRecipe) -> torch.Tensor:
    """uint8 [T, H, W, 3] → float32 [groups·rows·columns, 3·temporal·patch²] in the order of the vision tower.

    The uint8 tensor is resized (bicubic, antialiased, rounded to uint8) before it is scaled: this is what vLLM computes,
    while resizing with Pillow moves the logit by up to 4e-4.
    """
    x = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    if tuple(x.shape[-2:]) != size:
        x = torch.nn.functional.interpolate(x, size=size, mode="bicubic", antialias=True)
    if x.shape[0] % rules.temporal:
        x = torch.cat([x, x[-1:].expand(rules.temporal - x.shape[0] % rules.temporal, -1, -1, -1)])
    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) * 255 for v in (rules.mean, rules.std))
    x = (x.to(torch.float32) - mean) / std
    t, m, p = rules.temporal, rules.merge, rules.patch
    groups, rows, columns = x.shape[0] // t, size[0] // p, size[1] // p
    x = x.view(groups, t, 3, rows // m, m, p, columns // m, m, p)
    return x.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(groups * rows * columns, 3 * t * p * p)


def patches_of(item: MediaInput, rules: PixelRecipe, library: Library) -> torch.Tensor:
    """float32 patches of a planned item: a picture is one frame, repeated to fill its group. MediaInvalid: it cannot be read."""
    part = item.part
    frames = library.picture(part)[None] if isinstance(part, Image) else library.frames(part, item.frames)
    return patches(frames, (item.height, item.width), rules)
