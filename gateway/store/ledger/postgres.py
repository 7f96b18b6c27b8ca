"""The ledger in PostgreSQL, by asyncpg.

Lives here: one connection that writes, a few that read, and which of the server's answers means that it is away and
which that it will not have a row. A call that takes too long ends its connection: what became of it is not known, and
to bring a record twice does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

import asyncpg
import msgspec

from gateway.core.record import Record
from gateway.core.secret import Secret
from gateway.store.ledger.balances import balance_of, balances_statement, edges_statement, entry_statement, quota_entry
from gateway.store.ledger.columns import record_of
from gateway.store.ledger.grouped import GroupedRecords
from gateway.store.ledger.migrations import TABLE, Migration, migrations
from gateway.store.ledger.partitions import (
    Partition,
    creation,
    end_of_partition,
    partitions_ahead,
    partitions_of,
)
from gateway.store.ledger.postgres_insert import INSERT, parameters
from gateway.store.ledger.protocol import (
    Balance,
    Consumer,
    ConsumerKind,
    LedgerDown,
    LedgerStatus,
    QuotaEntry,
    Records,
    RecordsRefused,
    UsagePage,
    UsageQuery,
    cursor_of,
)
from gateway.store.ledger.queries import (
    DAY,
    POSTGRESQL,
    Argument,
    read_cursor,
    records_statement,
    span,
    spent_statement,
    usage_cursor,
    usage_row,
    usage_statement,
)

T = TypeVar("T")

LOCK: Final = 0x6C65646765720001
"""Of the advisory lock under which tables are made and dropped."""
_READERS: Final = 4
_STEP: Final = 5000
"""Rows deleted in one transaction."""
_PAGE: Final = 500
_KEPT_WAITING: Final = "SET LOCAL lock_timeout = '2s'"
_PARTITIONS: Final = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ledger_rows'::regclass"
_REFUSALS: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What is said of a row. All else is said of the server, such as that its disk is full (class 53)."""
_TAKES_NO_WRITES: Final = asyncpg.ReadOnlySQLTransactionError


