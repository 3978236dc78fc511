"""The disposable end of a worker: `python -m workbench.worker MODULE SECONDS MEMORY_MB OUTPUT_BYTES PATH...`.

Knows nothing of what its tasks do: it limits itself, then answers requests on its pipes until they close.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import ModuleType
from typing import IO

from workbench.types import JSON
from workbench.worker._frames import frame, receive, send

FILES = 64  # open at once
MESSAGE = 1000  # characters of an error that are passed on


def main(arguments: list[str]) -> None:
    name, seconds, memory_mb, output_bytes, *places = arguments
    sys.path += [p for p in places if p not in sys.path]
    requests, replies = _take_pipes()
    try:
        module = importlib.import_module(name)
    except Exception as error:
        send(replies, frame({"failed": {"kind": "start", "message": f"{name} cannot be imported ({error})"}}))
        return
    _limit(int(memory_mb))
    send(replies, frame({"result": None}))
    while _answer(module, requests, replies, float(seconds), int(output_bytes)):
        pass


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes under private numbers; what a task or library reads is empty, what it prints is lost."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, replies


def _answer(module: ModuleType, requests: IO[bytes], replies: IO[bytes], seconds: float, most: int) -> bool:
    """One request. False when the pipe has closed, or when this process is no longer fit for another."""
    alarm = getattr(signal, "setitimer", None)
    try:
        header, blobs = receive(requests)
        if alarm:  # the parent ends a task in time; this ends it when the parent is gone, and needs no interpreter
            alarm(signal.ITIMER_REAL, seconds + 1)
        pieces, fit = _run(module, header, blobs, most), True
    except EOFError:
        return False
    except MemoryError:
        pieces, fit = frame({"limit": "memory"}), False
    send(replies, pieces)
    if alarm:
        alarm(signal.ITIMER_REAL, 0)
    return fit


def _run(module: ModuleType, header: dict[str, JSON], blobs: list[bytes], most: int) -> list[bytes]:
    try:
        task = getattr(module, header["task"])
        result, answer = task(header["arguments"], blobs)
        pieces = frame({"result": result}, answer)
    except MemoryError:
        raise
    except Exception as error:
        pieces = frame({"failed": _described(error)})
    return pieces if sum(map(len, pieces)) <= most else frame({"limit": "output"})


def _described(error: Exception) -> dict[str, JSON]:
    """As WorkerFailed takes it; the texts are cut and made safe to send."""
    facts = {name: str(getattr(error, name, "")) for name in ("where", "hint")}
    facts["kind"] = str(getattr(error, "kind", type(error).__name__))
    facts["message"] = str(getattr(error, "message", error))
    places = {name: getattr(error, name, 0) for name in ("line", "column")}
    safe: dict[str, JSON] = {k: v[:MESSAGE].encode(errors="replace").decode() for k, v in facts.items()}
    return safe | {name: place if type(place) is int else 0 for name, place in places.items()}


def _limit(memory_mb: int) -> None:
    """Memory beyond what the imports took, no core dumps, no byte into any file. What a system cannot limit stays free."""
    try:
        import resource
    except ImportError:  # Windows: time and output are limited, memory is not
        return
    for what, value in (
        (resource.RLIMIT_AS, _mapped() + (memory_mb << 20)),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, FILES),
    ):
        try:
            resource.setrlimit(what, (value, value))
        except (ValueError, OSError):  # macOS refuses RLIMIT_AS
            continue


def _mapped() -> int:
    """Bytes of address space in use; a guess where /proc is missing."""
    try:
        with open("/proc/self/statm", encoding="ascii") as facts:
            return int(facts.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 1 << 30


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # nothing to tidy up, and a task's leavings shall not hold it up
