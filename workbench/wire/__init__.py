"""vLLM's wire shape to nouns and back: bodies of its scoring and tokenizing routes in, responses and errors out.

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
from workbench.wire.pooling import answer_classify, answer_detokenize, answer_pooling, answer_tokenize
from workbench.wire.prompts import PromptRequest, read_classify, read_detokenize, read_pooling, read_tokenize
from workbench.wire.prompts import schemas as prompt_schemas
from workbench.wire.reading import read_rerank, read_score

__all__ = [
    "MAX_BODY", "PromptRequest", "RerankRequest", "ScoreRequest", "answer_classify", "answer_detokenize", "answer_pooling",
    "answer_render", "answer_rerank", "answer_score", "answer_tokenize", "error_body", "parse", "read_classify",
    "read_detokenize", "read_pooling", "read_rerank", "read_score", "read_tokenize", "rerank_response", "schemas",
    "score_response",
]  # fmt: skip


def schemas() -> dict[str, JSON]:
    """JSON schemas of the request bodies by route, for /openapi.json."""
    return {"rerank": RerankBody.model_json_schema(), "score": ScoreBody.model_json_schema(), **prompt_schemas()}
