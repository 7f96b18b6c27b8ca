"""What comes out of the ledger and goes into it: usage, records, quotas."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, ParamSpec, TypeVar

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.moments import instant_text
from gateway.core.record import Record
from gateway.ingress.admin.answers import (
    QuotaChange,
    QuotaChanged,
    QuotaLine,
    QuotasAnswer,
    RecordsAnswer,
    UsageAnswer,
)
from gateway.ingress.admin.asking import Asked, Table
from gateway.ingress.admin.csv_text import Cell
from gateway.ingress.admin.process import Process
from gateway.ingress.admin.query import cursor_of, kind_of, only, question_of
from gateway.ingress.admin.tables import (
    RECORD_NAMES,
    USAGE_NAMES,
    quota_line,
    record_cells,
    record_line,
    usage_cells,
    usage_line,
)
from gateway.store.ledger.grants import NotGranted, check_balance, granted_amount
from gateway.store.ledger.protocol import (
    Balance,
    Consumer,
    LedgerDatabase,
    LedgerDown,
    QuotaEntry,
    UsageQuery,
)
from gateway.store.ledger.protocol import cursor_of as place_of

_ENTRY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_FETCHED: Final = 1_000
"""Rows of a table that are asked for at once."""

_Rest = ParamSpec("_Rest")
_Found = TypeVar("_Found")


class LedgerPages:
    """Pages about one ledger."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def usage(self, asked: Asked) -> UsageAnswer | Table:
        question = question_of(asked.pairs, asked.now, groups=True)
        query, database = question.query, self._database()
        if question.format == "csv" or asked.wants_csv:
            return Table("usage", (*query.by, *USAGE_NAMES), _usage_rows(database, query))
        page = await database.usage(query)
        return UsageAnswer(
            instant_text(query.since),
            instant_text(query.until),
            list(query.by),
            "USD",
            [usage_line(query.by, row) for row in page.rows],
            cursor_of(query, page.cursor),
        )

    async def records(self, asked: Asked) -> RecordsAnswer | Table:
        question = question_of(asked.pairs, asked.now, groups=False)
        query, database = question.query, self._database()
        if question.format == "csv" or asked.wants_csv:
            return Table("records", RECORD_NAMES, _record_rows(database, query))
        # One more than the page has, to know whether there is another.
        more = msgspec.structs.replace(query, limit=query.limit + 1)
        found: list[Record] = [record async for record in database.records(more)]
        rows = found[: query.limit]
        after = place_of(rows[-1]) if len(found) > query.limit else ""
        return RecordsAnswer(
            instant_text(query.since),
            instant_text(query.until),
            "USD",
            [record_line(record) for record in rows],
            cursor_of(query, after),
        )

    async def quotas(self, asked: Asked) -> QuotasAnswer:
        given = only(asked.pairs, ("kind", "name"))
        kind = kind_of(given["kind"]) if "kind" in given else None
        database = self._database()
        if "name" not in given:
            found: Sequence[Balance] = await database.balances(kind)
        elif kind is None:
            raise GatewayError("invalid_request", "A name is of a kind: give `kind` too.", param="kind")
        else:
            balance = await database.balance(Consumer(kind, given["name"]))
            found = () if balance is None else (balance,)
        return QuotasAnswer("USD", [quota_line(one) for one in found])

    async def change_quota(self, asked: Asked) -> QuotaChanged:
        only(asked.pairs, ())
        change = asked.body(QuotaChange)
        for param in ("name", "note"):
            if not getattr(change, param).isprintable():
                raise GatewayError("invalid_request", "It has a character that cannot be shown.", param=param)
        amount = _granted(granted_amount, change.change, change.amount)
        once = asked.headers.get("idempotency-key")
        if once is not None and _ENTRY.fullmatch(once) is None:
            raise GatewayError(
                "invalid_request", "It has 1 to 128 characters of ASCII, no spaces.", param="idempotency-key"
            )
        # Whose it is stands in front: two who count their changes from 1 do not meet.
        entry_id = f"admin:{asked.bearer.name}:{once or os.urandom(16).hex()}"
        consumer = Consumer(change.kind, change.name)
        entry = QuotaEntry(entry_id, consumer, change.change, amount, asked.now, asked.by, change.note)
        database = self._database()
        before = await database.entry(entry_id) if once is not None else None
        if before is None:
            _granted(check_balance, change.change, amount, await database.balance(consumer))
            await database.enter(entry)
            # Of two at the same time under one name, one was entered.
            before = await database.entry(entry_id)
        if before is not None and not _is_same(before, entry):
            raise GatewayError(
                "idempotency_conflict", "This idempotency-key was used for another change.", param="idempotency-key"
            )
        balance = await database.balance(consumer)
        if before is None or balance is None:
            raise LedgerDown("what was entered is not there")
        await self._process.balance_changed(consumer)
        line: QuotaLine = quota_line(balance)
        asked.note("quota changed", kind=change.kind, name=change.name, change=change.change, amount=change.amount)
        return QuotaChanged(entry_id, "USD", line)

    def _database(self) -> LedgerDatabase:
        database = self._process.ledger()
        if database is None:
            raise GatewayError("ledger_off", "This gateway keeps no ledger: `ledger` is not in its config.")
        return database


def _granted(ask: Callable[_Rest, _Found], *args: _Rest.args, **kwargs: _Rest.kwargs) -> _Found:
    """What is asked of the amount; in the API's words where it cannot be."""
    try:
        return ask(*args, **kwargs)
    except NotGranted as refused:
        raise GatewayError("invalid_request", str(refused), param="amount") from None


def _is_same(one: QuotaEntry, other: QuotaEntry) -> bool:
    """Whether they change the same by the same, whenever and with whatever note."""
    return (one.consumer, one.kind, one.amount) == (other.consumer, other.kind, other.amount)


async def _usage_rows(database: LedgerDatabase, query: UsageQuery) -> AsyncIterator[Sequence[Cell]]:
    left = query.limit or None
    after = query.after
    while True:
        size = _FETCHED if left is None else min(left, _FETCHED)
        page = await database.usage(msgspec.structs.replace(query, limit=size, after=after))
        for row in page.rows:
            yield usage_cells(row)
        after = page.cursor
        if left is not None:
            left -= len(page.rows)
        if not after or left == 0:
            return


async def _record_rows(database: LedgerDatabase, query: UsageQuery) -> AsyncIterator[Sequence[Cell]]:
    endless = msgspec.structs.replace(query, limit=query.limit or sys.maxsize)
    async for record in database.records(endless):
        yield record_cells(record)
