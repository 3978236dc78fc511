"""An encoding with media as the row a decoder runs: its ids, and the patches of its pictures and clips.

Knows nothing of prompts or of what is read from the forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from workbench.media import Library
from workbench.scorers import _engine as engine
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._encode import Encoder
from workbench.scorers._tokens import Tokens
from workbench.scorers._vision import PixelRecipe, patches_of
from workbench.types import Image, MediaInput


def decoder_encoder(checkpoint: Checkpoint, tokens: Tokens, library: Library) -> Encoder:
    """What turns prompts into ids for a decoder, by its config: window and the ids of its media."""
    config = checkpoint.config
    image_id = config.get("image_token_id", config.get("image_token_index", -1))
    own = int((config.get("text_config") or config).get("max_position_embeddings") or 1 << 30)
    return Encoder(
        tokens, checkpoint.family, library, checkpoint.image_config, checkpoint.video_config,
        window=min(checkpoint.family.max_length, own), model_window=own,
        image_id=int(image_id), video_id=int(config.get("video_token_id", -1)),
    )  # fmt: skip


def media_row(ids: tuple[int, ...], media: Sequence[MediaInput], rules: PixelRecipe, library: Library) -> engine.Row:
    """Pictures and clips apart, each in prompt order."""
    if not media:
        return engine.Row(ids)
    images: list[tuple[torch.Tensor, tuple[int, int, int]]] = []
    videos: list[tuple[torch.Tensor, tuple[int, int, int]]] = []
    for item in media:
        side = images if isinstance(item.part, Image) else videos
        side.append((patches_of(item, rules, library), item.grid))
    return engine.Row(
        ids, (),
        torch.cat([p for p, _ in images]) if images else None, tuple(g for _, g in images),
        torch.cat([p for p, _ in videos]) if videos else None, tuple(g for _, g in videos),
    )  # fmt: skip
