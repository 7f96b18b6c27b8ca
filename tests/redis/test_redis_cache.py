"""The cache in real servers: what replicas share, what a purge takes, and that a store that is away is a miss."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.cli.main import main
from gateway.store.cache_redis import RELEASE, RedisCache, release
from tests.support.caches import CHAT, EMBEDDINGS, caching, calls, said
from tests.support.house import ALPHA, KEYS, Served, chat
from tests.support.redis_server import RedisServer, run_cluster
from tests.support.scripted import chat_reply, chat_stream, ok, refuse, stream
from tests.support.store_link import linked

pytestmark = pytest.mark.real_time
with_each_client = pytest.mark.usefixtures("client")

HOLDERS = ("a", "b", "c")


@with_each_client
async def test_an_entry_is_there_for_its_time(server: RedisServer) -> None:
    async with linked(server.url) as link:
        cache = RedisCache(link, "t:")
        await cache.put("r:{k}0", b"\x00value\xff", 100)
        await cache.put("r:{k}1", b"short", 0.0001)
        await cache.put("r:{k}2", b"never", 0)
        assert await cache.get(["r:{k}0"]) == [b"\x00value\xff"]
        await _until_gone(server, "t:cache:r:{k}1")
        assert await cache.get(["r:{k}0", "r:{k}1", "r:{k}2"]) == [b"\x00value\xff", None, None]
        left = server.cli("PTTL", "t:cache:r:{k}0")
        assert isinstance(left, int)
        assert 90_000 < left <= 100_000
        assert server.cli("DBSIZE") == 1 + server_keys(server, "t:probe*")


async def _until_gone(server: RedisServer, key: str) -> None:
    while server.cli("EXISTS", key):
        await asyncio.sleep(0)


def server_keys(server: RedisServer, pattern: str) -> int:
    found = server.cli("KEYS", pattern)
    assert isinstance(found, list)
    return len(found)


@with_each_client
async def test_keys_of_many_slots_are_asked_for_one_by_one(server: RedisServer) -> None:
    async with linked(server.url) as link:
        cache = RedisCache(link, "t:", one_slot=True)
        for name in ("a", "b", "c"):
            await cache.put(f"r:{{{name}}}0", name.encode(), 100)
        assert await cache.get(["r:{c}0", "r:{x}0", "r:{a}0"]) == [b"c", None, b"a"]


@with_each_client
async def test_a_purge_takes_what_begins_so_and_nothing_else(server: RedisServer) -> None:
    async with linked(server.url) as link:
        cache = RedisCache(link, "t:")
        for number in range(1200):
            await cache.put(f"a:{{{number}}}0", b"x", 100)
        for name in ("ab:{1}0", "a*:{1}0", "b:{1}0"):
            await cache.put(name, b"x", 100)
        await cache.lease("a:{1}0", "me", 100)
        assert await cache.purge("a*:") == 1
        assert await cache.purge("a:{11") == 111
        assert await cache.purge("a:") == 1089
        assert await cache.get(["ab:{1}0", "b:{1}0"]) == [b"x", b"x"]
        assert server.cli("EXISTS", "t:lease:a:{1}0") == 1
        assert await cache.purge("") == 2
        assert await cache.purge("") == 0


@with_each_client
@given(steps=st.lists(st.tuples(st.sampled_from(("take", "release")), st.sampled_from(HOLDERS)), max_size=12))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_script_that_ends_a_lease_does_what_its_twin_does(
    server: RedisServer, steps: list[tuple[str, str]]
) -> None:
    server.cli("FLUSHALL")
    held: dict[str, bytes] = {}
    async with linked(server.url) as link:
        cache = RedisCache(link, "t:")
        for what, holder in steps:
            if what == "take":
                expected = "k" not in held
                held.setdefault("k", holder.encode())
                assert await cache.lease("k", holder, 100) is expected
            else:
                assert await link.script(RELEASE, ["t:lease:k"], [holder]) == release(held, "k", holder.encode())
            assert server.cli("GET", "t:lease:k") == held.get("k")


def text(server: RedisServer, directive: str = "max-age=60", more: str = "") -> str:
    return caching(directive, more, top=f"store: {{url: '{server.url}', timeout: 5s}}\n")


async def replicas(folder: Path, text: str, number: int = 2) -> list[Served]:
    made = []
    for index in range(number):
        (folder / str(index)).mkdir()
        made.append(Served(folder / str(index), text))
    return made


async def settled(*all_served: Served) -> None:
    """What is done behind requests is done."""
    while any(len(served.runtime.behind) for served in all_served):
        await asyncio.sleep(0)


async def closed(*all_served: Served) -> None:
    for served in all_served:
        served.check()
        await served.runtime.close()


async def test_what_one_replica_has_fetched_the_other_gives(server: RedisServer, tmp_path: Path) -> None:
    one, two = await replicas(tmp_path, text(server))
    one.upstream.on(ALPHA, stream(chat_stream(tokens=(9, 3))))
    first = await one.client.post(CHAT, chat(stream=True))
    await settled(one)
    again = await two.client.post(CHAT, chat(stream=True))
    whole = await two.client.post(CHAT, chat())
    assert [said(reply) for reply in (first, again, whole)] == ["miss", "hit", "hit"]
    assert again.body == first.body
    assert whole.json()["usage"]["total_tokens"] == 12
    assert calls(two) == 0
    keys = server.cli("KEYS", "gateway:cache:*")
    assert isinstance(keys, list)
    assert len(keys) == 1
    left = server.cli("PTTL", keys[0].decode())
    assert isinstance(left, int)
    assert 0 < left <= 60_000
    await closed(one, two)


async def test_two_replicas_fetch_once(server: RedisServer, tmp_path: Path) -> None:
    one, two = await replicas(tmp_path, text(server))
    one.upstream.on(ALPHA, ok(chat_reply("one"), delay=0.3))
    two.upstream.on(ALPHA, ok(chat_reply("two"), delay=0.3))
    replies = await asyncio.gather(*(served.client.post(CHAT, chat()) for served in (one, two) * 3))
    assert len({reply.body for reply in replies}) == 1
    assert calls(one) + calls(two) == 1
    assert sorted(said(reply) or "" for reply in replies) == ["hit"] * 5 + ["miss"]
    await settled(one, two)
    assert server_keys(server, "gateway:lease:*") == 0
    await closed(one, two)


async def test_a_replica_that_failed_leaves_its_turn_to_the_other(server: RedisServer, tmp_path: Path) -> None:
    one, two = await replicas(
        tmp_path, caching(router=", retries: {max-retries: 0}", top=f"store: {{url: '{server.url}', timeout: 5s}}\n")
    )
    one.upstream.on(ALPHA, refuse(delay=0.3))
    two.upstream.on(ALPHA, ok())
    leading = asyncio.create_task(one.client.post(CHAT, chat()))
    # It has the lease when its call is at the provider.
    while not calls(one):
        await asyncio.sleep(0)
    good = await two.client.post(CHAT, chat())
    assert ((await leading).status, good.status) == (502, 200)
    await closed(one, two)


async def test_embeddings_are_shared_input_by_input(server: RedisServer, tmp_path: Path) -> None:
    one, two = await replicas(tmp_path, text(server))
    items = [{"object": "embedding", "index": n, "embedding": [n]} for n in range(2)]
    usage = {"prompt_tokens": 4, "total_tokens": 4}
    one.upstream.on(ALPHA, ok({"object": "list", "data": items, "model": "e", "usage": usage}))
    await one.client.post(EMBEDDINGS, {"model": "e", "input": ["a", "b"]})
    await settled(one)
    reply = await two.client.post(EMBEDDINGS, {"model": "e", "input": ["b", "a", "b"]})
    assert said(reply) == "hit"
    assert [item["embedding"] for item in reply.json()["data"]] == [[1], [0], [1]]
    await closed(one, two)


async def test_in_a_cluster_every_key_is_in_its_slot(server_kind: str, tmp_path: Path) -> None:
    with run_cluster(server_kind, tmp_path) as cluster:
        folder = tmp_path / "served"
        folder.mkdir()
        one, two = await replicas(
            folder, caching(more="buckets: 2", top=f"store: {{url: '{cluster.url}', timeout: 5s}}\n")
        )
        for served in (one, two):
            served.upstream.on(ALPHA, *(ok(chat_reply(f"variant {n}")) for n in range(2)))
        results = []
        for served in (one, two, one, two):
            for heat in range(6):
                results.append(said(await served.client.post(CHAT, chat(temperature=heat))))
                await settled(served)
        assert results == ["miss"] * 12 + ["hit"] * 12
        assert one.runtime.stores is not None
        cache = one.runtime.stores.cache
        assert await cache.purge("c:") == 12
        assert await cache.get(["c:{a}0", "c:{b}0"]) == [None, None]
        assert await cache.lease("c:{a}0", "me", 10)
        assert not await cache.lease("c:{a}0", "you", 10)
        await cache.release("c:{a}0", "me")
        assert await cache.lease("c:{a}0", "you", 10)
        await closed(one, two)


async def test_a_store_that_is_gone_is_a_miss_and_never_an_error(server: RedisServer, tmp_path: Path) -> None:
    [served] = await replicas(tmp_path, text(server), 1)
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat())
    await settled(served)
    assert said(await served.client.post(CHAT, chat())) == "hit"
    server.kill()
    for _ in range(3):
        reply = await served.client.post(CHAT, chat())
        assert (reply.status, said(reply)) == (200, "miss")
    # Nor is the provider stampeded: what is identical and under way is one call still.
    served.upstream.on(ALPHA, ok(delay=0.05))
    before = calls(served)
    await asyncio.gather(*(served.client.post(CHAT, chat()) for _ in range(20)))
    assert calls(served) == before + 1
    server.start()
    while said(await served.client.post(CHAT, chat())) != "hit":
        await settled(served)
    await settled(served)
    await closed(served)


@pytest.mark.parametrize("value", ["", "garbage", "\x93\x01\xc3\x90", "\x93\x01\xc2\x90"])
async def test_what_somebody_else_wrote_is_a_miss(server: RedisServer, tmp_path: Path, value: str) -> None:
    [served] = await replicas(tmp_path, text(server), 1)
    served.upstream.on(ALPHA, ok())
    await served.client.post(CHAT, chat())
    await settled(served)
    found = server.cli("KEYS", "gateway:cache:c:*")
    assert isinstance(found, list)
    key = found[0].decode()
    server.cli("SET", key, value)
    reply = await served.client.post(CHAT, chat())
    assert (reply.status, said(reply)) == (200, "miss")
    await settled(served)
    assert said(await served.client.post(CHAT, chat())) == "hit"
    server.cli("DEL", key)
    server.cli("RPUSH", key, "a list")
    assert said(await served.client.post(CHAT, chat())) == "miss"
    await settled(served)
    await closed(served)


async def _purge(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = await asyncio.to_thread(main, ["cache", "purge", *arguments])
    output = capsys.readouterr()
    return f"{status} {output.out}{output.err}".strip()


async def test_the_command_forgets_by_router_and_by_key(
    server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    [served] = await replicas(tmp_path, text(server), 1)
    served.upstream.on(ALPHA, ok())
    config = ("--config", str(served.path))
    first = [await served.client.post(CHAT, chat(temperature=heat)) for heat in range(3)]
    keys = [reply.headers["x-gateway-cache-key"] for reply in first]
    await settled(served)
    assert await _purge(capsys, "--router", "other", *config) == "0 0 answers forgotten."
    assert await _purge(capsys, "--prefix", keys[0], *config) == "0 1 answer forgotten."
    assert (
        await _purge(capsys, "--router", "c", "--prefix", keys[1].partition(":")[2], *config) == "0 1 answer forgotten."
    )
    results = [said(await served.client.post(CHAT, chat(temperature=heat))) for heat in range(3)]
    assert results == ["miss", "miss", "hit"]
    await settled(served)
    assert await _purge(capsys, "--router", "c", *config) == "0 3 answers forgotten."
    assert await _purge(capsys, *config) == "0 0 answers forgotten."
    server.kill()
    assert (await _purge(capsys, *config)).startswith("1 The store cannot be asked: ")
    await closed(served)
