"""One checkpoint on one device: the life of its weights, micro-batches, memory that runs out, the first look at a device.

Knows nothing of prompts or of what a reading means: a score type says how rows are run and what is read from them.
"""

from __future__ import annotations

import abc
import copy
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import torch

from workbench.errors import ModelUnavailable, ScoreFailed, WorkbenchError
from workbench.scorers import ScorerFacts, Stop, _peak
from workbench.scorers import _engine as engine
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._tokens import Tokens
from workbench.types import Score

CHECKED_PARAMETERS = 1_500_000_000  # an accelerator is compared with the CPU up to this size
Key = TypeVar("Key", bound=Hashable)
Given = TypeVar("Given")
Readings: TypeAlias = torch.Tensor | Sequence[torch.Tensor]  # one per row


class Local(abc.ABC):
    """What scorers with weights of their own share. The tokenizer is read at once, the weights at the first score.

    A subclass gives `_open` (the module), `_forward` (one float32 reading per row, on the CPU) and `_read` (a reading as a
    score).
    """

    def __init__(self, checkpoint: Checkpoint, *, device: str, dtype: str) -> None:
        self.name, self.family, self._checkpoint = checkpoint.name, checkpoint.family, checkpoint
        self._device = engine.pick_device(device)
        self._dtype = engine.pick_dtype(dtype, self._device)
        self._tokens = Tokens(checkpoint.folder)
        self.special_tokens, self.control_ids = self._tokens.special_tokens, self._tokens.control_ids
        self._pace = engine.Pace(self._device)
        self._backbone: Any = None
        self._seconds, self._note, self._parameters, self._peak_mib = 0.0, "", 0, 0.0

    # ------------------------------------------------------------ for a score type to say
    @abc.abstractmethod
    def _open(self) -> Any:
        """The module in eval mode, in `self._dtype`, on the CPU. OSError and ValueError are said as unreadable weights."""

    @abc.abstractmethod
    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> Readings:
        """One reading per row: float32, on the CPU."""

    @abc.abstractmethod
    def _read(self, reading: torch.Tensor) -> Score | WorkbenchError: ...

    # ------------------------------------------------------------ without weights
    @property
    def revision(self) -> str:
        """The commit on the hub, "" for a folder."""
        return self._checkpoint.revision

    def cut_text(self, text: str, tokens: int) -> str:
        return self._tokens.cut_text(text, tokens)

    def token(self, token_id: int) -> str:
        return self._tokens.text(token_id)

    def facts(self) -> ScorerFacts:
        name = str(self._dtype).removeprefix("torch.")
        return ScorerFacts(
            str(self._device), name, self._parameters, self._backbone is not None, self._seconds, self._note,
            self._peak_mib,
        )  # fmt: skip

    def sleep(self) -> None:
        with engine.DEVICE:
            self._backbone = None
            self._let_go()
            engine.free(self._device)

    def forget(self) -> None:  # noqa: B027  # most score types remember nothing
        """Nothing is remembered here."""

    def _let_go(self) -> None:  # noqa: B027
        """Whatever `_ready` made of the weights."""

    # ------------------------------------------------------------ with weights
    def _readings(
        self, lengths: Mapping[Key, int], row: Callable[[Key], engine.Row], stop: Stop
    ) -> Iterator[tuple[Key, torch.Tensor | WorkbenchError]]:
        """A reading or an error for every key, as micro-batches finish, the longest first; ends early when `stop` says so."""
        keys = list(lengths)
        for indices in engine.micro_batches([lengths[k] for k in keys], self._pace.budget):
            if stop():
                return
            rows: dict[Key, engine.Row] = {}
            for i in indices:
                try:
                    rows[keys[i]] = row(keys[i])
                except WorkbenchError as error:
                    yield keys[i], error
            yield from self._run(rows)

    def _run(self, rows: dict[Key, engine.Row]) -> Iterator[tuple[Key, torch.Tensor | WorkbenchError]]:
        if not rows:
            return
        try:
            readings = self._on_device(list(rows.values()))
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not engine.out_of_memory(error):
                raise
            yield from self._halves(rows, error)
            return
        yield from zip(rows, readings, strict=True)

    def _halves(
        self, rows: dict[Key, engine.Row], error: BaseException
    ) -> Iterator[tuple[Key, torch.Tensor | WorkbenchError]]:
        """Out of memory: the two halves give the same readings as the whole; a single row that does not fit is its error."""
        if len(rows) == 1:
            hint = "Choose a smaller model, dtype bfloat16, fewer frames or smaller pictures."
            yield next(iter(rows)), ScoreFailed(f"does not fit into the memory of {self._device} ({error})", hint=hint)
            return
        keys = list(rows)
        for part in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            yield from self._run({k: rows[k] for k in part})

    def _on_device(self, rows: Sequence[engine.Row]) -> Readings:
        tokens = max(len(r.token_ids) for r in rows) * len(rows)
        return self._do(lambda backbone: self._forward(backbone, rows), tokens, min(rows, key=lambda r: len(r.token_ids)))

    def _do(self, forward: Callable[[Any], Given], tokens: int, sample: engine.Row) -> Given:
        """`forward` of the backbone behind the device's door, the weights read first; `tokens` it takes, 0 where that says
        nothing of its time. A fresh accelerator is compared with the CPU on `sample`."""
        with engine.DEVICE:
            if self._backbone is None:
                self._load_weights(sample)
            started = time.perf_counter()
            given = forward(self._backbone)
        if tokens:
            self._pace.note(tokens, time.perf_counter() - started)
        return given

    def _load_weights(self, sample: engine.Row) -> None:
        from transformers.utils import logging

        logging.disable_progress_bar()
        engine.use_cores()
        _peak.reset()
        started = time.perf_counter()
        try:
            backbone = self._open()
        except (OSError, ValueError) as error:
            hint = "Weights must be safetensors, complete, and of an architecture transformers has."
            raise ModelUnavailable(f"its weights cannot be read ({error})", where=self.name, hint=hint) from error
        backbone = backbone.to(self._device)
        self._parameters = sum(p.numel() for p in backbone.parameters())
        slow = self._on_cpu(backbone, sample) if self._device.type != "cpu" else None
        self._ready(backbone)
        self._backbone = backbone
        self._seconds, held = time.perf_counter() - started, _peak.peak()
        self._peak_mib = held.get("device") or held.get("process", 0.0)
        if slow is not None:
            self._compare(self._fast(backbone, sample), slow)

    def _ready(self, backbone: Any) -> None:  # noqa: B027
        """Once the weights are on their device: whatever makes passes faster."""

    def _fast(self, backbone: Any, sample: engine.Row) -> torch.Tensor:
        """The reading of one row the way rows are run here."""
        return self._forward(backbone, [sample])[0]

    def _pretrained(self, kind: Any, *, unread: tuple[str, ...] = (), **options: Any) -> Any:
        """A transformers class (an Auto class, say) filled from the checkpoint: local files, safetensors, no foreign code.

        Weights that the class has and the file lacks would be random numbers: ModelUnavailable names them, except those that
        begin with something `unread`.
        """
        model, told = kind.from_pretrained(
            str(self._checkpoint.folder), dtype=self._dtype, local_files_only=True, trust_remote_code=False,
            use_safetensors=True, output_loading_info=True, **options,
        )  # fmt: skip
        if missing := sorted(k for k in told["missing_keys"] if not k.startswith(unread or ("\0",))):
            some = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
            raise ModelUnavailable(
                f"its files lack {len(missing)} weights this model needs ({some})", where=self.name,
                hint="Choose the family that this checkpoint was trained as.",
            )  # fmt: skip
        return model.eval()

    def _on_cpu(self, backbone: Any, sample: engine.Row) -> torch.Tensor | None:
        """The plain reading of one row in float32 on the CPU; None where the model is too large for that."""
        if self._parameters > CHECKED_PARAMETERS:
            self._note = f"{self._device} was not compared with the CPU: the model is too large for that here"
            return None
        return self._forward(copy.deepcopy(backbone).to("cpu", torch.float32), [sample])[0]

    def _compare(self, fast: torch.Tensor, slow: torch.Tensor) -> None:
        """A mismatch is said in `facts`."""
        off, allowed = self._apart(fast, slow), 1e-2 if self._dtype == torch.float32 else 0.5
        if off != off:
            self._note = f"the first score on {self._device} is not a number: do not trust this device"
        elif off > allowed:
            self._note = (
                f"the first score on {self._device} is off by {off:.3g} from the CPU's: do not trust this device"
            )

    def _apart(self, fast: torch.Tensor, slow: torch.Tensor) -> float:
        """How far two readings of one row are apart, in logits; not a number where either gives none."""
        a, b = self._read(fast), self._read(slow)
        return abs(a.logit - b.logit) if isinstance(a, Score) and isinstance(b, Score) else float("nan")
