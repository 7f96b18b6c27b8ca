"""The questions that are asked of a ledger, as SQL for either database.

Lives here: which table answers what. Whole days come from the totals of days, by team and project where that is all
that is asked, which is what makes a year of usage quick; what is left of the first and last day, and everything by
what those totals do not tell apart, comes from the rows. Values are never written into the SQL. Nothing is executed
here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Literal, cast

import msgspec

from gateway.store.ledger.columns import COLUMNS
from gateway.store.ledger.protocol import (
    Consumer,
    ConsumerKind,
    Dimension,
    LedgerDown,
    UsageQuery,
    UsageRow,
)
from gateway.store.ledger.totals import KEYS, SUMS, TEAM_KEYS, day_text

DAY: Final = 86400.0

Argument = str | float | int
Statement = tuple[str, list[Argument]]


class Speech(msgspec.Struct, frozen=True):
    """How a database says what differs. mark: a parameter by its number, with its type. moment: one that is Unix
    seconds. date: one that is `2026-11-21`. row_day, row_hour: of a row's time, for grouping; shown_day, shown_hour:
    those as text. month: of a day, as text. text: of a number. whole: a sum as a number of 64 bits. epoch: a row's time
    as Unix seconds. lists: a column of JSON as text. midnight: the first at or behind a number of Unix seconds, as one;
    moment_of, day_of: such a number as a row's time and as a total's day. rows_of: the
    rows in the times of a table with `since` and `midnight`, with that midnight, found by their time and by nothing
    else. read_once: how those are joined with what they are looked up in, each row looked at once."""

    mark: Callable[[int, Literal["text", "float8", "bigint"]], str]
    moment: Callable[[int], str]
    date: Callable[[int], str]
    row_day: str
    row_hour: str
    shown_day: str
    shown_hour: str
    month: str
    text: str
    whole: str
    epoch: str
    lists: str
    midnight: str
    moment_of: str
    day_of: str
    rows_of: str
    read_once: str


SQLITE: Final = Speech(
    mark=lambda number, kind: f"?{number}",
    moment=lambda number: f"?{number}",
    date=lambda number: f"?{number}",
    row_day="strftime('%Y-%m-%d', CAST(time AS INTEGER), 'unixepoch')",
    row_hour="strftime('%Y-%m-%dT%H', CAST(time AS INTEGER), 'unixepoch')",
    shown_day="{}",
    shown_hour="{}",
    month="substr({}, 1, 7)",
    text="CAST({} AS TEXT)",
    whole="{}",
    epoch="time",
    lists="{}",
    midnight="(CAST({0} / 86400 AS INTEGER) + (CAST({0} / 86400 AS INTEGER) * 86400.0 < {0})) * 86400.0",
    moment_of="{}",
    day_of="strftime('%Y-%m-%d', CAST({} AS INTEGER), 'unixepoch')",
    rows_of="(SELECT o.midnight, x.* FROM {times} AS o CROSS JOIN ledger_rows AS x "
    "WHERE x.time >= o.since AND x.time < o.midnight)",
    # It takes the tables of a cross join in the order in which they are written.
    read_once="CROSS JOIN",
)
POSTGRESQL: Final = Speech(
    mark=lambda number, kind: f"${number}::{kind}",
    moment=lambda number: f"to_timestamp(${number}::float8)",
    date=lambda number: f"${number}::text::date",
    row_day="(time AT TIME ZONE 'UTC')::date",
    row_hour="date_trunc('hour', time AT TIME ZONE 'UTC')",
    shown_day="to_char({}, 'YYYY-MM-DD')",
    shown_hour="to_char({}, 'YYYY-MM-DD\"T\"HH24')",
    month="to_char({}, 'YYYY-MM')",
    text="{}::text",
    whole="LEAST({}, 9223372036854775807)::bigint",
    epoch="extract(epoch FROM time)::float8",
    lists="{}::text",
    midnight="ceil({} / 86400) * 86400",
    moment_of="to_timestamp({})",
    day_of="(to_timestamp({}) AT TIME ZONE 'UTC')::date",
    # Not knowing the times, it would take them to let half of the table through and read all of it. What has an offset
    # it reckons by itself.
    rows_of="(SELECT o.midnight, x.* FROM {times} AS o CROSS JOIN LATERAL (SELECT time, caller, team, project, router, "
    "cost FROM ledger_rows WHERE time >= to_timestamp(o.since) AND time < to_timestamp(o.midnight) OFFSET 0) AS x)",
    # Expecting one balance where there are hundreds, it would read the rows again for each; a full join it can only do
    # by a hash.
    read_once="FULL JOIN",
)

_OF_TOTALS: Final = frozenset((*KEYS, "month"))
_OF_TEAM_TOTALS: Final = frozenset((*TEAM_KEYS, "month"))
COLUMN_OF: Final[dict[ConsumerKind, str]] = {"key": "caller", "team": "team", "project": "project", "router": "router"}
"""Where rows and totals have whose spending is counted."""
FAILED: Final = "CASE WHEN outcome IN ('error', 'broken') THEN 1 ELSE 0 END"
UNPRICED: Final = "CASE WHEN cost IS NULL THEN 1 ELSE 0 END"
_OF_ROWS: Final = (
    f"COUNT(*) AS requests, SUM({FAILED}) AS failed, SUM(input_tokens) AS input, SUM(output_tokens) AS output, "
    "SUM(cached_tokens) AS cached, SUM(cache_write_5m_tokens + cache_write_1h_tokens) AS cache_write, "
    f"SUM(reasoning_tokens) AS reasoning, SUM(COALESCE(cost, 0)) AS cost, SUM({UNPRICED}) AS unpriced, "
    "SUM(saved) AS saved, SUM(seconds) AS seconds"
)
_OF_DAYS: Final = ", ".join(f"SUM({name}) AS {name}" for name in SUMS)


class Span(msgspec.Struct, frozen=True):
    """A time, cut at midnights of UTC. edges: parts of days, from and until in Unix seconds. days: the first whole day
    and the one after the last, None where there is none."""

    edges: tuple[tuple[float, float], ...]
    days: tuple[str, str] | None


def span(since: float, until: float) -> Span:
    """What is before the year 1970 or after 9999 holds nothing."""
    since, until = max(since, 0.0), min(until, 250_000_000_000.0)
    first, last = math.ceil(since / DAY) * DAY, math.floor(until / DAY) * DAY
    if first >= last:
        return Span(((since, until),) if since < until else (), None)
    edges = tuple((start, end) for start, end in ((since, first), (last, until)) if start < end)
    return Span(edges, (day_text(first), day_text(last)))


def usage_statement(query: UsageQuery, speech: Speech) -> Statement:
    """Groups in the order of their values, one more than the page holds."""
    arguments: list[Argument] = []
    cut = Span(((query.since, query.until),), None) if _needs_rows(query) else span(query.since, query.until)
    parts = [_rows_part(query, speech, start, end, arguments) for start, end in cut.edges]
    if cut.days is not None:
        parts.append(_days_part(query, speech, cut.days, arguments))
    if not parts:
        parts.append(_rows_part(query, speech, 0.0, 0.0, arguments))
    groups = [f"g{index}" for index in range(len(query.by))]
    shown = [_shown(dimension, f"g{index}", speech) for index, dimension in enumerate(query.by)]
    if len(parts) > 1:
        grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
        columns = ", ".join([*groups, _OF_DAYS])
        parts = [f"SELECT {columns} FROM ({' UNION ALL '.join(parts)}) AS parts{grouped}"]  # noqa: S608
    sums = [speech.whole.format(name) for name in SUMS[:-1]]
    sql = f"SELECT {', '.join([*shown, *sums, SUMS[-1]])} FROM ({parts[0]}) AS groups WHERE requests > 0"  # noqa: S608
    if query.after and query.by:
        marks = [mark(arguments, value, speech) for value in _group_of(query.after, len(query.by))]
        sql += f" AND ({', '.join(shown)}) > ({', '.join(marks)})"
    if query.by:
        sql += f" ORDER BY {', '.join(str(index + 1) for index in range(len(shown)))}"
    return f"{sql} LIMIT {max(query.limit, 1) + 1:d}", arguments


def usage_row(row: Sequence[object], groups: int) -> UsageRow:
    """A result of `usage_statement`."""
    *counts, seconds = cast("Sequence[float]", row[groups:])
    return UsageRow(tuple(map(str, row[:groups])), *map(int, counts), float(seconds))  # type: ignore[call-arg]  # SUMS


def usage_cursor(row: UsageRow) -> str:
    """Of the last group of a page."""
    return msgspec.json.encode(row.group).decode()


def records_statement(query: UsageQuery, speech: Speech, after: tuple[float, str] | None, limit: int) -> Statement:
    """after: time and id of the last one seen."""
    arguments: list[Argument] = []
    # A page begins where the last one ended: of the two conditions on the time, SQLite takes this one to the index.
    since = query.since if after is None else max(query.since, after[0])
    conditions = _within(since, query.until, speech, arguments)
    conditions += [_is(dimension, value, speech, arguments, rows=True) for dimension, value in query.where]
    if after is not None:
        arguments.append(after[0])
        moment = speech.moment(len(arguments))
        conditions.append(f"(time, id) > ({moment}, {mark(arguments, after[1], speech)})")
    shown = {"time": speech.epoch, "attempts": speech.lists.format("attempts"), "losses": speech.lists.format("losses")}
    columns = ", ".join(shown.get(column, column) for column in COLUMNS)
    return (
        f"SELECT {columns} FROM ledger_rows WHERE {' AND '.join(conditions)} ORDER BY ledger_rows.time, id LIMIT {limit:d}",  # noqa: S608, E501
        arguments,
    )


def read_cursor(after: str) -> tuple[float, str] | None:
    """LedgerDown for what was never given out."""
    if not after:
        return None
    time, _, name = after.partition(" ")
    try:
        return float(time), name
    except ValueError:
        raise LedgerDown("the page asked for does not exist") from None


def spent_statement(consumer: Consumer, cut: Span, speech: Speech) -> Statement:
    """One number: nano-USD."""
    arguments: list[Argument] = []
    name = f"{COLUMN_OF[consumer.kind]} = {mark(arguments, consumer.name, speech)}"
    parts = []
    for start, end in cut.edges:
        conditions = [name, *_within(start, end, speech, arguments)]
        parts.append(f"SELECT SUM(COALESCE(cost, 0)) AS cost FROM ledger_rows WHERE {' AND '.join(conditions)}")  # noqa: S608
    if cut.days is not None:
        days = _between(cut.days, speech, arguments)
        parts.append(f"SELECT SUM(cost) AS cost FROM {totals_of(consumer.kind)} WHERE {name} AND {days}")  # noqa: S608
    if not parts:
        return "SELECT 0", []
    return f"SELECT COALESCE(SUM(cost), 0) FROM ({' UNION ALL '.join(parts)}) AS parts", arguments  # noqa: S608


def totals_of(kind: ConsumerKind) -> str:
    """The smallest table of totals that tells those of a kind apart."""
    return "ledger_team_days" if kind in TEAM_KEYS else "ledger_days"


def _asked(query: UsageQuery) -> set[Dimension]:
    return {*query.by, *(dimension for dimension, _ in query.where)}


def _needs_rows(query: UsageQuery) -> bool:
    return not _asked(query) <= _OF_TOTALS


def _of_rows(speech: Speech) -> dict[Dimension, str]:
    """What a dimension is in the rows, where it is not a column of its own name."""
    return {
        "month": speech.month.format(speech.row_day),
        "day": speech.row_day,
        "hour": speech.row_hour,
        "user": "end_user",
        "key": "provider_key",
        "stream": "CASE WHEN stream THEN 'true' ELSE 'false' END",
    }


def _of_days(speech: Speech) -> dict[Dimension, str]:
    return {"month": speech.month.format("day")}


def _rows_part(query: UsageQuery, speech: Speech, start: float, end: float, arguments: list[Argument]) -> str:
    conditions = _within(start, end, speech, arguments)
    conditions += [_is(dimension, value, speech, arguments, rows=True) for dimension, value in query.where]
    return _part(query.by, _of_rows(speech), "ledger_rows", conditions, _OF_ROWS)


def _days_part(query: UsageQuery, speech: Speech, days: tuple[str, str], arguments: list[Argument]) -> str:
    conditions = [_between(days, speech, arguments)]
    conditions += [_is(dimension, value, speech, arguments, rows=False) for dimension, value in query.where]
    table = "ledger_team_days" if _asked(query) <= _OF_TEAM_TOTALS else "ledger_days"
    return _part(query.by, _of_days(speech), table, conditions, _OF_DAYS)


def _part(by: Sequence[Dimension], raw: dict[Dimension, str], table: str, conditions: Sequence[str], sums: str) -> str:
    named = [f"{raw.get(dimension, dimension)} AS g{index}" for index, dimension in enumerate(by)]
    grouped = f" GROUP BY {', '.join(str(index + 1) for index in range(len(by)))}" if by else ""
    return f"SELECT {', '.join([*named, sums])} FROM {table} WHERE {' AND '.join(conditions)}{grouped}"  # noqa: S608


def _within(start: float, end: float, speech: Speech, arguments: list[Argument]) -> list[str]:
    arguments += [start, end]
    return [
        f"ledger_rows.time >= {speech.moment(len(arguments) - 1)}",
        f"ledger_rows.time < {speech.moment(len(arguments))}",
    ]


def _between(days: tuple[str, str], speech: Speech, arguments: list[Argument]) -> str:
    arguments += days
    return f"day >= {speech.date(len(arguments) - 1)} AND day < {speech.date(len(arguments))}"


def _is(dimension: Dimension, value: str, speech: Speech, arguments: list[Argument], *, rows: bool) -> str:
    raw = (_of_rows(speech) if rows else _of_days(speech)).get(dimension, dimension)
    return f"{_shown(dimension, raw, speech)} = {mark(arguments, value, speech)}"


def _shown(dimension: Dimension, expression: str, speech: Speech) -> str:
    form = {"day": speech.shown_day, "hour": speech.shown_hour, "status": speech.text}.get(dimension, "{}")
    return form.format(expression)


def mark(arguments: list[Argument], value: Argument, speech: Speech) -> str:
    """Of one more value of a statement."""
    arguments.append(value)
    return speech.mark(len(arguments), "text" if isinstance(value, str) else "bigint")


def _group_of(cursor: str, size: int) -> tuple[str, ...]:
    try:
        group = msgspec.json.decode(cursor, type=tuple[str, ...])
    except msgspec.DecodeError:
        group = ()
    if len(group) != size:
        raise LedgerDown("the page asked for does not exist")
    return group
