"""Rerankers that answer with a label: the score is read from label rows, or a score row, at the last token of one prompt.

Knows nothing of templates (prompts arrive rendered) or of relevance judgements. After Qwen3-Reranker's and
Qwen3-VL-Reranker's model cards: score = sigmoid(h · (W[yes] − W[no])), h the final-norm hidden state of the last token; other
families read one raw row, or the row of a converted sequence head (vLLM's `method`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from workbench.errors import ModelUnavailable, ScoreFailed, WorkbenchError
from workbench.media import Library
from workbench.scorers import Stop, never
from workbench.scorers import _engine as engine
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._decoder import Decoder, names
from workbench.scorers._features import Features, weights_of
from workbench.scorers._ids import check_ids, encoding_of
from workbench.scorers._local import Local
from workbench.scorers._memory import Memory, content
from workbench.scorers._packed import PackedRow, serves
from workbench.scorers._rows import decoder_encoder, media_row
from workbench.types import Encoding, Pair, Parity, Score

SAMPLE = 64  # tokens that a fresh accelerator is compared with the CPU on
PACK = 1.4  # seconds: a pack can be left between two layers, so it is bounded by how often results should come


class YesNo(Local):
    """One checkpoint whose last token's hidden state is multiplied with one row (`from_2_way_softmax`: true − false)."""

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, device=device, dtype=dtype)
        self._library, config = library, checkpoint.config
        self._vocabulary = int((config.get("text_config") or config).get("vocab_size") or 1 << 31)
        self._labels = [self._tokens.id(label) for label in self.family.labels]
        self._encoder = decoder_encoder(checkpoint, self._tokens, library)
        self._temperature = float(config.get("temperature") or self.family.temperature)
        self._rows, self._bias = torch.empty(0), 0.0  # float32 [labels or 1, hidden]
        self._decoder: Decoder | None = None
        self._memory, self._stock = Memory(), False

    # ------------------------------------------------------------ without weights
    def encode(self, pair: Pair) -> Encoding:
        return self._encoder.encode(pair)

    def window(self, parity: Parity) -> int:
        return self._encoder.window if parity == "reference" else self._encoder.model_window

    # ------------------------------------------------------------ prompts that come as they are
    def tokenize(self, text: str, special: bool = True) -> list[int]:
        return self._encoder.tokens.plain(text, special)

    def token_names(self, ids: Sequence[int]) -> list[str]:
        return self._encoder.tokens.names(ids)

    def detokenize(self, ids: Sequence[int]) -> str:
        check_ids(ids, self._vocabulary)
        return self._encoder.tokens.decode(ids)

    def from_ids(self, ids: Sequence[int]) -> Encoding:
        media = {i for i in (self._encoder.image_id, self._encoder.video_id) if i >= 0}
        return encoding_of(ids, self._encoder.model_window, self._vocabulary, media)

    # ------------------------------------------------------------ with weights
    def score(self, batch: Sequence[Encoding], stop: Stop = never) -> Iterator[tuple[int, Score | WorkbenchError]]:
        """Yields (position in the batch, score or the row's error): what is remembered, then after each micro-batch."""
        if not stop():
            yield from self._memory.score(batch, lambda e: content(e, names(e, self._encoder)), lambda b: self._scored(b, stop))

    def _scored(self, batch: Mapping[str, Encoding], stop: Stop) -> Iterator[tuple[str, Score | WorkbenchError]]:
        for key, reading in self._fresh(batch, stop):
            yield key, reading if isinstance(reading, WorkbenchError) else self._read(reading, batch[key].pair.parity)

    def _fresh(
        self, batch: Mapping[str, Encoding], stop: Stop
    ) -> Iterator[tuple[str, torch.Tensor | WorkbenchError]]:
        if not self._packs:
            lengths = {name: len(e.token_ids) for name, e in batch.items()}
            yield from self._readings(lengths, lambda name: self._row(batch[name]), stop)
            return
        sample = self._sample(min(batch.values(), key=lambda e: len(e.token_ids)))
        self._do(lambda _: None, 0, sample)  # the weights are there from here on
        decoder = self._decoder
        assert decoder is not None
        yield from decoder.hidden(batch, stop, lambda forward, tokens: self._fits(forward, tokens, sample))

    def _fits(self, forward: Callable[[], Any], tokens: int, sample: engine.Row) -> Any:
        try:
            return self._do(lambda _: forward(), tokens, sample)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not engine.out_of_memory(error):
                raise
            engine.free(self._device)
            return None

    @property
    def _packs(self) -> bool:
        """Whether rows are packed and share their fronts: what every causal decoder with plain attention takes."""
        return not self._stock and not self.family.bidirectional and serves(self._checkpoint.config)

    def stock(self) -> None:
        self._stock = True

    def _ready(self, backbone: Any) -> None:
        if self._packs:
            self._pace = engine.Pace(self._device, PACK)
            self._decoder = Decoder(backbone, self._encoder, self._library, self._pace.budget, self._stored())

    def _stored(self) -> Features | None:
        """Where features of pictures and clips outlive this process, if anywhere."""
        if self._library.features is None:
            return None
        owner = f"{weights_of(self._checkpoint.folder)} {self._dtype} {self._device.type}"
        return Features(*self._library.features, owner)

    def _fast(self, backbone: Any, sample: engine.Row) -> torch.Tensor:
        if self._decoder is None:
            return super()._fast(backbone, sample)
        ids = np.array(sample.token_ids, dtype=np.int64)
        found = self._decoder.packed.hidden({0: PackedRow(ids, ids)}, lambda: len(ids), lambda forward, _: forward())
        return next(found)[0]

    def _let_go(self) -> None:
        self._decoder = None

    def spent(self) -> dict[str, int]:
        """What was computed since this was asked last: tokens asked and computed, forwards, rows that ended, pictures and clips
        that were looked at, scores that were remembered."""
        counts = {"asked": 0, "computed": 0, "forwards": 0, "finals": 0, "looks": 0, "remembered": self._memory.hits}
        self._memory.hits = 0
        return counts | (self._decoder.spent() if self._decoder is not None else {})

    def forget(self) -> None:
        self._memory.clear()
        with engine.DEVICE:
            if self._decoder is not None:
                self._decoder.forget()

    def _sample(self, encoding: Encoding) -> engine.Row:
        """The front of a prompt up to its first picture or clip."""
        media = (self._encoder.image_id, self._encoder.video_id)
        end = next((i for i, t in enumerate(encoding.token_ids) if t in media), len(encoding.token_ids))
        return engine.Row(encoding.token_ids[: max(1, min(end, SAMPLE))])

    def _row(self, encoding: Encoding) -> engine.Row:
        return media_row(encoding.token_ids, encoding.media, self._encoder.rules(encoding.pair), self._library)

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> torch.Tensor:
        encoder = self._encoder
        if self.family.bidirectional:
            return engine.mean_hidden(backbone, rows, encoder.tokens.pad_id)
        return engine.last_hidden(backbone, rows, encoder.tokens.pad_id, encoder.image_id, encoder.video_id)

    def _read(self, reading: torch.Tensor, parity: Parity = "reference") -> Score | WorkbenchError:
        # Rank by the float32 margin: a bf16 sigmoid is exactly 1.0 from 6.25 up, which invents ties.
        rows = [float(reading @ row) for row in self._rows]
        if self.family.method == "from_2_way_softmax":
            margin, detail = float(reading @ (self._rows[0] - self._rows[1])), {"true": rows[0], "false": rows[1]}
        else:
            margin, detail = rows[0] + self._bias, {}
        if not torch.isfinite(torch.tensor(margin)):
            return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
        sharpness = self._temperature if parity == "reference" else 1.0
        return Score(margin, float(torch.sigmoid(torch.tensor(margin / sharpness))), detail)

    def _open(self) -> Any:
        """The decoder without its vocabulary head, of which only the rows that are read stay, in float32."""
        from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

        if self.family.method == "sequence_head":
            return self._with_head(self._pretrained(self._sequence_class()))
        kind = AutoModelForImageTextToText if "vision_config" in self._checkpoint.config else AutoModelForCausalLM
        model = self._pretrained(kind)
        self._rows = model.get_output_embeddings().weight[self._labels].detach().float().clone()
        return model.model

    def _sequence_class(self) -> Any:
        from transformers import AutoModelForSequenceClassification, LlamaForSequenceClassification

        return LlamaForSequenceClassification if self.family.bidirectional else AutoModelForSequenceClassification

    def _with_head(self, model: Any) -> Any:
        """The decoder of a converted model; its head's one row is kept apart, in float32."""
        rows = model.score.weight.shape[0]
        if rows != 1:
            raise ModelUnavailable(f"its head has {rows} rows, and a reranker's has one", where=self.name)
        self._rows = model.score.weight.detach().float().clone()
        self._bias = float(model.score.bias) if model.score.bias is not None else 0.0
        return model.model
