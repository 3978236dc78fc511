"""The HTTP door: vLLM's routes for scoring and tokenizing, /render, and what clients ask a server about itself.

Knows nothing of files, flags or the screen; bodies and answers are wire.py's, each WorkbenchError becomes a status once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from workbench import wire
from workbench.api.gate import RequestId, SameHost, error_json, key_needed
from workbench.api.queue import Line
from workbench.errors import ModelUnavailable, RequestInvalid, WorkbenchError
from workbench.pool import Bench
from workbench.scorers import Stop
from workbench.types import JSON, Variant

__all__ = ["VERSION", "SameHost", "build"]

VERSION = "0.1.0"
RETRY_SECONDS = 1
PATHS = {
    "score": ("/score", "/v1/score"),
    "rerank": ("/rerank", "/v1/rerank", "/v2/rerank"),
    "render": ("/render",),
    "classify": ("/classify",),
    "pooling": ("/pooling",),
    "tokenize": ("/tokenize",),
    "detokenize": ("/detokenize",),
}
TELLING = ("score", "rerank", "render")  # routes whose answers may carry a warning
WARNING = "X-Workbench-Warning"
MOST = 2000  # characters of that header
Answer = Callable[[JSON, Stop], tuple[dict[str, JSON], list[str]]]


def build(bench: Bench, *, api_key: str | None = None, running: int = 2, waiting: int = 64) -> FastAPI:
    """The application. `api_key` guards every route but /health; beyond `waiting` requests in line callers get 503."""
    app = FastAPI(title="Reranker workbench", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(RequestId)
    _errors(app)
    router = APIRouter(dependencies=[Depends(key_needed(api_key))])
    scoring, rendering = Line(running, waiting), Line(running, waiting)  # a preview never waits for the device
    schemas = wire.schemas()
    routes: dict[str, tuple[Callable[..., Any], Callable[..., dict[str, JSON]], Line]] = {
        "score": (wire.read_score, wire.answer_score, scoring),
        "rerank": (wire.read_rerank, wire.answer_rerank, scoring),
        "classify": (wire.read_classify, wire.answer_classify, scoring),
        "pooling": (wire.read_pooling, wire.answer_pooling, scoring),
        "render": (wire.read_rerank, wire.answer_render, rendering),
        "tokenize": (wire.read_tokenize, wire.answer_tokenize, rendering),
        "detokenize": (wire.read_detokenize, wire.answer_detokenize, rendering),
    }
    for name, (read, answer, line) in routes.items():
        asked = _asked(bench, read, answer, name in TELLING)
        _post(router, name, asked, line, schemas["rerank" if name == "render" else name])
    _about(app, router, bench)
    app.include_router(router)
    return app


# ---------------------------------------------------------------- what is asked
def _asked(
    bench: Bench, read: Callable[..., Any], answer: Callable[..., dict[str, JSON]], telling: bool
) -> Answer:  # fmt: skip
    """A body read, its model looked up among those that are served, its answer made, with its warnings."""

    def answered(body: JSON, stop: Stop) -> tuple[dict[str, JSON], list[str]]:
        request, said = read(body, bench), list[str]()
        _served(bench, request.variant)
        return answer(bench, request, stop=stop, **({"tell": said.extend} if telling else {})), said

    return answered


def _models(bench: Bench) -> list[str]:
    return list(dict.fromkeys((bench.model, *bench.pool.offered())))


def _served(bench: Bench, variant: Variant) -> None:
    """A caller names a model of the menu; a folder of this machine only whoever starts the server."""
    if variant.model not in (names := _models(bench)):
        raise ModelUnavailable(f"The model `{variant.model}` does not exist.", hint=f"Served: {', '.join(names)}.")


# ---------------------------------------------------------------- routes
def _post(router: APIRouter, name: str, answer: Answer, line: Line, schema: dict[str, JSON]) -> None:
    async def handle(request: Request) -> Response:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise RequestInvalid("Unsupported Media Type: Only 'application/json' is allowed")
        line.check()
        raw = await _body(request)
        given = request.headers.get("x-request-id")

        def work(stop: Stop) -> tuple[bytes, dict[str, str]]:
            body = wire.parse(raw)
            if isinstance(body, dict) and (given or not body.get("request_id")):
                body = {**body, "request_id": request.state.request_id}
            found, said = answer(body, stop)
            return json.dumps(found, ensure_ascii=False, allow_nan=False).encode(), _header(said)

        content, headers = await line.run(request, work)
        return Response(content, media_type="application/json", headers=headers)

    for at, path in enumerate(PATHS[name]):
        router.add_api_route(
            path, handle, methods=["POST"], name=name, operation_id=f"{name}_{at}",
            openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
        )  # fmt: skip


def _header(said: list[str]) -> dict[str, str]:
    """Warnings beside an answer whose shape is vLLM's. Names come from callers: what is no printable ASCII is spelled out."""
    return {WARNING: ascii(" ".join(said))[1:-1][:MOST]} if said else {}


async def _body(request: Request) -> bytes:
    """All of the body, unless it is too long: then as little of it as possible."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > wire.MAX_BODY:
            raise RequestInvalid(f"the body is longer than {wire.MAX_BODY:,} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _about(app: FastAPI, router: APIRouter, bench: Bench) -> None:
    # All on the event loop: they answer while every thread is at work.
    async def models() -> dict[str, JSON]:
        fields = {"object": "model", "created": 0, "owned_by": "workbench", "parent": None}
        return {"object": "list", "data": [{"id": m, "root": m, **fields} for m in _models(bench)]}

    async def version() -> dict[str, str]:
        return {"version": VERSION}

    async def openapi() -> dict[str, Any]:
        return app.openapi()

    async def health() -> Response:
        return Response()

    router.add_api_route("/v1/models", models, methods=["GET"])
    router.add_api_route("/version", version, methods=["GET"])
    router.add_api_route("/openapi.json", openapi, methods=["GET"], include_in_schema=False)
    app.add_api_route("/health", health, methods=["GET"])


# ---------------------------------------------------------------- errors
def _errors(app: FastAPI) -> None:
    @app.exception_handler(WorkbenchError)
    async def known(_: Request, error: WorkbenchError) -> JSONResponse:
        body = wire.error_body(error)
        status = body["error"]["code"]
        return JSONResponse(body, status, {"Retry-After": str(RETRY_SECONDS)} if status == 503 else None)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        response = error_json(error.status_code, str(error.detail), HTTPStatus(error.status_code).phrase)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def unknown(_: Request, error: Exception) -> JSONResponse:
        return error_json(
            500, f"The server failed ({type(error).__name__}); its log says where.", "InternalServerError"
        )
