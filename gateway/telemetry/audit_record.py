"""From a record to a line of the audit log, and back.

Law: `record_of(decode(encode(line_of(record))))` is the record again, times to the microsecond.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from gateway.core.money import NANO
from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import Usage
from gateway.dialects.shape import Feature
from gateway.telemetry.audit_line import (
    SCHEMA,
    AuditLine,
    Change,
    Content,
    Cost,
    Request,
    Response,
    Saved,
    Tokens,
    Tried,
)


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What a line has beyond the record. estimated_*: tokens. size: bytes of the body."""

    path: str = ""
    estimated_input: int = 0
    estimated_output: int = 0
    size: int = 0
    digest: str = ""
    features: tuple[Feature, ...] = ()
    choices: int = 1


_NO_FACTS: Final = Facts()


def line_of(
    record: Record,
    facts: Facts = _NO_FACTS,
    content: Content | None = None,
    change: Change | msgspec.UnsetType = msgspec.UNSET,
) -> AuditLine:
    """A record as its line says it."""
    usage = record.usage
    return AuditLine(
        schema=SCHEMA,
        timestamp=_moment(record.time),
        tenant_id=record.team or record.caller,
        user_id=record.user,
        id=record.id,
        request_id=record.request_id,
        router=record.router,
        request=Request(
            model=record.asked,
            prompt_tokens=usage.input,
            max_tokens=record.max_tokens,
            path=facts.path,
            dialect=record.dialect,
            operation=record.operation,
            stream=record.stream,
            estimated_prompt_tokens=facts.estimated_input,
            estimated_completion_tokens=facts.estimated_output,
            bytes=facts.size,
            digest=facts.digest,
            features=facts.features,
            n=facts.choices,
        ),
        response=Response(
            provider=record.provider,
            completion_tokens=usage.output,
            latency_ms=_milliseconds(record.seconds),
            model=record.model,
            key=record.key,
            status=record.status,
            outcome=record.outcome,
            error_code=record.error_code,
            first_byte_ms=_milliseconds(record.first_byte),
            cache=record.cache,
            metered=record.metered,
        ),
        cost=Cost(None if record.cost is None else record.cost / NANO, "USD", record.price_source),
        caller=record.caller,
        team=record.team,
        project=record.project,
        config=record.config,
        rule=record.rule,
        usage=Tokens(
            usage.cached,
            usage.cache_write_5m,
            usage.cache_write_1h,
            usage.reasoning,
            usage.audio_input,
            usage.audio_output,
            usage.audio_cached,
            usage.image_input,
            usage.image_cached,
            usage.image_output,
        ),
        saved=Saved(record.saved / NANO, record.saved_by) if record.saved or record.saved_by else None,
        attempts=tuple(
            [
                Tried(
                    attempt.provider,
                    attempt.model,
                    attempt.key,
                    attempt.status,
                    attempt.fault,
                    _milliseconds(attempt.seconds),
                )
                for attempt in record.attempts
            ]
        ),
        losses=record.losses,
        content=content,
        change=change,
    )


def record_of(line: AuditLine) -> Record:
    """The record that a line was made from. A user that was hashed stays so."""
    request, response, tokens = line.request, line.response, line.usage
    amount = line.cost.amount
    return Record(
        id=line.id,
        time=line.time,
        request_id=line.request_id,
        caller=line.caller,
        team=line.team,
        project=line.project,
        user=line.user_id,
        router=line.router,
        config=line.config,
        dialect=request.dialect,
        operation=request.operation,
        stream=request.stream,
        asked=request.model,
        provider=response.provider,
        model=response.model,
        key=response.key,
        rule=line.rule,
        status=response.status,
        outcome=response.outcome,
        error_code=response.error_code,
        usage=Usage(
            input=request.prompt_tokens,
            output=response.completion_tokens,
            cached=tokens.cached,
            cache_write_5m=tokens.cache_write_5m,
            cache_write_1h=tokens.cache_write_1h,
            reasoning=tokens.reasoning,
            audio_input=tokens.audio_input,
            audio_output=tokens.audio_output,
            audio_cached=tokens.audio_cached,
            image_input=tokens.image_input,
            image_cached=tokens.image_cached,
            image_output=tokens.image_output,
        ),
        metered=response.metered,
        cost=None if amount is None else round(amount * NANO),
        price_source=line.cost.source,
        cache=response.cache,
        saved=0 if line.saved is None else round(line.saved.amount * NANO),
        saved_by="" if line.saved is None else line.saved.by,
        seconds=_seconds(response.latency_ms),
        first_byte=_seconds(response.first_byte_ms),
        max_tokens=request.max_tokens,
        attempts=tuple(
            AttemptRecord(tried.provider, tried.model, tried.key, tried.status, tried.fault, _seconds(tried.latency_ms))
            for tried in line.attempts
        ),
        losses=line.losses,
    )


def _moment(seconds: float) -> str:
    # In microseconds first, as `datetime` rounds: half a microsecond before midnight is midnight.
    second, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second_text(second)}.{micros:06d}Z"


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    """Hundreds of lines have the same."""
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 3)


def _seconds(milliseconds: float) -> float:
    return round(milliseconds / 1e3, 6)
