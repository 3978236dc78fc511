"""Reward models: the query as a user's turn, the document as the answer, and what the model's head says of it.

Knows nothing of chat templates beyond that prompts arrive rendered by one. Sequence rewards are one number at the last token;
process rewards one number per step, at the marker token behind it, and a chain of steps is as good as its worst one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from workbench.errors import ScoreFailed, WorkbenchError
from workbench.media import Library
from workbench.scorers import Stop
from workbench.scorers import _engine as engine
from workbench.scorers import _layout as layout
from workbench.scorers._activation import activated, activation
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._ids import Pooled, Task
from workbench.scorers._pooled import told
from workbench.scorers._yes_no import YesNo
from workbench.types import Encoding, Parity, Score


def load(checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto") -> Reward:
    return Reward(checkpoint, library, device=device, dtype=dtype)


class Reward(YesNo):
    """One checkpoint. Where its family names a label token, that is the marker behind every step."""

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, library, device=device, dtype=dtype)
        self._encoder = replace(self._encoder, framed=False)  # the chat template writes its special tokens itself
        self._marker = self._labels[0] if self._labels else None
        self._head = torch.nn.Sequential()

    @property
    def _packs(self) -> bool:
        return self._marker is None and super()._packs  # a process reward reads many tokens of a prompt

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> Any:
        """Per row: the last token's hidden state, or float32 [steps, labels]."""
        if self._marker is None:
            return super()._forward(backbone, rows)
        places = [torch.tensor([t == self._marker for t in r.token_ids]) for r in rows]
        return [labels[p] for labels, p in zip(self._labelled(backbone, rows), places, strict=True)]

    def _labelled(self, backbone: Any, rows: Sequence[engine.Row]) -> list[torch.Tensor]:
        """Per row the head's logits of every token: float32 [tokens, labels]."""
        with torch.inference_mode():
            return [self._head(h) for h in engine.all_hidden(backbone, rows, self._tokens.pad_id)]

    @property
    def task(self) -> Task | None:
        return None if self._marker is None else "token_classify"

    def pooled(
        self, batch: Sequence[Encoding], activate: bool, stop: Stop
    ) -> Iterator[tuple[int, Pooled | WorkbenchError]]:
        """Every token's labels, of all tokens and not of step markers alone, as vLLM gives them."""
        for i, encoding in enumerate(batch):
            if stop():
                return
            row = self._row(encoding)
            try:
                logits = self._do(partial(self._labelled, rows=[row]), len(row.token_ids), row)
            except WorkbenchError as error:
                yield i, error
                continue
            yield i, told(_probabilities(logits[0]) if activate else logits[0])

    def _read(self, reading: torch.Tensor, parity: Parity = "reference") -> Score | WorkbenchError:
        if self._marker is not None:
            return _worst(reading)
        logit = float(reading @ self._rows[0]) + self._bias
        if logit != logit or logit in (float("inf"), float("-inf")):
            return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
        raw = parity == "reference"  # a reward is no probability, but vLLM's classify puts it through the activation
        return Score(logit, logit if raw else activated(activation(self._checkpoint.config, "vllm"), logit))

    def _open(self) -> Any:
        from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

        if self._marker is None:
            return self._with_head(self._pretrained(AutoModelForSequenceClassification))
        if any(a.endswith("ProcessRewardModel") for a in self._checkpoint.config.get("architectures") or []):
            self._head = layout.two_layers(self._checkpoint)
            return layout.backbone(self, self._checkpoint)
        model = self._pretrained(AutoModelForTokenClassification)
        self._head = torch.nn.Sequential(model.score.float())
        model.config.use_cache = False
        return model.model


def _probabilities(logits: torch.Tensor) -> torch.Tensor:
    return logits.softmax(-1) if logits.shape[-1] > 1 else logits.sigmoid()


def _worst(logits: torch.Tensor) -> Score | WorkbenchError:
    """[steps, 1 or 2] → the step that is least likely right; all of them in `detail`."""
    if not len(logits):
        return ScoreFailed("holds no step marker", hint="The template must set the marker token behind every step.")
    if logits.shape[1] > 2:
        return ScoreFailed(f"its head has {logits.shape[1]} labels, and a step is right or wrong")
    margins = logits[:, -1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]
    if not bool(torch.isfinite(margins).all()):
        return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
    values = torch.sigmoid(margins)  # of two labels the softmax's second
    steps = [{"logit": m, "value": v} for m, v in zip(margins.tolist(), values.tolist(), strict=True)]
    at = int(margins.argmin())
    return Score(float(margins[at]), float(values[at]), {"steps": steps})
