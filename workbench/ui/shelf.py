"""Keeps the pictures and clips of the data folder under a limit: what no run used for longest goes first, never a pinned run's.

Knows nothing of layout. Runs stay when their files go: the history says what is missing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.errors import WorkbenchError
from workbench.media import Library
from workbench.store import Store
from workbench.types import Text
from workbench.ui.rows import content_of

MOST = 20_000_000_000  # bytes of all files
FRESH = 3600.0  # seconds within which a file may lie in a page that is open, and stays
EVERY = 30.0  # seconds between two looks at the folder


@dataclass
class Shelf:
    """Safe to use from many threads. Without a library there is nothing to keep tidy."""

    library: Library | None = None
    store: Store | None = None
    most: int = MOST
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tidy(self, *, now: bool = False) -> int:
        """Deletes files until the rest is under the limit; how many went. `now`: even if that was looked at just before.

        Raises StoreFailed where it cannot be read which runs use what: then nothing is deleted.
        """
        if self.library is None or self.store is None or not (now or time.monotonic() >= self._next):
            return 0
        with self._lock:
            self._next = time.monotonic() + EVERY
            files = self.library.files()
            over, gone = sum(file.size for file in files) - self.most, 0
            if over <= 0:
                return 0
            used = self._used(self.store)
            for file in sorted(files, key=lambda f: max(f.at, used.get(f.digest, 0.0))):
                last = max(file.at, used.get(file.digest, 0.0))
                if over <= 0 or time.time() - last < FRESH:
                    break
                if self.library.drop(file):
                    over, gone = over - file.size, gone + 1
            return gone

    def _used(self, store: Store) -> Mapping[str, float]:
        """Per digest when a run last used it; what a pinned one uses is always in use."""
        found = dict[str, float]()
        for parts, last, pinned in store.contents():
            for digest in digests_of(parts):
                found[digest] = max(found.get(digest, 0.0), float("inf") if pinned else last)
        return found


def digests_of(parts: object) -> set[str]:
    """The files that a row or query of a run refers to; of what was written otherwise, none."""
    try:
        return {part.digest for part in content_of(parts) if not isinstance(part, Text)}  # type: ignore[arg-type]
    except (TypeError, ValueError, WorkbenchError):
        return set()
