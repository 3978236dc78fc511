"""Rerankers that answer yes or no: the score is the difference of two label rows at the last token of one prompt.

Knows nothing of templates (prompts arrive rendered) or of relevance judgements. After Qwen3-Reranker's and
Qwen3-VL-Reranker's model cards: score = sigmoid(h · (W[yes] − W[no])), h the final-norm hidden state of the last token.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from workbench.media import Library
from workbench.scorers import ScorerFacts, Stop, never
from workbench.scorers import _engine as engine
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._encode import Encoder
from workbench.scorers._ids import check_ids, encoding_of
from workbench.scorers._tokens import Tokens
from workbench.scorers._vision import pixels
from workbench.types import Encoding, Image, ModelUnavailable, Pair, Parity, Score, ScoreFailed, WorkbenchError

CHECKED_PARAMETERS = 1_500_000_000  # an accelerator is compared with the CPU up to this size


def load(checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto") -> YesNo:
    return YesNo(checkpoint, library, device=device, dtype=dtype)


class YesNo:
    """One checkpoint. The tokenizer is read at once, the weights at the first score."""

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        self.name, self.family, self._checkpoint, self._library = (
            checkpoint.name,
            checkpoint.family,
            checkpoint,
            library,
        )
        self._device = engine.pick_device(device)
        self._dtype = engine.pick_dtype(dtype, self._device)
        config = checkpoint.config
        text_config = config.get("text_config") or config
        own = int(text_config.get("max_position_embeddings") or 1 << 30)
        tokens = Tokens(checkpoint.folder)
        self.special_tokens, self.control_ids = tokens.special_tokens, tokens.control_ids
        self._vocabulary = int(text_config.get("vocab_size") or 1 << 31)
        self._labels = [tokens.id(label) for label in self.family.labels]
        self._encoder = Encoder(
            tokens, self.family, library, checkpoint.image_config, checkpoint.video_config,
            window=min(self.family.max_length, own), model_window=own,
            image_id=int(config.get("image_token_id", -1)), video_id=int(config.get("video_token_id", -1)),
        )  # fmt: skip
        self._pace = engine.Pace(self._device)
        self._backbone: Any = None
        self._rows = torch.empty(0)
        self._seconds, self._note, self._parameters = 0.0, "", 0

    # ------------------------------------------------------------ without weights
    def encode(self, pair: Pair) -> Encoding:
        return self._encoder.encode(pair)

    def window(self, parity: Parity) -> int:
        return self._encoder.window if parity == "reference" else self._encoder.model_window

    def cut_text(self, text: str, tokens: int) -> str:
        return self._encoder.tokens.cut_text(text, tokens)

    def token(self, token_id: int) -> str:
        return self._encoder.tokens.text(token_id)

    def facts(self) -> ScorerFacts:
        name = str(self._dtype).removeprefix("torch.")
        return ScorerFacts(
            str(self._device), name, self._parameters, self._backbone is not None, self._seconds, self._note
        )

    def sleep(self) -> None:
        with engine.DEVICE:
            self._backbone = None
            engine.free(self._device)

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
        """Yields (position in the batch, score or the row's error) after each micro-batch."""
        for indices in engine.micro_batches([len(e.token_ids) for e in batch], self._pace.budget):
            if stop():
                return
            rows: dict[int, engine.Row] = {}
            for i in indices:
                try:
                    rows[i] = self._row(batch[i])
                except WorkbenchError as error:
                    yield i, error
            yield from self._score_rows(rows)

    def _row(self, encoding: Encoding) -> engine.Row:
        """The encoding with its pixels: pictures and clips apart, each in prompt order."""
        if not encoding.media:
            return engine.Row(encoding.token_ids)
        rules, kinds = self._encoder.rules(encoding.pair), ([], [])  # type: tuple[Any, tuple[list[Any], list[Any]]]
        for item in encoding.media:
            part = item.part
            source = self._library.picture(part) if isinstance(part, Image) else self._library.frames(part, item.frames)
            kinds[0 if isinstance(part, Image) else 1].append((pixels(item, source, rules), item.grid))
        images, videos = kinds
        return engine.Row(
            encoding.token_ids,
            torch.cat([p for p, _ in images]) if images else None, tuple(g for _, g in images),
            torch.cat([p for p, _ in videos]) if videos else None, tuple(g for _, g in videos),
        )  # fmt: skip

    def _score_rows(self, rows: dict[int, engine.Row]) -> Iterator[tuple[int, Score | WorkbenchError]]:
        if not rows:
            return
        try:
            hidden = self._hidden(list(rows.values()))
        except (RuntimeError, MemoryError) as error:
            if not engine.out_of_memory(error):
                raise
            yield from self._halves(rows, error)
            return
        for i, h in zip(rows, hidden, strict=True):
            yield i, self._read(h)

    def _halves(
        self, rows: dict[int, engine.Row], error: BaseException
    ) -> Iterator[tuple[int, Score | WorkbenchError]]:
        """Out of memory: the two halves give the same scores as the whole; a single row that does not fit is its error."""
        if len(rows) == 1:
            hint = "Choose a smaller model, dtype bfloat16, fewer frames or smaller pictures."
            yield next(iter(rows)), ScoreFailed(f"does not fit into the memory of {self._device} ({error})", hint=hint)
            return
        keys = list(rows)
        for part in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            yield from self._score_rows({k: rows[k] for k in part})

    def _hidden(self, rows: Sequence[engine.Row]) -> torch.Tensor:
        with engine.DEVICE:
            if self._backbone is None:
                self._load_weights()
                if self._device.type != "cpu":
                    self._compare_with_cpu(min(rows, key=lambda r: len(r.token_ids)))
            started = time.perf_counter()
            hidden = self._forward(self._backbone, rows)
        self._pace.note(max(len(r.token_ids) for r in rows) * len(rows), time.perf_counter() - started)
        return hidden

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> torch.Tensor:
        encoder = self._encoder
        return engine.last_hidden(backbone, rows, encoder.tokens.pad_id, encoder.image_id, encoder.video_id)

    def _read(self, hidden: torch.Tensor) -> Score | WorkbenchError:
        # Rank by the float32 margin: a bf16 sigmoid is exactly 1.0 from 6.25 up, which invents ties.
        margin = float(hidden @ (self._rows[0] - self._rows[1]))
        if not torch.isfinite(torch.tensor(margin)):
            return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
        yes, no = (float(hidden @ row) for row in self._rows)
        return Score(margin, float(torch.sigmoid(torch.tensor(margin))), {"true": yes, "false": no})

    def _load_weights(self) -> None:
        from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
        from transformers.utils import logging

        logging.disable_progress_bar()
        engine.use_cores()
        started, folder = time.perf_counter(), self._checkpoint.folder
        kind = AutoModelForImageTextToText if "vision_config" in self._checkpoint.config else AutoModelForCausalLM
        try:
            model = kind.from_pretrained(
                str(folder), dtype=self._dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
            ).eval()
        except (OSError, ValueError) as error:
            hint = "Weights must be safetensors, complete, and of an architecture transformers has."
            raise ModelUnavailable(f"its weights cannot be read ({error})", where=self.name, hint=hint) from error
        self._rows = model.get_output_embeddings().weight[self._labels].detach().float().clone()
        self._backbone = model.model.to(self._device)
        self._parameters = sum(p.numel() for p in self._backbone.parameters())
        self._seconds = time.perf_counter() - started

    def _compare_with_cpu(self, row: engine.Row) -> None:
        """One pair on the accelerator against the same pair in float32 on the CPU; a mismatch is said in `facts`."""
        if self._parameters > CHECKED_PARAMETERS:
            self._note = f"{self._device} was not compared with the CPU: the model is too large for that here"
            return
        fast = self._read(self._forward(self._backbone, [row])[0])
        slow = self._read(self._forward(copy.deepcopy(self._backbone).to("cpu", torch.float32), [row])[0])
        if isinstance(fast, Score) and isinstance(slow, Score):
            off, allowed = abs(fast.logit - slow.logit), 1e-2 if self._dtype == torch.float32 else 0.5
            if off <= allowed:
                return
            self._note = (
                f"the first score on {self._device} is off by {off:.3g} from the CPU's: do not trust this device"
            )
        else:
            self._note = f"the first score on {self._device} is not a number: do not trust this device"
