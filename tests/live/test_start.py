from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.live.conftest import ENGINELESS
from tests.support.loopback import Connection, serve, unused_port
from tests.support.processes import (
    BOUND,
    Program,
    check_no_credential,
    gateway_command,
    listens,
    start_gateway,
)
from tests.support.raw_client import connect

pytestmark = pytest.mark.real_time

KEY: Final = "sk-of-the-environment-0000000000"
BODY: Final = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
REPLY: Final = b'{"object":"chat.completion","choices":[]}'


def config(engine: str, more: str = "") -> str:
    return (
        f"server: {{engine: {engine}, drain-timeout: 1s}}\n{more}"
        "routers:\n"
        "  demo: {load-balance: {chat: {providers: [echo]}}}\n"
        "  live: {load-balance: {chat: {providers: [openai]}}}\n"
    )


async def answer(connection: Connection) -> None:
    while await connection.read_request():
        await connection.answer(REPLY, headers=b"content-type: application/json\r\n")


def line_with(output: str, word: str) -> str:
    return next(line for line in output.splitlines() if word in line)


def test_what_is_served_is_said(engine: str, tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(engine), {"OPENAI_API_KEY": KEY}) as program:
        said = program.output()
        assert f"at {program.url} with {engine}, 1 worker" in said
        assert "OFF" not in line_with(said, "/router/live")
        assert "openai (1 key: OPENAI_API_KEY)" in said
        assert program.get("/readyz")[0] == 200


@pytest.mark.parametrize("engine", ENGINELESS)
def test_what_is_off_is_said_and_why(engine: str, tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(engine), {}) as program:
        said = program.output()
        assert "OFF: no key" in line_with(said, "/router/live")
        assert "OFF" not in line_with(said, "/router/demo")
        assert "OPENAI_API_KEY" in line_with(said, "  off ")
        status, _, reason = program.get("/router/live/v1/models")
        assert status == 200, reason


@pytest.mark.parametrize("engine", ENGINELESS)
def test_a_bad_config_is_told_whole_and_starts_nothing(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "routers.yaml"
    path.write_text(
        f"server: {{engine: {engine}, prot: 1}}\n"
        f"providers: {{openai: {{keys: ['{KEY}']}}}}\n"
        "routers:\n"
        "  name-that-is-too-long: {load-balance: {chat: {providers: [echo]}}}\n"
        "  other: {load-balance: {chat: {strategy: waighted, providers: [echo]}}}\n"
    )
    port = unused_port()
    program = Program(gateway_command(path, port), port, tmp_path, {"OPENAI_API_KEY": KEY})
    assert program.wait_exit() == 1
    said = program.output()
    for word in ("prot", "name-that-is-too-long", "waighted", "nothing was started"):
        assert word in said
    assert "Traceback" not in said
    assert not listens(port)
    check_no_credential(said, {"KEY": KEY})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    port = unused_port()
    program = Program(gateway_command(tmp_path / "none.yaml", port), port, tmp_path, {})
    assert program.wait_exit() == 1
    assert "none.yaml" in program.output()
    assert "Traceback" not in program.output()


def test_a_port_that_is_taken(engine: str, tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(engine), {}) as first:
        second = Program(gateway_command(tmp_path / "routers.yaml", first.port), first.port, tmp_path, {})
        try:
            assert second.wait_exit() == 1
            assert f"127.0.0.1:{first.port} cannot be listened on" in second.output()
        finally:
            second.stop()
        assert first.get("/livez")[0] == 200


@pytest.mark.parametrize("engine", ENGINELESS)
async def test_several_keys_in_a_variable_are_a_pool_that_rotates(engine: str, tmp_path: Path) -> None:
    keys = ["sk-first-0000000000000000", "sk-second-000000000000000"]
    async with serve(answer) as upstream:
        text = config(engine, f"providers: {{openai: {{base-url: '{upstream.url}/v1'}}}}\n")
        seen = []
        with start_gateway(tmp_path, text, {"OPENAI_API_KEYS": ",".join(keys)}) as program:
            assert "openai (2 keys" in program.output()
            async with connect(program.port) as client:
                for _ in range(4):
                    await client.ask("POST", "/router/live/v1/chat/completions", BODY)
                    assert client.status == 200
                    head = upstream.connections[-1].head.decode().lower()
                    seen.append(line_with(head, "authorization").removeprefix("authorization: bearer "))
    assert seen[:2] == seen[2:]
    assert sorted(seen[:2]) == keys


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="a policy of Linux")
@pytest.mark.parametrize(("chosen", "policy"), [("batch", "SCHED_BATCH"), ("normal", "SCHED_OTHER")])
async def test_all_threads_of_all_workers_are_scheduled_as_the_config_says(
    engine: str, tmp_path: Path, chosen: str, policy: str
) -> None:
    text = config(engine).replace("server: {", f"server: {{scheduling: {chosen}, ")
    with start_gateway(tmp_path, text, {}, "--workers", "2") as program:
        await see_both_workers(program)
        workers = [child for child in program.children() if len(child.threads()) > 1]
        family = (psutil.Process(program.pid), *workers)
        found = {os.sched_getscheduler(thread.id) for process in family for thread in process.threads()}
        assert (len(workers), found) == (2, {getattr(os, policy)})


async def see_both_workers(program: Program) -> int:
    """How many requests it took until each of two had answered one, told by its part of their ids."""
    asked = 0
    seen: set[str] = set()
    async with asyncio.timeout(BOUND):
        while len(seen) < 2:
            async with connect(program.port) as client:
                await client.ask("POST", "/router/demo/v1/chat/completions", BODY)
                seen.add(client.headers["x-request-id"].partition("-")[0])
                asked += 1
    return asked


async def test_workers_are_added_up_and_all_of_them_reload(engine: str, tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(engine), {}, "--workers", "2") as program:
        asked = await see_both_workers(program)
        program.wait_until(lambda: total_requests(program) == asked, "the sum over the workers")
        program.signal(signal.SIGHUP)
        reloads = 'gateway_config_reloads_total{result="ok"}'
        program.wait_until(lambda: program.metric(reloads) == 2, "a reload of each")


async def test_a_worker_that_dies_is_replaced(engine: str, tmp_path: Path) -> None:
    def workers() -> set[int]:
        return {child.pid for child in program.children()}

    with start_gateway(tmp_path, config(engine), {}, "--workers", "2") as program:
        await see_both_workers(program)
        before = workers()
        os.kill(max(before), signal.SIGKILL)
        program.wait_until(lambda: len(workers() - before) == 1, "another worker")
        await see_both_workers(program)


def total_requests(program: Program) -> float:
    """Of chats, over all label sets."""
    _, _, page = program.get("/metrics")
    return sum(
        float(line.split()[-1])
        for line in page.splitlines()
        if line.startswith("gateway_requests_total{") and 'router="demo"' in line
    )
