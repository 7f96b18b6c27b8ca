"""The ledger in a file: SQLite, in WAL mode.

Lives here: one thread that writes and a few that read, each with a connection of its own, so that the event loop never
waits for the disk, nor what is left of a balance for somebody's usage of a year. Several processes may share the file.
What has been written survives the loss of power: each batch is synced, a few times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Final, TypeVar

import msgspec

from gateway.core.record import Record
from gateway.store.ledger.balances import balance_of, balances_statement, edges_statement, entry_statement, quota_entry
from gateway.store.ledger.columns import record_of
from gateway.store.ledger.grouped import GroupedRecords
from gateway.store.ledger.migrations import TABLE, Migration, migrations
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
    SQLITE,
    read_cursor,
    records_statement,
    span,
    spent_statement,
    usage_cursor,
    usage_row,
    usage_statement,
)
from gateway.store.ledger.sqlite_insert import add_totals, insert_groups, unknown

T = TypeVar("T")

_WAIT: Final = 5.0
"""Seconds for another process that writes."""
_AGAIN: Final = 0.01
_STEP: Final = 2000
"""Rows deleted in one transaction."""
_PAGE: Final = 500
_READERS: Final = 4

_REFUSALS: Final = (
    sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError,
    ValueError, struct.error, msgspec.EncodeError,
)  # fmt: skip
"""What is said of a row. All else is said of the file, such as that its disk is full."""


class SqliteLedger:
    """path: of the file; its folder is made when it is not there. timeout: seconds that a question may take."""

    def __init__(self, path: Path, *, timeout: float = 15.0) -> None:
        self._path = path
        self._writer = _Thread(path, "ledger-writer", _prepare)
        self._readers = [_Thread(path, "ledger-reader", lambda connection: (), timeout) for _ in range(_READERS)]

    async def open(self) -> None:
        await self._writer.run(lambda connection: None)

    async def close(self) -> None:
        for thread in (self._writer, *self._readers):
            await thread.close()

    async def migrate(self) -> tuple[str, ...]:
        before = self._writer.prepared
        return (await self._writer.run(lambda connection: self._writer.prepared))[len(before) :]

    async def insert(self, records: Records) -> int:
        return await self._writer.run(lambda connection: _insert(connection, records))

    async def records(self, query: UsageQuery) -> AsyncIterator[Record]:
        after, left = read_cursor(query.after), query.limit
        while left > 0:
            sql, arguments = records_statement(query, SQLITE, after, min(left, _PAGE))
            found = await self._read(lambda c, s=sql, a=arguments: c.execute(s, a).fetchall())  # type: ignore[misc]  # bound now
            for row in found:
                yield record_of(row)
            left -= len(found)
            if len(found) < _PAGE:
                return
            after = read_cursor(cursor_of(record_of(found[-1])))

    async def usage(self, query: UsageQuery) -> UsagePage:
        sql, arguments = usage_statement(query, SQLITE)
        found = await self._read(lambda connection: connection.execute(sql, arguments).fetchall())
        rows = tuple(usage_row(row, len(query.by)) for row in found[: query.limit])
        return UsagePage(rows, usage_cursor(rows[-1]) if len(found) > query.limit else "")

    async def spent(self, consumer: Consumer, since: float, until: float) -> int:
        return await self._read(lambda connection: _spent(connection, consumer, since, until))

    async def enter(self, entry: QuotaEntry) -> None:
        await self._writer.run(lambda connection: _enter(connection, entry))

    async def entry(self, entry_id: str) -> QuotaEntry | None:
        asked = entry_statement(entry_id, SQLITE)
        row = await self._read(lambda connection: connection.execute(*asked).fetchone())
        return None if row is None else quota_entry(row)

    async def balance(self, consumer: Consumer) -> Balance | None:
        found = await self._balances(consumer.kind, consumer.name)
        return found[0] if found else None

    async def balances(self, kind: ConsumerKind | None = None) -> tuple[Balance, ...]:
        return await self._balances(kind, None)

    async def retain(self, before: float) -> int:
        midnight = before // DAY * DAY
        keep = edges_statement(SQLITE, midnight)
        await self._writer.run(lambda connection: connection.execute(*keep))
        deleted = 0
        while gone := await self._writer.run(lambda connection: _delete_some(connection, midnight)):
            deleted += gone
        return deleted

    async def tend(self, now: float) -> None:
        """Nothing is made ahead."""

    async def status(self) -> LedgerStatus:
        return await self._read(lambda connection: _status(connection, self._path))

    async def _read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """By whoever has least to do; the first of them, as long as one is enough."""
        return await min(self._readers, key=lambda reader: reader.asked).run(ask)

    async def _balances(self, kind: ConsumerKind | None, name: str | None) -> tuple[Balance, ...]:
        asked = balances_statement(SQLITE, kind, name)
        found = await self._read(lambda connection: connection.execute(*asked).fetchall())
        return tuple(map(balance_of, found))


class _Thread:
    """A thread and its connection, made when it is first asked. prepare: what is done with each new one; what it
    returns is in `prepared`. timeout: seconds that each call may take. asked: calls under way."""

    def __init__(
        self,
        path: Path,
        name: str,
        prepare: Callable[[sqlite3.Connection], tuple[str, ...]],
        timeout: float | None = None,
    ) -> None:
        self._path = path
        self._prepare = prepare
        self._timeout = timeout
        self.asked = 0
        self.prepared: tuple[str, ...] = ()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None

    async def run(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        self.asked += 1
        try:
            asking = asyncio.get_running_loop().run_in_executor(self._pool, self._ask, ask)
            async with asyncio.timeout(self._timeout):
                return await asking
        except RuntimeError as closed:
            raise LedgerDown(f"{self._path}: {closed}") from closed
        except TimeoutError:
            if self._connection is not None:
                self._connection.interrupt()
            raise LedgerDown(f"{self._path}: no answer in {self._timeout} s") from None
        finally:
            self.asked -= 1

    async def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            await asyncio.get_running_loop().run_in_executor(self._pool, self._disconnect)
        self._pool.shutdown(wait=False)

    def _ask(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._connection
            if connection is None:
                connection = self._connection = _connect(self._path)
                self.prepared += self._prepare(connection)
            return ask(connection)
        except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
            # The file may have been replaced or come back: the next call begins anew.
            self._disconnect()
            raise LedgerDown(f"{self._path}: {error}") from error

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    return sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection) -> tuple[str, ...]:
    """For whoever writes: both of the first two are kept in the file, and whoever reads need not wait to set them."""
    # Counts only before the first table, for a file that gives room back.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL")
    return _migrate(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn the log on that lets others read meanwhile. Two that do so at once would wait for each other, so SQLite
    refuses one of them at once, whatever its time-out: that one asks again."""
    for left in reversed(range(round(_WAIT / _AGAIN))):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not left:
                raise
            sleep(_AGAIN)
        else:
            return


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk has rolled it back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _migrate(connection: sqlite3.Connection) -> tuple[str, ...]:
    applied = []
    for migration in migrations("sqlite"):
        with _transaction(connection):
            connection.execute(TABLE)
            if connection.execute("SELECT 1 FROM ledger_migrations WHERE number = ?", (migration.number,)).fetchone():
                continue
            _apply(connection, migration)
        applied.append(migration.name)
    return tuple(applied)


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    statement = ""
    # Not executescript, which would commit what is under way.
    for part in migration.sql.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    connection.execute("INSERT INTO ledger_migrations VALUES (?, ?)", (migration.number, migration.name))


