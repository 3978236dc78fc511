"""Sparse models: a weight for every entry of the vocabulary on each side, and the dot product of the two.

Knows nothing of templates. After SPLADE (max or sum over tokens of log(1 + relu(masked-language logits))) as
sentence-transformers' SparseEncoder computes it; vLLM leaves out the special tokens that the config names, and takes the cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from workbench.errors import ModelUnavailable, WorkbenchError
from workbench.media import Library
from workbench.scorers import _engine as engine
from workbench.scorers import _layout as layout
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._ids import Task
from workbench.scorers._pooled import Prompted
from workbench.scorers._vectors import cosine
from workbench.types import Encoding, Score

SHOWN = 20  # entries of the vocabulary that are named in a score's detail


def load(checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto") -> Sparse:
    return Sparse(checkpoint, library, device=device, dtype=dtype)


class Sparse(Prompted):
    """One checkpoint with a masked-language head. Its logits are pooled in float32."""

    task: Task | None = "embed"

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, library, device=device, dtype=dtype)
        self._sums, self._twice = _pooling(checkpoint)

    def _open(self) -> Any:
        from transformers import AutoModelForMaskedLM

        return self._pretrained(AutoModelForMaskedLM)

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> list[torch.Tensor]:
        """Per side [2, vocabulary]: as the reference pools, and as vLLM does."""
        with torch.inference_mode():
            logits = backbone(**engine.encoder_inputs(backbone, rows, self._tokens.pad_id)).logits
            return [self._pooled(logits[i, : len(r.token_ids)].float(), r.token_ids) for i, r in enumerate(rows)]

    def _pooled(self, logits: torch.Tensor, ids: Sequence[int]) -> torch.Tensor:
        """[tokens, vocabulary] → [2, vocabulary]. vLLM: by the maximum, without the special tokens that the config names."""
        config, weights = self._checkpoint.config, logits.relu().log1p()
        whole = weights.log1p() if self._twice else weights
        whole = whole.sum(0) if self._sums else whole.amax(0)
        first = 1 if ids[0] == config.get("cls_token_id") else 0
        last = len(ids) - 1 if ids[-1] == config.get("sep_token_id") else len(ids)
        bare = weights[first:last].amax(0) if last > first else torch.zeros_like(whole)
        return torch.stack([whole, bare]).cpu()

    def _pooled_of(self, reading: torch.Tensor, activate: bool) -> torch.Tensor:
        """A weight for every entry of the vocabulary; they have no length to be set to one."""
        return reading[1]

    def _match(self, encoding: Encoding, query: torch.Tensor, document: torch.Tensor) -> Score | WorkbenchError:
        reference = encoding.pair.parity == "reference"
        a, b = query[0 if reference else 1], document[0 if reference else 1]
        score = cosine(a, b, dot=reference)
        if isinstance(score, WorkbenchError):
            return score
        shares, places = (a * b).topk(min(SHOWN, len(a)))
        terms = [
            {"id": i, "token": self._tokens.text(i), "share": s}
            for i, s in zip(places.tolist(), shares.tolist(), strict=True)
            if s > 0
        ]
        return replace(score, detail={"terms": terms})


def _pooling(checkpoint: Checkpoint) -> tuple[bool, bool]:
    """(sum instead of maximum, logarithm taken twice), as the SpladePooling module says. ModelUnavailable for anything else."""
    found = layout.modules(checkpoint, "SpladePooling")
    config = found[0][1] if found else {}
    strategy, activation = config.get("pooling_strategy", "max"), config.get("activation_function", "relu")
    if strategy not in ("max", "sum") or activation not in ("relu", "log1p_relu"):
        raise ModelUnavailable(
            f"pools by {strategy!r} with {activation!r}, which is not built here", where=checkpoint.name,
            hint="SpladePooling with max or sum, relu or log1p_relu can be run.",
        )  # fmt: skip
    return strategy == "sum", activation == "log1p_relu"
