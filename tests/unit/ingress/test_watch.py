from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from gateway.core.exchange import Call, Exchange
from gateway.ingress.body import Message
from gateway.ingress.watch import WATCH_AFTER, Watch
from gateway.timers import TimerLine
from tests.support.virtual_time import START, elapsed, virtual_clock


def exchange() -> Exchange:
    return Exchange("1", "POST", "/", b"", [], b"", Call("openai", "chat", "/"), "prod", START, 0.0)


class Client:
    """A client that has sent all it will, and leaves when told."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.asked = 0

    async def receive(self) -> Message:
        self.asked += 1
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def served(
    client: Client, body: Callable[[Watch], Awaitable[None]], *, timeout: float = 5.0, finish: bool = False
) -> tuple[Exchange, Watch, bool]:
    """Run a request's task under a watch. Returns its exchange, its watch and whether it was cancelled."""
    request = exchange()
    watches: list[Watch] = []

    async def serve() -> None:
        watch = Watch(request, client.receive, timeout, TimerLine(virtual_clock().monotonic), finish=finish)
        watches.append(watch)
        try:
            await body(watch)
        finally:
            watch.stop()

    task = asyncio.create_task(serve())
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return request, watches[0], task.cancelled()


async def test_a_quick_request_costs_no_watching() -> None:
    client = Client()

    async def body(watch: Watch) -> None:
        watch.body_is_here()
        await asyncio.sleep(WATCH_AFTER / 2)

    request, watch, cancelled = await served(client, body)
    await asyncio.sleep(60)
    assert (client.asked, request.gone, watch.timed_out, cancelled) == (0, False, False, False)


@pytest.mark.parametrize("limit", [5.0, 0.5, WATCH_AFTER])
async def test_a_body_that_does_not_come_ends_the_task_at_its_limit(limit: float) -> None:
    async def body(watch: Watch) -> None:
        await asyncio.Event().wait()

    request, watch, cancelled = await served(Client(), body, timeout=limit)
    assert (watch.timed_out, request.gone, cancelled) == (True, False, True)
    assert elapsed() == limit


@pytest.mark.parametrize("arrives", [0.01, 1.0, 4.99])
async def test_a_body_that_comes_in_time_is_not_timed_out(arrives: float) -> None:
    async def body(watch: Watch) -> None:
        await asyncio.sleep(arrives)
        watch.body_is_here()
        await asyncio.sleep(60)

    _, watch, cancelled = await served(Client(), body)
    assert (watch.timed_out, cancelled) == (False, False)


async def test_nobody_else_reads_the_connection_while_the_body_is_read() -> None:
    client = Client()

    async def body(watch: Watch) -> None:
        await asyncio.sleep(4.0)
        assert client.asked == 0
        watch.body_is_here()
        await asyncio.sleep(WATCH_AFTER * 2)
        assert client.asked == 1

    await served(client, body)
    assert client.asked == 1


@pytest.mark.parametrize("read_for", [0.0, 1.0])
async def test_a_client_that_leaves_ends_the_task_at_once(read_for: float) -> None:
    client = Client()

    async def body(watch: Watch) -> None:
        await asyncio.sleep(read_for)
        watch.body_is_here()
        asyncio.get_running_loop().call_later(2.0, client.leaves.set)
        await asyncio.sleep(60)

    request, watch, cancelled = await served(client, body)
    assert (request.gone, watch.timed_out, cancelled) == (True, False, True)
    assert elapsed() == read_for + 2.0


async def test_a_client_that_leaves_at_once_is_noticed_when_watching_begins() -> None:
    client = Client()
    client.leaves.set()

    async def body(watch: Watch) -> None:
        watch.body_is_here()
        await asyncio.sleep(60)

    request, _, cancelled = await served(client, body)
    assert (request.gone, cancelled) == (True, True)
    assert elapsed() == WATCH_AFTER


async def test_a_route_that_finishes_only_notes_that_the_client_left() -> None:
    client = Client()

    async def body(watch: Watch) -> None:
        watch.body_is_here()
        asyncio.get_running_loop().call_later(2.0, client.leaves.set)
        await asyncio.sleep(60)

    request, _, cancelled = await served(client, body, finish=True)
    assert (request.gone, cancelled) == (True, False)
    assert elapsed() == 60.0


async def test_a_stream_is_watched_from_its_start_and_by_one_reader() -> None:
    client = Client()

    async def body(watch: Watch) -> None:
        watch.body_is_here()
        watch.start()
        watch.start()
        await asyncio.sleep(60)
        assert client.asked == 1

    request, _, cancelled = await served(client, body)
    assert (request.gone, cancelled) == (False, False)


async def test_what_the_client_still_sends_does_not_end_the_watch() -> None:
    messages: asyncio.Queue[Message] = asyncio.Queue()
    for kind in ("http.request", "http.request", "http.disconnect"):
        messages.put_nowait({"type": kind})
    client = Client()
    client.receive = messages.get  # type: ignore[method-assign]

    async def body(watch: Watch) -> None:
        watch.body_is_here()
        await asyncio.sleep(60)

    request, _, cancelled = await served(client, body)
    assert (request.gone, cancelled) == (True, True)


async def test_a_client_that_leaves_after_the_end_changes_nothing() -> None:
    client = Client()

    async def body(watch: Watch) -> None:
        watch.body_is_here()
        watch.start()
        await asyncio.sleep(1.0)

    request, _, cancelled = await served(client, body)
    client.leaves.set()
    await asyncio.sleep(1.0)
    assert (request.gone, cancelled) == (False, False)