class PostgresLedger:
    """dsn: the address with its password. place: the same without one, for messages. timeout: seconds that a call may
    take; migrations and retention may take ten times as long."""

    def __init__(self, dsn: Secret, place: str, *, timeout: float = 5.0) -> None:
        self._dsn = dsn
        self._place = place
        self._timeout = timeout
        self._writer: asyncpg.Connection | None = None
        self._readers: asyncpg.Pool | None = None
        self._migrated = False
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        await self._write(_nothing)

    async def close(self) -> None:
        async with self._lock:
            await self._disconnect()
        readers, self._readers = self._readers, None
        if readers is not None:
            readers.terminate()

    async def migrate(self) -> tuple[str, ...]:
        async with self._lock, self._mapped():
            applied = await _migrate(await self._writing())
            self._migrated = True
            return applied

    async def insert(self, records: Records) -> int:
        try:
            grouped = GroupedRecords.of(records)
            batch = parameters(grouped)
        except (msgspec.EncodeError, ValueError, OverflowError, struct.error) as error:
            raise RecordsRefused(f"a record cannot be encoded: {type(error).__name__}") from error

        async def insert(connection: asyncpg.Connection) -> int:
            try:
                return await self._insert(connection, batch)
            except asyncpg.CheckViolationError:
                # No partition for a time: the first row of a month that nobody has prepared.
                await _make(connection, partitions_of(group.like.time for group in grouped.groups()))
            try:
                return await self._insert(connection, batch)
            except asyncpg.CheckViolationError as error:
                raise _refusal(error) from error

        return await self._write(insert)

    async def records(self, query: UsageQuery) -> AsyncIterator[Record]:
        after, left = read_cursor(query.after), query.limit
        while left > 0:
            sql, arguments = records_statement(query, POSTGRESQL, after, min(left, _PAGE))
            found = await self._read(sql, arguments)
            for row in found:
                yield record_of(tuple(row))
            left -= len(found)
            if len(found) < _PAGE:
                return
            after = read_cursor(cursor_of(record_of(tuple(found[-1]))))

    async def usage(self, query: UsageQuery) -> UsagePage:
        sql, arguments = usage_statement(query, POSTGRESQL)
        found = await self._read(sql, arguments)
        rows = tuple(usage_row(tuple(row), len(query.by)) for row in found[: query.limit])
        return UsagePage(rows, usage_cursor(rows[-1]) if len(found) > query.limit else "")

    async def spent(self, consumer: Consumer, since: float, until: float) -> int:
        kept = await self._read(
            "SELECT amount FROM ledger_edges WHERE kind = $1 AND name = $2 AND since = $3",
            [consumer.kind, consumer.name, since],
        )
        midnight = -(-since // DAY) * DAY
        if kept and until >= midnight:
            rest = await self._read(*spent_statement(consumer, span(midnight, until), POSTGRESQL))
            return int(kept[0][0]) + int(rest[0][0])
        found = await self._read(*spent_statement(consumer, span(since, until), POSTGRESQL))
        return int(found[0][0])

    async def enter(self, entry: QuotaEntry) -> None:
        async def enter(connection: asyncpg.Connection) -> None:
            await connection.execute(
                "INSERT INTO ledger_quotas (id, kind, name, change, amount, time, made_by, note) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                entry.id, entry.consumer.kind, entry.consumer.name, entry.kind, entry.amount, entry.time, entry.by,
                entry.note,
            )  # fmt: skip

        await self._write(enter)

    async def entry(self, entry_id: str) -> QuotaEntry | None:
        found = await self._read(*entry_statement(entry_id, POSTGRESQL))
        return quota_entry(tuple(found[0])) if found else None

    async def balance(self, consumer: Consumer) -> Balance | None:
        found = await self._balances(consumer.kind, consumer.name)
        return found[0] if found else None

    async def balances(self, kind: ConsumerKind | None = None) -> tuple[Balance, ...]:
        return await self._balances(kind, None)

    async def retain(self, before: float) -> int:
        midnight = before // DAY * DAY
        sql, arguments = edges_statement(POSTGRESQL, midnight)
        await self._write(lambda connection: connection.execute(sql, *arguments))
        deleted = 0
        for (name,) in await self._read(_PARTITIONS, []):
            end_of = end_of_partition(name)
            if end_of is not None and end_of <= midnight:
                deleted += await self._write(lambda connection, name=name: _drop(connection, name))  # type: ignore[misc]  # bound now
        while gone := await self._write(lambda connection: _delete_some(connection, midnight)):
            deleted += gone
        return deleted

    async def tend(self, now: float) -> None:
        await self._write(lambda connection: _make(connection, partitions_ahead(now)))

    async def status(self) -> LedgerStatus:
        steps = migrations("postgresql")
        applied: tuple[str, ...] = ()
        if (await self._read("SELECT to_regclass('ledger_migrations') IS NOT NULL", []))[0][0]:
            found = await self._read("SELECT name FROM ledger_migrations ORDER BY number", [])
            applied = tuple(name for (name,) in found)
        requests, oldest, size = 0, None, 0
        if steps[0].name in applied:
            ((requests, oldest, size),) = await self._read(
                "SELECT (SELECT COALESCE(SUM(requests), 0) FROM ledger_days), "
                "(SELECT extract(epoch FROM MIN(time))::float8 FROM ledger_rows), "
                "(SELECT COALESCE(SUM(pg_total_relation_size(inhrelid)), 0) FROM pg_inherits "
                "WHERE inhparent = 'ledger_rows'::regclass) + pg_total_relation_size('ledger_days')",
                [],
            )
        missing = tuple(step.name for step in steps if step.name not in applied)
        return LedgerStatus(self._place, applied, missing, int(requests), oldest, int(size))

    async def _insert(self, connection: asyncpg.Connection, batch: Sequence[str]) -> int:
        try:
            return int(await connection.fetchval(INSERT, *batch, timeout=self._timeout))
        except asyncpg.CheckViolationError:
            raise
        except asyncpg.ProgramLimitExceededError as error:
            # A row may be too long for an index. But a server that has used up its transactions says the same of all.
            await connection.execute("SELECT pg_current_xact_id()")
            raise _refusal(error) from error
        except _REFUSALS as error:
            raise _refusal(error) from error

    async def _balances(self, kind: ConsumerKind | None, name: str | None) -> tuple[Balance, ...]:
        found = await self._read(*balances_statement(POSTGRESQL, kind, name))
        return tuple(balance_of(tuple(row)) for row in found)

    async def _write(self, ask: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """On the connection that writes, when there are tables to write to."""
        async with self._lock, self._mapped():
            connection = await self._writing()
            if not self._migrated:
                await _migrate(connection)
                self._migrated = True
            return await ask(connection)

    async def _read(self, sql: str, arguments: Sequence[Argument]) -> list[asyncpg.Record]:
        async with self._mapped():
            if self._readers is None:
                self._readers = asyncpg.create_pool(
                    self._dsn.reveal(),
                    min_size=0,
                    max_size=_READERS,
                    timeout=self._timeout,
                    command_timeout=self._timeout * 3,
                    server_settings={"application_name": "router-gateway"},
                )
                await self._readers
            async with self._readers.acquire(timeout=self._timeout) as connection:
                found: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
                return found

    async def _writing(self) -> asyncpg.Connection:
        """The connection that writes, made anew when there is none."""
        if self._writer is None or self._writer.is_closed():
            self._writer = await asyncpg.connect(
                self._dsn.reveal(),
                timeout=self._timeout,
                command_timeout=self._timeout * 10,
                server_settings={"application_name": "router-gateway"},
            )
        return self._writer

    async def _disconnect(self) -> None:
        connection, self._writer = self._writer, None
        if connection is not None and not connection.is_closed():
            with contextlib.suppress(Exception):
                await connection.close(timeout=1.0)

    @contextlib.asynccontextmanager
    async def _mapped(self) -> AsyncIterator[None]:
        """What the library raises, as LedgerDown."""
        try:
            yield
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, EOFError) as error:
            # After a time-out or a broken connection it is not known what the server does, and one that takes no writes
            # is no longer the one that was connected to: begin anew.
            writer = self._writer
            stays = isinstance(error, asyncpg.PostgresError) and not isinstance(error, _TAKES_NO_WRITES)
            if writer is not None and (writer.is_closed() or not stays):
                self._writer = None
                writer.terminate()
            raise LedgerDown(f"{self._place}: {str(error)[:200] or type(error).__name__}") from error


def _refusal(error: asyncpg.PostgresError) -> RecordsRefused:
    return RecordsRefused(f"{type(error).__name__} {getattr(error, 'sqlstate', '')}")


async def _nothing(connection: asyncpg.Connection) -> None:
    """To connect is all."""


async def _migrate(connection: asyncpg.Connection) -> tuple[str, ...]:
    applied = []
    for migration in migrations("postgresql"):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            await connection.execute(TABLE)
            if await connection.fetchval("SELECT 1 FROM ledger_migrations WHERE number = $1", migration.number):
                continue
            await _apply(connection, migration)
        applied.append(migration.name)
    return tuple(applied)


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    await connection.execute(migration.sql)
    await connection.execute("INSERT INTO ledger_migrations VALUES ($1, $2)", migration.number, migration.name)


async def _make(connection: asyncpg.Connection, partitions: Sequence[Partition]) -> None:
    there = {name for (name,) in await connection.fetch(_PARTITIONS)}
    for partition in partitions:
        if partition.name in there:
            continue
        async with connection.transaction():
            await connection.execute(_KEPT_WAITING)
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            if partition.name not in {name for (name,) in await connection.fetch(_PARTITIONS)}:
                for statement in creation(partition):
                    await connection.execute(statement)


async def _drop(connection: asyncpg.Connection, name: str) -> int:
    """A month whole, at the cost of a file's deletion."""
    async with connection.transaction():
        await connection.execute(_KEPT_WAITING)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        if name not in {there for (there,) in await connection.fetch(_PARTITIONS)}:
            return 0
        count = await connection.fetchval(f"SELECT COUNT(*) FROM {name}")  # noqa: S608  # one of ours, by its form
        await connection.execute(f"DROP TABLE {name}")
        return int(count)


async def _delete_some(connection: asyncpg.Connection, midnight: float) -> int:
    """Of the month that retention reaches into."""
    tag: str = await connection.execute(
        "DELETE FROM ledger_rows WHERE (time, id) IN (SELECT time, id FROM ledger_rows WHERE time < to_timestamp($1) "
        "ORDER BY time LIMIT $2) AND time < to_timestamp($1)",
        midnight,
        _STEP,
    )
    return int(tag.split()[-1])
