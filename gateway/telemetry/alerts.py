"""The sink of alerts: events and records come in, what is to be told goes to webhooks.

Lives here: what of a record is an event (a limit that is near, an hour that is unusual), who is told of what, and the
trouble that others have and only say when asked. Must not: keep a request waiting. Laws: everything is bounded; the
same is told once in a window, over all replicas where they share a store; what is lost is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from gateway.core.clock import Clock
from gateway.core.events import Event, EventKind
from gateway.core.exchange import Exchange
from gateway.core.money import NANO
from gateway.core.record import Record
from gateway.core.usage import Room
from gateway.policy.alerting import Repetition, Told
from gateway.policy.anomaly import Anomalies, AnomalyPolicy
from gateway.telemetry.alert_hours import LOOKS, HourWatch, SumsOfHour, said
from gateway.telemetry.alert_request import alert_of
from gateway.telemetry.events import Events
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.webhook import Webhook

EVERY: Final = 5.0
"""Seconds between looks at what is held back and at others' trouble."""
CLOSING: Final = 5.0
"""Seconds for what is left when the process ends."""
WAITING: Final = 1000
"""Events that wait to be judged at most."""
SMALLEST_LIMIT: Final = 10
"""Of a smaller limit, so much is used so soon that it says nothing."""
_CLAIMED_FOR: Final = 0.9
"""Of the window: a replica that tells it again when the window is over must not find its own claim."""

Claim = Callable[[str, float], Awaitable[bool]]
"""Whether this process is the first of all replicas to claim a name, which is its own for so many seconds."""

_TROUBLES: Final[Mapping[str, tuple[EventKind, EventKind]]] = {
    "store": ("store-outage", "store-recovered"),
    "ledger": ("ledger-trouble", "ledger-recovered"),
    "audit": ("audit-trouble", "audit-recovered"),
}


class AlertPolicy(msgspec.Struct, frozen=True):
    """window: seconds in which the same is told once. limits_at: the share of a limit at which it is near. spend, in
    USD, and errors: what is unusual, None for nothing."""

    window: float
    limits_at: float
    spend: AnomalyPolicy | None
    errors: AnomalyPolicy | None


