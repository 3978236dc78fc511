"""The score type of rerankers that answer with a label: which of its scorers reads a checkpoint.

Knows nothing of how they read it.
"""

from __future__ import annotations

from workbench.media import Library
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._jina import JinaM0
from workbench.scorers._yes_no import YesNo


def load(checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto") -> YesNo:
    kind = JinaM0 if checkpoint.family.name == "jina-reranker-m0" else YesNo
    return kind(checkpoint, library, device=device, dtype=dtype)
