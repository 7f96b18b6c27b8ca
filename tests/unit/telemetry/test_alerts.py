"""The sink before webhooks: replicas that agree on who tells, and bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from gateway.core.secret import Secret
from gateway.policy.anomaly import AnomalyPolicy
from gateway.store.nonces import MemoryNonces
from gateway.telemetry.alert_request import Headers
from gateway.telemetry.alerts import CLOSING, WAITING, AlertPolicy, Alerts, Claim
from gateway.telemetry.events import Events
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.webhook import Webhook, WebhookSettings
from tests.support.virtual_time import elapsed, virtual_clock

QUEUE = 100
USUAL = AnomalyPolicy(14, 6.0, 2.0, 1.0)


async def always(name: str, seconds: float) -> bool:
    return True


class Replica:
    """A process with one webhook; got: the kinds that it has told, and when."""

    def __init__(
        self, claim: Claim = always, *, hangs: bool = False, troubles: Mapping[str, str] | None = None
    ) -> None:
        clock = virtual_clock()
        self.got: list[tuple[float, str]] = []
        self.metrics = Metrics()
        self.events = Events(clock.wall)
        self.troubles = dict(troubles or {})

        async def post(url: str, headers: Headers, body: bytes, timeout: float) -> int:
            if hangs:
                await asyncio.sleep(3600)
            self.got.append((elapsed(), msgspec.json.decode(body)["kind"]))
            return 200

        settings = WebhookSettings("a", Secret("u", "https://a.test"), None, ("*",), "json", 900.0, 5.0, QUEUE)
        webhook = Webhook(settings, post, clock, Log(clock.wall), self.metrics)
        self.sink = Alerts(
            AlertPolicy(600.0, 0.9, USUAL, USUAL),
            [webhook],
            name="gw",
            clock=clock,
            events=self.events,
            metrics=self.metrics,
            troubles=lambda: self.troubles,
            claim=claim,
        )

    def counted(self, result: str) -> float:
        return sum(
            value
            for name, labels, value in self.metrics.samples()
            if name == "gateway_alerts_total" and labels[1] == result
        )


async def test_of_two_replicas_that_share_a_store_one_tells() -> None:
    nonces = MemoryNonces(virtual_clock().monotonic)
    replicas = Replica(nonces.add), Replica(nonces.add)
    for replica in replicas:
        await replica.sink.open()
    for kind in ("provider-outage", "provider-recovered"):
        for replica in replicas:
            replica.events.tell(kind, "a/m")
        await asyncio.sleep(60)
    assert sorted(kind for replica in replicas for _, kind in replica.got) == ["provider-outage", "provider-recovered"]
    # When the window is over, it is told again, by one.
    await asyncio.sleep(600)
    for replica in replicas:
        replica.events.tell("provider-outage", "a/m")
    await asyncio.sleep(1)
    assert sum(len(replica.got) for replica in replicas) == 3
    for replica in replicas:
        await replica.sink.close()


async def test_what_was_held_is_told_when_the_window_is_over() -> None:
    replica = Replica()
    await replica.sink.open()
    for kind in ("provider-outage", "provider-recovered", "provider-outage"):
        replica.events.tell(kind, "a/m")
        await asyncio.sleep(1)
    await asyncio.sleep(700)
    assert [kind for _, kind in replica.got] == ["provider-outage", "provider-recovered", "provider-outage"]
    assert 600 <= replica.got[2][0] <= 605
    await replica.sink.close()


async def test_trouble_of_a_sink_is_told_and_its_end() -> None:
    replica = Replica(troubles={"ledger": "the disk is full"})
    await replica.sink.open()
    await asyncio.sleep(6)
    replica.troubles.clear()
    await asyncio.sleep(6)
    assert [kind for _, kind in replica.got] == ["ledger-trouble", "ledger-recovered"]
    await replica.sink.close()


async def test_a_fault_that_ends_the_telling_is_told_itself() -> None:
    async def claim(name: str, seconds: float) -> bool:
        raise KeyError("a fault of its own")

    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    replica = Replica(claim)
    await replica.sink.open()
    replica.events.tell("provider-outage", "a/m")
    await asyncio.sleep(1)
    assert told == ["'a fault of its own'"]
    assert "alerts have stopped, restart the gateway" in (replica.sink.trouble() or "")
    await replica.sink.close()


async def test_more_than_there_is_room_for_is_dropped_and_the_end_is_not_waited_for() -> None:
    replica = Replica(hangs=True)
    await replica.sink.open()
    for number in range(WAITING + 50):
        replica.events.tell("key-quarantined", str(number))
    assert replica.counted("dropped") == 50
    await asyncio.sleep(1)
    assert replica.counted("dropped") == 50 + WAITING - QUEUE
    before = elapsed()
    await replica.sink.close()
    assert elapsed() - before == CLOSING
    assert replica.counted("dropped") == WAITING + 50
    assert not replica.events


async def test_a_sink_that_was_never_opened_can_be_closed() -> None:
    await Replica().sink.close()
