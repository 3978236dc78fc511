"""The judged query as it leaves the page: one line of JSON in the shape of a /rerank body, with a grade for each document.

Knows nothing of Gradio; the same line can be pasted back.
"""

from __future__ import annotations

import json

from workbench.errors import RequestInvalid
from workbench.pool import Bench
from workbench.scorers._jobs import contents
from workbench.types import ContentPart, Document, Text
from workbench.ui.desk import Asked

MOST = 16 << 20  # bytes of pictures and clips


def judged_lines(bench: Bench, asked: Asked) -> str:
    """`grades[i]` is that of `documents[i]`, null where it has none, `labels[i]` what it is called; rows that cannot be read stay
    behind.

    Raises RequestInvalid where nothing is graded or the media are too large.
    """
    rows = [(r, item["grade"]) for r, item in zip(asked.rows, asked.items, strict=True) if isinstance(r, Document)]
    if not asked.query.content or all(grade is None for _, grade in rows):
        raise RequestInvalid("there is nothing judged yet", hint="Write a query and grade a document.")
    sides = [asked.query.content, *(r.content for r, _ in rows)]
    media = {part for side in sides for part in side if not isinstance(part, Text)}
    size = sum(bench.library.path(p).stat().st_size for p in media)
    if size > MOST:
        raise RequestInvalid(f"its pictures and clips take {size >> 20} MB, and {MOST >> 20} are saved", hint="Remove some.")

    def written(content: tuple[ContentPart, ...]) -> object:
        return contents(content, bench.library)

    labels = [item["label"] for item in asked.items if not item["error"]]
    line = {
        "query": written(asked.query.content), "documents": [written(r.content) for r, _ in rows],
        "grades": [grade for _, grade in rows], **({"labels": labels} if any(labels) else {}),
    }  # fmt: skip
    return json.dumps(line, ensure_ascii=False) + "\n"
