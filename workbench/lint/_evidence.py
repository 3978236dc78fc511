"""Everything the rules look at, gathered once: the prompt, its tokens, the reference's prompt of the same pair, the probes.

Knows nothing of the rules. No weights are touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from workbench.errors import WorkbenchError
from workbench.lint._probes import Probes, probe
from workbench.lint._wrap import Wrap, wrap_of
from workbench.pool import LEXICAL
from workbench.ranking import make_pair, takes_template
from workbench.scorers import Scorer
from workbench.template import RESERVED, Renderer, flatten, split_facts
from workbench.types import (
    Document,
    Encoding,
    Family,
    Limits,
    Pair,
    Query,
    RenderedPrompt,
    ScoreTemplate,
    Text,
    Variant,
)


@dataclass(frozen=True, slots=True)
class Target:
    """What one program that serves or calls the prompt would make of it."""

    title: str
    lacks: str = ""  # a feature it does not have, as a sentence
    differs: str = ""  # the tokens it would read instead, as a sentence


@dataclass(frozen=True, slots=True)
class Evidence:
    """One pair under one variant.

    `shaped`: a template makes the prompt here, so that there is something to find. `pair` None: it does not render.
    `reference`: the model's own template on the same pair, None where there is none or it gives no tokens. `uncut`: the
    encoding without limits, where limits are set and there is none with them. `probes`: None for the model's own template, which
    all others are measured by. `window` in tokens; `scores`: logits of a
    finished run of this very variant.
    """

    template: str
    family: Family
    variant: Variant
    query: Query
    document: Document
    outcome: Encoding | WorkbenchError
    shaped: bool = True
    own: bool = False  # the template is the model's own
    own_body: str = ""  # the model's own template
    pair: Pair | None = None
    reference: Encoding | None = None
    probes: Probes | None = None
    uncut: Encoding | None = None
    window: int = 0
    controls: frozenset[int] = frozenset()
    token: Callable[[int], str] = str
    labels: Mapping[str, int] = field(default_factory=dict)  # tokens that each label takes
    scores: tuple[float, ...] = ()
    targets: tuple[Target, ...] = ()

    @property
    def prompt(self) -> RenderedPrompt | None:
        return self.pair.prompts[0] if self.pair else None

    @property
    def encoding(self) -> Encoding | None:
        return self.outcome if isinstance(self.outcome, Encoding) else None

    @property
    def wrap(self) -> Wrap | None:
        return wrap_of(self.reference.pair.prompts[0]) if self.reference else None


def gather(
    renderer: Renderer, scorer: Scorer, variant: Variant, query: Query, document: Document, own: ScoreTemplate, *,
    outcome: Encoding | WorkbenchError | None = None, reference: Encoding | None = None, scores: Sequence[float] = (),
    targets: Sequence[Target] = (),
) -> Evidence:  # fmt: skip
    """`variant` has its template named; `own` is the model's. `outcome` and `reference`: what is known of the pair already."""
    template = variant.template or own
    mine = split_facts(template.body)[1] == split_facts(own.body)[1]
    pair, found = _encode(renderer, scorer, variant, query, document, outcome)
    evidence = Evidence(
        template.body, scorer.family, variant, query, document, found, own=mine, own_body=own.body, pair=pair
    )
    remote = scorer.family.scorer == "vllm"
    if not takes_template(scorer.family, template) or (remote and mine) or variant.model.strip() == LEXICAL:
        return replace(evidence, shaped=False)
    if reference is None and not remote and scorer.family.template.layout == "joint":
        told = found if mine else _encode(renderer, scorer, replace(variant, template=own), query, document)[1]
        reference = told if isinstance(told, Encoding) else None
    return replace(
        evidence,
        reference=reference,
        probes=None if mine else _probes(renderer, scorer, variant, query, document),
        uncut=_uncut(renderer, scorer, variant, evidence) if pair else None,
        window=scorer.window(variant.parity),
        controls=scorer.control_ids,
        token=scorer.token,
        labels=_labels(scorer),
        scores=tuple(scores),
        targets=tuple(targets),
    )


def _encode(
    renderer: Renderer, scorer: Scorer, variant: Variant, query: Query, document: Document,
    known: Encoding | WorkbenchError | None = None,
) -> tuple[Pair | None, Encoding | WorkbenchError]:  # fmt: skip
    if isinstance(known, Encoding):
        return known.pair, known
    pair = None
    try:
        pair = make_pair(renderer, scorer, variant, query, document)
        return pair, known or scorer.encode(pair)
    except WorkbenchError as error:
        return pair, error


def _probes(renderer: Renderer, scorer: Scorer, variant: Variant, query: Query, document: Document) -> Probes | None:
    assert variant.template is not None
    marks, told = (
        scorer.family.template.placeholders,
        {} if variant.instruction is None else {"instruction": variant.instruction},
    )
    try:
        asking, asked = (flatten(side.content, marks, variant.parity)[0] for side in (query, document))
    except WorkbenchError:  # the row says so itself
        return None
    variables = {k: v for k, v in {**told, **variant.variables}.items() if k not in RESERVED}
    return probe(renderer, variant.template.body, asking, asked, variables, scorer.special_tokens)


def _uncut(renderer: Renderer, scorer: Scorer, variant: Variant, evidence: Evidence) -> Encoding | None:
    if evidence.encoding is not None or variant.limits == Limits():
        return None
    free = replace(variant, limits=Limits())
    found = _encode(renderer, scorer, free, evidence.query, evidence.document)[1]
    return found if isinstance(found, Encoding) else None


def _labels(scorer: Scorer) -> dict[str, int]:
    """Tokens of each label, where the model answers with labels and its tokenizer is here."""
    tokenize = getattr(scorer, "tokenize", None)
    if scorer.family.scorer != "yes_no" or tokenize is None:
        return {}
    return {label: len(tokenize(label, False)) for label in scorer.family.labels}


def texts_of(side: Query | Document) -> list[str]:
    return [part.text for part in side.content if isinstance(part, Text)]
