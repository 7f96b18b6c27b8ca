"""Whole gateways that share a real store, and what they do while it is away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.house import ALPHA, PROVIDERS, Served, chat
from tests.support.redis_server import RedisServer, run_server
from tests.support.scripted import ok

pytestmark = pytest.mark.real_time

PATH = "/router/one/v1/chat/completions"


with_each_client = pytest.mark.parametrize("client", ["lean", "redis-py"])


def config(url: str, on_outage: str = "local", capacity: int = 3, *, client: str = "lean") -> str:
    return f"""
store: {{url: '{url}', on-outage: {on_outage}, timeout: 5s, client: {client}}}
routers:
  one:
    load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}
    rate-limit: {{total: {{capacity: {capacity}, refill-frequency: 30d}}}}
{PROVIDERS}"""


@contextlib.asynccontextmanager
async def gateway(folder: Path, text: str) -> AsyncIterator[Served]:
    served = Served(folder, text)
    served.upstream.on(ALPHA, ok())
    await served.gateway.house.stores.open()
    try:
        yield served
    finally:
        await served.runtime.close()
        served.check()


async def statuses(served: Served, count: int) -> list[int]:
    return [(await served.client.post(PATH, chat())).status for _ in range(count)]


async def outage(served: Served, server: RedisServer) -> None:
    server.kill()
    while not served.log("store is away"):
        await asyncio.sleep(0)


@with_each_client
async def test_replicas_share_a_limit(server: RedisServer, tmp_path: Path, client: str) -> None:
    text = config(server.url, client=client)
    async with gateway(tmp_path, text) as one, gateway(tmp_path, text) as other:
        assert await statuses(one, 2) == [200, 200]
        assert await statuses(other, 2) == [200, 429]
        assert await statuses(one, 1) == [429]


@with_each_client
async def test_under_local_each_replica_goes_on_by_itself(server: RedisServer, tmp_path: Path, client: str) -> None:
    async with gateway(tmp_path, config(server.url, client=client)) as served:
        assert await statuses(served, 2) == [200, 200]
        await outage(served, server)
        assert await statuses(served, 4) == [200, 200, 200, 429]
        ready = await served.client.get("/readyz")
        assert (ready.status, "refuses the connection" in ready.json()["store"]) == (200, True)
        assert await served.metric("gateway_store_up") == 0
        assert await served.metric("gateway_store_errors_total", kind="refused") > 0
        server.start()
        while not served.log("store is back"):
            await asyncio.sleep(0.01)
        assert await statuses(served, 1) == [200]
        assert "store" not in (await served.client.get("/readyz")).json()
        assert await served.metric("gateway_store_up") == 1


async def test_under_open_nothing_is_limited(server: RedisServer, tmp_path: Path) -> None:
    async with gateway(tmp_path, config(server.url, "open")) as served:
        assert await statuses(served, 4) == [200, 200, 200, 429]
        await outage(served, server)
        assert await statuses(served, 10) == [200] * 10
        assert (await served.client.get("/readyz")).status == 200


@with_each_client
async def test_under_closed_requests_are_refused_and_the_gateway_is_not_ready(
    server: RedisServer, tmp_path: Path, client: str
) -> None:
    async with gateway(tmp_path, config(server.url, "closed", client=client)) as served:
        assert await statuses(served, 1) == [200]
        await outage(served, server)
        reply = await served.client.post(PATH, chat())
        assert (reply.status, reply.json()["error"]["code"]) == (503, "store_unavailable")
        ready = await served.client.get("/readyz")
        assert (ready.status, ready.json()["status"]) == (503, "the store is away")
        server.start()
        while not served.log("store is back"):
            await asyncio.sleep(0.01)
        assert (await served.client.get("/readyz")).status == 200
        assert await statuses(served, 1) == [200]


@with_each_client
async def test_a_reload_with_another_store_goes_over_to_it(server_kind: str, tmp_path: Path, client: str) -> None:
    with run_server(server_kind, tmp_path) as first, run_server(server_kind, tmp_path) as second:
        async with gateway(tmp_path, config(first.url, client=client)) as served:
            assert await statuses(served, 4) == [200, 200, 200, 429]
            assert await served.rewrite(config(second.url, client=client))
            assert await statuses(served, 4) == [200, 200, 200, 429]
            while clients(first) > 1:
                await asyncio.sleep(0)
            assert clients(second) > 1


async def test_a_reload_with_the_same_store_keeps_its_connections(server: RedisServer, tmp_path: Path) -> None:
    async with gateway(tmp_path, config(server.url)) as served:
        stores = served.runtime.stores
        assert await statuses(served, 2) == [200, 200]
        assert await served.rewrite(config(server.url, capacity=4))
        assert served.runtime.stores is stores
        assert await statuses(served, 5) == [200, 200, 200, 200, 429], "another capacity begins full"


@with_each_client
async def test_a_password_is_in_no_line_of_the_log(tmp_path: Path, client: str) -> None:
    with run_server("redis", tmp_path, password="right-0123456789") as server:
        text = config(server.url.replace("right-", "wrong-"), client=client)
        async with gateway(tmp_path, text) as served:
            assert await statuses(served, 1) == [200]
            (line,) = served.log("store is away")
            assert "refuses the user name or password of store.url" in line["reason"]
            assert "0123456789" not in str(served.log())
            assert "0123456789" not in repr(served.gateway.house.spec)


def clients(server: RedisServer) -> int:
    """Connections that the server sees, the one that asks among them."""
    told = server.cli("CLIENT", "LIST")
    assert isinstance(told, bytes)
    return len(told.splitlines())
