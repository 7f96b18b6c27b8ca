"""Rows of the ledger as the API's JSON and as CSV: the same columns under the same names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.core.moments import instant_text
from gateway.core.money import in_dollars
from gateway.core.record import Record
from gateway.ingress.admin.answers import AttemptLine, QuotaLine, RecordLine, UsageLine
from gateway.ingress.admin.csv_text import Amount, Cell
from gateway.store.ledger.protocol import Balance, Dimension, UsageRow

USAGE_NAMES: Final = (
    "requests", "failed", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens",
    "cost_usd", "unpriced", "saved_usd", "seconds",
)  # fmt: skip
"""The columns after those that rows are grouped by."""

RECORD_NAMES: Final = tuple(
    {"cost": "cost_usd", "saved": "saved_usd"}.get(name, name) for name in RecordLine.__struct_fields__
)


def usage_line(by: Sequence[Dimension], row: UsageRow) -> UsageLine:
    return UsageLine(
        dict(zip(by, row.group, strict=True)),
        row.requests,
        row.failed,
        row.input,
        row.output,
        row.cached,
        row.cache_write,
        row.reasoning,
        in_dollars(row.cost),
        row.unpriced,
        in_dollars(row.saved),
        round(row.seconds, 3),
    )


def usage_cells(row: UsageRow) -> tuple[Cell, ...]:
    return (
        *row.group,
        row.requests,
        row.failed,
        row.input,
        row.output,
        row.cached,
        row.cache_write,
        row.reasoning,
        Amount(in_dollars(row.cost)),
        row.unpriced,
        Amount(in_dollars(row.saved)),
        round(row.seconds, 3),
    )


def record_line(record: Record) -> RecordLine:
    usage = record.usage
    return RecordLine(
        id=record.id,
        time=instant_text(record.time),
        request_id=record.request_id,
        caller=record.caller,
        team=record.team,
        project=record.project,
        user=record.user,
        router=record.router,
        config=record.config,
        dialect=record.dialect,
        operation=record.operation,
        stream=record.stream,
        asked=record.asked,
        provider=record.provider,
        model=record.model,
        key=record.key,
        rule=record.rule,
        status=record.status,
        outcome=record.outcome,
        error_code=record.error_code,
        input_tokens=usage.input,
        output_tokens=usage.output,
        cached_tokens=usage.cached,
        cache_write_5m_tokens=usage.cache_write_5m,
        cache_write_1h_tokens=usage.cache_write_1h,
        reasoning_tokens=usage.reasoning,
        audio_input_tokens=usage.audio_input,
        audio_output_tokens=usage.audio_output,
        image_input_tokens=usage.image_input,
        image_output_tokens=usage.image_output,
        metered=record.metered,
        cost=None if record.cost is None else in_dollars(record.cost),
        price_source=record.price_source,
        cache=record.cache,
        saved=in_dollars(record.saved),
        saved_by=record.saved_by,
        seconds=record.seconds,
        first_byte=record.first_byte,
        attempts=[
            AttemptLine(one.provider, one.model, one.key, one.status, one.fault, one.seconds) for one in record.attempts
        ],
    )


def record_cells(record: Record) -> tuple[Cell, ...]:
    """RECORD_NAMES of it: as the line, with the attempts counted."""
    r, usage = record, record.usage
    return (
        r.id, instant_text(r.time), r.request_id, r.caller, r.team, r.project, r.user, r.router, r.config, r.dialect,
        r.operation, r.stream, r.asked, r.provider, r.model, r.key, r.rule, r.status, r.outcome, r.error_code,
        usage.input, usage.output, usage.cached, usage.cache_write_5m, usage.cache_write_1h, usage.reasoning,
        usage.audio_input, usage.audio_output, usage.image_input, usage.image_output, r.metered,
        None if r.cost is None else Amount(in_dollars(r.cost)), r.price_source, r.cache, Amount(in_dollars(r.saved)),
        r.saved_by, r.seconds, r.first_byte, len(r.attempts),
    )  # fmt: skip


def quota_line(balance: Balance) -> QuotaLine:
    return QuotaLine(
        balance.consumer.kind,
        balance.consumer.name,
        in_dollars(balance.granted),
        in_dollars(balance.spent),
        in_dollars(balance.granted - balance.spent),
        instant_text(balance.since),
    )
