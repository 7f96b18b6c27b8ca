"""A connection that comes back by itself: the circuit of the Redis store.

Lives here: when it is dialled again, and what a call meets meanwhile. Law: a store that is away costs a call at most
one deadline. While its fault is known, calls fail at once, and one dial at a time finds out whether it is gone.
A connection that was only closed is no fault yet: calls wait for the dial that follows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.store.faults import too_late, unreachable
from gateway.store.hot_connection import HotConnection
from gateway.store.protocol import StoreDown

FIRST_REST: Final = 0.1
LONGEST_REST: Final = 2.0
"""Seconds between two dials; doubled each time."""

Ended = Callable[[HotConnection, StoreDown], None]
Dial = Callable[[Ended], Awaitable[HotConnection]]
"""Makes a connection that has proved fit for use, or raises, within a bounded time. Its argument is the connection's
`ended`."""


class Lane:
    """connection: the one in use, None while there is none. fault: why not, None while that is not known.

    timeout: seconds that a call waits for a dial. changed: told after each change of `fault`.
    """

    def __init__(
        self, dial: Dial, place: str, timeout: float, chance: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self.connection: HotConnection | None = None
        self.fault: StoreDown | None = None
        self._dial = dial
        self._place = place
        self._timeout = timeout
        self._chance = chance
        self._changed = changed
        self._dialling: asyncio.Task[None] | None = None
        self._known: asyncio.Future[None] | None = None
        self._closed = False

    async def ready(self) -> HotConnection:
        """The connection, dialled first when that is not known to be in vain. StoreDown."""
        if self.connection is None and self.fault is None and not self._closed:
            self._start()
            assert self._known is not None
            try:
                async with asyncio.timeout(self._timeout):
                    await asyncio.shield(self._known)
            except TimeoutError:
                if self.connection is None:
                    self._set_fault(too_late(self._place))
        if self.connection is not None:
            return self.connection
        if self.fault is None:
            raise StoreDown("the store is closed", "closed")
        raise StoreDown(str(self.fault), self.fault.kind)

    async def close(self) -> None:
        self._closed = True
        if self._dialling is not None:
            self._dialling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._dialling
        if self.connection is not None:
            self.connection.end(StoreDown("the store is closed", "closed"))
        self._tell_waiting()

    def _start(self) -> None:
        if self._dialling is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._known = loop.create_future()
            self._dialling = loop.create_task(self._dial_until_it_works())

    async def _dial_until_it_works(self) -> None:
        rest = FIRST_REST
        try:
            while True:
                try:
                    connection = await self._dial(self._end)
                    if connection.fault is not None:
                        raise connection.fault
                except Exception as failure:
                    self._set_fault(unreachable(self._place, failure))
                else:
                    self.connection = connection
                    self._set_fault(None)
                    return
                await asyncio.sleep(rest * (0.5 + self._chance() / 2))
                rest = min(rest * 2, LONGEST_REST)
        finally:
            self._dialling = None

    def _end(self, connection: HotConnection, fault: StoreDown) -> None:
        """A connection has ended; one that never came into use is its dial's to tell of."""
        if connection is not self.connection:
            return
        self.connection = None
        if self._closed:
            return
        if fault.kind != "lost":
            self._set_fault(fault)
        self._start()

    def _set_fault(self, fault: StoreDown | None) -> None:
        self.fault = fault
        self._tell_waiting()
        self._changed()

    def _tell_waiting(self) -> None:
        if self._known is not None and not self._known.done():
            self._known.set_result(None)
