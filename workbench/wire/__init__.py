"""vLLM's wire shape to nouns and back: bodies of /rerank and /score in, responses and errors out.

Knows nothing of HTTP, files or the screen: a body is a JSON value, a problem a WorkbenchError.
"""

from __future__ import annotations

from workbench.types import JSON
from workbench.wire.answers import (
    answer_render,
    answer_rerank,
    answer_score,
    error_body,
    rerank_response,
    score_response,
)
from workbench.wire.bodies import RerankBody, RerankRequest, ScoreBody, ScoreRequest
from workbench.wire.jsons import MAX_BODY, parse
from workbench.wire.reading import read_rerank, read_score

__all__ = [
    "MAX_BODY", "RerankRequest", "ScoreRequest", "answer_render", "answer_rerank", "answer_score", "error_body", "parse",
    "read_rerank", "read_score", "rerank_response", "schemas", "score_response",
]  # fmt: skip


def schemas() -> dict[str, JSON]:
    """JSON schemas of the two request bodies, for /openapi.json."""
    return {"rerank": RerankBody.model_json_schema(), "score": ScoreBody.model_json_schema()}
