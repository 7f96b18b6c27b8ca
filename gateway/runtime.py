"""What is opened once and outlives a config: clock, transports, sinks and per-target state.

A reload replaces every policy object, and none of these. Nothing here decides.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from asyncio import Task
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final

from gateway.core.clock import Clock
from gateway.core.exchange import Exchange
from gateway.policy.estimate import Estimator
from gateway.policy.health import BreakerPolicy
from gateway.policy.key_pool import KeyPool
from gateway.policy.load import TargetLoad
from gateway.store.stores import Stores
from gateway.telemetry.events import Events
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.sinks import NO_SINKS
from gateway.telemetry.standings import Standings
from gateway.timers import TimerLines
from gateway.upstream.token_source import TokenSource
from gateway.upstream.transport import Transport

if TYPE_CHECKING:
    # What verifies tokens is loaded only for those who have issuers.
    from gateway.upstream.key_set import KeySet

TargetName = tuple[str, str, str]
"""Provider, address, model label."""

IssuerName = tuple[str, str, tuple[str, ...]]
"""Issuer of tokens, where its keys are, their algorithms."""


def system_clock() -> Clock:
    """The machine's own time and chance."""
    return Clock(time.monotonic, time.time, random.random)


BEHIND: Final = 256
"""So many things at most are done behind clients' backs at a time."""


class Behind:
    """What is done for no client in particular: kept answers are written, stale ones fetched anew. Bounded, and ended
    with the process."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._tasks: set[Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[None, None, None], *, surely: bool = False) -> bool:
        """Do it soon. False when there is too much to do already: then it is not done at all, unless it must surely."""
        if len(self._tasks) >= BEHIND and not surely:
            work.close()
            return False
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return True

    def _end(self, task: Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.write("error", "work behind a request failed", {"error": repr(task.exception())})

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Runtime:
    """The lasting half of a process.

    transport reaches providers over HTTP, echo is the built-in one. timers: those that requests share.
    events: what somebody on call is to know.
    standings: what is spent of budgets and quotas. stores, sinks: those of the house that serves, None and nothing
    before there is one. token_sources: by what they lend for, credentials included: never shown. in_flight holds each
    request's task while it is served, so that a drain can end what is left. draining: on the way out, what is under way
    goes on. cut: the time for that is over. name: of this process among the replicas. behind: what is done for no
    client.
    """

    def __init__(self, *, clock: Clock, transport: Transport, echo: Transport, log: Log, metrics: Metrics) -> None:
        self.clock = clock
        self.transport = transport
        self.echo = echo
        self.log = log
        self.metrics = metrics
        self.timers = TimerLines(clock.monotonic)
        self.events = Events(clock.wall)
        self.standings = Standings(self.events)
        self.estimator = Estimator()
        self.loads: dict[TargetName, TargetLoad] = {}
        self.pools: dict[str, KeyPool] = {}
        self.stores: Stores | None = None
        self.sinks = NO_SINKS
        self.key_sets: dict[IssuerName, KeySet] = {}
        self.token_sources: dict[tuple[str, ...], TokenSource] = {}
        self.in_flight: dict[Task[object], Exchange] = {}
        self.name = os.urandom(6).hex()
        self.behind = Behind(log)
        self.draining = False
        self.cut = False

    def load(self, name: TargetName, policy: BreakerPolicy) -> TargetLoad:
        """The state of a target, made at first use; a changed policy applies from now on."""
        load = self.loads.get(name)
        if load is None:
            load = self.loads[name] = TargetLoad(policy)
        else:
            load.breaker.policy = policy
        return load

    def adopt(self, pools: dict[str, KeyPool]) -> None:
        """Take a new config's pools in use: keys that rested under the same name go on resting."""
        for name, pool in pools.items():
            old = self.pools.get(name)
            if old is not None:
                pool.inherit(old)
        self.pools = pools

    async def close(self) -> None:
        await self.behind.close()
        for keys in self.key_sets.values():
            await keys.close()
        for source in self.token_sources.values():
            await source.close()
        # Before the transports: what waits for a webhook goes out by one. All at once: each has its own bound, and the
        # process has one for all of them.
        ends = await asyncio.gather(*(sink.close() for sink in self.sinks), return_exceptions=True)
        await self.transport.close()
        await self.echo.close()
        if self.stores is not None:
            await self.stores.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end
