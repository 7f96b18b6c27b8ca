"""The admin API's pages of the ledger, on real databases."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any, Final, Self, cast

import msgspec
import pytest

from gateway.core.errors import GatewayError
from gateway.ingress.admin.answers import QuotaChanged, RecordsAnswer, UsageAnswer
from gateway.ingress.admin.asking import Asked, Table
from gateway.ingress.admin.csv_text import csv_pieces
from gateway.ingress.admin.ledger_pages import LedgerPages
from gateway.ingress.admin.login import Bearer
from gateway.ingress.admin.process import Process
from gateway.ingress.admin.query import DIMENSIONS
from gateway.store.ledger.protocol import Consumer, LedgerDatabase, QuotaEntry
from tests.support.exchange_records import served as record

pytestmark = pytest.mark.real_time

NOW: Final = 1_763_900_000.0
START: Final = NOW - 80_000.0
COUNT: Final = 60


class Holder:
    """A process that has a ledger, and nothing else."""

    def __init__(self, database: LedgerDatabase) -> None:
        self._database = database
        self.told: list[Consumer] = []

    async def balance_changed(self, consumer: Consumer) -> None:
        self.told.append(consumer)

    def ledger(self) -> LedgerDatabase:
        return self._database


def asked(*pairs: tuple[str, str], body: object = None, **headers: str) -> Asked:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Asked(Bearer("ops", "write"), NOW, pairs, named, msgspec.json.encode(body))


class Pages:
    """What is answered out of one ledger, which has COUNT rows of three teams."""

    def __init__(self, connect: Callable[[], LedgerDatabase]) -> None:
        self.database = connect()
        self.holder = Holder(self.database)
        self.pages = LedgerPages(cast("Process", self.holder))

    async def __aenter__(self) -> Self:
        await self.database.open()
        rows = [record(id=f"{n:04}", time=START + 600.0 * n, team=f"t{n % 3}", cost=n) for n in range(COUNT)]
        await self.database.insert(rows)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.database.close()

    async def usage(self, *pairs: tuple[str, str]) -> UsageAnswer:
        answer = await self.pages.usage(asked(*pairs))
        assert isinstance(answer, UsageAnswer)
        return answer

    async def records(self, *pairs: tuple[str, str]) -> RecordsAnswer:
        answer = await self.pages.records(asked(*pairs))
        assert isinstance(answer, RecordsAnswer)
        return answer

    async def change(self, body: dict[str, Any], **headers: str) -> QuotaChanged:
        return await self.pages.change_quota(asked(body=body, **headers))


async def test_usage_adds_up_whatever_it_is_grouped_by(connect: Callable[[], LedgerDatabase]) -> None:
    async with Pages(connect) as pages:
        for name in DIMENSIONS:
            answer = await pages.usage(("by", f"{name},caller" if name != "caller" else name), ("since", "2d"))
            assert sum(row.requests for row in answer.rows) == COUNT, name
            value = answer.rows[0].group[name]
            only = await pages.usage((f"where.{name}", value), ("since", "2d"))
            assert only.rows[0].requests == sum(row.requests for row in answer.rows if row.group[name] == value)


async def test_pages_of_both_kinds_are_whole(connect: Callable[[], LedgerDatabase]) -> None:
    async with Pages(connect) as pages:
        seen = []
        pairs = [("since", "2d"), ("limit", "7")]
        while True:
            records = await pages.records(*pairs)
            seen += [row.id for row in records.rows]
            if not records.cursor:
                break
            pairs = [("cursor", records.cursor), ("limit", "7")]
        assert seen == [f"{n:04}" for n in range(COUNT)]
        groups = []
        pairs = [("since", "2d"), ("by", "hour,team"), ("limit", "7")]
        while True:
            usage = await pages.usage(*pairs)
            groups += [(tuple(row.group.values()), row.requests) for row in usage.rows]
            if not usage.cursor:
                break
            pairs = [("cursor", usage.cursor), ("limit", "7")]
        assert [group for group, _ in groups] == sorted({group for group, _ in groups})
        assert sum(count for _, count in groups) == COUNT


async def test_tables_have_every_row(connect: Callable[[], LedgerDatabase]) -> None:
    async with Pages(connect) as pages:
        for ask, pairs, count in (
            (pages.pages.records, [("since", "2d")], COUNT),
            (pages.pages.records, [("since", "2d"), ("limit", "8")], 8),
            (pages.pages.usage, [("since", "2d"), ("by", "team")], 3),
            (pages.pages.usage, [("since", "2d"), ("by", "hour,team"), ("limit", "2")], 2),
        ):
            table = await ask(asked(*pairs, ("format", "csv")))
            assert isinstance(table, Table)
            text = b"".join([piece async for piece in csv_pieces(table.head, table.rows)]).decode()
            assert len(list(csv.reader(io.StringIO(text)))) == count + 1


@pytest.mark.parametrize(
    "value", ["t0' OR '1'='1", "'; DROP TABLE ledger_rows; --", "$1", "?1", "%", "t_", "\\", "é\u2028"]
)
async def test_values_are_values_and_no_sql(value: str, connect: Callable[[], LedgerDatabase]) -> None:
    async with Pages(connect) as pages:
        for name in DIMENSIONS:
            assert (await pages.usage((f"where.{name}", value), ("since", "2d"))).rows == [], name
            assert (await pages.records((f"where.{name}", value), ("since", "2d"))).rows == [], name
        assert (await pages.usage(("since", "2d"))).rows[0].requests == COUNT


async def test_a_change_of_a_quota_counts_once(connect: Callable[[], LedgerDatabase]) -> None:
    async with Pages(connect) as pages:
        change = {"kind": "team", "name": "t1", "change": "add", "amount": "2.5"}
        first = await pages.change(change, idempotency_key="one")
        again = await pages.change(change, idempotency_key="one")
        assert (first.quota.granted, again.quota.granted) == ("2.50", "2.50")
        assert set(pages.holder.told) == {Consumer("team", "t1")}, "who holds balances looks again"
        with pytest.raises(GatewayError) as caught:
            await pages.change({**change, "amount": "3"}, idempotency_key="one")
        assert caught.value.code == "idempotency_conflict"
        assert (await pages.change(change)).quota.granted == "5.00"


async def test_what_was_entered_is_told(connect: Callable[[], LedgerDatabase]) -> None:
    async with Pages(connect) as pages:
        entry = QuotaEntry("x-1", Consumer("project", "search"), "set", 10**18, 12.5, "somebody", "why")
        assert await pages.database.entry("x-1") is None
        await pages.database.enter(entry)
        assert await pages.database.entry("x-1") == entry
