"""What an exchange that is over says as spans: one for itself, and below it one for each attempt.

Pure. Law: names of callers, models and routers are in it; credentials, end users and anything of a request's or a
reply's content are not.
"""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from gateway.core.exchange import Attempt, Exchange
from gateway.core.record import Record
from gateway.core.span import Span
from gateway.telemetry import conventions as c

Value = str | int | float | bool
_LONGEST_NAME: Final = 200
_NANO: Final = 1_000_000_000
_PORTS: Final = {"http": 80, "https": 443}


class FinishedSpan(msgspec.Struct, frozen=True):
    """Times in nanoseconds of Unix time. parent: 0 for none. state: its `tracestate`. error: why it failed, ``. events:
    name and time."""

    name: str
    kind: Literal["server", "client"]
    trace_id: int
    span_id: int
    parent: int
    state: str
    start: int
    end: int
    error: str
    attributes: dict[str, Value]
    events: tuple[tuple[str, int], ...] = ()


def spans_of(record: Record, exchange: Exchange, span: Span) -> list[FinishedSpan]:
    """The exchange's own span first."""
    # Of attempts the clock times are known: they count from the moment whose Unix time is known too.
    base = exchange.wall - exchange.started
    found = [_of_exchange(record, exchange, span, base)]
    for number, attempt in enumerate(exchange.attempts, 1):
        found.append(_of_attempt(record, exchange, span, attempt, number, base))
    return found


def _of_exchange(record: Record, exchange: Exchange, span: Span, base: float) -> FinishedSpan:
    router = exchange.router
    route = router if router.startswith("/") else f"/router/{router}" if router else ""
    attributes: dict[str, Value] = {
        c.METHOD: exchange.method,
        c.STATUS_CODE: exchange.status,
        c.REQUEST_ID: exchange.id,
        c.RECORD_ID: record.id,
        c.CONFIG: record.config,
        c.OUTCOME: exchange.outcome,
        c.ATTEMPTS: len(exchange.attempts),
        c.OPERATION_NAME: _operation(exchange),
    }
    told = (
        (c.ROUTE, route),
        (c.ROUTER, router),
        (c.CALLER, record.caller),
        (c.TEAM, record.team),
        (c.PROJECT, record.project),
        (c.RULE, record.rule),
        (c.CACHE, record.cache),
        (c.REQUEST_MODEL, record.asked),
        (c.ERROR_TYPE, record.error_code or ("" if exchange.outcome == "ok" else exchange.outcome)),
    )
    attributes.update((name, value) for name, value in told if value)
    if record.cost is not None:
        attributes[c.COST] = record.cost
    if record.saved:
        attributes[c.SAVED] = record.saved
    # What is the client's own doing is no failure of the server.
    failed = exchange.outcome == "broken" or exchange.status >= 500
    return FinishedSpan(
        name=f"{exchange.method} {route}".rstrip(),
        kind="server",
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent=span.parent,
        state=span.state,
        start=_nanoseconds(base + exchange.started),
        end=_nanoseconds(base + exchange.ended),
        error=(record.error_code or exchange.outcome) if failed else "",
        attributes=attributes,
    )


def _of_attempt(
    record: Record, exchange: Exchange, span: Span, attempt: Attempt, number: int, base: float
) -> FinishedSpan:
    operation = _operation(exchange)
    attributes: dict[str, Value] = {
        c.OPERATION_NAME: operation,
        c.PROVIDER_NAME: c.PROVIDERS.get(attempt.provider, attempt.provider),
        c.PROVIDER: attempt.provider,
        c.PROVIDER_KEY: attempt.key,
        c.REQUEST_STREAM: exchange.call.stream,
    }
    if attempt.model:
        attributes[c.REQUEST_MODEL] = attempt.model
    if attempt.answered:
        attributes[c.RESPONSE_MODEL] = attempt.answered[:_LONGEST_NAME]
    if exchange.call.max_tokens:
        attributes[c.REQUEST_MAX_TOKENS] = exchange.call.max_tokens
    if number > 1:
        attributes[c.RESEND_COUNT] = number - 1
    if attempt.status:
        attributes[c.STATUS_CODE] = attempt.status
    if attempt.fault is not None:
        attributes[c.ERROR_TYPE] = attempt.fault
    _put_address(attributes, attempt.origin)
    last = number == len(exchange.attempts)
    if last and record.metered:
        _put_usage(attributes, record)
    events: tuple[tuple[str, int], ...] = ()
    if attempt.first_byte and exchange.call.stream:
        attributes[c.TIME_TO_FIRST_CHUNK] = attempt.first_byte - attempt.started
        events = ((c.FIRST_CHUNK_EVENT, _nanoseconds(base + attempt.first_byte)),)
    return FinishedSpan(
        name=f"{operation} {attempt.model}".rstrip(),
        kind="client",
        trace_id=span.trace_id,
        span_id=span.of_attempt(number),
        parent=span.span_id,
        state=span.state,
        start=_nanoseconds(base + attempt.started),
        end=_nanoseconds(base + (attempt.ended or exchange.ended)),
        error=attempt.fault or "",
        attributes=attributes,
        events=events,
    )


def _put_address(attributes: dict[str, Value], origin: str) -> None:
    parts = urlsplit(origin)
    if parts.hostname:
        attributes[c.SERVER_ADDRESS] = parts.hostname
        port = parts.port or _PORTS.get(parts.scheme)
        if port:
            attributes[c.SERVER_PORT] = port


def _put_usage(attributes: dict[str, Value], record: Record) -> None:
    usage = record.usage
    attributes[c.INPUT_TOKENS] = usage.input
    attributes[c.OUTPUT_TOKENS] = usage.output
    written = usage.cache_write_5m + usage.cache_write_1h
    parts = (
        (c.CACHE_READ_TOKENS, usage.cached),
        (c.CACHE_WRITE_TOKENS, written),
        (c.REASONING_TOKENS, usage.reasoning),
    )
    attributes.update((name, count) for name, count in parts if count)


def _operation(exchange: Exchange) -> str:
    operation = exchange.call.operation
    return c.OPERATIONS.get(operation, operation)


def _nanoseconds(unix: float) -> int:
    return round(unix * _NANO)
