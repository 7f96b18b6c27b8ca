"""The audit log of workers that are processes, killed and ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from gateway.telemetry.audit_reader import Found, files_of, read_files
from tests.support.processes import start_gateway
from tests.support.raw_client import connect

pytestmark = pytest.mark.real_time

PATH: Final = "/router/r/v1/chat/completions"
BODY: Final = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}]}
CLIENTS: Final = 8


def config(path: Path) -> str:
    return (
        f"audit: {{path: '{path}', rotate-size: 20KB}}\n"
        "server: {workers: 2}\n"
        "routers: {r: {load-balance: {chat: {providers: [echo]}}}}\n"
    )


async def ask(port: int, count: int) -> int:
    """How many of so many requests were answered, on one connection."""
    good = 0
    async with connect(port) as client:
        for _ in range(count):
            await client.ask("POST", PATH, BODY)
            good += client.status == 200
    return good


def statuses(path: Path) -> Counter[int]:
    """How many lines there are of each status; all of them whole and no two the same."""
    found = list(read_files(files_of(path)))
    lines = [one.line for one in found if isinstance(one, Found)]
    assert len(lines) == len(found)
    assert len({line.id for line in lines}) == len(lines)
    return Counter(line.response.status for line in lines)


async def test_workers_share_a_file_and_lose_nothing_when_they_end(tmp_path: Path) -> None:
    path = tmp_path / "log" / "audit.jsonl"
    with start_gateway(tmp_path, config(path), {}) as program:
        answered = await asyncio.gather(*(ask(program.port, 25) for _ in range(CLIENTS)))
        await asyncio.to_thread(program.stop)
    assert sum(answered) == 25 * CLIENTS
    assert statuses(path) == {200: 25 * CLIENTS}


async def test_a_worker_that_is_killed_harms_no_line_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "log" / "audit.jsonl"
    with start_gateway(tmp_path, config(path), {}) as program:
        before = sum(await asyncio.gather(*(ask(program.port, 25) for _ in range(CLIENTS))))
        asking = [asyncio.create_task(ask(program.port, 20 + 40 * number)) for number in range(CLIENTS)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        program.children()[0].kill()
        await asyncio.gather(*asking, return_exceptions=True)
        await asyncio.to_thread(program.stop)
    found = list(read_files(files_of(path)))
    assert sum(not isinstance(one, Found) for one in found) <= 1
    assert len(found) > before
