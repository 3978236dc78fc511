"""What passes between the two ends of a worker: a length (4 bytes), a JSON header, and the blobs whose sizes it lists.

Knows nothing of processes or limits; nothing is ever pickled.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import IO

from workbench.types import JSON

LENGTH = struct.Struct("!I")
BROKEN = (EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error)


def frame(header: dict[str, JSON], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """Pieces to send. TypeError or ValueError for what is no JSON (lone surrogates are none)."""
    text = json.dumps({**header, "blobs": [len(b) for b in blobs]}, ensure_ascii=False, separators=(",", ":")).encode()
    return [LENGTH.pack(len(text)) + text, *blobs]


def send(pipe: IO[bytes], pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        pipe.write(piece)
    pipe.flush()


def receive(pipe: IO[bytes], most: float = math.inf) -> tuple[dict[str, JSON], list[bytes]]:
    """The next frame. EOFError at the pipe's end, OverflowError above `most` bytes (before they are read), else BROKEN."""
    (size,) = LENGTH.unpack(_exactly(pipe, LENGTH.size))
    if size > most:
        raise OverflowError
    header = json.loads(_exactly(pipe, size))
    if size + sum(header["blobs"]) > most:
        raise OverflowError
    return header, [_exactly(pipe, n) for n in header["blobs"]]


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data
