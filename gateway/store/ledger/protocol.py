"""What is asked of a ledger's database, SQLite or PostgreSQL.

Lives here: the protocol and its values. Law: a record counts once, however often it is brought; money is whole
nano-USD; no method reads a table into memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sized
from typing import Literal, Protocol

import msgspec

from gateway.core.record import Record

ConsumerKind = Literal["key", "team", "project", "router"]
"""Whose spending is counted: the caller's name, its team, its project, or the router."""

Dimension = Literal[
    "month", "day", "hour", "caller", "team", "project", "router", "provider", "model", "operation", "status",
    "user", "asked", "key", "rule", "dialect", "stream", "outcome", "error_code", "cache", "saved_by", "price_source",
    "config",
]  # fmt: skip
"""What usage is grouped by. Months, days and hours are UTC. Those from `user` on, and `hour`, are asked of the rows, as
long as there are any; the others also of the totals of days, which stay. key: of the provider."""


class Records(Sized, Iterable[Record], Protocol):
    """Some records, in any order. Those in groups (GroupedRecords) cost least."""


class LedgerDown(Exception):
    """The database did not answer, or not sensibly. The message is for operators; no credential in it."""


class RecordsRefused(Exception):
    """The database answers, and will not have one of the records that it was given: none of them was written. The
    message is for operators; nothing of a record is in it."""


class Consumer(msgspec.Struct, frozen=True, gc=False):
    """One of those who spend."""

    kind: ConsumerKind
    name: str


class QuotaEntry(msgspec.Struct, frozen=True, gc=False):
    """A change of a prepaid balance. id: unique, so that one entry brought twice counts once. amount: nano-USD,
    negative where it was taken away. time: Unix seconds. kind: `add` changes the balance by the amount, `set` makes it
    the amount, whatever was spent before. by: who did it. note: why."""

    id: str
    consumer: Consumer
    kind: Literal["add", "set"]
    amount: int
    time: float
    by: str = ""
    note: str = ""


class Balance(msgspec.Struct, frozen=True, gc=False):
    """What is left of what was prepaid. granted: the last `set` and what was added since; spent: since that `set`, or
    the first entry. Both nano-USD. since: the Unix second from which on spending counts."""

    consumer: Consumer
    granted: int
    spent: int
    since: float


class UsageQuery(msgspec.Struct, frozen=True):
    """since, until: Unix seconds, until not included. by: dimensions, in the order wanted. where: values that a
    dimension must have. limit, after: of the page; after is the `cursor` of the page before, `` for the first."""

    since: float
    until: float
    by: tuple[Dimension, ...] = ()
    where: tuple[tuple[Dimension, str], ...] = ()
    limit: int = 1000
    after: str = ""


class UsageRow(msgspec.Struct, frozen=True):
    """A group. group: its values, in the order of `by`; months as `2026-11`, days as `2026-11-21`, hours as
    `2026-11-21T14`. cost, saved: nano-USD. unpriced: requests whose cost is not known."""

    group: tuple[str, ...]
    requests: int
    failed: int
    input: int
    output: int
    cached: int
    cache_write: int
    reasoning: int
    cost: int
    unpriced: int
    saved: int
    seconds: float


class UsagePage(msgspec.Struct, frozen=True):
    """cursor: where the next page begins, `` at the end."""

    rows: tuple[UsageRow, ...]
    cursor: str = ""


class LedgerStatus(msgspec.Struct, frozen=True):
    """What operators ask of a ledger. place: no credential. applied, missing: steps of migration by name. requests: all
    that were ever counted. oldest: Unix seconds of the first row, None without any. size: bytes on disk."""

    place: str
    applied: tuple[str, ...]
    missing: tuple[str, ...]
    requests: int
    oldest: float | None
    size: int


class LedgerDatabase(Protocol):
    """Raises LedgerDown alone, and `insert` RecordsRefused too. Opened before use; a database that was away when it was
    opened is connected to by the next call. Every call is bounded in time."""

    async def open(self) -> None:
        """Connect, and apply what migrations are missing."""
        ...

    async def close(self) -> None: ...

    async def migrate(self) -> tuple[str, ...]:
        """Apply what is missing, under a lock that other processes wait for; the names of what was applied."""
        ...

    async def insert(self, records: Records) -> int:
        """Write those that are not there yet, in one transaction, and add them to the totals of their days; how many
        were new. A record is known by its id and time."""
        ...

    def records(self, query: UsageQuery) -> AsyncIterator[Record]:
        """The records themselves, in the order of time and id: `limit` of them, those behind `after`, which is
        `cursor_of` the last one seen. `by` is not looked at."""
        ...

    async def usage(self, query: UsageQuery) -> UsagePage: ...

    async def spent(self, consumer: Consumer, since: float, until: float) -> int:
        """Nano-USD of the records that began within; until is not included."""
        ...

    async def enter(self, entry: QuotaEntry) -> None:
        """Write a change of a balance."""
        ...

    async def entry(self, entry_id: str) -> QuotaEntry | None:
        """The change that was written under this id."""
        ...

    async def balance(self, consumer: Consumer) -> Balance | None:
        """None for one without entries: it has no quota."""
        ...

    async def balances(self, kind: ConsumerKind | None = None) -> tuple[Balance, ...]:
        """Those of every consumer with entries, in the order of kind and name."""
        ...

    async def retain(self, before: float) -> int:
        """Delete records of days that ended before, in steps that keep nobody waiting; how many. Totals of days and
        balances stay as they are."""
        ...

    async def tend(self, now: float) -> None:
        """Make ready for the time to come: tables for the records of the next months, where there are such."""
        ...

    async def status(self) -> LedgerStatus: ...


def cursor_of(record: Record) -> str:
    """Where `records` goes on behind this one."""
    return f"{record.time!r} {record.id}"
