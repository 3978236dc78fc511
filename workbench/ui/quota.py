"""How many bytes of files each session has sent, uploaded or pasted, and the sentence when it is too many.

Knows nothing of what the files are: it holds names of sessions and a number for each.
"""

from __future__ import annotations

import re
import threading

from workbench.errors import RequestInvalid

UPLOADS = 2_000_000_000  # bytes of one session
FILE = re.compile(r"\bdata:[^,\s\"']{0,200},[^\s\"'<>]*", re.I)


class Quota:
    """Safe to use from many threads."""

    def __init__(self, most: int = UPLOADS) -> None:
        self.most, self._sent, self._lock = most, dict[str, int](), threading.Lock()

    def take(self, session: str, size: int, where: str) -> None:
        """Counts a file of `size` bytes. RequestInvalid, and nothing counted, where the session has sent too much with it."""
        with self._lock:
            sent = self._sent.get(session, 0)
            if sent + size > self.most:
                raise RequestInvalid(
                    f"is not taken: this page has sent {_amount(sent)} of the {_amount(self.most)} it may send", where=where,
                    hint="Send smaller files, or start the program with a larger --upload-quota.",
                )  # fmt: skip
            self._sent[session] = sent + size

    def forget(self, session: str) -> None:
        with self._lock:
            self._sent.pop(session, None)


def pasted_bytes(text: str) -> int:
    """How many bytes of files a pasted text holds: its data: URLs, as they were sent."""
    return sum(match.end() - match.start() for match in FILE.finditer(text))


def _amount(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
