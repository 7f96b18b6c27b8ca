"""What a change has done to recorded requests: counted by router and team, with examples.

Pure. Law: what is held grows with the number of routers, teams and targets, never with that of requests.
"""

from __future__ import annotations

import math
from collections import Counter

import msgspec

from gateway.rehearsal.reenactment import Ended
from gateway.telemetry.audit_line import AuditLine

EXAMPLES = 3
_STEP = math.log(1.02)
"""Latencies are kept in bins of 2 %."""


class Kind(msgspec.Struct):
    """So many requests to which the same has happened. examples: ids of some, as clients were told them."""

    count: int = 0
    examples: list[str] = []

    def add(self, line: AuditLine) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(line.request_id or line.id)


class Spread:
    """Latencies, to 2 %."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()
        self._count = 0

    def add(self, seconds: float) -> None:
        self._bins[math.floor(math.log(max(seconds, 1e-6)) / _STEP + 0.5)] += 1
        self._count += 1

    def quantile(self, share: float) -> float | None:
        """Seconds; None of nothing."""
        left = math.ceil(share * self._count)
        for place in sorted(self._bins):
            left -= self._bins[place]
            if left <= 0:
                return round(math.exp(place * _STEP), 6)
        return None


class Figures:
    """Under one config. answered: by target, those of the cache apart. cost: nano-USD, of what has a price."""

    def __init__(self) -> None:
        self.good = self.refused = self.limited = self.cache_hits = self.cost = self.unpriced = self.attempts = 0
        self.answered: Counter[str] = Counter()
        self.latency = Spread()

    def add(self, ended: Ended) -> None:
        self.good += ended.good
        self.limited += ended.limited
        self.refused += not ended.good and not ended.limited
        self.attempts += ended.attempts
        if ended.cache in ("hit", "stale"):
            self.cache_hits += 1
        elif ended.good:
            self.answered[ended.target or "the gateway"] += 1
        if ended.cost is None:
            self.unpriced += 1
        else:
            self.cost += ended.cost
        if ended.good and not ended.unknown:
            self.latency.add(ended.seconds)


class Group:
    """The requests of one team to one router."""

    def __init__(self) -> None:
        self.requests = 0
        self.before = Figures()
        self.after = Figures()
        self._moved: dict[tuple[str, str], Kind] = {}
        self.newly_refused: dict[str, Kind] = {}
        self.newly_limited: dict[str, Kind] = {}
        self.newly_served: dict[str, Kind] = {}

    def add(self, line: AuditLine, before: Ended, after: Ended) -> None:
        self.requests += 1
        self.before.add(before)
        self.after.add(after)
        if after.limited and not before.limited:
            self.newly_limited.setdefault(after.code, Kind()).add(line)
        elif not after.good and not after.limited and before.good:
            self.newly_refused.setdefault(after.code or str(after.status), Kind()).add(line)
        elif after.good and not before.good:
            self.newly_served.setdefault(before.code or str(before.status), Kind()).add(line)
        elif before.good and after.good and before.target != after.target and before.target and after.target:
            self._moved.setdefault((before.target, after.target), Kind()).add(line)

    def moved(self) -> list[tuple[str, str, Kind]]:
        """From where to where, the most first. Where load is spread, single requests change places with one another:
        what goes one way is set off against what comes back."""
        net = []
        for (source, target), kind in self._moved.items():
            back = self._moved.get((target, source))
            count = kind.count - (back.count if back is not None else 0)
            if count > 0:
                net.append((source, target, Kind(count, kind.examples)))
        return sorted(net, key=lambda one: (-one[2].count, one[:2]))

    def swapped(self) -> int:
        """Requests that changed places with one another."""
        return sum(kind.count for kind in self._moved.values()) - sum(kind.count for _, _, kind in self.moved())


class Effects:
    """By router and team, as recorded. unknown: requests under the new config by targets that the record does not
    know. guessed: of those under it that were answered as others were at the time. drawn: those in which chance had a
    part."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, str], Group] = {}
        self.unknown: Counter[str] = Counter()
        self.guessed = 0
        self.drawn = 0
        self.nameless = 0

    def add(self, line: AuditLine, before: Ended, after: Ended) -> None:
        self.groups.setdefault((line.router, line.team), Group()).add(line, before, after)
        self.unknown.update(after.unknown)
        self.guessed += after.guessed
        self.drawn += before.drawn or after.drawn
        self.nameless += not line.caller

    @property
    def requests(self) -> int:
        return sum(group.requests for group in self.groups.values())
