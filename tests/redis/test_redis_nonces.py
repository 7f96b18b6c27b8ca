"""Nonces in real servers: seen by one replica is seen by all, and no longer than need be."""

from __future__ import annotations

import asyncio

import pytest

from gateway.store.link import Link
from gateway.store.nonces import MemoryNonces, RedisNonces
from gateway.store.protocol import StoreDown
from tests.support.redis_server import RedisServer
from tests.support.store_link import linked

pytestmark = [pytest.mark.real_time, pytest.mark.usefixtures("client")]


def nonces(link: Link) -> RedisNonces:
    return RedisNonces(link, prefix="t:", on_outage="closed", local=MemoryNonces(lambda: 0.0))


async def test_of_all_replicas_one_takes_a_nonce(server: RedisServer) -> None:
    async with linked(server.url) as here, linked(server.url) as there:
        replicas = [nonces(here), nonces(there)]
        for number in range(50):
            taken = await asyncio.gather(*(replica.add(f"ci:{number}", 600.0) for replica in replicas * 3))
            assert taken.count(True) == 1
        assert await replicas[0].add("other:1", 600.0), "another key has nonces of its own"


async def test_a_nonce_lives_as_long_as_its_signature_could_be_good(server: RedisServer) -> None:
    async with linked(server.url) as link:
        assert await nonces(link).add("ci:n", 601.0)
        names = await link.command("KEYS", "t:nonce:*")
        assert isinstance(names, list)
        left = await link.command("PTTL", *names)
        assert isinstance(left, int)
        assert 590_000 < left <= 601_000


async def test_a_server_that_is_gone_is_not_an_answer(server: RedisServer) -> None:
    async with linked(server.url) as link:
        assert await nonces(link).add("ci:n", 600.0)
        server.kill()
        with pytest.raises(StoreDown):
            await nonces(link).add("ci:m", 600.0)
