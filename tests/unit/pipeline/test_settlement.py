"""When an exchange settles: at once where somebody waits for it, else at the end of the loop's turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.core.exchange import Exchange
from gateway.pipeline.settlement import Settlement
from gateway.telemetry.metrics import Metrics
from tests.support.records import an_exchange


class House:
    """A settlement, and what was done in which order."""

    def __init__(self, *, records: bool = True) -> None:
        self.metrics = Metrics()
        self.done: list[str] = []
        self.together: list[int] = []
        self.settle = Settlement(lambda: 7.0, self.metrics, self._record if records else None, self._price)

    def _record(self, exchanges: Sequence[Exchange]) -> None:
        assert all(exchange.cost is not None for exchange in exchanges)
        for exchange in exchanges:
            if exchange.id == "bug in record":
                raise KeyError(exchange.id)
        self.together.append(len(exchanges))
        self.done += [exchange.id for exchange in exchanges]

    def _price(self, exchange: Exchange) -> None:
        if exchange.id == "bug":
            raise ValueError("a price that cannot be")
        exchange.cost = 1


def ended(name: str, *, charged: bool = False, **members: Any) -> Exchange:
    made = an_exchange(charged=charged)
    made.id = name
    for member, value in members.items():
        setattr(made, member, value)
    return made


async def test_what_is_recorded_settles_at_the_end_of_the_turn() -> None:
    house = House()
    first, second = ended("1"), ended("2")
    house.settle(first)
    house.settle(second)
    assert (house.done, house.metrics.total_requests) == ([], 0)
    assert first.ended == second.ended == 7.0
    await asyncio.sleep(0)
    assert (house.done, house.metrics.total_requests) == (["1", "2"], 2)
    house.settle(ended("3"))
    await asyncio.sleep(0)
    assert house.done == ["1", "2", "3"]
    assert house.together == [2, 1]


@pytest.mark.parametrize(
    "members",
    [{"charged": True}, {"on_settle": [lambda exchange: None]}, {"error_code": "upstream_failed"}],
    ids=lambda members: next(iter(members)),
)
async def test_what_somebody_waits_for_settles_at_once_and_what_ended_before_it_too(members: dict[str, Any]) -> None:
    house = House()
    house.settle(ended("1"))
    house.settle(ended("2", **members))
    assert (house.done, house.metrics.total_requests) == (["1", "2"], 2)
    await asyncio.sleep(0)
    assert house.done == ["1", "2"]
    assert house.together == [1, 1], "nobody is asked to record nothing"


def test_what_nobody_records_settles_at_once_also_where_no_loop_runs() -> None:
    house = House(records=False)
    made = ended("1")
    house.settle(made)
    assert (made.cost, house.metrics.total_requests) == (1, 1)


async def test_a_bug_in_one_of_many_is_told_and_keeps_no_other_from_settling() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    house = House()
    for name in ("1", "bug", "2", "bug in record", "3"):
        house.settle(ended(name))
    await asyncio.sleep(0)
    assert house.done == ["1", "2", "3"]
    assert [(one["message"], type(one["exception"])) for one in told] == [
        ("the request bug did not settle", ValueError),
        ("the request bug in record did not settle", KeyError),
    ]


async def test_what_settles_in_the_turn_in_which_the_end_begins_is_recorded_before_sinks_close() -> None:
    house = House()
    house.settle(ended("1"))
    await asyncio.gather(close(house.done))
    assert house.done == ["1", "closed"]


async def close(done: list[str]) -> None:
    """As sinks are: in tasks of their own."""
    done.append("closed")
