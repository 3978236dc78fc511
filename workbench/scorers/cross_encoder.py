"""Cross-encoders with a sequence-classification head: query and document as the tokenizer's pair, one logit.

Knows nothing of templates, except that a given one takes the pair's place as it does in vLLM; nor of relevance judgements.
After sentence-transformers' CrossEncoder and vLLM's cross-encoder path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch

from workbench.errors import ModelUnavailable, ScoreFailed, WorkbenchError
from workbench.media import Library
from workbench.scorers import Stop, never
from workbench.scorers import _engine as engine
from workbench.scorers._activation import activated, activation
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._encode import Encoder
from workbench.scorers._gte import native_config
from workbench.scorers._ids import Joined
from workbench.scorers._local import Local
from workbench.scorers._memory import Memory, content
from workbench.scorers._sides import encode_pair
from workbench.scorers._windows import kinds_of_text, typed, windows
from workbench.types import JSON, Encoding, Pair, Parity, Score


def load(checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto") -> CrossEncoder:
    return CrossEncoder(checkpoint, library, device=device, dtype=dtype)


class CrossEncoder(Local):
    """One checkpoint. Its head is run in float32 whatever the dtype of the rest, as vLLM does."""

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, device=device, dtype=dtype)
        self._reads_types = typed(checkpoint, self._tokens)
        self._windows = windows(checkpoint, self._tokens.longest, self.family.max_length)
        self._joint = Encoder(
            self._tokens, self.family, library, {}, {}, self._windows["reference"], self._windows["vllm"]
        )
        self._memory = Memory()
        self._activation = cache(lambda parity: activation(checkpoint.config, parity))
        self._activation("reference")  # an activation that is not run is said when the model is opened

    # ------------------------------------------------------------ without weights
    def encode(self, pair: Pair) -> Encoding:
        if len(pair.prompts) == 1:
            return self._joint.encode(pair)
        return encode_pair(self._tokens, pair, window=self.window(pair.parity), reads_types=self._reads_types)

    def window(self, parity: Parity) -> int:
        return self._windows[parity]

    @property
    def config(self) -> Mapping[str, JSON]:
        return self._checkpoint.config

    def joined(self, query: str, document: str, *, from_file: bool = False) -> Joined:
        """The pair as the tokenizer makes it by itself, uncut; `from_file`: as `Tokens.pair`."""
        ids, types = self._tokens.pair(query, document, from_file=from_file)
        return tuple(ids), tuple(types) if kinds_of_text(self._checkpoint) > 1 and any(types) else ()

    # ------------------------------------------------------------ with weights
    def score(self, batch: Sequence[Encoding], stop: Stop = never) -> Iterator[tuple[int, Score | WorkbenchError]]:
        """Yields (position in the batch, score or the row's error): what is remembered, then after each micro-batch."""
        if not stop():
            yield from self._memory.score(batch, content, lambda b: self._scored(b, stop))

    def _scored(self, batch: Mapping[str, Encoding], stop: Stop) -> Iterator[tuple[str, Score | WorkbenchError]]:
        lengths = {key: len(e.token_ids) for key, e in batch.items()}
        for key, reading in self._readings(lengths, lambda k: engine.Row(batch[k].token_ids, batch[k].type_ids), stop):
            yield key, reading if isinstance(reading, WorkbenchError) else self._read(reading, batch[key].pair.parity)

    def forget(self) -> None:
        self._memory.clear()

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> torch.Tensor:
        return engine.head_logits(backbone, rows, self._tokens.pad_id)

    def _read(self, reading: torch.Tensor, parity: Parity = "reference") -> Score | WorkbenchError:
        logit = float(reading[0])
        if not torch.isfinite(reading[0]):
            return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
        return Score(logit, activated(self._activation(parity), logit))

    def _open(self) -> Any:
        from transformers import AutoModelForSequenceClassification, GteForSequenceClassification

        native = native_config(self._checkpoint.config)
        if native is None:
            model = self._pretrained(AutoModelForSequenceClassification)
        else:
            model = self._pretrained(GteForSequenceClassification, config=native)
        if model.config.num_labels != 1:
            raise ModelUnavailable(
                f"its head has {model.config.num_labels} labels, and a reranker's has one", where=self.name,
                hint="A classifier of several classes ranks nothing.",
            )  # fmt: skip
        return in_float32(model, model.classifier)


def in_float32(model: Any, head: torch.nn.Module) -> Any:
    """The model with a part of it in float32, whose inputs are cast on their way in."""
    head.float()
    head.register_forward_pre_hook(lambda _, inputs: tuple(x.float() for x in inputs))
    return model
