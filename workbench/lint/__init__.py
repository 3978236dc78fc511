"""Faults of a prompt that scores would not show: each with a code, one sentence, its place, and a change that mends it.

Knows nothing of doors or screens and never scores: it reads one pair's evidence. E-findings stop an export, W-findings do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from workbench.errors import WorkbenchError
from workbench.lint import _errors, _warnings
from workbench.lint._evidence import Evidence, Target, gather
from workbench.lint._finding import Finding, Fix, Place, mend, unwrapped
from workbench.lint._fixes import CANDIDATES
from workbench.scorers import Scorer
from workbench.template import Renderer
from workbench.types import Document, Encoding, Query, ScoreTemplate, Variant

__all__ = [
    "RULES", "Evidence", "Finding", "Fix", "Target", "errors", "findings", "gather", "lint", "mend", "unwrapped",
]  # fmt: skip

Rule = Callable[[Evidence], Iterator[Finding]]
# In the order in which they are best mended: a score read at another token outweighs words around it.
RULES: Mapping[str, Rule] = {
    "E1": _errors.syntax, "E2": _errors.unread, "E3": _errors.roles, "E4": _errors.silent, "E6": _errors.tail,
    "E5": _errors.wrapped, "E7": _errors.cut, "E8": _errors.media, "E9": _errors.reserved,
    "W1": _warnings.whitespace, "W2": _warnings.control, "W3": _warnings.labels, "W4": _warnings.features,
    "W5": _warnings.elsewhere, "W6": _warnings.flat, "W7": _warnings.room, "W8": _warnings.order,
}  # fmt: skip
TRIED = 12  # candidates of one finding
LONG = 20_000  # tokens of prompts that are not compared to choose between candidates
Again = Callable[[Fix], Evidence]


def lint(
    renderer: Renderer, scorer: Scorer, variant: Variant, query: Query, document: Document, own: ScoreTemplate, *,
    outcome: Encoding | WorkbenchError | None = None, scores: Sequence[float] = (), targets: Sequence[Target] = (),
) -> tuple[Finding, ...]:  # fmt: skip
    """What is wrong with one pair's prompt, errors first, each with a fix where one was tried and helps.

    Arguments as `gather`: `variant` has its template named, and `own` is the model's.
    """
    evidence = gather(renderer, scorer, variant, query, document, own, outcome=outcome, scores=scores, targets=targets)

    def again(fix: Fix) -> Evidence:
        same = evidence.reference if fix.template is not None else None
        return gather(renderer, scorer, *mend(fix, variant, query, document), own, reference=same, targets=targets)

    return with_fixes(evidence, findings(evidence), renderer, again)


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """What the rules say of the evidence. Where no template shapes the prompt there is nothing to find but that one is broken."""
    rules = RULES if evidence.shaped else {"E1": RULES["E1"]}
    return tuple(found for rule in rules.values() for found in rule(evidence))


def with_fixes(evidence: Evidence, found: Sequence[Finding], renderer: Renderer, again: Again) -> tuple[Finding, ...]:
    """The findings with the fixes that help. What goes away with a role's fix was its consequence and is not said twice."""
    mended, follow = list[Finding](), set[tuple[str, str]]()
    for finding in found:
        fix, after = _best(evidence, finding, found, renderer, again)
        span = finding.span or (_changed(evidence.template, fix.template) if fix and finding.where == "template" else None)
        mended.append(replace(finding, fix=fix, span=span))
        if finding.code == "E3" and fix is not None:
            follow |= {_name(f) for f in found if f.code in ("E1", "E2", "E4")} - {_name(f) for f in after}
    return tuple(f for f in mended if _name(f) not in follow)


def errors(found: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(f for f in found if f.error)


def _best(
    evidence: Evidence, finding: Finding, found: Sequence[Finding], renderer: Renderer, again: Again
) -> tuple[Fix | None, tuple[Finding, ...]]:
    """Of the candidates that make this finding go away and bring no new error, the one nearest to the model's own prompt."""
    make = CANDIDATES.get(finding.code)
    best: tuple[float, Fix, tuple[Finding, ...]] | None = None
    before = {f.code for f in found}
    for fix, _ in zip(
        _changing(make(evidence, finding, renderer) if make else iter(()), evidence), range(TRIED), strict=False
    ):
        seen = again(fix)
        after = findings(seen)
        gone = _name(finding) not in {_name(f) for f in after}
        if gone and {f.code for f in after if f.error} <= before:
            near = _nearness(seen, evidence.reference)
            if best is None or near > best[0]:
                best = near, fix, after
    return (best[1], best[2]) if best else (None, ())


def _changed(template: str, mended: str | None) -> Place | None:
    """The characters of the template that a fix replaces: a fault without a place of its own stands there."""
    if mended is None:
        return None
    start = _shared(template, mended)
    return start, len(template) - _shared(template[start:][::-1], mended[start:][::-1])


def _shared(one: str, other: str) -> int:
    """Characters that both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _changing(candidates: Iterator[Fix], evidence: Evidence) -> Iterator[Fix]:
    return (fix for fix in candidates if fix.template != evidence.template)


def _name(finding: Finding) -> tuple[str, str]:
    """Which fault it is, whatever the numbers in its sentence: E2 of the query is not E2 of the document."""
    word = finding.sentence.split("`")[1] if finding.code in ("E3", "E9") and "`" in finding.sentence else ""
    return finding.code, word or finding.where


def _nearness(evidence: Evidence, reference: Encoding | None) -> float:
    here = evidence.encoding
    if here is None or reference is None or len(here.token_ids) + len(reference.token_ids) > LONG:
        return 0.0
    return SequenceMatcher(None, here.token_ids, reference.token_ids, autojunk=False).ratio()
