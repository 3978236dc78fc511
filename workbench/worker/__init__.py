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
PATIENCE = 0.1  # seconds a call waits for a busy child before a spare one is started


class WorkerFailed(Exception):
    """A task raised. `kind` is a WorkbenchError's kind or the exception's class name; `line` is 0 when unknown."""

    def __init__(self, kind: str, message: str, line: int = 0, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.kind, self.message, self.line, self.where, self.hint = kind, message, line, where, hint


class WorkerLimit(Exception):
    """A task was stopped: `kind` is "time", "memory" or "output", or "crash" when its process died by itself."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class _Child:
    """One process. `deadline` is set while it is at work; past it the watchdog sets `expired` and kills it."""

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
        self.deadline = math.inf
        self.expired = False

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
    """Runs the tasks of one module in `processes` warm children. Thread-safe; nothing starts before the first call.

    A child that had to be killed is replaced in the background. Where all are busy, a call waits 0.1 s and then gets a spare
    one (as many again at most), so that calls which burn all their time hold up nobody.
    """

    def __init__(self, tasks: str, *, seconds: float, memory_mb: int, output_bytes: int, processes: int = 2) -> None:
        self.seconds, self.output_bytes, self.processes = seconds, output_bytes, processes
        self._arguments = [tasks, str(seconds), str(memory_mb), str(output_bytes), *filter(None, sys.path)]
        self._lock = threading.Lock()
        self._freed, self._alarm = threading.Condition(self._lock), threading.Condition(self._lock)
        self._children: set[_Child] = set()
        self._free: list[_Child] = []
        self._starting: set[threading.Thread] = set()
        self._size = self._waiting = self._failures = 0  # size: children that are up or starting
        self._failure = WorkerFailed("start", "the process did not start")
        self._guard: threading.Thread | None = None
        self._guarding = self._closed = False

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
        patient_until = monotonic() + PATIENCE
        with self._lock:
            failures = self._failures
            while not self._closed:
                if child := self._pop():
                    self._arm(child, self.seconds)
                    return child
                if self._failures > failures:
                    if not self._size:
                        raise self._failure
                else:
                    self._grow(self.processes)
                patience = patient_until - monotonic()
                if patience <= 0 and not self._starting:
                    self._grow(min(self._size + 1, 2 * self.processes))
                self._waiting += 1
                self._freed.wait(patience if patience > 0 else None)
                self._waiting -= 1
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
            child.deadline = math.inf
            needed = self._size <= self.processes or self._waiting > 0
            keep = sound and needed and not child.expired and not self._closed
            if keep:
                self._free.append(child)
                self._freed.notify()
            else:
                self._drop(child)
        if not keep:
            child.end()

    def _drop(self, child: _Child) -> None:
        self._children.discard(child)
        self._size -= 1
        self._grow(self.processes)

    def _grow(self, size: int) -> None:
        while self._size < size and not self._closed:
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
                self._arm(child, START_SECONDS)
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
                child.deadline = math.inf
                self._free.append(child)
                self._freed.notify()
                return
            self._failure = failure or self._failure
            self._failures += 1
            self._size -= 1
            if child:
                self._children.discard(child)
            self._freed.notify_all()
        if child:
            child.end()

    def _arm(self, child: _Child, seconds: float) -> None:
        child.deadline = monotonic() + seconds
        if self._guard is None:
            atexit.register(self.close)
            self._guard = threading.Thread(target=self._watch, daemon=True)
            self._guard.start()
        elif not self._guarding:
            self._alarm.notify()

    def _watch(self) -> None:
        """Kills children past their deadline. It wakes when the first one falls due, not for every call."""
        with self._lock:
            while not self._closed:
                now = monotonic()
                for child in self._children:
                    if child.deadline <= now:
                        child.deadline, child.expired = math.inf, True
                        child.process.kill()
                due = min((c.deadline for c in self._children), default=math.inf)
                self._guarding = due < math.inf
                self._alarm.wait(due - now if self._guarding else None)
