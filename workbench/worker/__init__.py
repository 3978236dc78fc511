"""Runs named tasks in disposable child processes under limits of time, memory and output.

Knows nothing of templates or pictures: a task is a public function of a module, `task(arguments: JSON, blobs: list[bytes])`,
that returns JSON and a list of bytes. This is the parent's end; the child's is __main__.py.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from workbench.types import JSON
from workbench.worker._frames import BROKEN, frame, receive, send

START_SECONDS = 60.0  # importing a task module on a busy machine
SLOW = 0.05  # seconds after which a child at work no longer counts as one of the warm ones
CALM = 5.0  # seconds without slow calls after which the next calls let the spare children go


class WorkerFailed(Exception):
    """A task raised. `kind` is a WorkbenchError's kind or the exception's class name; `line` and `column` are 0 when unknown."""

    def __init__(
        self, kind: str, message: str, line: int = 0, column: int = 0, *, where: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.kind, self.message, self.where, self.hint = kind, message, where, hint
        self.line, self.column = line, column


class WorkerLimit(Exception):
    """A task was stopped: `kind` is "time", "memory" or "output", or "crash" when its process died by itself."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class _Child:
    """One process. While it is at work, `slow_at` and `deadline` say when the guard calls it slow and when it ends it."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", "workbench.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=os.path.abspath(os.sep),
            env=_environment(),
            start_new_session=True,  # Ctrl+C in the terminal is the parent's to answer
        )
        assert self.process.stdin and self.process.stdout
        self.requests, self.replies = self.process.stdin, self.process.stdout
        self.slow_at = self.deadline = math.inf
        self.slow = self.expired = False

    def answer(self, most: int) -> tuple[JSON, list[bytes]]:
        header, blobs = receive(self.replies, most)
        if "limit" in header:
            raise WorkerLimit(header["limit"])
        if "failed" in header:
            raise WorkerFailed(**header["failed"])
        return header["result"], blobs

    def end(self) -> None:
        """Kills and reaps."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.requests, self.replies):
            with contextlib.suppress(OSError):  # what was left to flush
                pipe.close()


def _environment() -> dict[str, str]:
    """Where this package is, and nothing of the parent's: keys and tokens stay here."""
    root = str(Path(__file__).resolve().parents[2])
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}  # they count as memory
    windows = {"SYSTEMROOT": r"C:\Windows"} if os.name == "nt" else {}
    return {"PYTHONPATH": root, "LC_ALL": "C.UTF-8", **threads, **windows}


