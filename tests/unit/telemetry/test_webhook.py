"""One webhook, on virtual time: order, retries and their end."""

from __future__ import annotations

import asyncio
import io
from itertools import pairwise

import msgspec
import pytest

from gateway.core.clock import Clock
from gateway.core.events import SEVERITIES, Event, EventKind
from gateway.core.secret import Secret
from gateway.policy.alerting import Told
from gateway.telemetry.alert_request import Alert, Headers, alert_of
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.webhook import PostError, Webhook, WebhookSettings
from tests.support.virtual_time import elapsed, virtual_clock


class Receiver:
    """Answers by `answers`, the last one for ever; text is why there is no answer. got: when and what."""

    def __init__(self, *answers: int | str) -> None:
        self._answers = list(answers)
        self.got: list[tuple[float, str]] = []
        self.signed: list[str] = []

    async def post(self, url: str, headers: Headers, body: bytes, timeout: float) -> int:
        self.got.append((elapsed(), msgspec.json.decode(body)["id"]))
        self.signed.append(dict(headers)["x-gateway-signature"])
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, str):
            raise PostError(answer)
        return answer


class Case:
    def __init__(self, *answers: int | str, queue: int = 10, retry_for: float = 900.0, chance: float = 1.0) -> None:
        self.receiver = Receiver(*answers)
        self.metrics = Metrics()
        self.output = io.StringIO()
        settings = WebhookSettings(
            "ops", Secret("u", "https://hooks.test/secret-path"), Secret("s", "0123456789abcdef"), ("*",), "json",
            retry_for, 5.0, queue,
        )  # fmt: skip
        virtual = virtual_clock()
        clock = Clock(virtual.monotonic, virtual.wall, lambda: chance)
        self.webhook = Webhook(settings, self.receiver.post, clock, Log(clock.wall, stream=self.output), self.metrics)

    def tell(self, *numbers: int) -> None:
        for number in numbers:
            self.webhook.tell(alert(number))

    async def settle(self) -> None:
        task = asyncio.create_task(self.webhook.run())
        await self.webhook.emptied()
        task.cancel()

    def counted(self) -> dict[str, float]:
        return {labels[1]: value for name, labels, value in self.metrics.samples() if name == "gateway_alerts_total"}


def alert(number: int, kind: EventKind = "key-quarantined") -> Alert:
    return alert_of(Told(Event(kind, "k", 0.0, SEVERITIES[kind], {})), str(number), "gw")


async def test_what_is_told_arrives_in_order() -> None:
    case = Case(200)
    case.tell(1, 2, 3)
    await case.settle()
    assert case.receiver.got == [(0, "1"), (0, "2"), (0, "3")]
    assert case.counted() == {"delivered": 3}


@pytest.mark.parametrize("failure", [500, 503, 408, 425, 429, "no answer within 5 s"])
async def test_what_may_be_better_later_is_tried_again_at_growing_intervals(failure: int | str) -> None:
    case = Case(failure, failure, failure, 204)
    case.tell(1, 2)
    await case.settle()
    assert case.receiver.got == [(0, "1"), (1, "1"), (3, "1"), (7, "1"), (7, "2")]
    assert case.counted() == {"delivered": 2}
    assert case.webhook.trouble is None


async def test_half_of_an_interval_is_chance() -> None:
    case = Case(500, 500, 200, chance=0.0)
    case.tell(1)
    await case.settle()
    assert [at for at, _ in case.receiver.got] == [0, 0.5, 1.5]


@pytest.mark.parametrize("answer", [301, 302, 307, 400, 401, 404, 410])
async def test_what_would_be_the_same_again_is_not_tried_again(answer: int) -> None:
    case = Case(answer)
    case.tell(1)
    await case.settle()
    assert len(case.receiver.got) == 1
    assert case.counted() == {"failed": 1}
    assert f"it answered {answer}" in case.output.getvalue()


async def test_it_is_given_up_when_its_time_is_over_and_so_is_what_waited_as_long() -> None:
    case = Case(500, retry_for=100.0)
    case.tell(1, 2)
    await case.settle()
    assert elapsed() < 100
    times = [at for at, number in case.receiver.got if number == "1"]
    assert times == [0, 1, 3, 7, 15, 31, 63]
    assert [number for _, number in case.receiver.got].count("2") >= 1
    assert case.counted() == {"failed": 2}
    assert case.webhook.trouble == "webhook ops: it answered 500"


async def test_no_interval_is_longer_than_a_minute() -> None:
    case = Case(500)
    case.tell(1)
    await case.settle()
    times = [at for at, _ in case.receiver.got]
    assert max(later - earlier for earlier, later in pairwise(times)) == 60
    assert elapsed() < 900


async def test_each_try_is_signed_at_its_own_time() -> None:
    case = Case(500, 500, 200)
    case.tell(1)
    await case.settle()
    assert len(set(case.receiver.signed)) == 3


async def test_what_there_is_no_room_for_is_dropped_and_counted() -> None:
    case = Case(200, queue=2)
    case.tell(1, 2, 3, 4)
    await case.settle()
    assert case.counted() == {"dropped": 2, "delivered": 2}


async def test_what_is_abandoned_is_counted() -> None:
    case = Case(500)
    case.tell(1, 2, 3)
    task = asyncio.create_task(case.webhook.run())
    await asyncio.sleep(10)
    task.cancel()
    await asyncio.wait([task])
    case.webhook.abandon()
    assert case.counted() == {"dropped": 3}


async def test_the_address_is_in_no_line() -> None:
    case = Case("the connection was refused", retry_for=5.0)
    case.tell(1)
    await case.settle()
    assert "refused" in case.output.getvalue()
    assert "hooks.test" not in case.output.getvalue()
    assert "secret-path" not in repr(case.webhook.settings)


@pytest.mark.parametrize(
    ("patterns", "heard"),
    [
        (("*",), ["budget-warning", "provider-outage", "provider-recovered", "test"]),
        (("budget-*",), ["budget-warning"]),
        (("provider-outage",), ["provider-outage", "provider-recovered"]),
        (("provider-recovered",), ["provider-recovered"]),
        ((), []),
    ],
)
def test_who_hears_of_a_beginning_hears_of_its_end(patterns: tuple[str, ...], heard: list[str]) -> None:
    settings = WebhookSettings("a", Secret("u", ""), None, patterns, "json", 1.0, 1.0, 1)
    kinds: list[EventKind] = ["budget-warning", "provider-outage", "provider-recovered", "test"]
    assert [kind for kind in kinds if settings.hears(kind)] == heard
