"""Late interaction over pages: ColPali and ColQwen2, a vector for every token of a text or every tile of a picture, MaxSim.

Knows nothing of templates beyond what transformers' ColPali and ColQwen2 processors put around a text and around a picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from workbench.errors import PromptInvalid, WorkbenchError
from workbench.media import Library
from workbench.scorers import _engine as engine
from workbench.scorers._apart import below, framed_side, side_of
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._maxsim import Candidate, maxsims
from workbench.scorers._pictures import fixed_pixels
from workbench.scorers._rows import decoder_encoder, media_row
from workbench.scorers._towers import one_picture
from workbench.scorers._vectors import Apart, Complete, by_query, vectors
from workbench.scorers._vectors import Side as Reading
from workbench.types import Encoding, Pair, Parity, Score


@dataclass(frozen=True, slots=True)
class Frames:
    """(in front, behind) of a text and of a picture, as the processor writes them."""

    text: tuple[str, str]
    picture: tuple[str, str]


FRAMES: Mapping[str, Frames] = {
    "colpali": Frames(("<bos>Question: ", "<pad>" * 10 + "\n"), ("", "<bos>Describe the image.\n")),
    "colqwen2": Frames(
        ("Query: ", "<|endoftext|>" * 10 + "\n"),
        ("<|im_start|>user\n", "Describe the image.<|im_end|><|endoftext|>"),
    ),
}


class Pages(Apart):
    """One checkpoint. Vectors are compared in float32."""

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, device=device, dtype=dtype)
        self._library, self._vectors = library, vectors()
        self._kind = str(checkpoint.config.get("model_type"))
        inner = checkpoint.config.get("vlm_config") or {}
        encoder = decoder_encoder(replace(checkpoint, config=inner), self._tokens, library)
        fixed = None
        if self._kind == "colpali":
            fixed = fixed_pixels(checkpoint.image_config, inner.get("vision_config") or {}, self.name)
        self._encoder = replace(encoder, fixed=fixed, framed=False)
        self._merge = 1 if fixed else int(checkpoint.image_config.get("merge_size") or 2)

    def encode(self, pair: Pair) -> Encoding:
        if pair.parity == "vllm":
            raise PromptInvalid(
                f"has no vllm recipe here: what a server puts around {self._kind}'s texts and pages was not checked",
                where="parity", hint="Score with parity reference, or give the URL of a server as the model.",
            )  # fmt: skip
        query, document = (self._encoder.encode(self._framed(pair, which)) for which in (0, 1))
        return below(pair, side_of(query, 0), side_of(document, 1), (*query.media, *document.media))

    def _framed(self, pair: Pair, which: int) -> Pair:
        picture = one_picture(pair, which, self.family.template.placeholders.image)
        lead, tail = FRAMES[self._kind].text if picture is None else FRAMES[self._kind].picture
        return framed_side(pair, which, lead, pair.prompts[which].text, tail)

    def window(self, parity: Parity) -> int:
        return self._encoder.window

    def _open(self) -> Any:
        from transformers import ColPaliForRetrieval, ColQwen2ForRetrieval

        return self._pretrained(ColPaliForRetrieval if self._kind == "colpali" else ColQwen2ForRetrieval)

    def _side_row(self, side: Reading) -> engine.Row:
        encoder = self._encoder
        if encoder.fixed is None or not side.media:
            return media_row(side.token_ids, side.media, encoder.plain_rules(side.parity), self._library)
        picture: Any = side.media[0].part
        return engine.Row(side.token_ids, image_patches=encoder.fixed.pixels(self._library.picture(picture)))

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> list[torch.Tensor]:
        """Per side [tokens, dimension], of length one."""
        inputs: dict[str, Any] = engine.encoder_inputs(backbone, rows, self._tokens.pad_id)
        pictures = [r.image_patches for r in rows if r.image_patches is not None]
        if self._kind == "colpali":
            inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])  # a prefix: every token sees every other
            if pictures:
                inputs["pixel_values"] = torch.cat(pictures)
        elif pictures:
            inputs["pixel_values"] = torch.nn.utils.rnn.pad_sequence(pictures, batch_first=True)
            inputs["image_grid_thw"] = torch.tensor([g for r in rows for g in r.image_grids])
        if pictures:
            inputs["pixel_values"] = inputs["pixel_values"].to(backbone.dtype)
        with torch.inference_mode():
            vectors = backbone(**{k: v.to(backbone.device) for k, v in inputs.items()}).embeddings.float().cpu()
        return [vectors[i, : len(r.token_ids)] for i, r in enumerate(rows)]

    def _match(self, encoding: Encoding, query: torch.Tensor, document: torch.Tensor) -> Score | WorkbenchError:
        return next(self._matches([(encoding, query, document)]))

    def _matches(self, rows: Sequence[Complete]) -> Iterator[Score | WorkbenchError]:
        for query, part in by_query(rows):
            found = [Candidate(encoding, document, range(len(document))) for encoding, _, document in part]
            yield from maxsims(query, found, image_id=self._encoder.image_id, merge=self._merge)
