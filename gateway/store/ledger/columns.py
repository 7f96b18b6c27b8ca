"""The columns of a row, in one order, and the way from them to a record."""

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

_BEHIND: Final = COLUMNS.index("metered")
_attempts: Final = msgspec.json.Decoder(tuple[AttemptRecord, ...])
_losses: Final = msgspec.json.Decoder(tuple[str, ...])


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
