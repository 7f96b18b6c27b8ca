"""Budgets and balances of gateways that share a real store and a real ledger, and what is left of them when the store
is killed or forgets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.store.ledger.protocol import Consumer, LedgerDatabase, QuotaEntry
from gateway.store.ledger.writer import LedgerWriter
from tests.support.house import ALPHA, PROVIDERS, Served, chat
from tests.support.redis_server import RedisServer
from tests.support.scripted import chat_reply, ok

pytestmark = pytest.mark.real_time

PATH = "/router/one/v1/chat/completions"
KEY = {"authorization": "Bearer gk-ann"}
ANN = Consumer("key", "ann")
with_each_client = pytest.mark.parametrize("client", ["lean", "redis-py"])


def config(folder: Path, url: str, budget: str = "", *, on_outage: str = "local", client: str = "lean") -> str:
    own = f", budget: {budget}" if budget else ""
    return f"""
store: {{url: '{url}', on-outage: {on_outage}, timeout: 5s, client: {client}}}
ledger: {{url: 'sqlite:///{folder}/ledger.db', spool: '{folder}/spool', batch: 10ms}}
quotas: {{}}
prices: {{alpha/*: {{input: 0, output: 1000}}}}
auth: {{mode: keys, keys: [{{name: ann, hash: 'sha256:{sha256(b"gk-ann").hexdigest()}'}}]}}
routers:
  one: {{load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}{own}}}
{PROVIDERS}"""


@contextlib.asynccontextmanager
async def gateway(folder: Path, text: str) -> AsyncIterator[Served]:
    served = Served(folder, text)
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 10)), delay=0.01))
    await served.gateway.house.stores.open()
    for sink in served.gateway.house.sinks:
        await sink.open()
    try:
        yield served
    finally:
        await served.runtime.close()
        served.check()


def ledger(served: Served) -> LedgerDatabase:
    writer = served.gateway.house.sinks.get("ledger")
    assert isinstance(writer, LedgerWriter)
    return writer.database


async def pay(served: Served, nano: int) -> None:
    await ledger(served).enter(QuotaEntry(f"{nano}", ANN, "add", nano, served.runtime.clock.wall()))


async def statuses(served: Served, count: int) -> list[int]:
    body = chat("big", max_tokens=10)
    return [(await served.client.post(PATH, body, headers=KEY)).status for _ in range(count)]


async def written(served: Served, nano: int) -> None:
    """Until the ledger has so much."""
    while await ledger(served).spent(ANN, 0, 2**40) < nano:
        await asyncio.sleep(0.01)


@with_each_client
async def test_replicas_share_a_budget(server: RedisServer, tmp_path: Path, client: str) -> None:
    text = config(tmp_path, server.url, "{amount: '0.03'}", client=client)
    async with gateway(tmp_path, text) as one, gateway(tmp_path, text) as other:
        assert await statuses(one, 2) == [200, 200]
        assert await statuses(other, 2) == [200, 429]
        assert await statuses(one, 1) == [429]


async def test_replicas_together_grant_what_a_balance_has_and_not_one_more(server: RedisServer, tmp_path: Path) -> None:
    text = config(tmp_path, server.url)
    async with gateway(tmp_path, text) as one, gateway(tmp_path, text) as other:
        await pay(one, 70_000_000)
        found = await asyncio.gather(*(statuses(served, 1) for served in (one, other) for _ in range(20)))
        assert sorted(status for several in found for status in several) == [200] * 7 + [402] * 33


async def test_replicas_overspend_by_no_more_than_each_request_was_estimated_too_low(
    server: RedisServer, tmp_path: Path
) -> None:
    text = config(tmp_path, server.url, "{amount: '0.05'}")
    async with gateway(tmp_path, text) as one, gateway(tmp_path, text) as other:
        for served in (one, other):
            # Two tokens more than they say at most.
            served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 12)), delay=0.05))
        found = await asyncio.gather(*(statuses(served, 1) for served in (one, other) for _ in range(25)))
        granted = [status for several in found for status in several].count(200)
        await written(one, granted * 12_000_000)
        spent = await ledger(one).spent(ANN, 0, 2**40)
        assert spent == granted * 12_000_000
        assert 0 <= spent - 48_000_000 <= 2_000_000 + granted * 2_000_000, "no request more than had room"
        assert [*await statuses(one, 1), *await statuses(other, 1)] == [429, 429]


async def test_a_change_that_one_replica_is_told_of_counts_in_the_others_at_once(
    server: RedisServer, tmp_path: Path
) -> None:
    text = config(tmp_path, server.url)
    async with gateway(tmp_path, text) as one, gateway(tmp_path, text) as other:
        await pay(one, 20_000_000)
        assert [*await statuses(one, 1), *await statuses(other, 1)] == [200, 200]
        for nano, expected in ((10_000_000, 200), (50_000_000, 200), (-40_000_000, 402)):
            await pay(one, nano)
            await one.gateway.balance_changed(ANN)
            assert await statuses(other, 1) == [expected], nano


@pytest.mark.parametrize("budget", ["{amount: '0.03'}", "{amount: '0.03', window: rolling 6h}"])
async def test_a_store_that_forgot_is_told_by_the_ledger(server: RedisServer, tmp_path: Path, budget: str) -> None:
    async with gateway(tmp_path, config(tmp_path, server.url, budget)) as served:
        assert await statuses(served, 2) == [200, 200]
        await written(served, 20_000_000)
        server.cli("FLUSHALL")
        assert await statuses(served, 2) == [200, 429]


async def test_a_balance_outlives_the_store(server: RedisServer, tmp_path: Path) -> None:
    async with gateway(tmp_path, config(tmp_path, server.url)) as served:
        await pay(served, 40_000_000)
        assert await statuses(served, 2) == [200, 200]
        await written(served, 20_000_000)
        server.kill()
        while not served.log("store is away"):
            await asyncio.sleep(0)
        assert await statuses(served, 1) == [200], "by itself, beginning with what the ledger says"
        await written(served, 30_000_000)
        server.start()
        while not served.log("store is back"):
            await asyncio.sleep(0.01)
        assert await statuses(served, 2) == [200, 402]


async def test_what_is_under_way_when_the_store_is_killed_is_charged_all_the_same(
    server: RedisServer, tmp_path: Path
) -> None:
    async with gateway(tmp_path, config(tmp_path, server.url, "{amount: '0.02'}")) as served:
        served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 10)), delay=0.3))
        asked = asyncio.ensure_future(statuses(served, 1))
        while not served.upstream.sent:
            await asyncio.sleep(0)
        server.kill()
        assert await asked == [200]
        await written(served, 10_000_000)
        server.start()
        while not served.log("store is back"):
            await asyncio.sleep(0.01)
        assert await statuses(served, 2) == [200, 429]


async def test_under_closed_nothing_is_spent_that_cannot_be_counted(server: RedisServer, tmp_path: Path) -> None:
    async with gateway(tmp_path, config(tmp_path, server.url, "{amount: 1}", on_outage="closed")) as served:
        assert await statuses(served, 1) == [200]
        server.kill()
        while not served.log("store is away"):
            await asyncio.sleep(0)
        assert await statuses(served, 2) == [503, 503]