def _insert(connection: sqlite3.Connection, records: Records) -> int:
    if not records:
        connection.execute("SELECT 1 FROM ledger_rows LIMIT 1").fetchone()
        return 0
    try:
        new = GroupedRecords.of(records)
        with _transaction(connection):
            if insert_groups(connection, new) < len(records):
                # Some were there: which ones is asked only then, which is after an outage.
                connection.execute("ROLLBACK")
                connection.execute("BEGIN IMMEDIATE")
                new = GroupedRecords(unknown(connection, records))
                insert_groups(connection, new)
            add_totals(connection, new)
    except _REFUSALS as error:
        raise RecordsRefused(f"{type(error).__name__}: {error}") from error
    return len(new)


def _spent(connection: sqlite3.Connection, consumer: Consumer, since: float, until: float) -> int:
    kept = connection.execute(
        "SELECT amount FROM ledger_edges WHERE kind = ? AND name = ? AND since = ?",
        (consumer.kind, consumer.name, since),
    ).fetchone()
    midnight = -(-since // DAY) * DAY
    if kept is not None and until >= midnight:
        return int(kept[0]) + int(
            connection.execute(*spent_statement(consumer, span(midnight, until), SQLITE)).fetchone()[0]
        )
    return int(connection.execute(*spent_statement(consumer, span(since, until), SQLITE)).fetchone()[0])


def _enter(connection: sqlite3.Connection, entry: QuotaEntry) -> None:
    connection.execute(
        "INSERT INTO ledger_quotas (id, kind, name, change, amount, time, made_by, note) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            entry.id, entry.consumer.kind, entry.consumer.name, entry.kind, entry.amount, entry.time, entry.by,
            entry.note,
        ),
    )  # fmt: skip


def _delete_some(connection: sqlite3.Connection, midnight: float) -> int:
    with _transaction(connection):
        gone = connection.execute(
            "DELETE FROM ledger_rows WHERE rowid IN "
            "(SELECT rowid FROM ledger_rows WHERE time < ? ORDER BY time LIMIT ?)",
            (midnight, _STEP),
        ).rowcount
    if gone:
        connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
    return gone


def _status(connection: sqlite3.Connection, path: Path) -> LedgerStatus:
    steps = migrations("sqlite")
    applied: tuple[str, ...] = ()
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger_migrations'").fetchone():
        applied = tuple(name for (name,) in connection.execute("SELECT name FROM ledger_migrations ORDER BY number"))
    requests, oldest = 0, None
    if steps[0].name in applied:
        (requests,) = connection.execute("SELECT COALESCE(SUM(requests), 0) FROM ledger_days").fetchone()
        (oldest,) = connection.execute("SELECT MIN(time) FROM ledger_rows").fetchone()
    missing = tuple(step.name for step in steps if step.name not in applied)
    return LedgerStatus(str(path), applied, missing, requests, oldest, path.stat().st_size)
