"""One connection to a Redis server, with nothing between a call and the socket that it could do without.

Lives here: bytes out, replies in (hiredis reads the grammar), each to the call that it answers. Must not: know
commands, or what comes after it has ended. Laws: what is called in one turn of the event loop is one write; replies
come in the order of the calls; the deadline costs one timer for all calls, because the oldest is always the first due;
when one call is late the connection ends, because nobody can tell its reply from the next.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from hiredis import HiredisError, Reader

from gateway.store.faults import garbage, lost, too_late
from gateway.store.protocol import StoreDown

SECOND_LOOK: Final = 0.001
"""Seconds that a late call has for its reply to be read."""

LARGEST_REPLY: Final = 256 * 1024 * 1024
"""Bytes of one reply that is not complete."""


class HotConnection(asyncio.Protocol):
    """timeout: seconds for a call. ended: told once, with why. fault: why it ended, None while it
    goes on. place: host and port."""

    __slots__ = (
        "_due", "_ended", "_late", "_loop", "_out", "_reader", "_timeout", "_timer", "_transport", "fault",
        "place",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        place: str,
        timeout: float,
        ended: Callable[[HotConnection, StoreDown], None],
    ) -> None:
        self.place = place
        self._loop = loop
        self._timeout = timeout
        self._ended = ended
        self._reader = Reader()
        self._out: list[bytes] = []
        self._due: deque[tuple[asyncio.Future[object], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._late: asyncio.Future[object] | None = None
        self.fault: StoreDown | None = None

    def call(self, packed: bytes) -> asyncio.Future[object]:
        """The reply to a packed command: bytes, int, None, a list of them, or a hiredis.ReplyError as a value.
        StoreDown when the connection ends before it comes."""
        loop = self._loop
        future: asyncio.Future[object] = loop.create_future()
        if self.fault is not None:
            future.set_exception(_copy(self.fault))
            return future
        out = self._out
        if not out:
            loop.call_soon(self._flush)
        out.append(packed)
        due = loop.time() + self._timeout
        self._due.append((future, due))
        if self._timer is None:
            self._timer = loop.call_at(due, self._look)
        return future

    def end(self, fault: StoreDown) -> None:
        """Close it; whoever waits is told this."""
        if self.fault is not None:
            return
        self.fault = fault
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()
        waiting, self._due = self._due, deque()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(_copy(fault))
        self._ended(self, fault)

    def _flush(self) -> None:
        out = self._out
        if self.fault is None:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        self._out = []

    def _look(self) -> None:
        """The timer: is the oldest call late? It is not moved for every reply, only when it has run out."""
        self._timer = None
        if not self._due:
            return
        loop = self._loop
        oldest, due = self._due[0]
        if due > loop.time():
            self._timer = loop.call_at(due, self._look)
        elif self._late is oldest:
            self.end(too_late(self.place))
        else:
            # It may have been this process that stood still, with the reply in the socket: that is read first.
            self._late = oldest
            self._timer = loop.call_later(SECOND_LOOK, self._look)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        _keep_alive(transport)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        due = self._due
        try:
            reader.feed(data)
            reply = reader.gets()
            while reply is not False:
                future = due.popleft()[0]
                if not future.done():
                    future.set_result(reply)
                reply = reader.gets()
        except (HiredisError, IndexError):
            # An answer that nobody has asked for is no better than one that cannot be read.
            self.end(garbage(self.place))
            return
        if reader.len() > LARGEST_REPLY:
            self.end(garbage(self.place))

    def connection_lost(self, failure: Exception | None) -> None:
        self.end(lost(self.place))


def _copy(fault: StoreDown) -> StoreDown:
    """Each raise adds to an exception's traceback, so each call has its own."""
    return StoreDown(str(fault), fault.kind)


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    """Have the system find out when the other side has gone without a word, before a call does."""
    wire: socket.socket | None = transport.get_extra_info("socket")
    if wire is None:
        return
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        # Not every system has them all.
        if hasattr(socket, option):
            wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
