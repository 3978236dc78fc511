"""A ranking as plain values that outlive the program, and back: how it was asked, every logit exactly, every error.

Knows nothing of where they are kept or shown. Prompts are not kept: the variant and the documents make them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

from workbench.errors import ScoreFailed, WorkbenchError
from workbench.types import (
    JSON,
    Document,
    Encoding,
    Limits,
    Placeholders,
    Query,
    Ranking,
    Score,
    ScoreResult,
    ScoreTemplate,
    Variant,
)

SHORT = 40  # entries of a detail that are kept


def plain(ranking: Ranking) -> JSON:
    """Logits are float32 values, which JSON carries exactly. `prompt` marks what the model read, so that runs can be told
    apart by it."""
    scored = [
        {"index": r.index, "logit": r.score.logit, "value": r.score.value, "detail": _labels(r.score)} | _read(r.encoding)
        for r in ranking.ranked
        if r.score
    ]
    failed = [{"index": r.index, "error": r.error.as_dict() if r.error else {}} for r in ranking.failed]
    return {
        "variant": variant_plain(ranking.variant), "ranked": scored, "failed": failed, "seconds": ranking.seconds,
        "partial": ranking.partial, "warnings": list(ranking.warnings),
    }  # fmt: skip


def ranking_of(value: JSON, query: Query, documents: Sequence[Document]) -> Ranking:
    """The ranking that `plain` was given, without its prompts; `documents` by their index."""
    ranked = tuple(
        ScoreResult(r["index"], documents[r["index"]], None, Score(r["logit"], r["value"], r["detail"]))
        for r in value["ranked"]
    )
    failed = tuple(ScoreResult(r["index"], documents[r["index"]], error=_error(r["error"])) for r in value["failed"])
    return Ranking(
        variant_of(value["variant"]), query, ranked, failed, value["seconds"], value["partial"], tuple(value["warnings"])
    )


def variant_plain(variant: Variant) -> JSON:
    """Everything of a variant, its template's text included."""
    return {
        "model": variant.model, "template": None if variant.template is None else asdict(variant.template),
        "instruction": variant.instruction, "variables": dict(variant.variables), "limits": asdict(variant.limits),
        "parity": variant.parity, "media_options": dict(variant.media_options),
    }  # fmt: skip


def variant_of(value: JSON) -> Variant:
    template = value["template"]
    if template is not None:
        template = ScoreTemplate(template["body"], Placeholders(**template["placeholders"]), template["layout"])
    return Variant(
        value["model"], template, value["instruction"], value["variables"], Limits(**value["limits"]), value["parity"],
        value["media_options"],
    )  # fmt: skip


def _labels(score: Score) -> JSON:
    """The label rows' own logits, say; matches of late interaction are many and are computed again when they are asked for."""
    return {k: v for k, v in score.detail.items() if not isinstance(v, list | dict) or (len(v) <= SHORT and k != "matches")}


def _read(encoding: Encoding | None) -> dict[str, JSON]:
    if encoding is None:
        return {"prompt": "", "tokens": 0}
    read = repr((encoding.prompt.text, encoding.token_ids, encoding.media)).encode("utf-8", "surrogatepass")
    return {"prompt": hashlib.sha256(read).hexdigest()[:16], "tokens": len(encoding.token_ids)}


def _error(value: JSON) -> WorkbenchError:
    error = ScoreFailed(value.get("message", "gave no score"), where=value.get("where", ""), hint=value.get("hint", ""))
    error.kind = value.get("kind", error.kind)
    return error
