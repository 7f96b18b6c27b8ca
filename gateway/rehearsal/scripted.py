"""A Transport whose providers do what they are told to, on virtual time.

What lives here: Script (what a provider does to one call), ScriptedTransport (which script a host's
call gets, and a record of every call) and ready scripts. A call is open from
`send` until its reply was read to the end, broke off, or was closed: what ends with
`open_calls == 0` has leaked nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.rehearsal.replies import chat_reply, chat_stream
from gateway.rehearsal.virtual_time import VirtualLoop, elapsed
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

JSON: Final = ("content-type", "application/json")
SSE: Final = ("content-type", "text/event-stream; charset=utf-8")

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Script:
    """What a provider does to one call. Delays are virtual seconds.

    fault: there is no head; `hang`: there never is one, nor an end. chunks: the body in pieces; the
    one after the last is the end (`end`), a reset (`cut`), nothing ever (`hang`), or the last piece
    again without end (`endless`).
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (JSON,)
    chunks: tuple[bytes, ...] = ()
    delay: float = 0.0
    first_delay: float = 0.0
    gap: float = 0.0
    then: Literal["end", "cut", "hang", "endless"] = "end"
    fault: Literal["", "refused", "reset", "hang"] = ""

    def after(self, delay: float) -> Script:
        """The same, with its head `delay` seconds after the call."""
        return replace(self, delay=delay)

    def with_headers(self, **headers: str) -> Script:
        """The same with more headers; `_` stands for `-`."""
        more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return replace(self, headers=(*self.headers, *more))


@dataclass(slots=True)
class Sent:
    """One call, as the transport got it. at: virtual seconds. read: pieces of the body handed out so
    far. end: `complete`, `failed` (the provider broke it), `cancelled` (the gateway did), `` while open.
    task: the one that made the call."""

    request: UpstreamRequest
    host: str
    at: float
    task: asyncio.Task[Any] | None = None
    script: Script | None = None
    read: int = 0
    end: Literal["", "complete", "failed", "cancelled"] = ""
    ended_at: float = 0.0

    @property
    def url(self) -> str:
        return self.request.url

    @property
    def path(self) -> str:
        parts = urlsplit(self.request.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    @property
    def body(self) -> bytes:
        return self.request.body

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.request.headers)

    @property
    def key(self) -> str:
        """The credential that was sent, in whatever header."""
        return key_of(self.headers)

    def json(self) -> Any:
        return msgspec.json.decode(self.request.body)

    def settle(self, end: Literal["complete", "failed", "cancelled"]) -> None:
        if not self.end:
            self.end = end
            self.ended_at = _now()


def key_of(headers: Mapping[str, str]) -> str:
    """The credential in a request's headers, whatever their dialect; empty where there is none."""
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    return bearer or headers.get("x-api-key") or headers.get("x-goog-api-key") or headers.get("api-key") or ""


Answer = Script | Callable[[UpstreamRequest, int], Script]
"""A function gets the request and how many the host had before it."""


@dataclass(slots=True)
class _Host:
    queue: list[Answer]
    calls: int = 0

    def next(self, request: UpstreamRequest) -> Script:
        number = self.calls
        self.calls += 1
        answer = self.queue.pop(0) if len(self.queue) > 1 else self.queue[0]
        return answer if isinstance(answer, Script) else answer(request, number)


@dataclass(slots=True)
class ScriptedTransport:
    """Answers by host. sent: every call, in order. otherwise: what hosts do that nobody scripted; None refuses."""

    sent: list[Sent] = field(default_factory=list)
    otherwise: Answer | None = None
    closed: bool = False
    _hosts: dict[str, _Host] = field(default_factory=dict)

    def on(self, host: str, *answers: Answer) -> None:
        """What `host` does from now on: one answer a call, the last one for all that follow."""
        self._hosts[host] = _Host(list(answers))

    def to(self, host: str) -> list[Sent]:
        """The calls that `host` had."""
        return [call for call in self.sent if call.host == host]

    def hosts(self) -> list[str]:
        """The host of each call, in order."""
        return [call.host for call in self.sent]

    @property
    def last(self) -> Sent:
        return self.sent[-1]

    @property
    def open_calls(self) -> int:
        return sum(not call.end for call in self.sent)

    @property
    def cancelled_calls(self) -> int:
        return sum(call.end == "cancelled" for call in self.sent)

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        host = urlsplit(request.url).netloc
        call = Sent(request, host, _now(), asyncio.current_task())
        self.sent.append(call)
        call.script = script = self._next(host, request)
        try:
            return await self._answer(call, script)
        except asyncio.CancelledError:
            call.settle("cancelled")
            raise
        except UpstreamFault:
            call.settle("failed")
            raise

    def _next(self, host: str, request: UpstreamRequest) -> Script:
        if host in self._hosts:
            return self._hosts[host].next(request)
        if self.otherwise is None:
            return refuse()
        return self.otherwise if isinstance(self.otherwise, Script) else self.otherwise(request, len(self.sent) - 1)

    async def close(self) -> None:
        self.closed = True

    async def _answer(self, call: Sent, script: Script) -> UpstreamReply:
        if script.delay:
            await asyncio.sleep(script.delay)
        if script.fault == "hang":
            await asyncio.Event().wait()
        if script.fault:
            raise UpstreamFault("connect", "connection refused" if script.fault == "refused" else "connection reset")
        headers = [(name.encode(), value.encode("latin-1")) for name, value in script.headers]
        chunks = _play(call, script)
        if not call.request.streamed:
            return UpstreamReply(script.status, headers, b"".join([chunk async for chunk in chunks]))

        async def close() -> None:
            call.settle("cancelled")

        return UpstreamReply(script.status, headers, None, chunks, close)


