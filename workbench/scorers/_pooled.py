"""Models that read query and document apart, asked for one text: its vector, or a vector for every token.

Knows nothing of pairs or how two sides become a score.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence

import torch

from workbench.errors import ScoreFailed, WorkbenchError
from workbench.media import Library
from workbench.scorers import Stop
from workbench.scorers import _layout as layout
from workbench.scorers._apart import SideRecipe, encode_apart
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._ids import Pooled, Task, check_ids, encoding_of
from workbench.scorers._vectors import Apart, Side, vectors
from workbench.scorers._windows import typed, windows
from workbench.types import Encoding, Pair, Parity


class PoolsTexts(Apart, abc.ABC):
    """A model that reads query and document apart, asked for one text as it stands: no prompt in front, no expansion."""

    task: Task | None

    @abc.abstractmethod
    def _pooled_of(self, reading: torch.Tensor, activate: bool) -> torch.Tensor: ...

    @abc.abstractmethod
    def window(self, parity: Parity) -> int: ...

    @property
    def _alone(self) -> int:
        """The longest single text in tokens."""
        return self.window("vllm")

    # ------------------------------------------------------------ without weights
    def tokenize(self, text: str, special: bool = True) -> list[int]:
        return self._tokens.plain(text, special)

    def token_names(self, ids: Sequence[int]) -> list[str]:
        return self._tokens.names(ids)

    def detokenize(self, ids: Sequence[int]) -> str:
        check_ids(ids, self._entries)
        return self._tokens.decode(ids)

    def from_ids(self, ids: Sequence[int]) -> Encoding:
        return encoding_of(ids, self._alone, self._entries)

    @property
    def _entries(self) -> int:
        return int(self._checkpoint.config.get("vocab_size") or 1 << 31)

    # ------------------------------------------------------------ with weights
    def pooled(
        self, batch: Sequence[Encoding], activate: bool, stop: Stop
    ) -> Iterator[tuple[int, Pooled | WorkbenchError]]:
        """As `Pools` says. A text that was read before, here or as a document, is not read again."""
        sides = [Side(e.token_ids, (), True, "vllm") for e in batch]
        known: dict[Side, torch.Tensor] = {}
        for side in sides:
            if (kept := self._vectors.get(side)) is not None:
                known[side] = kept
        fresh = {s: len(s.token_ids) for s in sides if s not in known}
        failed: dict[Side, WorkbenchError] = {}
        for side, reading in self._readings(fresh, self._side_row, stop):
            if isinstance(reading, WorkbenchError):
                failed[side] = reading
            else:
                known[side] = reading
                self._vectors.put(side, reading)
        for i, side in enumerate(sides):
            if side in known:
                yield i, told(self._pooled_of(known[side], activate))
            elif side in failed:
                yield i, failed[side]


def told(numbers: torch.Tensor) -> Pooled | WorkbenchError:
    """float32 [dimension] or [tokens, dimension] as plain numbers; an error where one of them is none."""
    if not bool(torch.isfinite(numbers).all()):
        return ScoreFailed("the model gave no number", hint="Try dtype float32; half precision can overflow.")
    found: Pooled = numbers.tolist()
    return found


def unit(vectors: torch.Tensor, activate: bool) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1) if activate else vectors


class Prompted(PoolsTexts, abc.ABC):
    """One whose sides may carry the prompts of a Sentence-Transformers layout in front (reference; vLLM sets none)."""

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, device=device, dtype=dtype)
        self._vectors = vectors()
        self._reads_types = typed(checkpoint, self._tokens)
        self._windows = windows(checkpoint, self._tokens.longest, self.family.max_length)
        self._leads = layout.prompts(layout.settings(checkpoint))

    def encode(self, pair: Pair) -> Encoding:
        window = self.window(pair.parity)
        leads = self._leads if pair.parity == "reference" else ("", "")
        recipes = SideRecipe(window, leads[0]), SideRecipe(window, leads[1])
        return encode_apart(self._tokens, pair, recipes, reads_types=self._reads_types)

    def window(self, parity: Parity) -> int:
        return self._windows[parity]
