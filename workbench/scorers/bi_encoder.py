"""Embedding models: one vector for the query, one for the document, their cosine in float32.

Knows nothing of templates; the prompts of a Sentence-Transformers layout are set in front of the texts by the reference recipe
(vLLM sets none).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from workbench.errors import ModelUnavailable, WorkbenchError
from workbench.media import Library
from workbench.scorers import _engine as engine
from workbench.scorers import _layout as layout
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._ids import Task
from workbench.scorers._pooled import Prompted, unit
from workbench.scorers._towers import TYPES, Towers
from workbench.scorers._vectors import Apart, cosine
from workbench.scorers._visual import VisualEmbedding
from workbench.types import Encoding, Parity, Score


def load(checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto") -> Apart:
    if checkpoint.config.get("model_type") in TYPES:
        return Towers(checkpoint, library, device=device, dtype=dtype)
    if "vision_config" in checkpoint.config:
        return VisualEmbedding(checkpoint, library, device=device, dtype=dtype)
    return BiEncoder(checkpoint, library, device=device, dtype=dtype)


class BiEncoder(Prompted):
    """One checkpoint. Pooling and Dense layers run in float32."""

    task: Task | None = "embed"

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, library, device=device, dtype=dtype)
        said = layout.settings(checkpoint)
        decoder = any(a.endswith("ForCausalLM") for a in checkpoint.config.get("architectures") or [])
        self._modes: dict[Parity, tuple[str, ...]] = {  # without a Pooling module: as sentence-transformers, as vLLM
            "reference": layout.pooling_modes(checkpoint, "mean"),
            "vllm": layout.pooling_modes(checkpoint, "lasttoken" if decoder else "cls"),
        }
        self._similarity = str(said.get("similarity_fn_name") or "cosine")
        if self._similarity not in ("cosine", "dot"):
            raise ModelUnavailable(f"compares by {self._similarity}, which is not built here", where=self.name)
        self._dense = torch.nn.Sequential()

    def _open(self) -> Any:
        self._dense = layout.dense_layers(self._checkpoint)
        return layout.backbone(self, self._checkpoint)

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> list[torch.Tensor]:
        """Per side [2, vector]: as the reference pools, and as vLLM does; the same wherever the layout says how."""
        found = []
        for hidden in engine.all_hidden(backbone, rows, self._tokens.pad_id):
            with torch.inference_mode():
                found.append(torch.stack([self._dense(layout.pool(hidden, self._modes[p])) for p in self._modes]))
        return found

    def _pooled_of(self, reading: torch.Tensor, activate: bool) -> torch.Tensor:
        return unit(reading[list(self._modes).index("vllm")], activate)

    def _match(self, encoding: Encoding, query: torch.Tensor, document: torch.Tensor) -> Score | WorkbenchError:
        which = list(self._modes).index(encoding.pair.parity)
        a, b = query[which], document[which]
        dot = self._similarity == "dot" and encoding.pair.parity == "reference"
        return cosine(a, b, dot=dot)
