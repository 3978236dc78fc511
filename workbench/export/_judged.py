"""How a variant ranks the documents that were graded: the metrics a bundle's manifest carries, and which documents they are of.

Knows nothing of golden pairs or files; a query set's figures, with intervals, are made elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from workbench.metrics import MEASURES, label, span
from workbench.pool import Bench
from workbench.ranking import ranking
from workbench.types import JSON, ContentPart, Document, Query, Row, Text, Variant


def judged(bench: Bench, variant: Variant, query: Query, rows: Sequence[Row], grades: Sequence[int | None]) -> JSON:
    """{documents, sha256, metrics}: how many were graded, a digest of query, documents and grades, and each measure's value,
    or [lowest, highest] while some of `rows` are ungraded. None where nothing was graded, or a row gives no score."""
    if not any(grade is not None for grade in grades) or len(grades) != len(rows):
        return None
    found = ranking(variant, query, bench.rank(variant, query, rows))
    if found.failed or len(found.ranked) < len(rows):
        return None
    down = [grades[r.index] for r in found.ranked]
    metrics: dict[str, JSON] = {}
    for name in MEASURES:
        if (value := span(name, down)) is not None:
            metrics[label(name)] = value.low if value.low == value.high else [value.low, value.high]
    graded = [(r, g) for r, g in zip(rows, grades, strict=True) if isinstance(r, Document) and g is not None]
    said = [_spelled(query.content), [[_spelled(r.content), g] for r, g in graded]]
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()
    return {"documents": len(graded), "sha256": digest, "metrics": metrics}


def _spelled(content: Sequence[ContentPart]) -> list[list[str]]:
    """Texts in full, pictures and clips by their digests."""
    return [["text", p.text] if isinstance(p, Text) else [type(p).__name__.lower(), p.digest] for p in content]
