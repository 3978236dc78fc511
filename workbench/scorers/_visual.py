"""Embedding models that read text, pictures and clips in one prompt: Qwen3-VL-Embedding, the last token's vector, the cosine.

Knows nothing of templates beyond the one chat turn that its script puts around a side; vLLM puts none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from workbench.errors import WorkbenchError
from workbench.media import Library
from workbench.scorers import _engine as engine
from workbench.scorers._apart import Side, below, framed_side, side_of
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._rows import decoder_encoder, media_row
from workbench.scorers._vectors import Apart, cosine, vectors
from workbench.scorers._vectors import Side as Reading
from workbench.types import Encoding, Pair, Parity, Score

LEAD = "<|im_start|>system\nRepresent the user's input.<|im_end|>\n<|im_start|>user\n"
TAIL = "<|im_end|>\n<|im_start|>assistant\n"
EMPTY = "NULL"


class VisualEmbedding(Apart):
    """One checkpoint. The vector is the final-norm hidden state of the last token."""

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, device=device, dtype=dtype)
        self._library, self._vectors = library, vectors()
        self._encoder = decoder_encoder(checkpoint, self._tokens, library)

    def encode(self, pair: Pair) -> Encoding:
        query, document = (self._encoder.encode(self._framed(pair, which)) for which in (0, 1))
        first: Side = side_of(query, 0)
        return below(pair, first, side_of(document, 1), (*query.media, *document.media))

    def _framed(self, pair: Pair, which: int) -> Pair:
        text = pair.prompts[which].text
        if pair.parity == "vllm":
            return framed_side(pair, which, "", text, "")
        return framed_side(pair, which, LEAD, text or EMPTY, TAIL)

    def window(self, parity: Parity) -> int:
        return self._encoder.window if parity == "reference" else self._encoder.model_window

    def _open(self) -> Any:
        from transformers import AutoModelForImageTextToText

        return self._pretrained(AutoModelForImageTextToText).model

    def _side_row(self, side: Reading) -> engine.Row:
        return media_row(side.token_ids, side.media, self._encoder.plain_rules(side.parity), self._library)

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> torch.Tensor:
        encoder = self._encoder
        return engine.last_hidden(backbone, rows, encoder.tokens.pad_id, encoder.image_id, encoder.video_id)

    def _match(self, encoding: Encoding, query: torch.Tensor, document: torch.Tensor) -> Score | WorkbenchError:
        return cosine(query, document)
