"""Things worth keeping, by content, within a budget: the least lately used goes first; and how to do without for a while.

Knows nothing of what it keeps.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_ASIDE = ContextVar("aside", default=False)


@contextmanager
def aside() -> Iterator[None]:
    """Within it nothing is found and nothing is kept, for this thread alone; what was kept before stays."""
    before = _ASIDE.set(True)
    try:
        yield
    finally:
        _ASIDE.reset(before)


class Kept(Generic[K, V]):
    """At most `limit` in all, by what `weigh` says of each (one each, when not given). Safe to ask from several threads."""

    def __init__(self, limit: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._limit, self._weigh, self._weight = limit, weigh, 0
        self._things: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        if _ASIDE.get():
            return None
        with self._lock:
            if (found := self._things.get(key)) is not None:
                self._things.move_to_end(key)
            return found

    def put(self, key: K, value: V) -> None:
        if _ASIDE.get():
            return
        with self._lock:
            if (old := self._things.pop(key, None)) is not None:
                self._weight -= self._weigh(old)
            self._things[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._limit and len(self._things) > 1:
                self._weight -= self._weigh(self._things.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._things.clear()
            self._weight = 0

    def __len__(self) -> int:
        return len(self._things)
