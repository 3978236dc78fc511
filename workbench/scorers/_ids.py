"""What is asked of a checkpoint besides scores: ids and vectors of a text, ids of two, and prompts that come as ids.

Knows nothing of templates or scores.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from workbench.errors import PromptInvalid, WorkbenchError
from workbench.scorers import Stop
from workbench.types import JSON, Cut, Document, Encoding, Pair, Query, RenderedPrompt

Task = Literal["embed", "token_embed", "token_classify"]
Pooled = list[float] | list[list[float]]  # [dimension], or [tokens, dimension or labels]
Joined: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]  # ids; token types, () where the model reads none or all are 0


@runtime_checkable
class ReadsIds(Protocol):
    """A scorer that takes a prompt which no template of ours made. `special`: with what the tokenizer puts around a text."""

    def tokenize(self, text: str, special: bool = True) -> list[int]: ...
    def token_names(self, ids: Sequence[int]) -> list[str]: ...  # as the vocabulary writes them
    def detokenize(self, ids: Sequence[int]) -> str: ...
    def from_ids(self, ids: Sequence[int]) -> Encoding: ...


@runtime_checkable
class ReadsPairs(Protocol):
    """A scorer whose model takes query and document as its tokenizer's pair. `config`: the checkpoint's config.json."""

    @property
    def config(self) -> Mapping[str, JSON]: ...
    def joined(self, query: str, document: str, *, from_file: bool = False) -> Joined: ...


@runtime_checkable
class Pools(Protocol):
    """A scorer that gives of one text more than a number. A model does one such task, as in vLLM."""

    task: Task | None  # None: a number, as classify gives it

    def pooled(
        self, batch: Sequence[Encoding], activate: bool, stop: Stop
    ) -> Iterator[tuple[int, Pooled | WorkbenchError]]:
        """Yields (position, numbers or the text's error). `activate`: vectors of length one, labels as probabilities."""
        ...


def encoding_of(ids: Sequence[int], window: int, vocabulary: int, media: Collection[int] = ()) -> Encoding:
    """The encoding of ids alone: no query, no document, no text behind them.

    Raises PromptInvalid for none at all, more than `window`, one that is no token (there are `vocabulary`), or one of
    `media`, which would stand for a picture that is not there.
    """
    if not ids:
        raise PromptInvalid("holds no token")
    check_ids(ids, vocabulary)
    if len(ids) > window:
        raise PromptInvalid(
            f"is {len(ids)} tokens long, and the model's window is {window}",
            hint="Shorten it or set truncate_prompt_tokens.",
        )
    if found := sorted(set(ids) & set(media)):
        raise PromptInvalid(
            f"holds the media token {found[0]} without its picture", hint="Send messages instead of ids."
        )
    pair = Pair(Query("", ()), Document("", ()), (RenderedPrompt(""),), parity="vllm")
    return Encoding(pair, tuple(ids), ((0, 0),) * len(ids))


def check_ids(ids: Sequence[int], vocabulary: int) -> None:
    """Raises PromptInvalid for an id that no token of the vocabulary has."""
    if bad := next((i for i in ids if not 0 <= i < vocabulary), None):
        raise PromptInvalid(f"holds the id {bad}, and this model's ids end at {vocabulary - 1}")


def cut(encoding: Encoding, limit: int) -> Encoding:
    """vLLM's truncate_prompt_tokens: the first `limit` ids (side right, the default) or the last (left), whatever they are."""
    n, left = len(encoding.token_ids), encoding.pair.limits.truncation_side == "left"
    keep, gone = (slice(n - limit, None), slice(0, n - limit)) if left else (slice(0, limit), slice(limit, None))
    away = encoding.spans[gone]
    return replace(
        encoding, token_ids=encoding.token_ids[keep], spans=encoding.spans[keep],
        cut=Cut(0 if left else limit, encoding.token_ids[gone], (away[0][0], away[-1][1]), suffix_lost=not left),
    )  # fmt: skip
