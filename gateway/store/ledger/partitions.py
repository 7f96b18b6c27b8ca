"""The partitions of the rows in PostgreSQL: one for each month of UTC, made before it begins or when first needed.

Nothing is executed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

AHEAD: Final = 3
"""So many months there are beside the current one."""

_PREFIX: Final = "ledger_rows_"


class Partition(msgspec.Struct, frozen=True, order=True):
    """A month. start, end: as PostgreSQL reads moments; end is not included."""

    name: str
    start: str
    end: str


def partition_of(seconds: float) -> Partition:
    """The one that a Unix second is in."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return _partition(moment.year, moment.month)


def partitions_of(times: Iterable[float]) -> list[Partition]:
    """Those of many, each once, in order."""
    return sorted({partition_of(time) for time in times})


def partitions_ahead(now: float) -> list[Partition]:
    """The current one and the next."""
    moment = datetime.fromtimestamp(now, UTC)
    first = moment.year * 12 + moment.month - 1
    return [_partition(*_year_and_month(first + offset)) for offset in range(AHEAD + 1)]


def end_of_partition(name: str) -> float | None:
    """The Unix second at which a table's month is over; None for a table that is none of these."""
    text = name.removeprefix(_PREFIX)
    year, _, month = text.partition("_")
    if text == name or not (year.isdigit() and month.isdigit() and 1 <= int(month) <= 12):
        return None
    after = _year_and_month(int(year) * 12 + int(month))
    return datetime(*after, 1, tzinfo=UTC).timestamp()


def creation(partition: Partition) -> tuple[str, ...]:
    """The statements that make one, for one transaction. It is made aside and then attached, which keeps no reader and
    no writer of the other months waiting."""
    name = partition.name
    return (
        f"CREATE TABLE IF NOT EXISTS {name} (LIKE ledger_rows INCLUDING ALL)",
        f"ALTER TABLE ledger_rows ATTACH PARTITION {name} FOR VALUES FROM ('{partition.start}') TO ('{partition.end}')",
    )


def _partition(year: int, month: int) -> Partition:
    after = _year_and_month(year * 12 + month)
    start, end = (f"{y:04d}-{m:02d}-01 00:00:00+00" for y, m in ((year, month), after))
    return Partition(f"{_PREFIX}{year:04d}_{month:02d}", start, end)


def _year_and_month(months: int) -> tuple[int, int]:
    """Of a number of months since the year 0."""
    return months // 12, months % 12 + 1
