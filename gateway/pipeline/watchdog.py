"""One timer for an attempt, whatever it is waiting for.

The head, the first event, each gap between chunks and the end of all are limits on the same wait.
A timer for each would cost more than the rest of a chunk's work, so there is one: progress moves
`due` forward, which costs an assignment, and the timer looks at `due` only when it fires. The first wait of an attempt,
which is the only one of most, shares a timer with all others of its kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.core.errors import FaultKind, UpstreamFault
from gateway.timers import TimerLine

_WORDS: dict[FaultKind, str] = {
    "silent": "nothing came within the time allowed for the first bytes",
    "stalled": "the stream stopped for longer than the idle time allowed",
    "deadline": "the total time allowed for the request ran out",
}


class Watchdog:
    """Cancels the task that made it when `due` passes, and turns that cancellation into a fault.

    deadline: clock time at which everything ends. line: of those whose first limit is the same.
    waiting: false while it is the client that is waited for; then only the deadline counts. Use
    `bitten` on a CancelledError: it returns the fault, once, when the cancellation was this
    watchdog's, and None when it was somebody else's.
    """

    __slots__ = ("_clock", "_deadline", "_fired", "_handle", "_kind", "_limit", "_line", "_task", "last", "waiting")

    def __init__(
        self, clock: Callable[[], float], limit: float, kind: FaultKind, deadline: float, line: TimerLine
    ) -> None:
        self._clock = clock
        self._deadline = deadline
        self._limit = limit
        self._kind: FaultKind = kind
        self._fired: FaultKind | None = None
        self._line = line
        self._task = asyncio.current_task()
        self.last = now = clock()
        self.waiting = True
        self._handle: asyncio.TimerHandle | None = None
        due = min(now + limit, deadline)
        if not line.join(self, due):
            self._set(due - now)

    def expect(self, limit: float, kind: FaultKind) -> None:
        """From now on, wait `limit` seconds after each `last`. The watching task is the caller's."""
        self._limit = limit
        self._kind = kind
        self._task = asyncio.current_task()
        self.last = now = self._clock()
        self.stop()
        self._set(max(0.0, min(limit, self._deadline - now)))

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        else:
            self._line.waiting.pop(self, None)

    def bitten(self) -> UpstreamFault | None:
        fired = self._fired
        if fired is None or self._task is None:
            return None
        self._fired = None
        if self._task.uncancel() > 0:
            return None
        return UpstreamFault(fired, _WORDS[fired])

    def _set(self, delay: float) -> None:
        """A timer of its own."""
        self._handle = asyncio.get_running_loop().call_later(delay, self.ring)

    def ring(self) -> None:
        now = self._clock()
        due = min(self.last + self._limit, self._deadline) if self.waiting else self._deadline
        if not self.waiting and due > now:
            due = min(now + self._limit, due)
        if due > now:
            self._set(due - now)
            return
        self._fired = "deadline" if now >= self._deadline else self._kind
        if self._task is not None:
            self._task.cancel()
