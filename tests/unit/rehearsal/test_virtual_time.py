from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rehearsal.virtual_time import START, WALL, Deadlock, VirtualLoop, elapsed, run_virtual, virtual_clock


async def test_an_async_test_runs_on_the_virtual_loop() -> None:
    assert isinstance(asyncio.get_running_loop(), VirtualLoop)
    assert elapsed() == 0


@pytest.mark.real_time
async def test_a_real_time_test_runs_on_a_real_loop() -> None:
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)
    with pytest.raises(RuntimeError, match="not a VirtualLoop"):
        elapsed()


async def test_a_day_passes_exactly_and_at_once() -> None:
    await asyncio.sleep(86_400.5)
    assert asyncio.get_running_loop().time() == START + 86_400.5
    assert elapsed() == 86_400.5


async def test_timers_fire_in_order_of_time() -> None:
    seen: list[tuple[str, float]] = []

    async def note(name: str, delay: float) -> None:
        await asyncio.sleep(delay)
        seen.append((name, elapsed()))

    await asyncio.gather(note("late", 0.3), note("early", 0.1), note("middle", 0.2))
    assert seen == [("early", 0.1), ("middle", 0.2), ("late", 0.3)]


async def test_a_timeout_fires_at_its_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.5):
            await asyncio.Event().wait()
    assert elapsed() == 2.5


async def test_time_stands_still_while_an_executor_works() -> None:
    release = threading.Event()
    ticker = asyncio.create_task(asyncio.sleep(60))
    job = asyncio.get_running_loop().run_in_executor(None, release.wait)
    await asyncio.sleep(0)
    release.set()
    assert await job is True
    assert elapsed() == 0
    assert not ticker.done()


async def test_a_thread_may_wake_a_loop_that_has_no_timer() -> None:
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    release = threading.Event()

    def wake() -> None:
        release.wait()
        loop.call_soon_threadsafe(woken.set)

    thread = threading.Thread(target=wake)
    thread.start()
    loop.call_soon(release.set)
    await woken.wait()
    thread.join()
    assert elapsed() == 0


def test_a_deadlock_says_where_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.rehearsal.virtual_time.THREAD_GRACE", 0.0)

    async def wait_for_nothing() -> None:
        await asyncio.sleep(3)
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match=r"(?s)after 3\.0 virtual seconds.*test_virtual_time\.py:\d+"):
        run_virtual(wait_for_nothing())


def test_timers_without_end_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.rehearsal.virtual_time.MAX_JUMPS", 50)

    async def tick() -> None:
        while True:
            await asyncio.sleep(1)

    with pytest.raises(Deadlock, match="50 timers"):
        run_virtual(tick())


def test_what_the_coroutine_raises_comes_out() -> None:
    async def fail() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run_virtual(fail())


async def test_the_clock_reads_the_loop() -> None:
    clock = virtual_clock()
    await asyncio.sleep(4)
    assert clock.monotonic() == START + 4
    assert clock.wall() == WALL + START + 4


async def test_chance_repeats_with_its_seed_and_differs_without() -> None:
    loop = asyncio.get_running_loop()
    first, second, other = virtual_clock(loop, 7), virtual_clock(loop, 7), virtual_clock(loop, 8)
    draws = [first.chance() for _ in range(5)]
    assert draws == [second.chance() for _ in range(5)]
    assert draws != [other.chance() for _ in range(5)]


@given(st.floats(min_value=0, max_value=1e6))
async def test_each_example_of_a_law_has_a_loop_of_its_own(delay: float) -> None:
    loop = asyncio.get_running_loop()
    assert loop.time() == START
    await asyncio.sleep(delay)
    assert loop.time() == START + delay
