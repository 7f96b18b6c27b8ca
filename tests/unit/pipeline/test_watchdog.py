from __future__ import annotations

import asyncio

import pytest

from gateway.core.errors import FaultKind, UpstreamFault
from gateway.pipeline.watchdog import Watchdog
from gateway.timers import TimerLine
from tests.support.virtual_time import START, elapsed, virtual_clock


def watchdog(limit: float = 5.0, kind: FaultKind = "silent", deadline: float = 600.0) -> Watchdog:
    """deadline: seconds after the test's start."""
    now = virtual_clock().monotonic
    return Watchdog(now, limit, kind, START + deadline, TimerLine(now))


async def bite(dog: Watchdog) -> UpstreamFault:
    """Wait for nothing until the watchdog ends it."""
    fault: UpstreamFault | None = None
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        fault = dog.bitten()
    assert fault is not None
    return fault


def cancellations() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


@pytest.mark.parametrize(
    ("limit", "deadline", "kind", "at"),
    [(5.0, 600.0, "silent", 5.0), (30.0, 10.0, "deadline", 10.0), (10.0, 10.0, "deadline", 10.0)],
)
async def test_it_bites_at_the_first_limit(limit: float, deadline: float, kind: str, at: float) -> None:
    fault = await bite(watchdog(limit, "silent", deadline))
    assert (fault.kind, elapsed(), cancellations()) == (kind, at, 0)


async def test_a_deadline_that_is_over_bites_at_once() -> None:
    fault = await bite(watchdog(deadline=-1.0))
    assert (fault.kind, elapsed()) == ("deadline", 0.0)


async def test_progress_puts_it_off() -> None:
    dog = watchdog(limit=5.0)
    for _ in range(10):
        await asyncio.sleep(4.0)
        dog.last = START + elapsed()
    fault = await bite(dog)
    assert (fault.kind, elapsed()) == ("silent", 45.0)


async def test_no_progress_puts_off_the_deadline() -> None:
    dog = watchdog(limit=5.0, deadline=12.0)

    async def progress() -> None:
        while True:
            await asyncio.sleep(1.0)
            dog.last = START + elapsed()

    task = asyncio.create_task(progress())
    fault = await bite(dog)
    task.cancel()
    assert (fault.kind, elapsed()) == ("deadline", 12.0)


async def test_a_stopped_one_does_not_bite() -> None:
    dog = watchdog(limit=5.0)
    dog.stop()
    await asyncio.sleep(1000)
    assert dog.bitten() is None


async def test_what_is_expected_next_has_its_own_limit() -> None:
    dog = watchdog(limit=5.0)
    await asyncio.sleep(4.0)
    dog.expect(30.0, "stalled")
    fault = await bite(dog)
    assert (fault.kind, elapsed()) == ("stalled", 34.0)


async def test_a_client_that_is_waited_for_is_given_until_the_deadline() -> None:
    dog = watchdog(limit=5.0, deadline=100.0)
    dog.expect(5.0, "stalled")
    dog.waiting = False
    fault = await bite(dog)
    assert (fault.kind, elapsed()) == ("deadline", 100.0)


@pytest.mark.parametrize("paused", [1.0, 4.0, 6.0, 23.0])
async def test_waiting_for_the_provider_again_counts_from_then(paused: float) -> None:
    dog = watchdog(deadline=100.0)
    dog.expect(5.0, "stalled")
    dog.waiting = False
    await asyncio.sleep(paused)
    dog.waiting = True
    dog.last = START + elapsed()
    fault = await bite(dog)
    assert (fault.kind, elapsed()) == ("stalled", paused + 5.0)


async def test_somebody_elses_cancellation_is_not_its_bite() -> None:
    dogs: list[Watchdog] = []

    async def attempt() -> None:
        dog = watchdog()
        dogs.append(dog)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            dog.stop()
            assert dog.bitten() is None
            raise

    task = asyncio.create_task(attempt())
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("first", ["dog", "client"])
async def test_a_client_that_leaves_at_the_moment_of_the_bite_has_left(first: str) -> None:
    loop = asyncio.get_running_loop()
    pending: list[int] = []

    async def attempt() -> None:
        task = asyncio.current_task()
        assert task is not None
        if first == "client":
            loop.call_at(START + 5.0, task.cancel)
        dog = watchdog(limit=5.0)
        if first == "dog":
            loop.call_at(START + 5.0, task.cancel)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert dog.bitten() is None
            pending.append(task.cancelling())
            raise

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(attempt())
    assert pending == [1]


async def test_a_bite_that_comes_with_the_answer_is_still_a_bite() -> None:
    loop = asyncio.get_running_loop()
    answer = loop.create_future()
    loop.call_at(START + 5.0, answer.set_result, "the head")
    dog = watchdog(limit=5.0)
    try:
        await answer
    except asyncio.CancelledError:
        fault = dog.bitten()
    else:
        fault = None
    assert fault is not None
    assert (fault.kind, cancellations()) == ("silent", 0)
    await asyncio.sleep(1000)


async def test_a_bite_is_told_once() -> None:
    dog = watchdog()
    await bite(dog)
    assert dog.bitten() is None
    assert cancellations() == 0


async def test_it_watches_the_task_that_expects() -> None:
    dog = watchdog(limit=50.0)

    async def read() -> str:
        dog.expect(5.0, "stalled")
        return (await bite(dog)).kind

    assert await asyncio.create_task(read()) == "stalled"
    assert (elapsed(), cancellations()) == (5.0, 0)


async def test_a_long_stream_does_not_keep_a_timer_per_chunk() -> None:
    dog = watchdog(limit=5.0, deadline=10_000.0)
    handles = set()
    for _ in range(1000):
        await asyncio.sleep(0.01)
        dog.last = START + elapsed()
        handles.add(id(dog._handle))
    dog.stop()
    assert len(handles) <= 4
