"""Watching the client's side of a request: a body that does not arrive, a connection that goes.

One timer serves both, and most requests end before it, so that it is one for all of them: while
the body is read it is the body's limit, and after that the moment from which the connection is
watched. Watching costs a task, which a reply that comes at once never needs.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from gateway.core.exchange import Exchange
from gateway.ingress.body import Receive
from gateway.timers import TimerLine

WATCH_AFTER: Final = 0.02
"""Seconds after which a client's leaving is noticed at once. Before that, at the end of them."""


class Watch:
    """Ends the request's task when the client's side fails.

    timed_out: the body was not there in time, and the cancellation is that. finish: a client's
    leaving is noted (`exchange.gone`) but does not end the task. line: of those that wait WATCH_AFTER.
    """

    __slots__ = (
        "_body_timeout",
        "_exchange",
        "_finish",
        "_handle",
        "_line",
        "_reading",
        "_receive",
        "_watcher",
        "stopped",
        "task",
        "timed_out",
    )

    def __init__(
        self, exchange: Exchange, receive: Receive, body_timeout: float, line: TimerLine, *, finish: bool
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task: asyncio.Task[Any] = task
        self.timed_out = False
        self.stopped = False
        self._exchange = exchange
        self._receive = receive
        self._finish = finish
        self._reading = True
        self._body_timeout = body_timeout
        self._watcher: asyncio.Task[None] | None = None
        self._line = line
        self._handle: asyncio.TimerHandle | None = None
        if not line.join(self, exchange.started + WATCH_AFTER):
            self._set(WATCH_AFTER)

    def body_is_here(self) -> None:
        self._reading = False
        if self._body_timeout < 0:
            self._unset()
            self._set(WATCH_AFTER)

    def start(self) -> None:
        """Watch the connection from now on. Not before the body has been read."""
        if self._watcher is None and not self.stopped:
            self._unset()
            self._watcher = asyncio.get_running_loop().create_task(self._wait())

    def stop(self) -> None:
        self.stopped = True
        self._unset()
        if self._watcher is not None:
            self._watcher.cancel()
            # It knows this watch: together they would be garbage that waits for the collector.
            self._watcher = None

    def ring(self) -> None:
        if not self._reading:
            self.start()
        elif self._body_timeout < 0:
            self.timed_out = True
            self.task.cancel()
        else:
            self._set(max(0.0, self._body_timeout - WATCH_AFTER))
            self._body_timeout = -1.0

    def _set(self, delay: float) -> None:
        """A timer of its own."""
        self._handle = asyncio.get_running_loop().call_later(delay, self.ring)

    def _unset(self) -> None:
        if self._handle is None:
            self._line.waiting.pop(self, None)
        else:
            self._handle.cancel()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._exchange.gone = True
        if not (self._finish or self._exchange.followed):
            self.task.cancel()
