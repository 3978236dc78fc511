"""CLIP and SigLIP: one tower reads texts, the other pictures; a side is one or the other, and the cosine of two sides ranks.

Knows nothing of templates. After transformers' CLIPModel and SiglipModel (`get_text_features`, `get_image_features`); SigLIP's
texts are padded to its full length, since it reads the last token, padding or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from workbench.errors import ModelUnavailable, PromptInvalid, WorkbenchError
from workbench.media import Library
from workbench.scorers import _engine as engine
from workbench.scorers._apart import Side, SideRecipe, below, side_sheet
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._pictures import fixed_pixels
from workbench.scorers._sides import NAMES, Sheet
from workbench.scorers._vectors import Apart, cosine, vectors
from workbench.scorers._vectors import Side as Reading
from workbench.scorers._windows import windows
from workbench.types import Encoding, Image, Media, MediaInput, Pair, Parity, Score

TYPES = ("clip", "siglip")


class Towers(Apart):
    """One checkpoint. A picture stands in the ids as one token of id 0, as vLLM counts it."""

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, device=device, dtype=dtype)
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(str(checkpoint.folder), local_files_only=True, trust_remote_code=False)
        crops = config.model_type == "clip"
        self._library, self._vectors = library, vectors()
        self._fixed = fixed_pixels(checkpoint.image_config, config.vision_config.to_dict(), self.name, crops=crops, tokens=1)
        text = replace(checkpoint, config=config.text_config.to_dict())
        self._windows = windows(text, self._tokens.longest, self.family.max_length)
        window = self._windows["reference"]
        self._recipe = SideRecipe(window) if crops else SideRecipe(window, pad=self._tokens.pad_id, pad_to=window)
        if not crops and self._tokens.pads_left:
            raise ModelUnavailable("pads texts in front, and SigLIP reads the last token", where=self.name)

    def encode(self, pair: Pair) -> Encoding:
        pictures = [one_picture(pair, which, self.family.template.placeholders.image) for which in (0, 1)]
        media = [self._plan(p) for p in pictures if p is not None]
        return below(pair, self._side(pair, 0, pictures[0]), self._side(pair, 1, pictures[1]), media)

    def _plan(self, picture: Image) -> MediaInput:
        self._library.probe(picture)
        return self._fixed.plan(picture)

    def _side(self, pair: Pair, which: int, picture: Image | None) -> Side:
        if picture is None:
            return side_sheet(self._tokens, pair, which, self._recipe, False)
        sheet = Sheet()
        sheet.picture(pair.prompts[which].text, which)
        return sheet, None

    def window(self, parity: Parity) -> int:
        return self._windows["reference"]

    def _open(self) -> Any:
        from transformers import CLIPModel, SiglipModel

        return self._pretrained(CLIPModel if self._checkpoint.config.get("model_type") == "clip" else SiglipModel)

    def _side_row(self, side: Reading) -> engine.Row:
        if not side.media:
            return engine.Row(side.token_ids)
        picture: Any = side.media[0].part
        return engine.Row(side.token_ids, image_patches=self._fixed.pixels(self._library.picture(picture)))

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> list[torch.Tensor]:
        """Per side its vector, float32: texts in one pass, pictures in another."""
        found: dict[int, torch.Tensor] = {}
        texts = [i for i, r in enumerate(rows) if r.image_patches is None]
        pictures = [i for i, r in enumerate(rows) if r.image_patches is not None]
        with torch.inference_mode():
            if texts:
                inputs = engine.encoder_inputs(backbone, [rows[i] for i in texts], self._tokens.pad_id)
                found |= zip(texts, backbone.get_text_features(**inputs).pooler_output.float().cpu(), strict=True)
            if pictures:
                patches = [p for i in pictures if (p := rows[i].image_patches) is not None]
                pixels = torch.cat(patches).to(backbone.device, backbone.dtype)
                found |= zip(pictures, backbone.get_image_features(pixels).pooler_output.float().cpu(), strict=True)
        return [found[i] for i in range(len(rows))]

    def _match(self, encoding: Encoding, query: torch.Tensor, document: torch.Tensor) -> Score | WorkbenchError:
        return cosine(query, document)


def one_picture(pair: Pair, which: int, placeholder: str) -> Image | None:
    """The picture that a side is, None where it is a text. PromptInvalid where it is neither the one nor the other."""
    prompt = pair.prompts[which]
    if not prompt.media:
        return None
    first: Media = prompt.media[0]
    if len(prompt.media) > 1 or prompt.text != placeholder or not isinstance(first, Image):
        raise PromptInvalid(
            f"is {len(prompt.media)} picture(s) and text, where this model takes a text or one picture",
            where=NAMES[which], hint="Give the picture alone, or the text alone.",
        )  # fmt: skip
    return first
