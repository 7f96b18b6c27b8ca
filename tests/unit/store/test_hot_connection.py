"""One connection by its bytes, on virtual time: writes of one turn, replies in order, one timer, one end."""

from __future__ import annotations

import asyncio

import hiredis
import pytest

from gateway.store.hot_connection import LARGEST_REPLY, SECOND_LOOK, HotConnection
from gateway.store.protocol import StoreDown
from tests.support.virtual_time import elapsed

TIMEOUT = 0.25


class Wire(asyncio.Transport):
    """Keeps what is written; the test says what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True


def connected() -> tuple[HotConnection, Wire, list[StoreDown]]:
    ends: list[StoreDown] = []
    wire = Wire()
    connection = HotConnection(asyncio.get_running_loop(), "h:1", TIMEOUT, lambda _, fault: ends.append(fault))
    connection.connection_made(wire)
    return connection, wire, ends


async def turn() -> None:
    await asyncio.sleep(0)


async def test_calls_of_one_turn_are_one_write_and_replies_keep_their_order() -> None:
    connection, wire, _ = connected()
    calls = [connection.call(b"a"), connection.call(b"b"), connection.call(b"c")]
    assert wire.written == []
    await turn()
    assert wire.written == [b"abc"]
    connection.data_received(b":1\r\n$2\r\nx")
    connection.data_received(b"y\r\n*2\r\n:3\r\n$-1\r\n")
    assert [await call for call in calls] == [1, b"xy", [3, None]]


async def test_a_refusal_is_a_value() -> None:
    connection, _, ends = connected()
    call = connection.call(b"a")
    connection.data_received(b"-ERR no\r\n")
    assert isinstance(await call, hiredis.ReplyError)
    assert ends == []


async def test_a_caller_that_gave_up_does_not_shift_the_replies() -> None:
    connection, _, _ = connected()
    first, second = connection.call(b"a"), connection.call(b"b")
    first.cancel()
    connection.data_received(b":1\r\n:2\r\n")
    assert await second == 2


async def test_a_late_reply_ends_the_connection_at_the_deadline_of_the_oldest() -> None:
    connection, wire, ends = connected()
    early = connection.call(b"a")
    await asyncio.sleep(0.2)
    late = connection.call(b"b")
    for call in (early, late):
        with pytest.raises(StoreDown, match="does not answer in time"):
            await call
    assert elapsed() == TIMEOUT + SECOND_LOOK
    assert wire.aborted
    assert [fault.kind for fault in ends] == ["timeout"]


async def test_a_reply_that_was_there_while_the_process_stood_still_is_read_first() -> None:
    connection, _, ends = connected()
    first, second = connection.call(b"a"), connection.call(b"b")
    asyncio.get_running_loop().call_later(TIMEOUT + SECOND_LOOK / 2, connection.data_received, b":1\r\n:2\r\n")
    assert (await first, await second) == (1, 2)
    await asyncio.sleep(1)
    assert ends == []


async def test_a_second_look_is_for_one_call_alone() -> None:
    connection, _, ends = connected()
    first, second = connection.call(b"a"), connection.call(b"b")
    asyncio.get_running_loop().call_later(TIMEOUT + SECOND_LOOK / 2, connection.data_received, b":1\r\n")
    assert await first == 1
    with pytest.raises(StoreDown):
        await second
    assert elapsed() == TIMEOUT + 2 * SECOND_LOOK
    assert [fault.kind for fault in ends] == ["timeout"]


async def test_each_call_has_its_own_deadline() -> None:
    connection, _, ends = connected()
    first = connection.call(b"a")
    await asyncio.sleep(0.2)
    second = connection.call(b"b")
    connection.data_received(b":1\r\n")
    assert await first == 1
    await asyncio.sleep(0.2)
    assert ends == []
    connection.data_received(b":2\r\n")
    assert await second == 2
    await asyncio.sleep(10)
    assert ends == []


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400\r\n", b":1\r\n:2\r\n", b"$-9\r\n", b"*1\r\n?\r\n"])
async def test_what_is_no_answer_ends_the_connection(answer: bytes) -> None:
    connection, wire, ends = connected()
    call = connection.call(b"a")
    connection.data_received(answer)
    assert [fault.kind for fault in ends] == ["garbage"]
    assert wire.aborted
    if not call.done() or call.exception() is None:
        assert await call == 1


async def test_a_reply_without_end_is_not_kept() -> None:
    connection, _, ends = connected()
    call = connection.call(b"a")
    connection.data_received(b"$%d\r\n" % (2 * LARGEST_REPLY))
    assert ends == []
    block = b"x" * (LARGEST_REPLY // 4)
    for _ in range(5):
        connection.data_received(block)
    assert [fault.kind for fault in ends] == ["garbage"]
    with pytest.raises(StoreDown):
        await call


async def test_a_connection_that_is_lost_tells_all_once() -> None:
    connection, wire, ends = connected()
    calls = [connection.call(b"a") for _ in range(3)]
    connection.connection_lost(None)
    connection.connection_lost(None)
    for call in calls:
        with pytest.raises(StoreDown, match="closed the connection"):
            await call
    with pytest.raises(StoreDown, match="closed the connection"):
        await connection.call(b"later")
    await turn()
    assert wire.written == []
    assert len(ends) == 1


async def test_each_caller_has_an_exception_of_its_own() -> None:
    connection, _, _ = connected()
    calls = [connection.call(b"a") for _ in range(2)]
    connection.end(StoreDown("over", "lost"))
    first, second = (call.exception() for call in calls)
    assert first is not second
