"""A ledger's database in a dictionary, for tests on virtual time, where a real one would need threads.

What lives here: what the accounts ask, exactly as the protocol has it; records are counted as they are inserted.
`away` makes every call fail, `gate` holds them until it is set.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from gateway.core.record import Record
from gateway.store.ledger.protocol import (
    Balance,
    Consumer,
    ConsumerKind,
    LedgerDown,
    LedgerStatus,
    QuotaEntry,
    Records,
    UsagePage,
    UsageQuery,
    UsageRow,
)

_NAMES = {"caller": "caller", "team": "team", "project": "project", "router": "router"}
_FIELDS: dict[ConsumerKind, str] = {"key": "caller", "team": "team", "project": "project", "router": "router"}


class Book:
    """asked: the calls that were made, in order."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.entries: list[QuotaEntry] = []
        self.asked: list[str] = []
        self.away = False
        self.gate: asyncio.Event | None = None

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def migrate(self) -> tuple[str, ...]:
        return ()

    async def tend(self, now: float) -> None: ...

    async def retain(self, before: float) -> int:
        return 0

    async def status(self) -> LedgerStatus:
        return LedgerStatus("a dictionary", (), (), len(self.records), None, 0)

    async def insert(self, records: Records) -> int:
        await self._answer("insert")
        self.records += records
        return len(records)

    async def enter(self, entry: QuotaEntry) -> None:
        self.entries.append(entry)

    async def spent(self, consumer: Consumer, since: float, until: float) -> int:
        await self._answer(f"spent {consumer.kind}:{consumer.name}")
        return sum(
            record.cost or 0
            for record in self.records
            if getattr(record, _FIELDS[consumer.kind]) == consumer.name and since <= record.time < until
        )

    async def balance(self, consumer: Consumer) -> Balance | None:
        await self._answer(f"balance {consumer.kind}:{consumer.name}")
        mine = sorted((entry for entry in self.entries if entry.consumer == consumer), key=lambda entry: entry.time)
        if not mine:
            return None
        last_set = max((at for at, entry in enumerate(mine) if entry.kind == "set"), default=0)
        since = mine[last_set].time
        granted = sum(entry.amount for entry in mine[last_set:])
        fields = _FIELDS[consumer.kind]
        spent = sum(r.cost or 0 for r in self.records if getattr(r, fields) == consumer.name and r.time >= since)
        return Balance(consumer, granted, spent, since)

    async def balances(self, kind: ConsumerKind | None = None) -> tuple[Balance, ...]:
        consumers = dict.fromkeys(entry.consumer for entry in self.entries)
        found = [await self.balance(one) for one in consumers if kind in (None, one.kind)]
        return tuple(balance for balance in found if balance is not None)

    async def usage(self, query: UsageQuery) -> UsagePage:
        await self._answer(f"usage {query.where}")
        (by,) = query.by
        form = "%Y-%m-%dT%H" if by == "hour" else "%Y-%m-%d"
        sums: dict[str, int] = {}
        for record in self.records:
            if query.since <= record.time < query.until and all(
                getattr(record, _NAMES[dimension]) == value for dimension, value in query.where
            ):
                group = datetime.fromtimestamp(record.time, UTC).strftime(form)
                sums[group] = sums.get(group, 0) + (record.cost or 0)
        return UsagePage(
            tuple(UsageRow((group,), 1, 0, 0, 0, 0, 0, 0, cost, 0, 0, 0.0) for group, cost in sums.items())
        )

    async def _answer(self, asked: str) -> None:
        self.asked.append(asked)
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise LedgerDown("the ledger is away")
