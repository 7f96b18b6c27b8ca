from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.loopback import Connection, serve, unused_port, within_bound
from tests.support.processes import ROOT, Program, listens, start_gateway
from tests.support.raw_client import connect
from tests.support.scripted import DONE, chat_chunk

pytestmark = pytest.mark.real_time

KEYS: Final = {"SLOW_KEY": "slow-key-0000000000000000"}
PATH: Final = "/router/slow/v1/chat/completions"
BODY: Final = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED: Final = {**BODY, "stream": True}
WORKERS: Final = (1, 2)


def config(engine: str, url: str, drain: str) -> str:
    return (
        f"server: {{engine: {engine}, drain-timeout: {drain}}}\n"
        f"providers: {{slow: {{dialect: openai, base-url: '{url}/v1', models: ['*'], keys: ['${{env:SLOW_KEY}}']}}}}\n"
        "routers: {slow: {load-balance: {chat: {providers: [slow]}}}}\n"
    )


async def refused(program: Program) -> None:
    """Until nobody takes a new connection."""
    async with asyncio.timeout(20):
        while listens(program.port):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("workers", WORKERS)
async def test_what_is_under_way_goes_on_to_its_end(engine: str, workers: int, tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        if b'"stream"' in connection.body:
            await connection.start_chunked(b"content-type: text/event-stream\r\n")
            await connection.write_chunk(chat_chunk({"content": "first"}))
            await within_bound(go_on.wait())
            await connection.write_chunk(chat_chunk({"content": "last"}, "stop") + DONE)
            await connection.write_chunk(b"")
        else:
            await within_bound(go_on.wait())
            await connection.answer(b'{"choices":[]}', headers=b"content-type: application/json\r\n")

    async with serve(script) as upstream:
        with start_gateway(tmp_path, config(engine, upstream.url, "15s"), KEYS, "--workers", str(workers)) as program:
            async with connect(program.port) as stream, connect(program.port) as whole, connect(program.port) as idle:
                await idle.ask("GET", "/livez")
                await stream.send("POST", PATH, STREAMED)
                await whole.send("POST", PATH, BODY)
                assert await stream.read_head() == 200
                await stream.read_chunk()
                while len(upstream.connections) < 2:
                    await asyncio.sleep(0)
                program.signal(signal.SIGTERM)
                await refused(program)
                go_on.set()
                assert (await stream.read_body()).endswith(DONE)
                assert await whole.read_head() == 200
                assert await whole.read_body() == b'{"choices":[]}'
            assert await asyncio.to_thread(program.wait_exit) == 0
            assert '"draining"' in program.output()
            assert "Killing" not in program.output()


@pytest.mark.parametrize("workers", WORKERS)
async def test_what_lasts_longer_than_the_drain_is_told_and_broken(engine: str, workers: int, tmp_path: Path) -> None:
    async def script(connection: Connection) -> None:
        await connection.read_request()
        if b'"stream"' in connection.body:
            await connection.start_chunked(b"content-type: text/event-stream\r\n")
            await connection.write_chunk(chat_chunk({"content": "first"}))
        await connection.wait_closed_by_client()

    async with serve(script) as upstream:
        with start_gateway(tmp_path, config(engine, upstream.url, "1s"), KEYS, "--workers", str(workers)) as program:
            async with connect(program.port) as stream, connect(program.port) as whole:
                await stream.send("POST", PATH, STREAMED)
                await whole.send("POST", PATH, BODY)
                assert await stream.read_head() == 200
                await stream.read_chunk()
                while len(upstream.connections) < 2:
                    await asyncio.sleep(0)
                program.signal(signal.SIGTERM)
                rest = await stream.read_until_broken()
                assert b'"code":"draining"' in rest
                assert DONE not in rest
                assert await whole.read_head() == 503
                assert whole.headers["retry-after"] == "1"
                assert b'"code":"draining"' in await whole.read_body()
            assert await asyncio.to_thread(program.wait_exit) == 0
            assert "Killing" not in program.output()


def test_nothing_under_way_is_waited_for_no_longer(engine: str, tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(engine, "http://127.0.0.1:9", "60s"), KEYS) as program:
        program.signal(signal.SIGTERM)
        assert program.wait_exit() == 0


def test_a_worker_that_is_being_started_is_told_as_well(tmp_path: Path) -> None:
    path, port = tmp_path / "routers.yaml", unused_port()
    path.write_text(config("granian", "http://127.0.0.1:9", "60s"))
    program = Program(
        [sys.executable, ROOT / "tests/support/hasty_serve.py", path, "--port", str(port)], port, tmp_path, KEYS
    )
    try:
        assert program.wait_exit() == 0
    finally:
        program.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_connection_does_not_hold_it_up(engine: str, number: signal.Signals, tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(engine, "http://127.0.0.1:9", "60s"), KEYS) as program:
        async with connect(program.port) as idle:
            assert await idle.ask("GET", "/livez") == {"status": "alive"}
            program.signal(number)
            assert await asyncio.to_thread(program.wait_exit) == 0


@pytest.mark.parametrize("workers", WORKERS)
async def test_workers_whose_main_process_is_killed_end_what_is_under_way_and_stop(
    engine: str, workers: int, tmp_path: Path
) -> None:
    if engine == "hypercorn" and workers == 1:
        pytest.skip("it serves in its main process")
    go_on = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.start_chunked(b"content-type: text/event-stream\r\n")
        await connection.write_chunk(chat_chunk({"content": "first"}))
        await within_bound(go_on.wait())
        await connection.write_chunk(chat_chunk({"content": "last"}, "stop") + DONE)
        await connection.write_chunk(b"")

    async with serve(script) as upstream:
        with start_gateway(tmp_path, config(engine, upstream.url, "15s"), KEYS, "--workers", str(workers)) as program:
            async with connect(program.port) as stream:
                await stream.send("POST", PATH, STREAMED)
                assert await stream.read_head() == 200
                await stream.read_chunk()
                program.signal(signal.SIGKILL)
                await refused(program)
                go_on.set()
                assert (await stream.read_body()).endswith(DONE)
