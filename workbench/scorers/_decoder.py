"""Encodings through a decoder backbone: pictures and clips looked at first, then prompts packed, in waves that fit into memory.

Knows nothing of labels or of what a hidden state means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
import torch

from workbench.errors import ScoreFailed, WorkbenchError
from workbench.media import Library
from workbench.scorers import Stop
from workbench.scorers import _sight as sight
from workbench.scorers._encode import Encoder
from workbench.scorers._features import Features
from workbench.scorers._packed import Counts, Packed, PackedRow, Visual
from workbench.types import Encoding, MediaInput

Key = TypeVar("Key")
Run = Callable[[Callable[[], Any], int], Any]  # (forward, tokens) → what it gave, None where it did not fit into memory
WAVE = {"cpu": 256 << 20}  # bytes of features that the rows of one wave may hold
MORE = 2 << 30


class Decoder:
    """One backbone on its device."""

    def __init__(
        self, backbone: Any, encoder: Encoder, library: Library, budget: Callable[[], int], stored: Features | None = None
    ) -> None:
        self._backbone, self._encoder, self._budget = backbone, encoder, budget
        device = next(backbone.parameters()).device
        self._kind = device.type
        self.sight = sight.Sight(library, device, stored)
        self.packed: Packed[Any] = Packed(backbone)

    def hidden(
        self, encodings: Mapping[Key, Encoding], stop: Stop, run: Run
    ) -> Iterator[tuple[Key, torch.Tensor | WorkbenchError]]:
        """float32 [hidden] of each encoding's last token, or the row's error; ends early when `stop` says so."""
        todo = list(encodings.items())
        while todo:
            wave, failed = self._wave(todo, stop, run)
            yield from failed.items()
            if stop():
                return
            yield from self._pass(wave, encodings, stop, run)

    def spent(self) -> dict[str, int]:
        looks, self.sight.looks = self.sight.looks, 0
        counts, self.packed.counts = self.packed.counts, Counts()
        return {**asdict(counts), "looks": looks}

    def forget(self) -> None:
        self.sight.clear()
        self.packed.forget()

    def _pass(
        self, wave: Mapping[Key, PackedRow], encodings: Mapping[Key, Encoding], stop: Stop, run: Run
    ) -> Iterator[tuple[Key, torch.Tensor | WorkbenchError]]:
        left = dict.fromkeys(wave)
        try:
            for found in self.packed.hidden(wave, self._budget, run, stop):
                for key, state in found.items():
                    left.pop(key)
                    yield key, state
                if stop():
                    return
        except MemoryError:
            hint = "Choose a smaller model, dtype bfloat16, fewer frames or smaller pictures."
            for key in left:
                tokens = len(encodings[key].token_ids)
                yield key, ScoreFailed(f"does not fit into the memory of {self._kind} ({tokens} tokens)", hint=hint)

    # ------------------------------------------------------------ pictures and clips
    def _wave(
        self, todo: list[tuple[Key, Encoding]], stop: Stop, run: Run
    ) -> tuple[dict[Key, PackedRow], dict[Key, WorkbenchError]]:
        """Takes rows off the front of `todo`, as many as may hold features at once."""
        taken: dict[Key, tuple[Encoding, list[tuple[str, MediaInput]]]] = {}
        failed: dict[Key, WorkbenchError] = {}
        held: dict[str, Visual] = {}
        waiting: dict[str, tuple[MediaInput, torch.Tensor]] = {}
        weight = 0
        while todo and weight < WAVE.get(self._kind, MORE) and not stop():
            key, encoding = todo.pop(0)
            named = self._named(encoding)
            try:
                for name, item in named:
                    if name in held or name in waiting:
                        continue
                    if (known := self.sight.known(name)) is not None:
                        held[name] = known
                        weight += known.bytes()
                        continue
                    waiting[name] = item, self.sight.pixels(item, self._encoder.rules(encoding.pair))
            except WorkbenchError as error:
                failed[key] = error
                continue
            taken[key] = encoding, named
            if sum(len(p) for _, p in waiting.values()) >= sight.PATCHES.get(self._kind, 16384):
                weight += self._look(waiting, held, run)
        self._look(waiting, held, run)
        rows: dict[Key, PackedRow] = {}
        for key, (encoding, named) in taken.items():
            if all(name in held for name, _ in named):
                rows[key] = self._row(encoding, named, held)
            else:
                failed[key] = ScoreFailed("its pictures do not fit into the memory of " + self._kind)
        return rows, failed

    def _look(self, waiting: dict[str, tuple[MediaInput, torch.Tensor]], held: dict[str, Visual], run: Run) -> int:
        """What waits goes through the tower, halved where it does not fit; the bytes it gave."""
        batches, got = [[(n, i, p) for n, (i, p) in waiting.items()]], 0
        waiting.clear()
        while batches:
            batch = batches.pop()
            found = run(lambda b=batch: self.sight.look(self._backbone, b), 0) if batch else {}  # type: ignore[misc]
            if found is None and len(batch) > 1:
                batches += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
            held.update(found or {})
            got += sum(v.bytes() for v in (found or {}).values())
        return got

    def _named(self, encoding: Encoding) -> list[tuple[str, MediaInput]]:
        return list(zip(names(encoding, self._encoder), encoding.media, strict=True))

    def _row(self, encoding: Encoding, named: list[tuple[str, MediaInput]], held: Mapping[str, Visual]) -> PackedRow:
        ids = np.array(encoding.token_ids, dtype=np.int64)
        if not named:
            return PackedRow(ids, ids)
        image_id, video_id = self._encoder.image_id, self._encoder.video_id
        places = np.flatnonzero((ids == image_id) | (ids == video_id))
        symbols = sight.symbols(ids, places, [(name, item.tokens) for name, item in named])
        positions = sight.positions(self._backbone, ids, [item for _, item in named], image_id, video_id)
        return PackedRow(ids, symbols, positions, places, tuple(held[name] for name, _ in named))


def names(encoding: Encoding, encoder: Encoder) -> list[str]:
    """Its pictures and clips as the model gets them."""
    return [sight.name(item, encoder.rules(encoding.pair)) for item in encoding.media]
