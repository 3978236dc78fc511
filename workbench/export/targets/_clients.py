"""Clients of a server that loads this bundle: a snippet each, and the server's shape for generators of clients.

Knows nothing of how the server is started. The tuned instruction is the template's default, so clients send no instruction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from workbench.export._manifest import Outgoing
from workbench.export.targets._classes import served
from workbench.export.targets._scripts import script
from workbench.export.targets._vllm import example, requests
from workbench.types import JSON

Files = Mapping[str, bytes]


def langchain(out: Outgoing) -> Files:
    """langchain-cohere's compressor, which speaks /v2/rerank."""
    return _snippet("langchain_rerank.py", out)


def llama_index(out: Outgoing) -> Files:
    """A node postprocessor over /rerank."""
    return _snippet("llama_index_rerank.py", out)


def haystack(out: Outgoing) -> Files:
    """A Haystack component over /rerank."""
    return _snippet("haystack_rerank.py", out)


def litellm(out: Outgoing) -> Files:
    """LiteLLM's rerank with its provider for vLLM servers."""
    return _snippet("litellm_rerank.py", out)


def openapi(out: Outgoing) -> Files:
    """The /rerank route as OpenAPI 3.1, for any generator of clients."""
    served(out)
    text: JSON = {"type": "string"}
    read: dict[str, JSON] = {
        "instruction": {**text, "description": "Left out: the tuned one, which is the template's default."},
        "chat_template_kwargs": {"type": "object"},
    }
    body = _object(
        {"model": {**text, "default": out.served}, "query": text, "documents": {"type": "array", "items": text, "minItems": 1},
         "top_n": {"type": "integer", "default": 0, "description": "0: all of them"}, **({} if out.pair else read),
         "use_activation": {"type": "boolean", "default": True}},
        "query", "documents",
    )  # fmt: skip
    result = _object(
        {"index": {"type": "integer"}, "document": {"type": "object"}, "relevance_score": {"type": "number"}},
        "index", "relevance_score",
    )  # fmt: skip
    results: JSON = {"type": "array", "items": result}
    answer = _object({"id": text, "model": text, "usage": {"type": "object"}, "results": results}, "results")
    error = _object({"error": _object({"message": text, "type": text, "code": {"type": "integer"}}, "message")}, "error")
    route = {
        "operationId": "rerank",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body, "example": example(out)}}},
        "responses": {"200": _response(answer, "Documents by falling score."), "400": _response(error, "What was wrong.")},
    }
    shape = {
        "openapi": "3.1.0", "info": {"title": f"Reranker {out.served}", "version": (out.digest or "pair")[:12]},
        "servers": [{"url": "http://127.0.0.1:8000"}], "paths": {"/rerank": {"post": route}},
    }  # fmt: skip
    return {"openapi.json": (json.dumps(shape, ensure_ascii=False, indent=1) + "\n").encode(), **requests(out)}


def _response(schema: JSON, says: str) -> JSON:
    return {"description": says, "content": {"application/json": {"schema": schema}}}


def _object(properties: dict[str, JSON], *required: str) -> JSON:
    return {"type": "object", "properties": properties, "required": list(required)}


def _snippet(name: str, out: Outgoing) -> Files:
    served(out)
    body = example(out)
    return {name: script(name, {"MODEL": out.served, "QUERY": body["query"], "DOCUMENTS": body["documents"]}), **requests(out)}
