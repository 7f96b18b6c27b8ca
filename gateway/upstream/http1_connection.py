"""One HTTP/1.1 connection to a provider, on the event loop itself.

What lives here: bytes in, one reply at a time out; llhttp (through httptools) reads the grammar.
No pool, no names, no retries. The law: whoever waits is woken once for each read of the socket and
not once for each piece in it, a reader that is slow stops the socket, and a connection is used
again only when its request was sent and its reply read to a proper end, with nothing after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers

HIGH_WATER: Final = 256 * 1024
"""Bytes of a stream that wait for their reader before the socket is not read any more."""

MAX_HEAD: Final = 256 * 1024
"""Bytes without a body in them: a reply's headers with the interim replies before it, or its trailers."""

_SURPLUS: Final = "the provider sent bytes that were not asked for"


class Connection(asyncio.Protocol):
    """A connection and the reply that is being read from it.

    loop: its own. idle_since: loop time of its return to the pool. reused: it has carried a reply before.
    """

    __slots__ = (
        "_barren", "_body", "_closed_by_peer", "_done", "_limit", "_lost", "_may_return", "_parser",
        "_parser_fed", "_paused", "_size", "_streamed", "_transport", "_waiter", "_without_body", "headers",
        "idle_since", "loop", "reused", "status",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._lost: str | None = None
        self._paused = False
        self._closed_by_peer = False
        self.reused = False
        self.idle_since = 0.0
        self._begin(streamed=False, without_body=False, limit=0)

    def _begin(self, *, streamed: bool, without_body: bool, limit: int) -> None:
        self._parser = HttpResponseParser(self)
        self._streamed = streamed
        self._without_body = without_body
        self._limit = limit
        self._body: list[bytes] = []
        self._parser_fed = False
        self._barren = 0
        self._size = 0
        self._done = False
        self._may_return = False
        self.status = 0
        self.headers: Headers = []

    def is_usable(self) -> bool:
        """Whether the other side has kept it open, as far as anybody here has heard."""
        return self._lost is None and not self._transport.is_closing()

    def may_return(self) -> bool:
        """Whether the exchange is over on both sides, and another may follow on this connection. A reply may
        come before all of its request is sent; what is left of that would stand before the next one."""
        return self._may_return and self.is_usable() and not self._transport.get_write_buffer_size()

    def was_closed_unread(self) -> bool:
        """Whether the other side closed it without a byte of a reply, after it had carried others: a
        kept-alive connection that was given up just as it was used."""
        return self.reused and self._closed_by_peer and not self._parser_fed

    def abort(self, why: str = "the gateway closed the connection") -> None:
        """Close at once, whatever is under way. Whoever waits is told why."""
        if self._lost is None:
            self._lost = why
        self._transport.abort()
        self._wake()

    async def ask(self, head: bytes, body: bytes, *, streamed: bool, without_body: bool, limit: int) -> None:
        """Send a request and wait for the head of its reply, or unless `streamed` for all of it.

        limit: bytes of a whole body. Raises UpstreamFault: `connect` while there is no head, `cut` after it,
        `unavailable` for a reply that is too large. A wait that is cancelled closes the connection.
        """
        self._begin(streamed=streamed, without_body=without_body, limit=limit)
        if self._lost is not None:
            raise UpstreamFault("connect", self._lost)
        self._transport.write(head)
        if body:
            self._transport.write(body)
        while not (self._done or (streamed and self.status)):
            if self._lost is not None:
                raise UpstreamFault("cut" if self.status else "connect", self._lost, status=self.status)
            await self._wait()
        if self._size > limit and not streamed:
            raise UpstreamFault("unavailable", f"the reply is larger than {limit} bytes", status=self.status)

    def take_whole(self) -> bytes:
        """The body of a reply that was waited for to its end. It is not kept here, where it would stay as long
        as the connection is idle."""
        body, self._body = self._body, []
        return body[0] if len(body) == 1 else b"".join(body)

    async def chunks(self, ended: Callable[[], None]) -> AsyncGenerator[bytes, None]:
        """The body of a streamed reply as it comes: what one read of the socket brought is one chunk.
        ended: called when nobody will read any more of it, whether it was read to its end or not."""
        try:
            while True:
                body = self._body
                if body:
                    chunk = body[0] if len(body) == 1 else b"".join(body)
                    body.clear()
                    self._size = 0
                    if self._paused and self._lost is None:
                        self._paused = False
                        self._transport.resume_reading()
                    yield chunk
                elif self._done:
                    return
                elif self._lost is not None:
                    raise UpstreamFault("cut", self._lost, status=self.status)
                else:
                    await self._wait()
        finally:
            ended()

    async def _wait(self) -> None:
        self._waiter = waiter = self.loop.create_future()
        try:
            await waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        done = self._done
        if done or (self._waiter is None and not self._streamed):
            # The two sides do not mean the same reply any more.
            self.abort(_SURPLUS)
            return
        self._parser_fed = True
        before = self._size
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as failure:
            self.abort(_SURPLUS if self._done else f"the reply is not HTTP/1.1 ({type(failure).__name__})")
            return
        if self._done:
            self._wake()
            return
        if self._size != before:
            self._barren = 0
        else:
            self._barren += len(data)
            if self._barren > MAX_HEAD:
                self.abort(f"the reply's headers are larger than {MAX_HEAD} bytes")
                return
        if self._streamed:
            if self.status:
                self._wake()
            if self._size > HIGH_WATER and not self._paused:
                self._paused = True
                self._transport.pause_reading()
        elif self._size > self._limit:
            self._done = True
            self.abort()

    def eof_received(self) -> bool:
        # Not left to connection_lost: that waits until all is written, and whoever has closed may not read either.
        if self._lost is None and self.status and not self._has_length():
            self._done = True
        self._end("the provider closed the connection")
        self._transport.abort()
        return False

    def connection_lost(self, failure: Exception | None) -> None:
        self._end(str(failure) or type(failure).__name__ if failure else "the provider cut the connection")

    def _end(self, why: str) -> None:
        if self._lost is None:
            self._closed_by_peer = True
            self._lost = why
        self._wake()

    def _has_length(self) -> bool:
        """Whether the head says where the body ends; else that is where the connection ends."""
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    def on_message_begin(self) -> None:
        if self._done:
            raise ValueError(_SURPLUS)
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers come when the headers have been handed out.
        if not self.status:
            self.headers.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.status = status
            self._done = self._without_body or status in (204, 304)

    def on_body(self, body: bytes) -> None:
        if self.status and not self._done:
            self._body.append(body)
            self._size += len(body)

    def on_message_complete(self) -> None:
        if self.status:
            self._done = True
            # What follows a reply to HEAD cannot be told from a body, so that connection is not used again.
            self._may_return = not self._without_body and self._parser.should_keep_alive()
