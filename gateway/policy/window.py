"""Counting over the last few seconds.

Lives here: a counter over a sliding window, in ten buckets of time. Must not: remember single events. Law: memory is
fixed, and an event counts for at least nine tenths of the window and at most the whole of it.
"""

from __future__ import annotations

from typing import Final

_BUCKETS: Final = 10
_NEVER: Final = -(2**62)
_SHORTEST: Final = 0.001


class Window:
    """How many events there were in the last `seconds`."""

    __slots__ = ("_counts", "_epochs", "_width")

    def __init__(self, seconds: float) -> None:
        self._width = max(seconds, _SHORTEST) / _BUCKETS
        self._counts = [0] * _BUCKETS
        self._epochs = [_NEVER] * _BUCKETS

    def add(self, now: float) -> None:
        epoch = int(now // self._width)
        place = epoch % _BUCKETS
        if self._epochs[place] == epoch:
            self._counts[place] += 1
        else:
            self._epochs[place] = epoch
            self._counts[place] = 1

    def total(self, now: float) -> int:
        oldest = int(now // self._width) - _BUCKETS + 1
        return sum(count for epoch, count in zip(self._epochs, self._counts, strict=True) if epoch >= oldest)

    def clear(self) -> None:
        self._counts = [0] * _BUCKETS
        self._epochs = [_NEVER] * _BUCKETS
