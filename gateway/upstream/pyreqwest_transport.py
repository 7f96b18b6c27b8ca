"""An engine: providers reached over HTTP/1.1 with pyreqwest, also by way of a proxy.

What lives here: one pooled client for each pair of timeouts, and the translation of its failures. The
law: nothing is followed, unpacked, remembered or retried; what breaks before the head is `connect`,
what breaks after it is `cut`. No failure's text holds a URL or a header, because both hold
credentials.

Measured in microseconds: a request does here what a bare loop over the client does, and little more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from types import AsyncGeneratorType
from typing import Final, cast

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError, PyreqwestError
from pyreqwest.http import HeaderMap
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.upstream.proxies import read_proxies
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

MAX_WHOLE: Final = 256 * 1024 * 1024
"""Bytes of a whole reply that are held in memory."""

IDLE: Final = timedelta(seconds=30)
"""How long an unused connection is kept: less than the 60 s and more after which servers drop theirs."""

KEEPALIVE: Final = timedelta(seconds=30)


class PyreqwestTransport:
    """A Transport. environ is read for proxies when a client is first needed (see proxies.py).

    Header values that are not ASCII are left out of a reply: the client cannot read them. A call that
    is cancelled before its head goes on in the client's own runtime, which has no way to abort it: its
    connection is cut when the next bytes come, or when the request's `silence` is over.
    """

    def __init__(self, *, environ: Mapping[str, str] = os.environ, max_whole: int = MAX_WHOLE) -> None:
        self._environ = environ
        self._max_whole = max_whole
        self._clients: dict[tuple[float, float], Client] = {}
        self._streams: set[_Stream] = set()
        self._closed = False

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        try:
            timeouts = request.connect_timeout, request.silence
            client = self._clients.get(timeouts) or self._build_client(*timeouts)
            builder = client.request(request.method, request.url).headers(request.headers)
            if request.body:
                builder = builder.body_bytes(request.body)
            # Whatever is read ahead is waited for with the head: first tokens would come with the last,
            # and a cut body would look like a refused connection.
            call = builder.streamed_read_buffer_limit(0).build_streamed()
        except UpstreamFault:
            raise
        except Exception as failure:  # the client raises ValueError, too, and what it quotes is secret
            raise UpstreamFault("connect", _describe(failure)) from None
        response = await _open(call)
        headers = _read_headers(response.headers)
        if request.streamed:
            stream = _Stream(call, response, self._streams)
            return UpstreamReply(response.status, headers, None, stream.chunks, stream.close)
        return UpstreamReply(response.status, headers, await self._read_whole(call, response))

    async def close(self) -> None:
        """Refuse new calls, break off those that wait for a head, close idle connections and the
        streams that nobody is reading. A stream that is being read ends with its reader."""
        self._closed = True
        for stream in list(self._streams):
            if not stream.is_being_read():
                await stream.close()
        for client in self._clients.values():
            await client.close()

    async def _read_whole(self, call: StreamRequest, response: Response) -> bytes:
        task = _running_task()
        cancelled = task.cancelling()
        try:
            body = await response.body_reader.read(self._max_whole + 1)
            if task.cancelling() > cancelled:
                raise asyncio.CancelledError
        except BaseException as failure:
            await _abandon(call)
            if isinstance(failure, Exception):
                raise UpstreamFault("cut", _describe(failure), status=response.status) from None
            raise
        if body is None:
            return b""
        if len(body) > self._max_whole:
            await _abandon(call)
            raise UpstreamFault(
                "unavailable", f"the reply is larger than {self._max_whole} bytes", status=response.status
            )
        return body.to_bytes()

    def _build_client(self, connect_timeout: float, silence: float) -> Client:
        if self._closed:
            raise UpstreamFault("connect", "the transport is closed")
        proxies = read_proxies(self._environ)
        builder = (
            ClientBuilder()
            .user_agent("router-gateway")
            .follow_redirects(False)
            .referer(False)
            .default_cookie_store(False)
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .http1_only()
            .http1_lower_case_headers()
            .tcp_nodelay(True)
            .tcp_keepalive(KEEPALIVE)
            .connect_timeout(timedelta(seconds=connect_timeout))
            .read_timeout(timedelta(seconds=silence))
            .pool_idle_timeout(IDLE)
            .no_proxy()
        )
        if proxies.http:
            builder = builder.proxy(ProxyBuilder.http(proxies.http).no_proxy(proxies.bypass))
        if proxies.https:
            builder = builder.proxy(ProxyBuilder.https(proxies.https).no_proxy(proxies.bypass))
        client = self._clients[connect_timeout, silence] = builder.build()
        return client


class _Stream:
    """The body of one streamed reply. Closing it while it is being read is an error of the caller's:
    the client would wait for the read, so whoever leaves cancels the reader first."""

    __slots__ = ("_call", "_open", "_response", "chunks")

    def __init__(self, call: StreamRequest, response: Response, opened: set[_Stream]) -> None:
        self._call = call
        self._response = response
        self._open = opened
        self.chunks = self._read()
        opened.add(self)

    async def _read(self) -> AsyncGenerator[bytes, None]:
        try:
            read = self._response.body_reader.read_chunk
            while True:
                task = _running_task()
                cancelled = task.cancelling()
                chunk = await read()
                if task.cancelling() > cancelled:
                    raise asyncio.CancelledError
                if chunk is None:
                    break
                yield chunk.to_bytes()
        except Exception as failure:
            raise UpstreamFault("cut", _describe(failure), status=self._response.status) from None
        self._open.discard(self)

    def is_being_read(self) -> bool:
        return cast("AsyncGeneratorType[bytes, None]", self.chunks).ag_running

    async def close(self) -> None:
        if self not in self._open:
            return
        if self.is_being_read():
            raise RuntimeError("the stream is being read: cancel its reader first")
        self._open.discard(self)
        await _abandon(self._call)


def _running_task() -> asyncio.Task[object]:
    """The task whose cancellation is watched. The client may swallow a cancellation that comes together
    with what was awaited: task.cancelling() has then risen and nothing was raised."""
    task = asyncio.current_task()
    assert task is not None
    return task


async def _open(call: StreamRequest) -> Response:
    """Send and wait for the head. A head that comes together with a cancellation is let go."""
    task = _running_task()
    cancelled = task.cancelling()
    try:
        response = await call.__aenter__()
        if task.cancelling() > cancelled:
            raise asyncio.CancelledError
    except BaseException as failure:
        await _abandon(call)
        if isinstance(failure, Exception):
            raise UpstreamFault("connect", _describe(failure)) from None
        raise
    return response


async def _abandon(call: StreamRequest) -> None:
    """Cut the connection of a call that was not read to its end, if it has one. What is wrong with it
    is known by now."""
    with contextlib.suppress(Exception):
        await call.__aexit__(None, None, None)


def _read_headers(headers: HeaderMap) -> Headers:
    try:
        return [(name.encode(), value.encode()) for name, value in headers.items()]
    except ValueError:
        return _read_ascii_headers(headers)


def _read_ascii_headers(headers: HeaderMap) -> Headers:
    """One value that is not ASCII makes the whole map unreadable, but not the other names in it."""
    found: Headers = []
    for name in dict.fromkeys(headers):
        try:
            found += [(name.encode(), value.encode()) for value in headers.getall(name)]
        except ValueError:
            continue
    return found


def _describe(failure: Exception) -> str:
    """What broke, in the words of the innermost cause that quotes no URL."""
    if not isinstance(failure, PyreqwestError):
        return f"the request could not be sent ({type(failure).__name__})"
    if isinstance(failure, DetailedPyreqwestError):
        causes = failure.details["causes"] or []
        if causes and "://" not in causes[-1]["message"]:
            return f"{failure.message}: {causes[-1]['message']}"
    return failure.message
