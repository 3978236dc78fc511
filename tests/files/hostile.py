"""A decoder that does what a file's last bytes say: run on, fill memory, answer too much, die or raise.

Knows nothing of pictures; a test module for the limits of the worker behind the media library.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def probe(arguments: Any, blobs: list[bytes]) -> tuple[Any, list[bytes]]:
    data = Path(arguments["path"]).read_bytes()
    if data.endswith(b"time"):
        time.sleep(60)
    if data.endswith(b"memory"):
        bytearray(1 << 30)
    if data.endswith(b"output"):
        return None, [bytes(2 << 20)]
    if data.endswith(b"crash"):
        os.abort()
    if data.endswith(b"raise"):
        raise ValueError("no such key")
    return {"width": 1, "height": 1}, []
