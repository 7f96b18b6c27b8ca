from __future__ import annotations

import asyncio

import pytest

from gateway.core.exchange import Exchange
from gateway.core.record import Record
from gateway.core.secret import Secret
from gateway.policy.health import BreakerPolicy
from gateway.policy.key_pool import KeyPool
from gateway.runtime import Runtime, system_clock
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.sinks import Sinks
from gateway.upstream.transport import UpstreamReply, UpstreamRequest

TARGET = ("openai", "http://127.0.0.1:9", "gpt-4o")


class NotedTransport:
    def __init__(self) -> None:
        self.closed = 0

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise AssertionError("nothing here is sent")

    async def close(self) -> None:
        self.closed += 1


def runtime() -> tuple[Runtime, NotedTransport, NotedTransport]:
    clock = system_clock()
    transport, echo = NotedTransport(), NotedTransport()
    return Runtime(clock=clock, transport=transport, echo=echo, log=Log(clock.wall), metrics=Metrics()), transport, echo


def pool(*keys: tuple[str, str]) -> KeyPool:
    return KeyPool([Secret(name, value) for name, value in keys], 60.0, 300.0)


def test_a_target_has_one_state_whoever_asks() -> None:
    lasting, _, _ = runtime()
    load = lasting.load(TARGET, BreakerPolicy())
    assert lasting.load(TARGET, BreakerPolicy()) is load
    assert lasting.load(("openai", "http://127.0.0.1:10", "gpt-4o"), BreakerPolicy()) is not load


def test_a_reload_changes_a_targets_policy_and_not_its_state() -> None:
    lasting, _, _ = runtime()
    load = lasting.load(TARGET, BreakerPolicy(consecutive_failures=3))
    load.breaker.failure(1.0)
    lasting.load(TARGET, BreakerPolicy(consecutive_failures=2))
    load.breaker.failure(1.0)
    assert load.breaker.state(1.0) == "open"


def test_keys_that_rest_go_on_resting_after_a_reload() -> None:
    lasting, _, _ = runtime()
    old = pool(("main", "K"), ("spare", "L"))
    lasting.adopt({"openai": old})
    key = old.pick(0.0)
    assert key is not None
    old.cool(key, 0.0, 30.0)
    new = pool(("main", "K"), ("third", "M"))
    lasting.adopt({"openai": new})
    assert new.states(1.0) == [("main", "cooling"), ("third", "active")]
    assert lasting.pools == {"openai": new}


def test_a_key_with_another_credential_begins_afresh() -> None:
    lasting, _, _ = runtime()
    old = pool(("main", "K"))
    lasting.adopt({"openai": old})
    key = old.pick(0.0)
    assert key is not None
    old.quarantine(key, 0.0)
    new = pool(("main", "another"))
    lasting.adopt({"openai": new})
    assert new.states(1.0) == [("main", "active")]


def test_a_request_still_under_way_on_the_old_config_tells_the_new_one() -> None:
    lasting, _, _ = runtime()
    old, new = pool(("main", "K")), pool(("main", "K"))
    lasting.adopt({"openai": old})
    key = old.pick(0.0)
    lasting.adopt({"openai": new})
    assert key is not None
    old.cool(key, 5.0, 30.0)
    assert new.states(6.0) == [("main", "cooling")]


def test_a_pool_that_is_gone_is_forgotten() -> None:
    lasting, _, _ = runtime()
    lasting.adopt({"openai": pool(("main", "K"))})
    lasting.adopt({})
    assert lasting.pools == {}


class SlowSink:
    """Takes 10 s to close."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.closed = False

    async def open(self) -> None:
        """At once."""

    def write(self, record: Record, exchange: Exchange) -> None:
        """Nothing."""

    async def close(self) -> None:
        await asyncio.sleep(10)
        self.closed = True
        if self.failure is not None:
            raise self.failure

    def trouble(self) -> str | None:
        return None


async def test_sinks_close_at_once_and_one_that_fails_keeps_nothing_open() -> None:
    """A process has 12 s, whichever of them are slow."""
    lasting, transport, _ = runtime()
    first, second = SlowSink(OSError("disk")), SlowSink()
    lasting.sinks = Sinks({"ledger": (1, first), "audit": (1, second)})
    began = asyncio.get_running_loop().time()
    with pytest.raises(OSError, match="disk"):
        await lasting.close()
    assert asyncio.get_running_loop().time() == began + 10
    assert (first.closed, second.closed, transport.closed) == (True, True, 1)


async def test_closing_closes_both_transports() -> None:
    lasting, transport, echo = runtime()
    await lasting.close()
    assert (transport.closed, echo.closed) == (1, 1)


def test_a_process_begins_serving_and_nothing_under_way() -> None:
    lasting, _, _ = runtime()
    assert (lasting.draining, lasting.cut, lasting.in_flight, lasting.loads) == (False, False, {}, {})