class Worker:
    """Runs the tasks of one module in `processes` warm children. Thread-safe; nothing starts before the first call or `start`.

    A child that is killed, or at work for long, is replaced in the background and one more is kept in reserve (there are at
    most 2 * processes + 1), so that calls which burn all their time hold up nobody.
    """

    def __init__(self, tasks: str, *, seconds: float, memory_mb: int, output_bytes: int, processes: int = 2) -> None:
        self.seconds, self.output_bytes, self.processes = seconds, output_bytes, processes
        self._arguments = [tasks, str(seconds), str(memory_mb), str(output_bytes), *filter(None, sys.path)]
        self._lock = threading.Lock()
        self._freed, self._alarm = threading.Condition(self._lock), threading.Condition(self._lock)
        self._children: set[_Child] = set()
        self._free: list[_Child] = []
        self._starting: set[threading.Thread] = set()
        self._size = self._failures = 0  # size: children that are up or starting
        self._failure = WorkerFailed("start", "the process did not start")
        self._guard: threading.Thread | None = None
        self._raised, self._calm_at = processes, 0.0  # how many children there shall be until when
        self._due = math.inf  # when the guard wakes
        self._closed = False

    def start(self) -> None:
        """Brings the children up in the background, so that the first call waits less."""
        with self._lock:
            self._fill()

    def call(self, task: str, arguments: JSON, blobs: Sequence[bytes] = ()) -> tuple[JSON, list[bytes]]:
        """What the task answers. WorkerFailed: it raised; WorkerLimit: it was stopped; TypeError, ValueError: no JSON."""
        pieces = frame({"task": task, "arguments": arguments}, blobs)
        child, sound = self._take(), False
        try:
            send(child.requests, pieces)
            answer = child.answer(self.output_bytes)
            sound = True
            return answer
        except WorkerFailed:
            sound = True
            raise
        except OverflowError:
            raise WorkerLimit("output") from None
        except BROKEN:
            if self._closed:
                raise WorkerFailed("closed", "the worker has been closed") from None
            raise WorkerLimit("time" if child.expired else "crash") from None
        finally:
            self._give_back(child, sound)

    def close(self) -> None:
        """Ends every child and returns when they are gone; calls under way fail with WorkerFailed("closed")."""
        with self._lock:
            self._closed = True
            self._freed.notify_all()
            self._alarm.notify_all()
            children, idle, starting = list(self._children), list(self._free), list(self._starting)
            self._free.clear()
            for child in children:
                child.process.kill()
        for thread in starting:
            thread.join()
        for child in idle:
            child.end()
        for child in children:
            child.process.wait()
        atexit.unregister(self.close)

    def _take(self) -> _Child:
        with self._lock:
            failures = self._failures
            while not self._closed:
                if child := self._pop():
                    self._arm(child, self.seconds)
                    return child
                if self._failures == failures:
                    self._fill()
                elif not self._size:
                    raise self._failure
                self._freed.wait()
        raise WorkerFailed("closed", "the worker has been closed")

    def _pop(self) -> _Child | None:
        while self._free:
            child = self._free.pop()  # the last one used: its caches are warm
            if child.process.poll() is None:
                return child
            self._drop(child)
        return None

    def _give_back(self, child: _Child, sound: bool) -> None:
        with self._lock:
            keep = sound and not child.expired and not self._closed and self._size <= self._wanted()
            if keep:
                self._rest(child)
            else:
                self._drop(child)
        if not keep:
            child.end()

    def _rest(self, child: _Child) -> None:
        child.slow_at = child.deadline = math.inf
        child.slow = False
        self._free.append(child)
        self._freed.notify()

    def _drop(self, child: _Child) -> None:
        self._children.discard(child)
        self._size -= 1
        self._fill()

    def _wanted(self) -> int:
        return self._raised if monotonic() < self._calm_at else self.processes

    def _fill(self) -> None:
        while self._size < self._wanted() and not self._closed:
            self._size += 1
            thread = threading.Thread(target=self._bring_up, daemon=True)
            self._starting.add(thread)
            thread.start()

    def _bring_up(self) -> None:
        """Starts one child and waits until its imports are done."""
        child, failure = None, None
        try:
            child = _Child(self._arguments)
            with self._lock:
                self._children.add(child)
                self._arm(child, START_SECONDS, slow=math.inf)
                if self._closed:
                    child.process.kill()
            child.answer(self.output_bytes)
        except WorkerFailed as error:
            failure = error
        except (*BROKEN, OverflowError) as error:
            failure = WorkerFailed("start", f"the process did not start ({error or 'it ended at once'})")
        with self._lock:
            self._starting.discard(threading.current_thread())
            if child and not failure and not self._closed:
                self._rest(child)
                return
            self._failure = failure or self._failure
            self._failures += 1
            self._size -= 1
            if child:
                self._children.discard(child)
            self._freed.notify_all()
        if child:
            child.end()

    def _arm(self, child: _Child, seconds: float, slow: float = SLOW) -> None:
        now = monotonic()
        child.slow_at, child.deadline = now + slow, now + seconds
        if self._guard is None:
            atexit.register(self.close)
            self._guard = threading.Thread(target=self._watch, daemon=True)
            self._guard.start()
        elif min(child.slow_at, child.deadline) < self._due:
            self._alarm.notify()

    def _watch(self) -> None:
        """Replaces slow children and kills those past their deadline. It wakes when one falls due, not for every call."""
        with self._lock:
            while not self._closed:
                now = monotonic()
                for child in self._children:
                    if child.slow_at <= now:
                        child.slow_at, child.slow = math.inf, True
                    if child.deadline <= now:
                        child.deadline, child.expired = math.inf, True
                        child.process.kill()
                if slow := sum(child.slow for child in self._children):
                    self._raised = max(self._wanted(), self.processes + min(slow, self.processes) + 1)
                    self._calm_at = now + CALM
                    self._fill()
                self._due = min((min(c.slow_at, c.deadline) for c in self._children), default=math.inf)
                self._alarm.wait(self._due - now if self._due < math.inf else None)
