"""The other engine: providers reached over HTTP/1.1 with httpx2, in pure Python.

What lives here: one pooled client and the translation of its failures; the same laws as in
pyreqwest_transport.py, tested by the same tests. It is slower by an order of magnitude and there for
platforms and proxies that the default engine does not serve.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import AsyncGeneratorType
from typing import Any, Final, cast

import httpx2

from gateway.core.errors import UpstreamFault
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

MAX_WHOLE: Final = 256 * 1024 * 1024
"""Bytes of a whole reply that are held in memory."""

IDLE: Final = 30.0
"""Seconds that an unused connection is kept."""

DIRECT: Final = (
    "all://localhost", "all://127.0.0.1", "all://[::1]",
    "all://metadata.google.internal", "all://169.254.169.254", "all://169.254.170.2", "all://169.254.170.23",
)  # fmt: skip
"""This machine is never asked for at a proxy, nor is what a cloud tells it of itself (see proxies.py)."""


class HttpxTransport:
    """A Transport. Proxies are those of the environment, as httpx reads it."""

    def __init__(self, *, max_whole: int = MAX_WHOLE) -> None:
        self._max_whole = max_whole
        self._client: httpx2.AsyncClient | None = None
        self._open: set[_Stream] = set()
        self._closed = False

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        try:
            client = self._client or self._build_client()
            call = client.build_request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.body or None,
                timeout=httpx2.Timeout(request.silence, connect=request.connect_timeout, pool=None),
            )
            response = await client.send(call, stream=True)
        except UpstreamFault:
            raise
        except Exception as failure:  # httpx2 raises errors of the loop and of ssl, too
            raise UpstreamFault("connect", _describe(failure)) from None
        headers = [(name.lower(), value) for name, value in response.headers.raw]
        if request.streamed:
            stream = _Stream(response, self._open)
            return UpstreamReply(response.status_code, headers, None, stream.chunks, stream.close)
        return UpstreamReply(response.status_code, headers, await self._read_whole(response))

    async def close(self) -> None:
        """Refuse new calls and close every connection but those under a stream that is being read:
        such a stream ends with its reader."""
        self._closed = True
        for stream in list(self._open):
            if not stream.is_being_read():
                await stream.close()
        if self._client is not None:
            await self._client.aclose()

    async def _read_whole(self, response: httpx2.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            async for part in _body_of(response):
                parts.append(part)
                size += len(part)
                if size > self._max_whole:
                    break
        except Exception as failure:
            raise UpstreamFault("cut", _describe(failure), status=response.status_code) from None
        finally:
            await _release(response)
        if size > self._max_whole:
            raise UpstreamFault(
                "unavailable", f"the reply is larger than {self._max_whole} bytes", status=response.status_code
            )
        return b"".join(parts)

    def _build_client(self) -> httpx2.AsyncClient:
        if self._closed:
            raise UpstreamFault("connect", "the transport is closed")
        client = httpx2.AsyncClient(
            verify=ssl.create_default_context(),
            follow_redirects=False,
            # A policy that no domain passes: what one caller's reply sets must not go with another's request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"user-agent": "router-gateway"},
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE),
            mounts=dict.fromkeys(DIRECT),
        )
        del client.headers["accept-encoding"]
        self._client = client
        return client


class _Stream:
    """The body of one streamed reply. Closing it while it is being read is an error of the caller's:
    whoever leaves cancels the reader first."""

    __slots__ = ("_open", "_response", "chunks")

    def __init__(self, response: httpx2.Response, opened: set[_Stream]) -> None:
        self._response = response
        self._open = opened
        self.chunks = self._read()
        opened.add(self)

    async def _read(self) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in _body_of(self._response):
                yield chunk
            await _release(self._response)
        except Exception as failure:
            raise UpstreamFault("cut", _describe(failure), status=self._response.status_code) from None
        self._open.discard(self)

    def is_being_read(self) -> bool:
        return cast("AsyncGeneratorType[bytes, None]", self.chunks).ag_running

    async def close(self) -> None:
        if self not in self._open:
            return
        if self.is_being_read():
            raise RuntimeError("the stream is being read: cancel its reader first")
        self._open.discard(self)
        await self._response.aclose()


def _body_of(response: httpx2.Response) -> httpx2.AsyncByteStream:
    """The body as it comes, which leaves the connection to whoever reads it."""
    stream = response.stream
    assert isinstance(stream, httpx2.AsyncByteStream)
    return stream


async def _release(response: httpx2.Response) -> None:
    """Give the connection back, for the next request; not if it has more on it than this reply. httpx2 would take that
    for the next reply, and so give one caller what another was sent."""
    try:
        if _is_followed(response):
            await response.extensions["network_stream"].aclose()
    finally:
        await response.aclose()


def _is_followed(response: httpx2.Response) -> bool:
    """Whether the provider has sent something behind the end of its reply. Only h11 knows, below what is public; where
    it is not found, no connection is used twice."""
    below: Any = response.stream
    for name in ("_stream", "_httpcore_stream", "_stream", "_connection", "_h11_state"):
        below = getattr(below, name, None)
    return below is None or bool(below.trailing_data[0])


def _describe(failure: Exception) -> str:
    """What broke. Texts of errors that are not of the wire may quote a URL or a header."""
    name = type(failure).__name__
    if isinstance(failure, httpx2.TransportError) and (text := str(failure)) and "://" not in text:
        return f"{name}: {text}"
    return name
