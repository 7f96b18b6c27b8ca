"""What is unusual by the ledger, which knows the requests of all replicas, and of before this process began.

Lives here: when the ledger is asked, and of which hours. Law: no more than a few hours' rows are asked for at once, an
hour is told of once, and a ledger that is away is a look left out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Literal

from gateway.core.events import EventKind, Field
from gateway.policy.anomaly import DAY, HOUR, Anomaly, AnomalyPolicy, judged
from gateway.telemetry.events import Events

LOOKS: Final = 300.0
"""Seconds between looks: less than the time for which a replica's claim keeps the others quiet."""
_NOTHING: Final = (0.0, 0.0)

Sums = Mapping[str, tuple[float, float]]
"""USD and errors, by `router:name` and `provider:name`."""
SumsOfHour = Callable[[float], Awaitable[Sums | None]]
"""Of the hour that begins at a Unix second. None where it is not known now."""


def said(found: Anomaly, unit: Literal["usd", "errors"]) -> dict[str, Field]:
    """The fields of an event."""
    return {
        f"{unit}_this_hour": round(found.total, 6),
        "usual": round(found.usual, 6),
        "limit": round(found.limit, 6),
        "days": found.days,
    }


class HourWatch:
    """spend, in USD, and errors: what is unusual, None for nothing. wall: Unix seconds."""

    def __init__(
        self,
        sums_of: SumsOfHour,
        spend: AnomalyPolicy | None,
        errors: AnomalyPolicy | None,
        events: Events,
        wall: Callable[[], float],
    ) -> None:
        self._sums_of = sums_of
        self._spend = spend
        self._errors = errors
        self._events = events
        self._wall = wall
        self._days: Final = max(policy.days for policy in (spend, errors) if policy is not None)
        self._hour = -1
        self._earlier: list[Sums] = []
        self._told: set[tuple[str, str]] = set()

    async def look(self) -> None:
        """Ask the ledger, and tell what is unusual."""
        hour = int(self._wall()) // HOUR
        if hour != self._hour:
            if self._hour >= 0:
                # What came after the last look at the hour that is over.
                await self._judge()
            earlier = await self._before(hour)
            if earlier is None:
                self._hour = -1
                return
            self._hour, self._earlier = hour, earlier
            self._told.clear()
        await self._judge()

    async def _before(self, hour: int) -> list[Sums] | None:
        """The same hour of the days before, yesterday's first. Days before the first in which there was anything are
        not known."""
        found: list[Sums] = []
        for day in range(1, self._days + 1):
            sums = await self._sums_of(float((hour - DAY * day) * HOUR))
            if sums is None:
                return None
            found.append(sums)
        while found and not found[-1]:
            found.pop()
        return found

    async def _judge(self) -> None:
        sums = await self._sums_of(float(self._hour * HOUR))
        for subject, (spent, failed) in (sums or {}).items():
            self._measure("spend-anomaly", subject, spent, self._spend, [_of(one, subject)[0] for one in self._earlier])
            self._measure(
                "error-anomaly", subject, failed, self._errors, [_of(one, subject)[1] for one in self._earlier]
            )

    def _measure(
        self, kind: EventKind, subject: str, total: float, policy: AnomalyPolicy | None, earlier: Sequence[float]
    ) -> None:
        if policy is None or (kind, subject) in self._told:
            return
        found = judged(policy, total, earlier[: policy.days])
        if found is not None:
            self._told.add((kind, subject))
            self._events.tell(kind, subject, said(found, "usd" if kind == "spend-anomaly" else "errors"))


def _of(sums: Sums, subject: str) -> tuple[float, float]:
    return sums.get(subject, _NOTHING)
