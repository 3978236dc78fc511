"""What the linter says of a prompt that is to leave: errors that stop it, warnings that go with it.

Knows nothing of files, targets or how a fault is mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from workbench.errors import PromptInvalid
from workbench.export._golden import Golden
from workbench.export._probes import PROBES
from workbench.lint import Finding, errors, findings, gather
from workbench.pool import Bench
from workbench.types import Document, Query, Row, Variant

LINTED = 4  # pairs of the caller that are read
Asked = tuple[Query, Document]


def prove_sound(bench: Bench, variant: Variant, query: Query, rows: Sequence[Row]) -> None:
    """Nothing should leave that the linter calls an error. Raises PromptInvalid with the first, on the first pairs and ours."""
    for found in errors(tuple(_found(bench, bench.resolved(variant), asked_first(query, rows)))):
        sentence = found.sentence.replace("`", "'").rstrip(".")
        raise PromptInvalid(
            f"{found.code}: {sentence}", where=found.where,
            hint="The linter names every fault; most are mended by a click under the editor.",
        )  # fmt: skip


def said(
    bench: Bench, variant: Variant, template: str, pairs: Sequence[Asked], scores: Sequence[float] = ()
) -> tuple[Finding, ...]:
    """What it says of the template that leaves, each fault once. `scores`: logits of the caller's documents, [] where none are.

    A sentence may quote a word of `pairs`: what may not leave must not be among them.
    """
    if template:
        assert variant.template is not None
        variant = replace(variant, template=replace(variant.template, body=template))
    first: dict[tuple[str, str], Finding] = {}
    for found in _found(bench, variant, pairs, scores):
        first.setdefault((found.code, found.where), found)
    return tuple(first.values())


def asked_first(query: Query, rows: Sequence[Row]) -> list[Asked]:
    """The caller's first pairs."""
    return [(query, r) for r in rows if isinstance(r, Document) and r.content][:LINTED] if query.content else []


def said_of(bench: Bench, variant: Variant, template: str, golden: Sequence[Golden]) -> tuple[Finding, ...]:
    """The same of scored pairs, whose documents are made up already where the caller's may not leave."""
    given = [g for g in golden if g.case.covers == "given"]
    pairs = [(g.case.query, g.case.document) for g in given[:LINTED]]
    return said(bench, variant, template, pairs, [g.score.logit for g in given])


def _found(bench: Bench, variant: Variant, pairs: Sequence[Asked], scores: Sequence[float] = ()) -> Iterator[Finding]:
    """Pair by pair, a pair of ours last, so that a prompt nobody asked anything yet is read too."""
    scorer, own = bench.pool.get(variant.model), bench.pool.template(variant.model)
    for query, document in (*pairs, (PROBES[0].query, PROBES[0].document)):
        yield from findings(gather(bench.renderer, scorer, variant, query, document, own, scores=scores))
