"""A whole gateway with a ledger: which row an exchange leaves, and what a reload does to whoever writes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.core.record import Record
from gateway.runtime import BEHIND
from gateway.store.ledger.protocol import UsageQuery
from gateway.store.ledger.sqlite import SqliteLedger
from gateway.store.ledger.writer import LedgerWriter
from tests.support.house import ALPHA, BETA, PROVIDERS, Serve, Served, chat
from tests.support.scripted import chat_reply, chat_stream, ok, status, stream

ROUTE = "/router/one/v1/chat/completions"


def config(folder: Path, more: str = "") -> str:
    place = f"url: 'sqlite:///{folder / 'ledger.db'}', spool: '{folder / 'spool'}'"
    route = "routers:\n  one: {load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}}\n"
    return f"ledger: {{{place}{more}}}\n{PROVIDERS}\n{route}"


@contextlib.asynccontextmanager
async def opened(served: Served) -> AsyncIterator[LedgerWriter]:
    """As the lifespan does it."""
    writer = served.runtime.sinks.get("ledger")
    assert isinstance(writer, LedgerWriter)
    await writer.open()
    try:
        yield writer
    finally:
        await served.runtime.close()


async def rows(folder: Path) -> list[Record]:
    database = SqliteLedger(folder / "ledger.db")
    try:
        return [record async for record in database.records(UsageQuery(0, 5e9))]
    finally:
        await database.close()


async def test_an_exchange_leaves_one_row(serve: Serve, tmp_path: Path) -> None:
    served = serve(config(tmp_path))
    served.upstream.on(ALPHA, status(503), ok(chat_reply("one")))
    served.upstream.on(BETA, ok(chat_reply("other")))
    async with opened(served):
        reply = await served.client.post(ROUTE, chat(user="u-7"))
        assert reply.status == 200
        await asyncio.sleep(1.0)
        (row,) = await rows(tmp_path)
    assert (row.router, row.asked, row.provider, row.model) == ("one", "gpt-4o", "beta", "gpt-4o")
    assert (row.status, row.outcome, row.user, row.metered) == (200, "ok", "u-7", True)
    assert (row.usage.input, row.usage.output) == (9, 3)
    assert [(tried.provider, tried.status, tried.fault) for tried in row.attempts] == [
        ("alpha", 503, "unavailable"),
        ("beta", 200, ""),
    ]
    assert row.request_id == reply.headers["x-request-id"]


async def test_refused_and_streamed_exchanges_leave_rows_too(serve: Serve, tmp_path: Path) -> None:
    served = serve(config(tmp_path))
    served.upstream.on(ALPHA, stream(chat_stream("Hi")))
    async with opened(served):
        await served.client.post(ROUTE, chat(stream=True))
        await served.client.post("/router/one/v1/nowhere", chat())
        await asyncio.sleep(1.0)
        streamed, refused = await rows(tmp_path)
    assert (streamed.stream, streamed.status, streamed.outcome) == (True, 200, "ok")
    assert (refused.outcome, bool(refused.error_code), refused.provider) == ("error", True, "")


async def test_ids_of_clients_do_not_make_two_requests_one(serve: Serve, tmp_path: Path) -> None:
    served = serve(config(tmp_path))
    served.upstream.on(ALPHA, ok(chat_reply("one")))
    async with opened(served):
        for _ in range(3):
            await served.client.post(ROUTE, chat(), headers={"x-request-id": "the-same"})
        await asyncio.sleep(1.0)
        assert len(await rows(tmp_path)) == 3


async def test_a_reload_keeps_the_writer_of_a_ledger_that_is_the_same(serve: Serve, tmp_path: Path) -> None:
    served = serve(config(tmp_path))
    async with opened(served) as writer:
        served.path.write_text(config(tmp_path).replace("one:", "two:"))
        assert await served.gateway.reload()
        assert served.runtime.sinks.get("ledger") is writer


async def test_what_a_reload_replaces_is_closed_however_much_there_is_to_do(serve: Serve, tmp_path: Path) -> None:
    served = serve(config(tmp_path))
    served.upstream.on(ALPHA, ok(chat_reply("one")))
    busy = asyncio.Event()

    async def wait() -> None:
        await busy.wait()

    async with opened(served) as writer:
        for _ in range(BEHIND):
            assert served.runtime.behind.start(wait())
        await served.client.post(ROUTE, chat())
        served.path.write_text(config(tmp_path, ", batch: 50ms"))
        assert await served.gateway.reload()
        assert served.runtime.sinks.get("ledger") is not writer
        await served.client.post(ROUTE, chat())
        await asyncio.sleep(1.0)
        assert len(await rows(tmp_path)) == 2
        assert writer._closed
        busy.set()


async def test_a_gateway_without_a_ledger_has_no_sink(serve: Serve, tmp_path: Path) -> None:
    served = serve(config(tmp_path).split("\n", 1)[1])
    assert served.runtime.sinks.get("ledger") is None
