"""The columns of a row, in one order, and the way from a record to them and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from gateway.core.exchange import Dialect, Operation, Outcome
from gateway.core.record import AttemptRecord, Record
from gateway.core.usage import Usage

_USAGE: Final = tuple(f"{name}_tokens" for name in Usage.__struct_fields__)
COLUMNS: Final = (
    "time", "id", "request_id", "caller", "team", "project", "end_user", "router", "config", "dialect", "operation",
    "stream", "asked", "provider", "model", "provider_key", "rule", "status", "outcome", "error_code", *_USAGE,
    "metered", "cost", "price_source", "cache", "saved", "saved_by", "seconds", "first_byte", "max_tokens",
    "attempts", "losses",
)  # fmt: skip

SHARED: Final = (
    "caller", "team", "project", "router", "config", "dialect", "operation", "stream", "asked", "provider", "model",
    "provider_key", "rule", "status", "outcome", "error_code", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "audio_input_tokens", "audio_output_tokens", "audio_cached_tokens", "image_input_tokens", "image_cached_tokens",
    "image_output_tokens", "metered", "price_source", "cache", "saved_by", "max_tokens", "losses",
)  # fmt: skip
"""What many rows of a moment have in common."""
OWN: Final = (
    "time", "id", "request_id", "end_user", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens",
    "cost", "saved", "seconds", "first_byte", "attempts",
)  # fmt: skip
"""What each has of its own."""

Value = str | int | float | None
Shared = tuple[Value, ...]
Own = tuple[Value, ...]

_BEHIND: Final = COLUMNS.index("metered")
_attempts: Final = msgspec.json.Decoder(tuple[AttemptRecord, ...])
_losses: Final = msgspec.json.Decoder(tuple[str, ...])
_encode: Final = msgspec.json.Encoder().encode


def shared_of(record: Record) -> Shared:
    """The values of SHARED. Lists are JSON."""
    r, u = record, record.usage
    return (
        r.caller, r.team, r.project, r.router, r.config, r.dialect, r.operation, r.stream, r.asked, r.provider,
        r.model, r.key, r.rule, r.status, r.outcome, r.error_code, u.cache_write_5m, u.cache_write_1h, u.audio_input,
        u.audio_output, u.audio_cached, u.image_input, u.image_cached, u.image_output, r.metered, r.price_source,
        r.cache, r.saved_by, r.max_tokens, _encode(r.losses).decode() if r.losses else "[]",
    )  # fmt: skip


def own_of(record: Record) -> Own:
    """The values of OWN. Lists are JSON."""
    r, u = record, record.usage
    return (
        r.time, r.id, r.request_id, r.user, u.input, u.output, u.cached, u.reasoning, r.cost, r.saved, r.seconds,
        r.first_byte, _encode(r.attempts).decode(),
    )  # fmt: skip


def record_of(row: Sequence[object]) -> Record:
    """The record of COLUMNS' values."""
    text = cast("Sequence[str]", row)
    number = cast("Sequence[int]", row)
    real = cast("Sequence[float]", row)
    rest = row[_BEHIND:]
    return Record(
        id=text[1],
        time=float(real[0]),
        request_id=text[2],
        caller=text[3],
        team=text[4],
        project=text[5],
        user=text[6],
        router=text[7],
        config=text[8],
        dialect=cast("Dialect", row[9]),
        operation=cast("Operation", row[10]),
        stream=bool(row[11]),
        asked=text[12],
        provider=text[13],
        model=text[14],
        key=text[15],
        rule=text[16],
        status=number[17],
        outcome=cast("Outcome", row[18]),
        error_code=text[19],
        usage=Usage(*number[20:_BEHIND]),
        metered=bool(rest[0]),
        cost=cast("int | None", rest[1]),
        price_source=str(rest[2]),
        cache=str(rest[3]),
        saved=cast("int", rest[4]),
        saved_by=str(rest[5]),
        seconds=cast("float", rest[6]),
        first_byte=cast("float", rest[7]),
        max_tokens=cast("int", rest[8]),
        attempts=_attempts.decode(str(rest[9])),
        losses=_losses.decode(str(rest[10])),
    )
