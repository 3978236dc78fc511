"""Somebody who calls all the time while others misbehave, and how long they had to wait because of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType


class Bystander:
    """Calls `ask` every 2 ms inside a `with` block.

    `delay` is the second longest wait (one hiccup of a busy test machine is forgiven), less what the machine itself took:
    the longest that a thread which only sleeps overslept in the meantime.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self.waits: list[float] = []
        self.overslept: list[float] = [0.0]
        self.problems: list[Exception] = []
        self._ask = ask
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._call), threading.Thread(target=self._sleep)]

    @property
    def delay(self) -> float:
        assert not self.problems and len(self.waits) > 100
        return sorted(self.waits)[-2] - max(self.overslept)

    def _call(self) -> None:
        while not self._done.wait(0.002):
            started = time.monotonic()
            try:
                self._ask()
            except Exception as error:
                self.problems.append(error)
            self.waits.append(time.monotonic() - started)

    def _sleep(self) -> None:
        while not self._done.is_set():
            started = time.monotonic()
            time.sleep(0.005)
            self.overslept.append(time.monotonic() - started - 0.005)

    def __enter__(self) -> Bystander:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