class Alerts:
    """name: of the process. troubles: what others have, by the names of _TROUBLES, asked every few seconds. claim: None
    where there are no replicas to agree with. sums_of: hours as the ledger has them, None where none is kept: then this
    process's own are summed."""

    def __init__(
        self,
        policy: AlertPolicy,
        webhooks: Sequence[Webhook],
        *,
        name: str,
        clock: Clock,
        events: Events,
        metrics: Metrics,
        troubles: Callable[[], Mapping[str, str]],
        claim: Claim,
        sums_of: SumsOfHour | None = None,
    ) -> None:
        self.webhooks: Final = tuple(webhooks)
        self._policy = policy
        self._name = name
        self._clock = clock
        self._events = events
        self._metrics = metrics
        self._troubles = troubles
        self._claim = claim
        self._repetition = Repetition(policy.window)
        spend, errors = policy.spend, policy.errors
        self._hours: HourWatch | None = None
        if sums_of is not None and (spend is not None or errors is not None):
            self._hours = HourWatch(sums_of, spend, errors, events, clock.wall)
            spend = errors = None
        self._spend = None if spend is None else Anomalies(spend)
        self._errors = None if errors is None else Anomalies(errors)
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self._tasks: list[asyncio.Task[None]] = []
        self._troubled: set[str] = set()
        self._leave: Callable[[], None] | None = None
        self._serial = 0
        self._failure: str | None = None
        # What is judged is told before anything else is, so that an end never overtakes its beginning.
        self._telling = asyncio.Lock()

    async def open(self) -> None:
        self._leave = self._events.listen(self._hear)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(webhook.run()) for webhook in self.webhooks]
        self._tasks += [loop.create_task(self._judge()), loop.create_task(self._look())]
        if self._hours is not None:
            self._tasks.append(loop.create_task(self._look_at_hours(self._hours)))
        for task in self._tasks:
            task.add_done_callback(self._note_end)

    def write(self, record: Record, exchange: Exchange) -> None:
        for unit, room in (("requests", exchange.requests_left), ("tokens", exchange.tokens_left)):
            if room is not None and self._is_near(room):
                self._tell_near(record, unit, room)
        if self._spend is not None and record.cost:
            self._watch(self._spend, "spend-anomaly", record, record.cost / NANO, "usd")
        if self._errors is not None and (record.outcome == "broken" or record.status >= 500):
            self._watch(self._errors, "error-anomaly", record, 1, "errors")

    async def close(self) -> None:
        if self._leave is not None:
            self._leave()
        try:
            async with asyncio.timeout(CLOSING):
                await self._waiting.join()
                for webhook in self.webhooks:
                    await webhook.emptied()
        except TimeoutError:
            # Somebody does not answer; the process is not kept from ending.
            pass
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for webhook in self.webhooks:
                webhook.abandon()

    def trouble(self) -> str | None:
        if self._failure is not None:
            return f"alerts have stopped, restart the gateway: {self._failure}"
        return next((webhook.trouble for webhook in self.webhooks if webhook.trouble is not None), None)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """None of the tasks ends before it is told to, but by a fault of the gateway's own."""
        if not task.cancelled() and (bug := task.exception()) is not None:
            self._failure = repr(bug)
            task.get_loop().call_exception_handler({"message": "alerts have stopped", "exception": bug})

    def _hear(self, event: Event) -> None:
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self._metrics.count_alert(event.kind, "dropped")

    def _is_near(self, room: Room) -> bool:
        return room.limit >= SMALLEST_LIMIT and room.limit - room.remaining >= room.limit * self._policy.limits_at

    def _tell_near(self, record: Record, unit: str, room: Room) -> None:
        who = record.caller or record.team
        self._events.tell(
            "limit-near",
            f"{record.router} {who}".rstrip(),
            {
                "router": record.router,
                "caller": record.caller,
                "team": record.team,
                "unit": unit,
                "limit": room.limit,
                "left": room.remaining,
                "full_in_seconds": round(room.reset, 3),
            },
        )

    def _watch(
        self, anomalies: Anomalies, kind: EventKind, record: Record, amount: float, unit: Literal["usd", "errors"]
    ) -> None:
        for name, subject in (("router", record.router), ("provider", record.provider)):
            if not subject:
                continue
            found = anomalies.note(f"{name}:{subject}", amount, record.time + record.seconds)
            if found is not None:
                self._events.tell(kind, f"{name}:{subject}", said(found, unit))

    async def _judge(self) -> None:
        while True:
            event = await self._waiting.get()
            try:
                async with self._telling:
                    told = self._repetition.take(event)
                    if told is None:
                        self._metrics.count_alert(event.kind, "repeated")
                    else:
                        await self._tell(told)
            finally:
                self._waiting.task_done()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self._look_at_troubles()
            async with self._telling:
                for told in self._repetition.due(self._clock.wall()):
                    await self._tell(told)

    async def _look_at_hours(self, hours: HourWatch) -> None:
        while True:
            await asyncio.sleep(LOOKS)
            await hours.look()

    def _look_at_troubles(self) -> None:
        troubles = self._troubles()
        for name, (begins, ends) in _TROUBLES.items():
            if name in troubles and name not in self._troubled:
                self._troubled.add(name)
                self._events.tell(begins, name, {"why": troubles[name]})
            elif name in self._troubled and name not in troubles:
                self._troubled.discard(name)
                self._events.tell(ends, name)

    async def _tell(self, told: Told) -> None:
        event = told.event
        # The same answer for all webhooks: a replica tells all of them or none.
        if not await self._claim(f"{event.kind} {event.key}", self._policy.window * _CLAIMED_FOR):
            self._metrics.count_alert(event.kind, "repeated")
            return
        self._serial += 1
        alert = alert_of(told, f"{self._name}-{self._serial}", self._name)
        for webhook in self.webhooks:
            if webhook.settings.hears(event.kind):
                webhook.tell(alert)
