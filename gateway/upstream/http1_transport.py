"""The default engine: HTTP/1.1 on the event loop itself.

What lives here: the pool of connections, how a request is written, and DNS and TLS by way of the
loop. Why it is ours: there is no other thread to wake for each piece of a reply, a cancelled call
is closed at once whatever it waits for, and a kept-alive connection that the provider drops is
known to be gone before it is used (docs/adr/0002 has the measurements).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.upstream.http1_connection import Connection
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

MAX_WHOLE: Final = 256 * 1024 * 1024
"""Bytes of a whole reply that are held in memory."""

IDLE: Final = 30.0
"""Seconds an unused connection is kept: less than the 60 s and more after which servers drop theirs."""

GIVEN_UP_WITHIN: Final = 1.0
"""Seconds within which a kept-alive connection that closes without a word was given up before it was used."""

IDLE_PER_ORIGIN: Final = 1024
REMEMBERED: Final = 4096
REMEMBERED_URL: Final = 1024
"""Characters of a URL that is read once and kept; a client's query may be longer."""

JOINED: Final = 64 * 1024
"""Bytes of a body that go out in one write with the headers; a larger one is not copied for that."""

NOT_SENT: Final = frozenset(
    (
        "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    )
)  # fmt: skip
"""Names of headers that are the engine's own: from anybody else they would make another message of it."""

_CLOSED: Final = "the transport is closed"
_ERROR_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Origin(msgspec.Struct, frozen=True):
    """Where a connection leads. host_header as it is sent."""

    scheme: str
    host: str
    port: int
    host_header: str


class Http1Transport:
    """A Transport. tls: makes the context for https, once, when it is first needed."""

    def __init__(
        self, *, max_whole: int = MAX_WHOLE, tls: Callable[[], ssl.SSLContext] = ssl.create_default_context
    ) -> None:
        self._max_whole = max_whole
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._idle: dict[Origin, deque[Connection]] = {}
        self._busy: set[Connection] = set()
        self._connecting: set[asyncio.Timeout] = set()
        self._urls: dict[str, tuple[Origin, str]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        origin, target = self._urls.get(request.url) or self._read_url(request.url)
        head, rest = _write(request, origin, target)
        streamed = request.streamed
        without_body = request.method == "HEAD"
        connection = self._take(origin)
        if connection is not None:
            asked = connection.loop.time()
            try:
                await self._ask(connection, head, rest, streamed=streamed, without_body=without_body)
            except UpstreamFault as fault:
                # Dropped by the provider in the moment in which it was used: nobody has seen the request.
                # A provider that thought about it first may have begun to answer, and bill.
                stale = connection.was_closed_unread() and connection.loop.time() - asked < GIVEN_UP_WITHIN
                if fault.kind != "connect" or not stale:
                    raise
                connection = None
        if connection is None:
            if self._closed:
                raise UpstreamFault("connect", _CLOSED)
            connection = await self._connect(origin, request.connect_timeout)
            await self._ask(connection, head, rest, streamed=streamed, without_body=without_body)
        if streamed:
            stream = _Stream(self, origin, connection)
            return UpstreamReply(connection.status, connection.headers, None, stream.chunks, stream.close)
        reply = UpstreamReply(connection.status, connection.headers, connection.take_whole())
        self.give_back(origin, connection)
        return reply

    async def close(self) -> None:
        self._closed = True
        now = asyncio.get_running_loop().time()
        for limit in self._connecting:
            if not limit.expired():
                limit.reschedule(now)
        if self._sweep is not None:
            self._sweep.cancel()
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()
        for connection in list(self._busy):
            connection.abort(_CLOSED)
        # An aborted socket is closed in the loop's next turn.
        await asyncio.sleep(0)

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next call, if its reply has ended as it should."""
        self._busy.discard(connection)
        if self._closed or not connection.may_return():
            connection.abort()
            return
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = deque()
        if len(idle) >= IDLE_PER_ORIGIN:
            connection.abort()
            return
        loop = connection.loop
        connection.idle_since = loop.time()
        connection.reused = True
        idle.append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(IDLE, self._close_idle, loop)

    async def _ask(
        self, connection: Connection, head: bytes, rest: bytes, *, streamed: bool, without_body: bool
    ) -> None:
        self._busy.add(connection)
        try:
            await connection.ask(head, rest, streamed=streamed, without_body=without_body, limit=self._max_whole)
        except BaseException:
            self._busy.discard(connection)
            connection.abort()
            raise

    def _take(self, origin: Origin) -> Connection | None:
        """The connection that was used last, so that the others may grow old."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_usable():
                return connection
        return None

    def _close_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweep = None
        oldest = loop.time() - IDLE
        for origin, idle in list(self._idle.items()):
            while idle and (idle[0].idle_since <= oldest or not idle[0].is_usable()):
                idle.popleft().abort()
            if not idle:
                del self._idle[origin]
        if self._idle and not self._closed:
            self._sweep = loop.call_later(IDLE / 2, self._close_idle, loop)

    async def _connect(self, origin: Origin, seconds: float) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            tls = self._context() if origin.scheme == "https" else None
            async with asyncio.timeout(seconds) as limit:
                self._connecting.add(limit)
                try:
                    transport, connection = await loop.create_connection(
                        lambda: Connection(loop),
                        origin.host,
                        origin.port,
                        ssl=tls,
                        server_hostname=origin.host if tls is not None else None,
                    )
                finally:
                    self._connecting.discard(limit)
        except (OSError, ValueError) as failure:
            why = _CLOSED if self._closed else self._describe(failure, seconds)
            raise UpstreamFault("connect", why) from None
        if self._closed:
            connection.abort()
            raise UpstreamFault("connect", _CLOSED)
        link = transport.get_extra_info("socket")
        if link is not None:
            # A provider that vanished without a word is found out, and small writes are not held back.
            with contextlib.suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = self._make_tls()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _describe(self, failure: Exception, seconds: float) -> str:
        """Why there is no connection, without the address, which may be a secret of its own."""
        match failure:
            case ssl.SSLCertVerificationError():
                words = f"the certificate was not accepted: {failure.verify_message}"
                if self._tls is not None and not self._tls.cert_store_stats()["x509_ca"]:
                    words += " (no authority is trusted here: set SSL_CERT_FILE to a file with their certificates)"
                return words
            case ssl.SSLError():
                return f"no TLS: {failure}"
            case socket.gaierror() | UnicodeError():
                return "the provider's name was not found"
            case TimeoutError():
                return f"no connection within {seconds:g} s"
            case OSError(errno=int(number)):
                return os.strerror(number)
            case OSError() if numbers := _ERROR_NUMBER.findall(str(failure)):
                # A name with several addresses, and each was refused in words that hold it.
                return "; ".join(dict.fromkeys(os.strerror(int(number)) for number in numbers))
            case _:
                return str(failure) or type(failure).__name__

    def _read_url(self, url: str) -> tuple[Origin, str]:
        try:
            parts = urlsplit(url)
            given = parts.port
        except ValueError:
            raise _unreadable() from None
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host or given == 0 or parts.username is not None:
            raise _unreadable()
        if not url.isascii() or not url.isprintable() or " " in url:
            raise UpstreamFault("connect", "the provider's address holds characters that a URL cannot hold")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        header = f"[{host}]" if ":" in host else host
        if given is not None:
            header += f":{given}"
        port = given or (443 if parts.scheme == "https" else 80)
        found = Origin(parts.scheme, host, port, header), target
        if len(url) <= REMEMBERED_URL:
            if len(self._urls) >= REMEMBERED:
                self._urls.clear()
            self._urls[url] = found
        return found


class _Stream:
    """The body of one streamed reply, and its connection's way home."""

    __slots__ = ("_connection", "_ended", "_origin", "_transport", "chunks")

    def __init__(self, transport: Http1Transport, origin: Origin, connection: Connection) -> None:
        self._transport = transport
        self._origin = origin
        self._connection = connection
        self._ended = False
        self.chunks = connection.chunks(self._end)

    async def close(self) -> None:
        """Cut the connection, unless it is on its way home. Whoever still holds `chunks` could read another's
        reply from it."""
        if not self._ended:
            self._connection.abort()
            self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._transport.give_back(self._origin, self._connection)


class _Names(dict[str, str]):
    """How a header's line begins, by its name. A name is judged once and remembered."""

    def __missing__(self, name: str) -> str:
        if not _TOKEN.fullmatch(name):
            raise UpstreamFault("connect", "a header of the request has a name that HTTP cannot send")
        if name.lower() in NOT_SENT:
            raise UpstreamFault("connect", f"the request has a header {name!r}, which is the connection's own")
        if len(self) >= REMEMBERED:
            self.clear()
        start = self[name] = f"{name}: "
        return start


_names = _Names()


def _write(request: UpstreamRequest, origin: Origin, target: str) -> tuple[bytes, bytes]:
    """The request's bytes, to be sent one after the other. A line break in a header would begin another
    header, so it is refused."""
    method = request.method
    if not (method.isalpha() and method.isascii()) and not _TOKEN.fullmatch(method):
        raise UpstreamFault("connect", "the request's method cannot be sent")
    names = _names
    lines = [f"{method} {target} HTTP/1.1\r\nhost: {origin.host_header}\r\n"]
    lines += [f"{names[name]}{value}\r\n" for name, value in request.headers]
    if "user-agent" not in dict(request.headers):
        lines.append("user-agent: router-gateway\r\n")
    body = request.body
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"content-length: {len(body)}\r\n")
    text = "".join(lines)
    if text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1 or "\0" in text:
        raise UpstreamFault("connect", "a header of the request holds a line break")
    try:
        head = text.encode("latin-1") + b"\r\n"
    except UnicodeEncodeError:
        raise UpstreamFault("connect", "a header of the request holds characters that HTTP cannot send") from None
    return (head, body) if len(body) > JOINED else (head + body, b"")


def _unreadable() -> UpstreamFault:
    return UpstreamFault("connect", "the provider's address is not an http or https URL")
