"""Timers that end in the order in which they begin: one of the event loop's for all of them.

A timer of the loop is the dearest thing on the path of a quick request, which never needs it. Requests wait for the
same few delays, so whoever begins later is due later, and a line needs a timer for its first alone: to join and to
leave is an entry in a dictionary. Law: who is due is rung then and not before; who would be due before those in front
is turned away, and sets a timer of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

_SOONEST: Final = 0.001
"""Seconds. uvloop's timers count in these, so a shorter one would fire at once, again and again."""
_SAME: Final = 1e-6
"""Seconds by which sums of delays differ that are meant to be the same."""


class Timed(Protocol):
    """What waits in a line."""

    def ring(self) -> None:
        """It is due, and in the line no more. Called by the loop: raises nothing, and ends nobody synchronously."""
        ...


class TimerLine:
    """now: clock seconds. waiting: who waits, and when each is due. Who waits no more takes itself out, whether it has
    been rung or not."""

    __slots__ = ("_is_set", "_last", "_now", "waiting")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.waiting: dict[Timed, float] = {}
        self._last = 0.0
        self._is_set = False

    def join(self, timed: Timed, due: float) -> bool:
        """Ring at `due`, in clock seconds. False, and nothing done, where others in the line are due later."""
        if due < self._last:
            return False
        self._last = due
        self.waiting[timed] = due
        if not self._is_set:
            self._set(due - self._now())
        return True

    def _set(self, delay: float) -> None:
        self._is_set = True
        asyncio.get_running_loop().call_later(max(delay, _SOONEST) if delay > 0 else 0, self._ring)

    def _ring(self) -> None:
        self._is_set = False
        now = self._now()
        over: list[Timed] = []
        for timed, due in self.waiting.items():
            if due > now + _SAME:
                self._set(due - now)
                break
            over.append(timed)
        for timed in over:
            if self.waiting.pop(timed, None) is not None:
                timed.ring()


class TimerLines:
    """The lines of a process, by what is waited for in them and how long, which configs say: there are few."""

    __slots__ = ("_lines", "_now")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lines: dict[tuple[str, float], TimerLine] = {}

    def of(self, what: str, delay: float) -> TimerLine:
        """The one for all who wait so many seconds for the same."""
        found = self._lines.get((what, delay))
        if found is None:
            found = self._lines[what, delay] = TimerLine(self._now)
        return found
