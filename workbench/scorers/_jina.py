"""jina-reranker-m0: Qwen2-VL without its vocabulary head, a token of its own behind the prompt, two layers over that token.

Knows nothing of templates. After the checkpoint's modeling.py: id 100 appended, score.0, ReLU, score.2, and the sigmoid of the
logit less 2.65; vLLM computes the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from workbench.errors import ScoreFailed, WorkbenchError
from workbench.media import Library
from workbench.scorers import _layout as layout
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._yes_no import YesNo
from workbench.types import Encoding, Pair, Parity, Score

SCORE_TOKEN, LOGIT_BIAS = 100, 2.65
NAMES = {  # of the checkpoint, which are those of transformers before 4.52, to those of the native class without a head
    r"^visual\.": "visual.",
    r"^model\.(?!language_model\.|visual\.)": "language_model.",
    r"^model\.(language_model|visual)\.": r"\1.",
}


class JinaM0(YesNo):
    """One checkpoint. Its head runs in float32."""

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, library, device=device, dtype=dtype)
        room = self._encoder
        self._encoder = replace(room, window=room.window - 1, model_window=room.model_window - 1)
        self._head = torch.nn.Sequential()

    def encode(self, pair: Pair) -> Encoding:
        window = pair.limits.max_length
        shorter = replace(pair.limits, max_length=None if window is None else window - 1)
        encoding = super().encode(replace(pair, limits=shorter))
        end = len(encoding.prompt.text)
        return replace(
            encoding, pair=pair, token_ids=(*encoding.token_ids, SCORE_TOKEN), spans=(*encoding.spans, (end, end))
        )

    def window(self, parity: Parity) -> int:
        return super().window(parity) + 1

    def from_ids(self, ids: Sequence[int]) -> Encoding:
        """The token is appended where it is missing, as the checkpoint's own forward pass does."""
        return super().from_ids(ids if ids and ids[-1] == SCORE_TOKEN else [*ids, SCORE_TOKEN])

    def _read(self, reading: torch.Tensor, parity: Parity = "reference") -> Score | WorkbenchError:
        with torch.inference_mode():
            logit = float(self._head(reading)) - LOGIT_BIAS
        if logit != logit or logit in (float("inf"), float("-inf")):
            return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
        return Score(logit, float(torch.sigmoid(torch.tensor(logit))))

    def _open(self) -> Any:
        from transformers import Qwen2VLModel

        self._head = layout.two_layers(self._checkpoint)
        return self._pretrained(Qwen2VLModel, key_mapping=NAMES)
