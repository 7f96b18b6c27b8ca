"""What is opened once and outlives a config: clock, transports, sinks and per-target state.

A reload replaces every policy object, and none of these. Nothing here decides.
"""

from __future__ import annotations

import random
import time
from asyncio import Task

from gateway.core.clock import Clock
from gateway.core.exchange import Exchange
from gateway.policy.estimate import Estimator
from gateway.policy.health import BreakerPolicy
from gateway.policy.key_pool import KeyPool
from gateway.policy.load import TargetLoad
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.upstream.transport import Transport

TargetName = tuple[str, str, str]
"""Provider, address, model label."""


def system_clock() -> Clock:
    """The machine's own time and chance."""
    return Clock(time.monotonic, time.time, random.random)


class Runtime:
    """The lasting half of a process.

    transport reaches providers over HTTP, echo is the built-in one. in_flight holds each request's
    task while it is served, so that a drain can end what is left. draining: on the way out, what is under
    way goes on. cut: the time for that is over.
    """

    def __init__(self, *, clock: Clock, transport: Transport, echo: Transport, log: Log, metrics: Metrics) -> None:
        self.clock = clock
        self.transport = transport
        self.echo = echo
        self.log = log
        self.metrics = metrics
        self.estimator = Estimator()
        self.loads: dict[TargetName, TargetLoad] = {}
        self.pools: dict[str, KeyPool] = {}
        self.in_flight: dict[Task[object], Exchange] = {}
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
        await self.transport.close()
        await self.echo.close()
