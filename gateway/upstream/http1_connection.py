"""One HTTP/1.1 connection to a provider, on the event loop itself.

What lives here: bytes in, one reply at a time out; llhttp (through httptools) reads the grammar.
No pool, no names, no retries. The law: whoever waits is woken once for each read of the socket and
not once for each piece in it, a reader that is slow stops the socket, and a connection is used
again only when its reply was read to a proper end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final, cast

from httptools import HttpParserError, HttpResponseParser

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers

HIGH_WATER: Final = 256 * 1024
"""Bytes of a stream that wait for their reader before the socket is not read any more."""

MAX_HEAD: Final = 256 * 1024
"""Bytes of a reply's headers, all together."""


class Connection(asyncio.Protocol):
    """A connection and the reply that is being read from it.

    idle_since: loop time of its return to the pool. reused: it has carried a reply before. may_return: the
    reply is over, and another may follow on this connection.
    """

    __slots__ = (
        "_body", "_closed_by_peer", "_done", "_head_size", "_length_known", "_limit", "_loop", "_lost", "_parser",
        "_parser_fed", "_paused", "_size", "_streamed", "_transport", "_waiter", "_without_body", "headers",
        "idle_since", "may_return", "reused", "status",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._lost: str | None = None
        self._paused = False
        self._closed_by_peer = False
        self.reused = False
        self.may_return = False
        self.idle_since = 0.0
        self._begin(streamed=False, without_body=False, limit=0)

    def _begin(self, *, streamed: bool, without_body: bool, limit: int) -> None:
        self._parser = HttpResponseParser(self)
        self._streamed = streamed
        self._without_body = without_body
        self._limit = limit
        self._body: list[bytes] = []
        self._parser_fed = False
        self._head_size = 0
        self._size = 0
        self._length_known = False
        self._done = False
        self.may_return = False
        self.status = 0
        self.headers: Headers = []

    def is_usable(self) -> bool:
        """Whether the other side has kept it open, as far as anybody here has heard."""
        return self._lost is None and self._transport is not None and not self._transport.is_closing()

    def was_closed_unread(self) -> bool:
        """Whether the other side closed it without a byte of a reply, after it had carried others: a
        kept-alive connection that was given up just as it was used."""
        return self.reused and self._closed_by_peer and not self._parser_fed

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    async def ask(self, message: bytes, *, streamed: bool, without_body: bool, limit: int) -> None:
        """Send a request and wait for the head of its reply, or unless `streamed` for all of it.

        limit: bytes of a whole body. Raises UpstreamFault: `connect` while there is no head, `cut` after it,
        `unavailable` for a reply that is too large. A wait that is cancelled closes the connection.
        """
        self._begin(streamed=streamed, without_body=without_body, limit=limit)
        assert self._transport is not None
        if self._lost is not None:
            raise UpstreamFault("connect", self._lost)
        self._transport.write(message)
        while not (self._done or (streamed and self.status)):
            if self._lost is not None:
                raise UpstreamFault("cut" if self.status else "connect", self._lost, status=self.status)
            await self._wait()
        if self._size > limit and not streamed:
            raise UpstreamFault("unavailable", f"the reply is larger than {limit} bytes", status=self.status)

    def whole(self) -> bytes:
        """The body of a reply that was waited for to its end."""
        body = self._body
        return body[0] if len(body) == 1 else b"".join(body)

    async def chunks(self, ended: Callable[[], None]) -> AsyncGenerator[bytes, None]:
        """The body of a streamed reply as it comes: what one read of the socket brought is one chunk.
        ended: called when it was read to its end."""
        while True:
            body = self._body
            if body:
                chunk = body[0] if len(body) == 1 else b"".join(body)
                body.clear()
                self._size = 0
                if self._paused:
                    self._paused = False
                    cast("asyncio.Transport", self._transport).resume_reading()
                yield chunk
            elif self._done:
                ended()
                return
            elif self._lost is not None:
                raise UpstreamFault("cut", self._lost, status=self.status)
            else:
                await self._wait()

    async def _wait(self) -> None:
        self._waiter = waiter = self._loop.create_future()
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

    def _break(self, why: str) -> None:
        if self._lost is None:
            self._lost = why
        self.abort()
        self._wake()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._done or (self._waiter is None and not self._streamed):
            # Bytes that nobody asked for: the two sides do not mean the same reply any more.
            self._break("the provider sent more than its reply")
            return
        self._parser_fed = True
        try:
            self._parser.feed_data(data)
        except HttpParserError as failure:
            self._break(f"the reply is not HTTP/1.1 ({type(failure).__name__})")
            return
        self._tell(len(data))

    def _tell(self, read: int) -> None:
        """Wake whoever waits, if what was read is what he waits for."""
        if self._done or (self._streamed and self.status):
            self._wake()
        elif not self.status:
            self._head_size += read
            if self._head_size > MAX_HEAD:
                self._break(f"the reply's headers are larger than {MAX_HEAD} bytes")
                return
        if self._streamed:
            if self._size > HIGH_WATER and not self._paused and not self._done:
                self._paused = True
                cast("asyncio.Transport", self._transport).pause_reading()
        elif self._size > self._limit:
            self._done = True
            self.abort()
            self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, failure: Exception | None) -> None:
        if not self._done and self.status and failure is None and not self._length_known:
            # A body without a length ends with its connection.
            self._done = True
        if self._lost is None:
            self._closed_by_peer = True
            words = str(failure) if failure is not None else "the provider closed the connection"
            self._lost = words or type(failure).__name__
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = []
            return
        self.status = status
        names = dict(self.headers)
        self._length_known = b"content-length" in names or b"transfer-encoding" in names
        if self._without_body or status in (204, 304):
            self._length_known = True
            self._done = True

    def on_body(self, body: bytes) -> None:
        if not self._done:
            self._body.append(body)
            self._size += len(body)

    def on_message_complete(self) -> None:
        if self.status:
            self._done = True
            # What follows a reply to HEAD cannot be told from a body, so that connection is not used again.
            self.may_return = not self._without_body and self._parser.should_keep_alive()
