"""Answers in memory: their time, their room, and who may fetch."""

from __future__ import annotations

import asyncio
import tracemalloc

from gateway.store.cache_memory import OVERHEAD, MemoryCache
from tests.support.virtual_time import elapsed


def cache(**limits: int) -> MemoryCache:
    made = MemoryCache(elapsed)
    made.bound(limits)
    return made


async def test_an_entry_is_there_for_its_time() -> None:
    store = cache(r=10_000)
    await store.put("r:a", b"1", 10)
    await store.put("r:b", b"2", 0)
    assert await store.get(["r:a", "r:b", "r:c", "x:a"]) == [b"1", None, None, None]
    await asyncio.sleep(10)
    assert await store.get(["r:a"]) == [None]
    assert store.shelves["r"].size == 0


async def test_the_least_recently_used_goes_first() -> None:
    store = cache(r=3 * (OVERHEAD + 200))
    for name in "abc":
        await store.put(f"r:{name}", b"x" * 100, 10)
    await store.get(["r:a"])
    await store.put("r:d", b"x" * 100, 10)
    assert [value is not None for value in await store.get(["r:a", "r:b", "r:c", "r:d"])] == [True, False, True, True]
    assert store.shelves["r"].evicted == 1


async def test_an_entry_that_takes_the_place_of_another_is_counted_once() -> None:
    store = cache(r=10_000)
    await store.put("r:a", b"x" * 100, 10)
    size = store.shelves["r"].size
    await store.put("r:a", b"y" * 100, 10)
    assert store.shelves["r"].size == size
    assert await store.get(["r:a"]) == [b"y" * 100]


async def test_what_is_larger_than_the_shelf_is_not_kept_and_drives_nothing_out() -> None:
    store = cache(r=2000)
    await store.put("r:a", b"x", 10)
    await store.put("r:b", b"x" * 2000, 10)
    assert await store.get(["r:a", "r:b"]) == [b"x", None]


async def test_routers_do_not_take_each_other_s_room() -> None:
    store = cache(a=1000, b=1000)
    await store.put("a:1", b"x", 10)
    for number in range(10):
        await store.put(f"b:{number}", b"x", 10)
    assert await store.get(["a:1"]) == [b"x"]


async def test_bounds_change_and_routers_go() -> None:
    store = cache(a=10_000, b=10_000)
    for number in range(4):
        await store.put(f"a:{number}", b"x", 10)
        await store.put(f"b:{number}", b"x", 10)
    store.bound({"a": 1000})
    assert list(store.shelves) == ["a"]
    assert store.shelves["a"].size <= 1000
    await store.put("b:3", b"x", 10)
    assert await store.get(["a:3", "b:3"]) == [b"x", None]


async def test_a_purge_takes_what_begins_so() -> None:
    store = cache(a=10_000, ab=10_000)
    for name in ("a:{1}0", "a:{2}0", "ab:{1}0"):
        await store.put(name, b"x", 10)
    assert await store.purge("a:{1") == 1
    assert await store.purge("a:") == 1
    assert await store.purge("a") == 1
    assert await store.purge("") == 0


async def test_a_lease_has_one_holder_and_an_end() -> None:
    store = cache()
    assert await store.lease("k", "a", 10)
    assert not await store.lease("k", "b", 10)
    await store.release("k", "b")
    assert not await store.lease("k", "b", 10)
    await store.release("k", "a")
    assert await store.lease("k", "b", 10)
    await asyncio.sleep(10)
    assert await store.lease("k", "a", 10)


async def test_the_bytes_that_are_counted_are_those_that_are_held() -> None:
    store = cache(r=1 << 30)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(5000):
            await store.put(f"r:{{{number:064}}}0", bytes(number % 500 + 300), 10)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    held = after - before
    assert held <= store.shelves["r"].size <= held * 1.6
