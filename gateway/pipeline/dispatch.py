"""One attempt: make the request for this target, send it, wait for the first good bytes.

A Reply is returned only when its first bytes are good, so whatever goes wrong before that is an
UpstreamFault that failover may answer with another target. What goes wrong later is raised out of
`Reply.rest`, and only the relay can tell the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec

from gateway.core.clock import Clock
from gateway.core.errors import UpstreamFault, untraced
from gateway.core.exchange import Call, Exchange, Headers, Reply
from gateway.core.secret import LentSecret
from gateway.dialects.faults import bad_body, fault_of
from gateway.dialects.losses import labels
from gateway.dialects.tap import Tap, tap_for, usage_of
from gateway.dialects.translate import StreamTranslation, Translation
from gateway.dialects.translate_whole import WholeTranslation
from gateway.pipeline.flight import Flight
from gateway.pipeline.headers import for_client, for_foreign_client
from gateway.pipeline.outgoing import request_for
from gateway.pipeline.settings import CARRIAGE, Carriage, Limits
from gateway.pipeline.watchdog import Watchdog
from gateway.policy.retry import RetryPolicy, verdict
from gateway.timers import TimerLines
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

ERROR_BODY_LIMIT = 1 << 20
WHOLE_BODY_LIMIT = 1 << 26
AT_A_TIME = 8
"""Requests of one attempt that are under way together, where its inputs are asked for one by one."""

_RAW_OPERATIONS = frozenset(("audio", "images", "other"))


class Dispatch:
    """Sends attempts. clock: time. timers: of the process. limits, retry, carriage: the route's."""

    __slots__ = ("_cache_marks", "_clock", "_first_tokens", "_limits", "_now", "_replies", "_retry")

    def __init__(
        self,
        clock: Clock,
        timers: TimerLines,
        limits: Limits,
        retry: RetryPolicy,
        carriage: Carriage = CARRIAGE,
    ) -> None:
        self._cache_marks = carriage.cache_marks
        self._clock = clock
        self._now = clock.monotonic
        self._limits = limits
        self._first_tokens = timers.of("first token", limits.first_token)
        self._replies = timers.of("reply", limits.total)
        self._retry = retry

    async def __call__(self, exchange: Exchange, flight: Flight, deadline: float) -> Reply:
        """The reply, once its first bytes are good. Raises UpstreamFault; the flight is landed by
        the caller then, and by the end of the reply otherwise."""
        call = exchange.call
        streamed = call.stream or call.operation in _RAW_OPERATIONS
        limits = self._limits
        request = request_for(exchange, flight, streamed, limits, cache_marks=self._cache_marks)
        if call.stream:
            dog = Watchdog(self._now, limits.first_token, "silent", deadline, self._first_tokens)
        else:
            dog = Watchdog(self._now, limits.total, "silent", deadline, self._replies)
        upstream: UpstreamReply | None = None
        try:
            sign = flight.target.endpoint.sign
            unsigned = request.headers
            if sign is not None:
                request.headers = unsigned + await sign(request, flight.key.secret)
            upstream = await flight.target.endpoint.transport.send(request)
            flight.attempt.status = upstream.status
            if not 200 <= upstream.status < 300:
                raise await self._refusal(flight, call, upstream)
            if flight.translation is not None and flight.translation.further:
                request.headers = unsigned
                upstream.body = await self._further(flight, call, request, upstream, flight.translation.further)
            if upstream.body is not None:
                reply = self._whole(exchange, flight, upstream, upstream.body)
                dog.stop()
                return reply
            return await self._stream(exchange, flight, upstream, dog)
        except asyncio.CancelledError:
            dog.stop()
            await _close(upstream)
            fault = dog.bitten()
            if fault is None:
                raise
            raise fault from None
        except BaseException as failure:
            dog.stop()
            await _close(upstream)
            if isinstance(failure, UpstreamFault) and failure.kind in ("cut", "malformed"):
                # Nothing has gone to the client yet, so this is a reply that another target may still give.
                failure.kind = "unavailable"
            raise

    async def _further(
        self, flight: Flight, call: Call, like: UpstreamRequest, first: UpstreamReply, bodies: tuple[bytes, ...]
    ) -> bytes:
        """Ask for the other inputs of a provider that takes one a request, a few at a time, now that it has answered
        for the first. All bodies as one JSON array. like: the first request, unsigned. Raises what the first that
        fails raises; the others are ended."""
        endpoint = flight.target.endpoint
        gate = asyncio.Semaphore(AT_A_TIME)

        async def ask(body: bytes) -> bytes:
            async with gate:
                request = msgspec.structs.replace(like, body=body, headers=list(like.headers), streamed=False)
                if endpoint.sign is not None:
                    request.headers += await endpoint.sign(request, flight.key.secret)
                reply = await endpoint.transport.send(request)
                if not 200 <= reply.status < 300:
                    flight.attempt.status = reply.status
                    raise await self._refusal(flight, call, reply)
                return reply.body or b""

        tasks = [asyncio.ensure_future(ask(body)) for body in bodies]
        try:
            rest = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return b"[" + b",".join((first.body or b"", *rest)) + b"]"

    async def _refusal(self, flight: Flight, call: Call, upstream: UpstreamReply) -> UpstreamFault:
        body = upstream.body
        if body is None:
            body = await _read_some(upstream)
            await _close(upstream)
        wall = self._clock.wall()
        if upstream.status in (401, 403) and isinstance(flight.key.secret, LentSecret):
            flight.key.secret.lender.forget()
        if flight.translation is None:
            return fault_of(call.dialect, upstream.status, upstream.headers, body, wall)
        fault = fault_of(flight.target.site.dialect, upstream.status, upstream.headers, body, wall)
        # A client cannot read another dialect's error: it gets the words in its own.
        fault.body = b""
        return fault

    def _whole(self, exchange: Exchange, flight: Flight, upstream: UpstreamReply, body: bytes) -> Reply:
        call = exchange.call
        if bad_body(call, _content_type(upstream.headers), body):
            raise UpstreamFault("unavailable", "The reply was not JSON.", status=upstream.status)
        if flight.translation is None:
            headers = for_client(upstream.headers)
            exchange.usage, flight.attempt.answered = usage_of(call, body)
        else:
            headers = for_foreign_client(upstream.headers, b"application/json")
            body, exchange.usage = flight.translation.reply(body, upstream.headers)
            flight.attempt.answered = flight.translation.model
            if flight.translation.unsaid:
                exchange.losses += labels(flight.translation.unsaid)
        now = self._now()
        flight.attempt.first_byte = now
        flight.succeed(now)
        return Reply(upstream.status, headers, body)

    async def _stream(self, exchange: Exchange, flight: Flight, upstream: UpstreamReply, dog: Watchdog) -> Reply:
        """Read up to the first good event. A stream that was asked for and came as something else
        is passed as it is."""
        call = exchange.call
        chunks = upstream.chunks
        assert chunks is not None
        translation = flight.translation
        tap: Tap | None = None
        if translation is not None:
            if not _content_type(upstream.headers).startswith(translation.way.provider.stream_types):
                return await self._unfolded(exchange, flight, upstream, translation, dog)
            tap = translation.stream(upstream.headers)
        elif call.stream and _is_event_stream(upstream.headers, call):
            tap = tap_for(call, strip_usage=flight.target.ask_usage)
        first = b""
        ended = False
        if tap is None:
            first = await anext(chunks, b"")
            ended = not first
            if call.stream and bad_body(call, _content_type(upstream.headers), first):
                raise UpstreamFault("unavailable", "The reply was neither a stream nor JSON.", status=upstream.status)
        else:
            while not tap.started and tap.fault is None:
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    first += tap.end()
                    ended = True
                    break
                first += tap.feed(chunk)
            if tap.fault is not None:
                raise tap.fault
            if not tap.started:
                raise UpstreamFault("unavailable", "The stream ended before its first event.", status=upstream.status)
            if ended and not tap.complete:
                raise UpstreamFault("unavailable", "The stream ended before its last event.", status=upstream.status)
        now = self._now()
        exchange.first_byte = now
        flight.see_first_byte(now)
        if translation is None:
            headers = for_client(upstream.headers)
        else:
            headers = for_foreign_client(upstream.headers, translation.stream_type)
        if ended:
            dog.stop()
            self._finish(exchange, flight, tap)
            await _close(upstream)
            return Reply(upstream.status, headers, first)
        dog.expect(self._limits.idle, "stalled")
        # Until the rest is asked for, it is the client that is waited for.
        dog.waiting = False
        rest = self._rest(exchange, flight, upstream, chunks, tap, dog)

        async def close() -> None:
            # The generator's own clean-up runs only if it was started.
            await rest.aclose()
            dog.stop()
            await _close(upstream)
            flight.abandon(self._now())
            bitten = dog.bitten()
            if bitten is not None:
                # The deadline passed while the client was written to: nobody else has seen it.
                raise bitten

        return Reply(upstream.status, headers, first, rest, close)

    async def _unfolded(
        self,
        exchange: Exchange,
        flight: Flight,
        upstream: UpstreamReply,
        translation: Translation | WholeTranslation,
        dog: Watchdog,
    ) -> Reply:
        """A provider that was asked for a stream has answered whole: the client has its stream all the same."""
        body = await _read_some(upstream, WHOLE_BODY_LIMIT)
        if bad_body(exchange.call, _content_type(upstream.headers), body):
            raise UpstreamFault("unavailable", "The reply was neither a stream nor JSON.", status=upstream.status)
        first, exchange.usage = translation.unfolded(body, upstream.headers)
        flight.attempt.answered = translation.model
        exchange.losses += labels(translation.unsaid)
        now = self._now()
        exchange.first_byte = now
        flight.see_first_byte(now)
        dog.stop()
        flight.succeed(now)
        await _close(upstream)
        return Reply(upstream.status, for_foreign_client(upstream.headers, translation.stream_type), first)

    async def _rest(
        self,
        exchange: Exchange,
        flight: Flight,
        upstream: UpstreamReply,
        chunks: AsyncIterator[bytes],
        tap: Tap | None,
        dog: Watchdog,
    ) -> AsyncGenerator[bytes, None]:
        now = self._now
        feed = tap.feed if tap is not None else None
        dog.last = now()
        dog.waiting = True
        try:
            async for chunk in chunks:
                dog.last = now()
                dog.waiting = False
                out = chunk if feed is None else feed(chunk)
                if out:
                    yield out
                    dog.last = now()
                dog.waiting = True
                if tap is not None and tap.fault is not None:
                    break
            if tap is not None:
                out = tap.end()
                if out:
                    yield out
                if tap.fault is not None:
                    # The provider's own error event went through, unless it was of another dialect.
                    tap.fault.told = flight.translation is None
                    raise tap.fault
                if not tap.complete:
                    raise UpstreamFault("cut", "The stream ended before its last event.")
            self._finish(exchange, flight, tap)
        except UpstreamFault as fault:
            self._note(exchange, tap)
            said = tap is not None and tap.fault is fault
            flight.fail(fault, verdict("cut" if said else fault.kind, self._retry), now())
            if tap is None or not (fault.told and tap.complete):
                raise
            # The dialect has an orderly end for a failure, and the client has it.
            untraced(fault)
            exchange.outcome = "broken"
            exchange.error_code = "upstream_failed"
        except asyncio.CancelledError:
            self._note(exchange, tap)
            bitten = dog.bitten()
            if bitten is None:
                raise
            flight.fail(bitten, verdict(bitten.kind, self._retry), now())
            raise bitten from None
        finally:
            dog.stop()
            flight.abandon(now())
            await _close(upstream)

    def _finish(self, exchange: Exchange, flight: Flight, tap: Tap | None) -> None:
        self._note(exchange, tap)
        flight.succeed(self._now())

    def _note(self, exchange: Exchange, tap: Tap | None) -> None:
        if tap is not None:
            exchange.attempts[-1].answered = tap.model
            if tap.usage is not None:
                exchange.usage = tap.usage
            if isinstance(tap, StreamTranslation) and tap.unsaid:
                exchange.losses += labels(tap.unsaid)


def _content_type(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"content-type":
            return value
    return b""


def _is_event_stream(headers: Headers, call: Call) -> bool:
    content_type = _content_type(headers)
    return content_type.startswith(b"text/event-stream") or (
        call.framing == "json-array" and content_type.startswith(b"application/json")
    )


async def _read_some(upstream: UpstreamReply, limit: int = ERROR_BODY_LIMIT) -> bytes:
    """A reply's body, as far as it is worth reading and there."""
    parts: list[bytes] = []
    size = 0
    if upstream.chunks is not None:
        try:
            async for chunk in upstream.chunks:
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    break
        except UpstreamFault:
            # A refusal whose body breaks off is still that refusal.
            pass
    return b"".join(parts)


async def _close(upstream: UpstreamReply | None) -> None:
    if upstream is not None and upstream.close is not None:
        await upstream.close()
