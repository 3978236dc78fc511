"""A line in front of the model: a few requests at work, a bounded number waiting, callers that leave are dropped.

Knows nothing of models or wire shapes: work is a function that is told when to stop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from workbench.errors import Busy, Stopped

LOOK_SECONDS = 0.2  # between two looks whether the caller is still there

T = TypeVar("T")
Work = Callable[[Callable[[], bool]], T]


class Line:
    """Runs blocking work in threads, `running` at a time; refuses with Busy when `waiting` more are in line."""

    def __init__(self, running: int, waiting: int) -> None:
        self.most = running + waiting
        self._inside = 0
        self._turns = asyncio.Semaphore(running)

    def check(self) -> None:
        """Raises Busy when there is no place in line: asked before a long body is read."""
        if self._inside >= self.most:
            raise Busy(f"{self._inside} requests are at work or waiting", hint="Try again shortly.")

    async def run(self, request: Request, work: Work[T]) -> T:
        """The work's result. Raises Busy at once, or Stopped when the caller has left; the work sees it at its next look."""
        self.check()
        self._inside += 1
        try:
            await self._turn(request)
            return await self._work(request, work)
        finally:
            self._inside -= 1

    async def _turn(self, request: Request) -> None:
        turn = asyncio.ensure_future(self._turns.acquire())
        try:
            await _while_there(request, turn)
        except BaseException:
            if not turn.cancel() and not turn.cancelled():
                self._turns.release()
            raise

    async def _work(self, request: Request, work: Work[T]) -> T:
        left = threading.Event()
        job = asyncio.ensure_future(run_in_threadpool(work, left.is_set))
        job.add_done_callback(self._done)  # the turn is over when the thread is, not when the caller leaves
        try:
            await _while_there(request, job)
            return job.result()
        finally:
            left.set()

    def _done(self, job: asyncio.Future[Any]) -> None:
        self._turns.release()
        if not job.cancelled():
            job.exception()  # seen: nobody may be left to read it


async def _while_there(request: Request, task: asyncio.Future[Any]) -> None:
    while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
        if await request.is_disconnected():
            raise Stopped("the caller left")
