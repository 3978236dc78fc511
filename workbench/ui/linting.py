"""The linter over the fields of the screen: what is wrong with each side's prompt of the document that is looked at.

Knows nothing of how it is drawn, or of Gradio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.errors import WorkbenchError
from workbench.lint import Finding, Fix, Target, findings, gather, lint
from workbench.pool import Bench
from workbench.types import Document, Encoding
from workbench.ui import desk
from workbench.ui.desk import Asked

Scored = Mapping[str, Any]  # prints by side, and under logits-a and logits-b the logits of the run they belong to


def quick(
    bench: Bench, asked: Asked, side: str, at: int, outcome: Encoding | WorkbenchError, scored: Scored,
    targets: Sequence[Target] = (),
) -> tuple[Finding, ...]:  # fmt: skip
    """The findings without their fixes, which take longer than a key press should wait."""
    row, variant = desk.row_at(asked, at), bench.resolved(asked.variants[side])
    if not isinstance(row, Document):
        return ()
    scorer, own = bench.pool.get(variant.model), bench.pool.template(variant.model)
    evidence = gather(
        bench.renderer, scorer, variant, asked.query, row, own, outcome=outcome,
        scores=_scores(asked, side, scored), targets=targets,
    )  # fmt: skip
    return findings(evidence)


def whole(
    bench: Bench, asked: Asked, side: str, at: int, scored: Scored, targets: Sequence[Target] = ()
) -> tuple[Finding, ...]:
    """The findings, each with the fix that was tried and helps."""
    row, variant = desk.row_at(asked, at), bench.resolved(asked.variants[side])
    if not isinstance(row, Document):
        return ()
    scorer, own = bench.pool.get(variant.model), bench.pool.template(variant.model)
    scores = _scores(asked, side, scored)
    return lint(bench.renderer, scorer, variant, asked.query, row, own, scores=scores, targets=targets)


def fix_of(found: tuple[Finding, ...], code: str, nth: int) -> Fix | None:
    """The fix of the nth finding of a code."""
    same = [finding for finding in found if finding.code == code]
    return same[nth].fix if 0 <= nth < len(same) else None


def _scores(asked: Asked, side: str, scored: Scored) -> list[float]:
    """The logits of the last run, where it was of what the fields say now."""
    return list(scored.get(f"logits-{side}", ())) if scored.get(side) == asked.prints[side] else []
