"""Tokens taken out of one prompt, and what is said of them.

Knows nothing of what may be taken out: that is each recipe's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench.scorers._tokens import Span
from workbench.types import Cut, Encoding, Pair


def drop(encoding: Encoding, gone: Sequence[int]) -> Encoding:
    """The encoding without the tokens numbered `gone`, in rising order."""
    dropped = set(gone)
    keep = [i for i in range(len(encoding.token_ids)) if i not in dropped]
    span = (min(encoding.spans[i][0] for i in gone), max(encoding.spans[i][1] for i in gone))
    cut = Cut(at=sum(i < gone[-1] for i in keep), ids=tuple(encoding.token_ids[i] for i in gone), span=span)
    return replace(
        encoding,
        cut=cut,
        token_ids=tuple(encoding.token_ids[i] for i in keep),
        spans=tuple(encoding.spans[i] for i in keep),
    )


def plain_cut(ids: list[int], spans: list[Span], limit: int, pair: Pair) -> tuple[list[int], list[Span], Cut]:
    """vLLM's truncate_prompt_tokens: the first `limit` ids (side right, the default) or the last (left), whatever they are."""
    if pair.limits.truncation_side == "left":
        gone, at, keep = slice(0, len(ids) - limit), 0, slice(len(ids) - limit, None)
    else:
        gone, at, keep = slice(limit, None), limit, slice(0, limit)
    away = spans[gone]
    cut = Cut(at, tuple(ids[gone]), (away[0][0], away[-1][1]), suffix_lost=pair.limits.truncation_side != "left")
    return ids[keep], spans[keep], cut
