"""Whether an hour is unusual: its sum against those of the same hour of earlier days.

An hour is compared while it goes on: a sum only grows, so what is too much already is too much. It is unusual above all
of: the least that counts, `factor` times the median of the earlier days, and the median plus `deviations` times their
median absolute deviation (scaled by 1.4826, by which it is the standard deviation of what is normally distributed). A
day without anything counts as 0. Until three earlier days are known nothing is unusual. Laws: each hour of a thing is
told once; memory is bounded, whatever names there are.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from statistics import median
from typing import Final, Literal

import msgspec

Measure = Literal["spend", "errors"]

HOUR: Final = 3600
DAY: Final = 24
LEAST_DAYS: Final = 3
SUBJECTS: Final = 2000
"""Things watched at most; what comes later is not. Each has 8 bytes for every hour that is remembered."""
_NORMAL: Final = 1.4826


class AnomalyPolicy(msgspec.Struct, frozen=True):
    """days: so many are remembered. least: below it no sum is unusual, in the measure's own unit."""

    days: int
    deviations: float
    factor: float
    least: float


class Anomaly(msgspec.Struct, frozen=True):
    """total: of the hour so far. usual: the median of the same hour of `days` earlier days. limit: what it is above."""

    total: float
    usual: float
    limit: float
    days: int


def judged(policy: AnomalyPolicy, total: float, earlier: Sequence[float]) -> Anomaly | None:
    """The sum of an hour against those of the same hour of earlier days. None where it is usual, or too little is
    known."""
    if len(earlier) < LEAST_DAYS or total < policy.least:
        return None
    usual = median(earlier)
    spread = _NORMAL * median([abs(sum_ - usual) for sum_ in earlier])
    limit = max(policy.least, policy.factor * usual, usual + policy.deviations * spread)
    return Anomaly(total, usual, limit, len(earlier)) if total > limit else None


class _Series:
    """The sums of the hours, the latest at `hour` modulo the length. began: the first hour that was watched. told: the
    last that was told of."""

    __slots__ = ("began", "hour", "sums", "told")

    def __init__(self, hour: int, hours: int) -> None:
        self.sums = array("d", bytes(8 * hours))
        self.began = self.hour = hour
        self.told = -1


class Anomalies:
    """Of one measure. A thing that is new is known to have had nothing since the first thing was watched."""

    __slots__ = ("_began", "_hours", "_policy", "_series")

    def __init__(self, policy: AnomalyPolicy) -> None:
        self._policy = policy
        self._hours = (policy.days + 1) * DAY
        self._series: dict[str, _Series] = {}
        self._began: int | None = None

    def __len__(self) -> int:
        return len(self._series)

    def note(self, subject: str, amount: float, now: float) -> Anomaly | None:
        """Add to the hour of `now`, Unix seconds. The anomaly, once in each hour that has one. Time that goes back
        is counted in the latest hour."""
        hour = int(now) // HOUR
        if self._began is None:
            self._began = hour
        series = self._series.get(subject)
        if series is None:
            if len(self._series) >= SUBJECTS:
                return None
            series = self._series[subject] = _Series(hour, self._hours)
            series.began = self._began
        place = self._advance(series, hour)
        series.sums[place] += amount
        total = series.sums[place]
        if total < self._policy.least or series.told == series.hour:
            return None
        found = self._judge(series, total)
        if found is not None:
            series.told = series.hour
        return found

    def _advance(self, series: _Series, hour: int) -> int:
        """The place of an hour, with nothing in those that were passed over since."""
        size = self._hours
        if hour > series.hour:
            for passed in range(max(series.hour + 1, hour - size + 1), hour + 1):
                series.sums[passed % size] = 0.0
            series.hour = hour
        return series.hour % size

    def _judge(self, series: _Series, total: float) -> Anomaly | None:
        known = min(self._policy.days, (series.hour - series.began) // DAY)
        earlier = [series.sums[(series.hour - DAY * day) % self._hours] for day in range(1, known + 1)]
        return judged(self._policy, total, earlier)
