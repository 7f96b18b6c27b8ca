"""Four processes against one server: what they are granted together is the capacity and what was refilled, to the
token."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.policy.token_bucket import LARGEST, Rate
from gateway.store.limit_scripts import TAKE
from tests.support.redis_server import RedisServer
from tests.support.store_link import linked

ROOT = Path(__file__).parents[2]
WORKERS = 4
REQUESTS = 20_000
CAPACITY = 1_000


def ask_from_processes(url: str, rate: Rate) -> tuple[int, int, int]:
    """Granted over all, the server's time of the first check and of the last."""
    command = [
        sys.executable, "-m", "tests.support.take_worker", url, str(rate.capacity), str(rate.period),
        str(REQUESTS // WORKERS),
    ]  # fmt: skip
    workers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(WORKERS)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        told = [worker.communicate("go\n", timeout=50)[0].split() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    numbers = [[int(word) for word in words] for words in told]
    return sum(n[0] for n in numbers), min(n[1] for n in numbers), max(n[2] for n in numbers)


def test_without_time_to_refill_exactly_the_capacity_is_granted(server: RedisServer) -> None:
    granted, _, _ = ask_from_processes(server.url, Rate(CAPACITY, LARGEST // CAPACITY))
    assert granted == CAPACITY


@pytest.mark.real_time
async def test_with_refill_not_a_millionth_of_a_token_is_lost_or_made(server: RedisServer) -> None:
    rate = Rate(CAPACITY, 5_000_000)
    granted, first, _ = ask_from_processes(server.url, rate)
    async with linked(server.url) as link:
        reply = await link.script(TAKE, ["t:exact"], (rate.step, rate.unit, rate.capacity, 0, 1))
    assert isinstance(reply, list)
    _, now, level = reply
    assert level < rate.full, "it was full again before it was looked at, which says nothing"
    assert granted > CAPACITY
    assert granted * rate.unit + level == rate.full + (now - first) * rate.step
