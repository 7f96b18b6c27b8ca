"""Counting over the last few seconds.

Lives here: a counter over a sliding window, in ten buckets of time. Must not: remember single events. Law: memory is
fixed, and an event counts for at least nine tenths of the window and at most the whole of it.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import Final

_BUCKETS: Final = 10
_NEVER: Final = -(2**62)
_EMPTY: Final = array("q", (_NEVER, 0) * _BUCKETS)
_SHORTEST: Final = 0.001


class Window:
    """How many events there were in the last `seconds`."""

    # Epoch and count of each bucket stand side by side in one piece of memory: a router's window is looked at in each
    # of its requests, and with a thousand routers every object of one is a miss of the processor's caches.
    __slots__ = ("_buckets", "_width")

    def __init__(self, seconds: float) -> None:
        self._width = _width(seconds)
        self._buckets = array("q", _EMPTY)

    def add(self, now: float) -> None:
        epoch = int(now // self._width)
        place = 2 * (epoch % _BUCKETS)
        buckets = self._buckets
        if buckets[place] == epoch:
            buckets[place + 1] += 1
        else:
            buckets[place] = epoch
            buckets[place + 1] = 1

    def total(self, now: float) -> int:
        oldest = int(now // self._width) - _BUCKETS + 1
        buckets = self._buckets
        return sum(buckets[place + 1] for place in range(0, 2 * _BUCKETS, 2) if buckets[place] >= oldest)

    def clear(self) -> None:
        self._buckets = array("q", _EMPTY)


@lru_cache(256)
def _width(seconds: float) -> float:
    """Seconds of a bucket, one object for all windows of a length."""
    return max(seconds, _SHORTEST) / _BUCKETS
