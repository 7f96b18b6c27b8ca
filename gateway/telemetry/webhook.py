"""One webhook: what it is told, in order, tried again until its time is over.

Must not: choose the address (the config does), follow where an answer points, or read what it says. Laws: the queue is
bounded; one delivery at a time, so that an end never comes before its beginning; nothing is tried for longer than
`retry_for` seconds after it happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Final, Literal

import msgspec

from gateway.core.clock import Clock
from gateway.core.events import ENDS, EventKind
from gateway.core.secret import Secret
from gateway.telemetry.alert_request import Alert, Headers, body_of, headers_of
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics

Post = Callable[[str, Headers, bytes, float], Awaitable[int]]
"""Posts a body to a URL with these headers, within so many seconds, and follows no redirect. The status of the answer.
PostError where there is none."""

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
_AGAIN: Final = frozenset((408, 425, 429))
"""The 4xx by which a receiver says that it may take the same later."""


class PostError(Exception):
    """Why there is no answer. The message has no address and no credential."""


class WebhookSettings(msgspec.Struct, frozen=True):
    """url may hold a credential: it is never shown. events: patterns of kinds. retry_for, timeout: seconds."""

    name: str
    url: Secret
    secret: Secret | None
    events: tuple[str, ...]
    form: Literal["json", "slack"]
    retry_for: float
    timeout: float
    queue: int

    def hears(self, kind: EventKind) -> bool:
        """Whether it is told of a kind. Who hears of a beginning hears of its end."""
        return any(fnmatchcase(kind, pattern) or fnmatchcase(ENDS.get(kind, kind), pattern) for pattern in self.events)


class Answered(msgspec.Struct, frozen=True):
    """status: 0 where there was no answer. failure: why, in words, or ``."""

    status: int
    failure: str = ""

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def final(self) -> bool:
        """Whether it would be the same if it were tried again."""
        return self.good or (300 <= self.status < 500 and self.status not in _AGAIN)


class _Waiting(msgspec.Struct, frozen=True):
    alert: Alert
    until: float


class Webhook:
    """An address and what waits for it."""

    def __init__(self, settings: WebhookSettings, post: Post, clock: Clock, log: Log, metrics: Metrics) -> None:
        self.settings: Final = settings
        self._post = post
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(settings.queue)
        self.trouble: str | None = None

    def tell(self, alert: Alert) -> None:
        """Take one; not waited for."""
        until = self._clock.monotonic() + self.settings.retry_for
        try:
            self._queue.put_nowait(_Waiting(alert, until))
        except asyncio.QueueFull:
            self._metrics.count_alert(alert.kind, "dropped")

    async def run(self) -> None:
        """Deliver what comes, until it is cancelled."""
        while True:
            waiting = await self._queue.get()
            try:
                await self._deliver(waiting)
            except asyncio.CancelledError:
                self._metrics.count_alert(waiting.alert.kind, "dropped")
                raise
            finally:
                self._queue.task_done()

    async def emptied(self) -> None:
        """Until everything that was told has been delivered or given up."""
        await self._queue.join()

    def abandon(self) -> None:
        """Count what waits as dropped: nobody delivers it any more."""
        while not self._queue.empty():
            self._metrics.count_alert(self._queue.get_nowait().alert.kind, "dropped")

    async def ask(self, alert: Alert) -> Answered:
        """One try."""
        settings = self.settings
        body = body_of(alert, settings.form)
        headers = headers_of(alert, body, settings.secret, self._clock.wall())
        try:
            return Answered(await self._post(settings.url.reveal(), headers, body, settings.timeout))
        except PostError as failure:
            return Answered(0, str(failure))

    async def _deliver(self, waiting: _Waiting) -> None:
        alert = waiting.alert
        wait = FIRST_WAIT
        while True:
            answered = await self.ask(alert)
            if answered.final:
                break
            self._note(answered)
            # Half of the wait is chance, so that replicas do not come back all at once.
            pause = wait * (0.5 + 0.5 * self._clock.chance())
            if self._clock.monotonic() + pause >= waiting.until:
                break
            await asyncio.sleep(pause)
            wait = min(2 * wait, LONGEST_WAIT)
        self._note(answered)
        self._metrics.count_alert(alert.kind, "delivered" if answered.good else "failed")
        if not answered.good:
            fields = {"webhook": self.settings.name, "kind": alert.kind, "key": alert.key, "why": _why(answered)}
            self._log.write("error", "alert not delivered", fields)

    def _note(self, answered: Answered) -> None:
        self.trouble = None if answered.good else f"webhook {self.settings.name}: {_why(answered)}"


def _why(answered: Answered) -> str:
    return answered.failure or f"it answered {answered.status}"