def _now() -> float:
    """Virtual seconds, or those of the real loop that a test with a real server runs on."""
    loop = asyncio.get_running_loop()
    return elapsed() if isinstance(loop, VirtualLoop) else loop.time()


async def _play(call: Sent, script: Script) -> AsyncIterator[bytes]:
    chunks = script.chunks
    if script.first_delay:
        await asyncio.sleep(script.first_delay)
    while call.read < len(chunks) or script.then == "endless":
        if call.read and script.gap:
            await asyncio.sleep(script.gap)
        if call.end:
            raise AssertionError("the body was read after its call had ended")
        call.read += 1
        yield chunks[min(call.read, len(chunks)) - 1]
    if script.gap:
        await asyncio.sleep(script.gap)
    if script.then == "hang":
        await asyncio.Event().wait()
    if script.then == "cut":
        call.settle("failed")
        raise UpstreamFault("cut", "the connection was reset", status=script.status)
    call.settle("complete")


def ok(body: object = None, *, headers: Sequence[tuple[str, str]] = (), delay: float = 0.0) -> Script:
    """200 with JSON: bytes as they are, anything else encoded; without a body, an OpenAI chat reply."""
    body = chat_reply() if body is None else body
    return Script(200, (JSON, *headers), (body if isinstance(body, bytes) else _encode(body),), delay=delay)


def status(
    code: int,
    body: object = None,
    *,
    retry_after: float | str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    delay: float = 0.0,
) -> Script:
    """An error reply; without a body, OpenAI's shape. retry_after: seconds, or an HTTP date as text."""
    if body is None:
        body = {"error": {"message": f"scripted {code}", "type": "scripted", "code": None, "param": None}}
    more = () if retry_after is None else (("retry-after", str(retry_after)),)
    content = body if isinstance(body, bytes) else _encode(body)
    return Script(code, (JSON, *more, *headers), (content,) if content else (), delay=delay)


def html(code: int = 502) -> Script:
    """What a proxy in between says."""
    page = f"<html><head><title>{code} Bad Gateway</title></head><body>nginx</body></html>"
    return Script(code, (("content-type", "text/html"),), (page.encode(),))


def refuse(delay: float = 0.0) -> Script:
    """Nobody listens."""
    return Script(fault="refused", delay=delay)


def reset(delay: float = 0.0) -> Script:
    """The connection is gone before there is a head."""
    return Script(fault="reset", delay=delay)


def hang() -> Script:
    """A connection, and never a head."""
    return Script(fault="hang")


def stream(
    chunks: Sequence[bytes] | None = None,
    *,
    headers: Sequence[tuple[str, str]] = (),
    gap: float = 0.0,
    delay: float = 0.0,
    first_delay: float = 0.0,
    cut_after: int | None = None,
    hang_after: int | None = None,
    endless: bool = False,
    content_type: str = SSE[1],
) -> Script:
    """200 and a body in pieces; without any, an OpenAI chat stream. delay: until the head. first_delay:
    from there to the first piece. cut_after, hang_after: after so many pieces the connection is reset,
    or nothing comes any more."""
    pieces = tuple(chat_stream() if chunks is None else chunks)
    then: Literal["end", "cut", "hang", "endless"] = "endless" if endless else "end"
    if cut_after is not None:
        pieces, then = pieces[:cut_after], "cut"
    elif hang_after is not None:
        pieces, then = pieces[:hang_after], "hang"
    kind = ("content-type", content_type)
    return Script(200, (kind, *headers), pieces, delay=delay, first_delay=first_delay, gap=gap, then=then)
