"""A least-recently-used store with a budget in bytes, safe to ask from many threads, in which each thing is made once.

Knows nothing of what it keeps.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar

T = TypeVar("T")


class Cache:
    def __init__(self, budget: int) -> None:
        self._budget, self._used = budget, 0
        self._kept: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._lock, self._gates = Lock(), dict[Hashable, Lock]()

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """What is kept under `key`, else what `make` gives, kept if it fits. Two threads that ask at once wait for one
        `make`; what it raises is not kept.
        """
        with self._lock:
            gate = self._gates.setdefault(key, Lock())
        with gate:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key][0]  # type: ignore[return-value]
            try:
                value = make()
                self._keep(key, value, size(value))
                return value
            finally:
                with self._lock:
                    self._gates.pop(key, None)

    def _keep(self, key: Hashable, value: object, size: int) -> None:
        with self._lock:
            if size > self._budget or key in self._kept:
                return
            self._kept[key] = (value, size)
            self._used += size
            while self._used > self._budget:
                self._used -= self._kept.popitem(last=False)[1][1]
