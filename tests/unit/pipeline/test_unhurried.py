from __future__ import annotations

import asyncio

import pytest

from gateway.core.errors import GatewayError
from gateway.core.exchange import Exchange, Reply
from gateway.pipeline.unhurried import LONGEST, unhurried
from tests.support.records import an_exchange
from tests.support.virtual_time import elapsed


class Ledger:
    def __init__(self, *, full: bool) -> None:
        self.is_full = full
        self.has_room = asyncio.Event()

    async def room(self) -> None:
        await self.has_room.wait()


async def answer(exchange: Exchange) -> Reply:
    return Reply(200, [], b"")


async def test_a_request_goes_on_where_there_is_room() -> None:
    ledger = Ledger(full=False)
    assert (await unhurried(ledger)(answer)(an_exchange())).status == 200
    assert elapsed() == 0


async def test_a_request_waits_for_room() -> None:
    ledger = Ledger(full=True)
    asking = asyncio.ensure_future(unhurried(ledger)(answer)(an_exchange()))
    await asyncio.sleep(LONGEST / 2)
    assert not asking.done()
    ledger.has_room.set()
    assert (await asking).status == 200


async def test_a_request_is_refused_when_there_is_none_for_long() -> None:
    ledger = Ledger(full=True)
    with pytest.raises(GatewayError) as refused:
        await unhurried(ledger)(answer)(an_exchange())
    assert (refused.value.code, refused.value.status, refused.value.retry_after) == ("ledger_full", 503, LONGEST)
    assert elapsed() == LONGEST
