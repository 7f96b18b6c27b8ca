"""A worker process of the exactness tests: asks for one token again and again, from 32 tasks.

Run as a program: URL, capacity, period, and how many times. It prints how many were granted and the server's time of
its first and last check.
"""

from __future__ import annotations

import asyncio
import sys

from gateway.policy.token_bucket import Rate
from gateway.store.limit_scripts import TAKE
from tests.support.store_link import linked

TASKS = 32


async def work(url: str, rate: Rate, count: int) -> None:
    granted = 0
    times: list[int] = []

    async with linked(url) as link:

        async def ask(times_each: int) -> None:
            nonlocal granted
            for _ in range(times_each):
                reply = await link.script(TAKE, ["t:exact"], (rate.step, rate.unit, rate.capacity, 1, 0))
                assert isinstance(reply, list)
                granted += reply[0]
                times.append(reply[1])

        # All begin at once: the parent answers when every worker has connected.
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        shares = [count // TASKS + (number < count % TASKS) for number in range(TASKS)]
        await asyncio.gather(*map(ask, shares))
    print(granted, min(times), max(times), flush=True)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Rate(int(sys.argv[2]), int(sys.argv[3])), int(sys.argv[4])))
