"""A connection that comes back by itself, on virtual time."""

from __future__ import annotations

import asyncio

import pytest

from gateway.store.hot_connection import HotConnection
from gateway.store.lane import FIRST_REST, LONGEST_REST, Ended, Lane
from gateway.store.protocol import StoreDown
from tests.support.virtual_time import elapsed

TIMEOUT = 0.25


class Dials:
    """Dials as the test says: a fault, a number of seconds that a good one takes, or nothing for ever."""

    def __init__(self, *plan: StoreDown | float | None) -> None:
        self._plan = list(plan)
        self.times: list[float] = []
        self.under_way = 0
        self.made: list[HotConnection] = []

    async def __call__(self, ended: Ended) -> HotConnection:
        self.times.append(elapsed())
        self.under_way += 1
        assert self.under_way == 1, "one dial at a time"
        try:
            step = self._plan.pop(0) if self._plan else 0.0
            if step is None:
                await asyncio.get_running_loop().create_future()
            elif isinstance(step, StoreDown):
                raise step
            else:
                await asyncio.sleep(step)
        finally:
            self.under_way -= 1
        connection = HotConnection(asyncio.get_running_loop(), "h:1", TIMEOUT, ended)
        connection.connection_made(asyncio.Transport())
        setattr(connection, "_transport", Still())  # noqa: B010
        self.made.append(connection)
        return connection


class Still(asyncio.Transport):
    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def abort(self) -> None: ...


def lane(dials: Dials, changes: list[StoreDown | None] | None = None) -> Lane:
    made = Lane(dials, "h:1", TIMEOUT, lambda: 1.0, lambda: changes.append(made.fault) if changes is not None else None)
    return made


FULL = StoreDown("full", "full")
LOST = StoreDown("lost", "lost")


async def test_the_first_call_dials_and_others_wait_with_it() -> None:
    dials = Dials(0.1)
    subject = lane(dials)
    first, second = await asyncio.gather(subject.ready(), subject.ready())
    assert first is second is subject.connection
    assert dials.times == [0.0]
    await subject.close()


async def test_a_dial_that_takes_too_long_costs_one_deadline_once() -> None:
    dials = Dials(None)
    subject = lane(dials)
    for _ in range(3):
        with pytest.raises(StoreDown, match="in time"):
            await subject.ready()
    assert elapsed() == TIMEOUT
    await subject.close()


async def test_a_dial_that_ends_late_is_still_taken_in_use() -> None:
    changes: list[StoreDown | None] = []
    subject = lane(Dials(1.0), changes)
    with pytest.raises(StoreDown):
        await subject.ready()
    await asyncio.sleep(1.0)
    assert await subject.ready() is subject.connection
    assert [fault.kind if fault else None for fault in changes] == ["timeout", None]
    await subject.close()


async def test_while_the_fault_is_known_calls_fail_at_once_and_dials_are_spaced() -> None:
    dials = Dials(*[FULL] * 8)
    subject = lane(dials)
    while len(dials.times) < 9:
        with pytest.raises(StoreDown, match="full"):
            await subject.ready()
        await asyncio.sleep(0.05)
    gaps = [round(later - earlier, 6) for earlier, later in zip(dials.times, dials.times[1:], strict=False)]
    assert gaps == [FIRST_REST, 0.2, 0.4, 0.8, 1.6, LONGEST_REST, LONGEST_REST, LONGEST_REST]
    await subject.ready()
    assert subject.fault is None
    await subject.close()


async def test_a_connection_that_was_closed_is_dialled_again_and_no_fault() -> None:
    changes: list[StoreDown | None] = []
    dials = Dials()
    subject = lane(dials, changes)
    first = await subject.ready()
    first.end(LOST)
    assert subject.connection is None
    assert subject.fault is None
    assert await subject.ready() is not first
    assert changes == [None, None]
    await subject.close()


async def test_a_connection_that_ended_for_a_reason_is_a_fault_until_another_is_made() -> None:
    changes: list[StoreDown | None] = []
    subject = lane(Dials(0.0, 0.1), changes)
    (await subject.ready()).end(FULL)
    with pytest.raises(StoreDown, match="full"):
        await subject.ready()
    await asyncio.sleep(0.2)
    assert await subject.ready() is subject.connection
    assert [fault.kind if fault else None for fault in changes] == [None, "full", None]
    await subject.close()


async def test_an_old_connection_has_no_say_over_a_new_one() -> None:
    subject = lane(Dials())
    old = await subject.ready()
    old.end(LOST)
    new = await subject.ready()
    old.end(FULL)
    assert subject.connection is new
    assert subject.fault is None
    await subject.close()


async def test_a_closed_lane_says_so_and_dials_no_more() -> None:
    dials = Dials()
    subject = lane(dials)
    await subject.ready()
    await subject.close()
    with pytest.raises(StoreDown, match="closed"):
        await subject.ready()
    assert len(dials.times) == 1


async def test_a_lane_that_is_closed_while_it_dials_leaves_nothing() -> None:
    subject = lane(Dials(None))
    waiting = asyncio.ensure_future(subject.ready())
    await asyncio.sleep(0)
    await subject.close()
    with pytest.raises(StoreDown):
        await waiting
    assert len(asyncio.all_tasks()) == 1
