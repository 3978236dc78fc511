"""The contract every scorer meets, and the folder as its registry: a public module here is a score type.

Knows nothing of relevance labels, of rankings or of who asked; nothing heavy is imported until a kind is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from workbench.errors import ModelUnavailable, WorkbenchError
from workbench.types import JSON, Encoding, Family, Method, Pair, Parity, Score, ScoreTemplate

if TYPE_CHECKING:
    from workbench.media import Library
    from workbench.scorers._checkpoint import Checkpoint

Stop = Callable[[], bool]


def never() -> bool:
    """The stop signal of somebody who never stops."""
    return False


@dataclass(frozen=True, slots=True)
class ScorerFacts:
    """What the screen says of a model; `seconds` is its loading time, `peak_mib` the most memory held meanwhile (of the device
    where that has its own, else of the process; 0 where the system does not tell), `note` anything the user should know."""

    device: str
    dtype: str
    parameters: int = 0
    loaded: bool = False
    seconds: float = 0.0
    note: str = ""
    peak_mib: float = 0.0


class Scorer(Protocol):
    """Owns one model. `encode` needs no weights; what it returns is exactly what `score` reads.

    `special_tokens` are what a template may name (bos_token, …); `control_ids` the ids of all added tokens.
    `score` yields (position in the batch, result) as micro-batches finish, in any order, and ends early when `stop` says so.
    """

    name: str
    family: Family
    special_tokens: Mapping[str, str]
    control_ids: frozenset[int]

    def encode(self, pair: Pair) -> Encoding: ...
    def window(self, parity: Parity) -> int: ...  # the longest prompt in tokens: the card's, or in vllm the model's own
    def score(self, batch: Sequence[Encoding], stop: Stop = never) -> Iterator[tuple[int, Score | WorkbenchError]]: ...
    def cut_text(self, text: str, tokens: int) -> str: ...
    def token(self, token_id: int) -> str: ...
    def facts(self) -> ScorerFacts: ...
    def sleep(self) -> None: ...  # give the weights back; the next score reads them again
    def forget(self) -> None: ...  # remembered scores, features and fronts: the next score computes everything


@runtime_checkable
class Explains(Protocol):
    """A scorer whose model is elsewhere: what it can tell of a prompt to somebody who looks at it."""

    def explain(self, encoding: Encoding) -> tuple[Encoding, tuple[str, ...]]:
        """The same encoding with what can be found out of it, and sentences: who tokenized, what the server says otherwise."""
        ...

    def text_only(self, template: ScoreTemplate) -> str:
        """Why pairs with pictures or clips cannot be scored with this template; "" = they can."""
        ...


def afresh(scorer: Scorer, batch: Sequence[Encoding]) -> dict[int, Score]:
    """The scores of a batch computed now: nothing remembered is read, and nothing of it is remembered. Errors are left out."""
    from workbench.scorers._kept import aside

    with aside():
        return {i: score for i, score in scorer.score(batch) if isinstance(score, Score)}


@runtime_checkable
class RunsStock(Protocol):
    """A scorer that has a faster way of its own and can do without."""

    def stock(self) -> None:
        """From the next score on, the model as transformers has it, all of it in its dtype: what servers compute."""
        ...


def prepare() -> None:
    """Imports what every local model is made of, which takes longer than reading a small one: else the first score does."""
    import transformers.modeling_layers  # noqa: F401


def kinds() -> tuple[str, ...]:
    """Names of the score types: the public modules of this folder."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


REMOTE = "Serve it with vLLM and give the server's URL as the model."
NOTHING: Mapping[str, JSON] = MappingProxyType({})


def load(
    checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto",
    overrides: Mapping[str, JSON] = NOTHING,
) -> Scorer:  # fmt: skip
    """A scorer of the kind the checkpoint's family names. Weights are read at the first score.

    `overrides` are entries of the checkpoint's config, in vLLM's words: `classifier_from_token` ([false, true] or [label]),
    `method`, `sentence_transformers.activation_fn` and so on. Raises ModelUnavailable.
    """
    _check(overrides, checkpoint)
    config = {**checkpoint.config, **overrides}
    checkpoint = replace(checkpoint, config=config, family=_with_head(checkpoint.family, config, checkpoint.name))
    kind = checkpoint.family.scorer
    if checkpoint.family.remote:
        raise ModelUnavailable(checkpoint.family.remote, where=checkpoint.name, hint=REMOTE)
    if kind not in kinds():
        raise ModelUnavailable(
            f"its family {checkpoint.family.name!r} asks for the score type {kind!r}",
            where=checkpoint.name, hint=f"There are: {', '.join(kinds())}.",
        )  # fmt: skip
    module = importlib.import_module(f"workbench.scorers.{kind}")
    scorer: Scorer = module.load(checkpoint, library, device=device, dtype=dtype)
    return scorer


def _check(overrides: Mapping[str, JSON], checkpoint: Checkpoint) -> None:
    """Refuses words about the head that nothing would read. Raises ModelUnavailable."""
    labels, method = "classifier_from_token" in overrides, "method" in overrides
    if (labels or method) and checkpoint.family.scorer != "yes_no":
        raise ModelUnavailable(
            f"is scored by {checkpoint.family.scorer!r}, which reads no label tokens", where=checkpoint.name,
            hint="classifier_from_token and method are for models that answer with a label.",
        )  # fmt: skip
    if method and not labels and "classifier_from_token" not in checkpoint.config:
        hint = 'Write "classifier_from_token" beside it.'
        raise ModelUnavailable("has a method given without the label tokens it reads", where=checkpoint.name, hint=hint)


def _with_head(family: Family, config: Mapping[str, JSON], name: str) -> Family:
    """The family with the label tokens and the method that a config names, which win over the family's own."""
    tokens, method = config.get("classifier_from_token"), config.get("method")
    if tokens is None or family.scorer != "yes_no":
        return family
    method = method or "from_2_way_softmax"
    count = {"from_2_way_softmax": 2, "no_post_processing": 1}.get(method, 0)
    if not isinstance(tokens, list) or len(tokens) != count or not all(isinstance(t, str) for t in tokens):
        raise ModelUnavailable(
            f"classifier_from_token {tokens!r} with method {method!r} gives no score", where=name,
            hint='Write ["false", "true"] with from_2_way_softmax, or one token with no_post_processing.',
        )  # fmt: skip
    return replace(family, labels=tuple(reversed(tokens)), method=cast(Method, method))
