"""Limits in a real cluster: keys in their slots, slots that move, and a primary that dies."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.config.store_url import read_store_url
from gateway.policy.token_bucket import LARGEST, Rate
from gateway.store.cluster_link import SLOTS, ClusterLink, slot_of
from gateway.store.library_link import LibraryLink
from gateway.store.link import Script
from gateway.store.memory_limits import MemoryLimits
from gateway.store.protocol import StoreDown, Take
from gateway.store.redis_limits import RedisLimits
from tests.support.redis_server import RedisCluster, RedisServer, run_cluster
from tests.support.store_link import AMPLE, Told, linked

pytestmark = pytest.mark.real_time

SLOW = Rate(10, LARGEST // 10)
KindOfLink = type[ClusterLink | LibraryLink]


@pytest.fixture
def cluster(server_kind: str, tmp_path: Path) -> Iterator[RedisCluster]:
    with run_cluster(server_kind, tmp_path) as running:
        yield running


CASES = [("redis", ClusterLink), ("valkey", ClusterLink), ("valkey", LibraryLink)]
"""A cluster takes seconds to begin, so the library, which others test as well, gets one."""

IDS = ["redis-lean", "valkey-lean", "valkey-redis-py"]


@contextlib.asynccontextmanager
async def cluster_link(kind: KindOfLink, url: str, told: Told) -> AsyncIterator[ClusterLink | LibraryLink]:
    link = kind(
        read_store_url(url), timeout=AMPLE, prefix="t:", chance=lambda: 0.5, tell=told.tell, count=told.errors.append
    )
    await link.open()
    try:
        yield link
    finally:
        await link.close()


def limits(link: ClusterLink | LibraryLink) -> RedisLimits:
    return RedisLimits(link, "t:", "closed", MemoryLimits(time.monotonic, "local"))


def both(tag: str, amount: int = 1) -> list[Take]:
    return [Take(f"{{{tag}}}total", SLOW, amount), Take(f"{{{tag}}}key", SLOW, amount)]


def owner_of(cluster: RedisCluster, slot: int) -> RedisServer:
    return cluster.nodes[slot * 3 // SLOTS]


@pytest.mark.parametrize(("server_kind", "kind_of_link"), CASES, ids=IDS)
async def test_everything_that_a_cluster_does(cluster: RedisCluster, kind_of_link: KindOfLink) -> None:
    """One test, because a cluster takes seconds to begin."""
    await a_node_of_it_as_a_single_server_is_named(cluster)
    told = Told()
    async with cluster_link(kind_of_link, cluster.url, told) as link:
        store = limits(link)
        await checks_are_exact_on_every_node(store)
        await commands_and_scripts_find_their_node(cluster, link)
        await purging_reaches_every_node(link)
        await a_slot_that_moves_takes_its_buckets_along(cluster, store)
        await a_script_that_nodes_forgot_is_sent_again(cluster, store)
        assert told.lines == []
        await a_replica_takes_the_place_of_a_dead_primary(cluster, store, told)


async def a_node_of_it_as_a_single_server_is_named(cluster: RedisCluster) -> None:
    async with linked(f"redis://127.0.0.1:{cluster.nodes[1].port}") as link:
        with pytest.raises(StoreDown, match=r"use redis\+cluster://"):
            await asyncio.gather(*(link.command("GET", f"t:{number}") for number in range(100)))


async def checks_are_exact_on_every_node(store: RedisLimits) -> None:
    for tag in range(30):
        assert [(await store.take(both(f"r{tag}", 4))).granted for _ in range(3)] == [True, True, False]
        store.settle([(take, 4) for take in both(f"r{tag}")])


async def commands_and_scripts_find_their_node(cluster: RedisCluster, link: ClusterLink | LibraryLink) -> None:
    where = Script("where", "return redis.call('GET', KEYS[1])")
    for number in range(30):
        key = f"t:value:{number}"
        assert await link.command("SET", key, number) == b"OK"
        assert await link.script(where, [key], []) == str(number).encode()
        assert owner_of(cluster, slot_of(key)).cli("GET", key) == str(number).encode()


async def purging_reaches_every_node(link: ClusterLink | LibraryLink) -> None:
    assert await link.delete_matching("t:value:*", 7) == 30
    assert await link.delete_matching("t:value:*", 7) == 0


async def a_slot_that_moves_takes_its_buckets_along(cluster: RedisCluster, store: RedisLimits) -> None:
    takes = both("moving", 3)
    slot = slot_of("{moving}")
    source = owner_of(cluster, slot)
    target = cluster.nodes[(cluster.nodes.index(source) + 1) % 3]
    assert (await store.take(takes)).standings[0].remaining == 7
    target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.id_of(source))
    source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.id_of(target))
    for take in takes:
        moved = source.cli("MIGRATE", "127.0.0.1", target.port, f"t:{take.key}:{SLOW.name}", 0, 5000)
        assert moved == b"OK"
    assert (await store.take(takes)).standings[0].remaining == 4, "asked of the node that it is being moved to"
    for node in (target, source):
        node.cli("CLUSTER", "SETSLOT", slot, "NODE", cluster.id_of(target))
    assert (await store.take(takes)).standings[0].remaining == 1, "asked of the node that it was moved to"
    assert not (await store.take(takes)).granted


async def a_script_that_nodes_forgot_is_sent_again(cluster: RedisCluster, store: RedisLimits) -> None:
    for node in cluster.nodes[:3]:
        node.cli("SCRIPT", "FLUSH")
    for tag in range(10):
        assert (await store.take(both(f"forgot{tag}"))).granted


async def a_replica_takes_the_place_of_a_dead_primary(cluster: RedisCluster, store: RedisLimits, told: Told) -> None:
    tag = next(f"f{number}" for number in range(100) if slot_of(f"{{f{number}}}") < SLOTS // 3)
    elsewhere = next(f"f{number}" for number in range(100) if slot_of(f"{{f{number}}}") >= SLOTS // 3)
    await store.take(both(tag))
    cluster.nodes[0].kill()
    # Who does not ask need not notice: the replica is quick.
    with pytest.raises(StoreDown):
        await store.take(both(tag))
    await told.wait_for("store is away")
    await told.wait_for("store is back")
    assert (await store.take(both(tag))).by == "store"
    assert (await store.take(both(elsewhere))).by == "store"


@pytest.mark.parametrize(("server_kind", "kind_of_link"), CASES, ids=IDS)
async def test_an_address_without_a_cluster_is_named(server: RedisServer, kind_of_link: KindOfLink) -> None:
    told = Told()
    async with cluster_link(kind_of_link, server.url.replace("redis://", "redis+cluster://"), told) as link:
        with pytest.raises(StoreDown) as raised:
            await link.command("GET", "t:a")
        assert link.trouble() is not None
    assert raised.value.kind in ("cluster", "error")
    assert "cluster" in str(raised.value)
