"""Who may speak to the server: the key of API callers, foreign hosts and origins, request ids.

Knows nothing of what is asked for.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def error_json(status: int, message: str, kind: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": status}}, status)


def key_needed(key: str | None) -> Callable[[Request], Awaitable[None]]:
    """A dependency that lets a request through when it carries `Authorization: Bearer KEY`; None lets everybody through."""

    async def check(request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if key is not None and not (
            scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode("latin-1"), key.encode())
        ):
            raise HTTPException(401, "This server needs `Authorization: Bearer KEY`.", {"WWW-Authenticate": "Bearer"})

    return check


class SameHost:
    """Refuses requests that a foreign page sends or a foreign name leads here (DNS rebinding).

    `names`: host names that are this server; empty: any, but a page's Origin must then be the Host it speaks to.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self.app, self.names = app, frozenset(n.lower() for n in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or (problem := self._problem(Headers(scope=scope))) is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await error_json(403, problem, "Forbidden")(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _problem(self, headers: Headers) -> str | None:
        hosts = {_name("//" + h) for h in headers.getlist("host")}
        origins = {_name(o) for o in headers.getlist("origin")}
        if self.names and not hosts <= self.names:
            return "This server answers to its own name only; the Host header names another."
        if not origins <= (self.names or hosts):
            return "Requests from pages of another origin are refused."
        return None


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


class RequestId:
    """Echoes X-Request-Id, or makes one; handlers find it in `request.state.request_id`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        name = given if 0 < len(given) <= 128 else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = name

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = name
            await send(message)

        await self.app(scope, receive, send_with_id)
