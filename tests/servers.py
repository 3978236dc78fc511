"""Real servers on loopback for tests: an app behind uvicorn, and faults put in front of it that real servers show.

Knows nothing of what is asked: a fault is an answer given instead of the app's, or a field taken out on the way in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Scope = MutableMapping[str, Any]
Fault = Callable[[str, dict[str, Any]], Response | None]


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    """The app behind a real server on a free port; its address."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        until = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < until, "the server never started"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


class Front:
    """Stands before an app. `fault` may answer instead of it; `drops` are fields of bodies that never arrive."""

    def __init__(self, app: Any, fault: Fault | None = None, drops: tuple[str, ...] = (), seconds: float = 0.0) -> None:
        self.app, self.fault, self.drops, self.seconds = app, fault, drops, seconds
        self.seen: list[tuple[str, str]] = []  # path and Authorization
        self.most, self._now = 0, 0

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        raw = await request.body()
        body = json.loads(raw) if raw else {}
        self.seen.append((request.url.path, request.headers.get("authorization", "")))
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await asyncio.sleep(self.seconds)
            answer = self.fault(request.url.path, body) if self.fault else None
            if answer is not None:
                await answer(scope, receive, send)
            else:
                await self._pass({k: v for k, v in body.items() if k not in self.drops} if raw else None, scope, send)
        finally:
            self._now -= 1

    async def _pass(self, body: dict[str, Any] | None, scope: Scope, send: Any) -> None:
        raw = b"" if body is None else json.dumps(body).encode()
        headers = [(k, v) for k, v in scope["headers"] if k != b"content-length"]
        asked = {**scope, "headers": [*headers, (b"content-length", str(len(raw)).encode())]}
        left = [{"type": "http.request", "body": raw, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if left:
                return left.pop()
            await asyncio.sleep(3600)  # a client that waits for its answer
            return {"type": "http.disconnect"}

        await self.app(asked, receive, send)

    def count(self, path: str) -> int:
        return sum(p == path for p, _ in self.seen)


def first(paths: str, *answers: Response) -> Fault:
    """These answers to the first requests at a path, one after another."""
    waiting = list(answers)
    return lambda path, _: waiting.pop(0) if path == paths and waiting else None


def error(status: int, message: str = "no", **headers: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "x", "param": None, "code": status}}, status, headers)
