"""A workbench for rerankers: write the prompt, see the tokens, rank, compare, export.

`from workbench import load, rerank` opens the Python door; nothing heavy is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.offline import Model, classify, detokenize, load, render, rerank, score, tokenize

__all__ = ["Model", "classify", "detokenize", "load", "render", "rerank", "score", "tokenize"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from workbench import offline

    return getattr(offline, name)
