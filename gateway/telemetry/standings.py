"""How much of each budget and quota is spent, as it was last seen: for the metrics, and for whoever wants to be told.

Lives here: which threshold was told of already. Law: a threshold is told of once in its window by each process, what is
kept is bounded, and nobody waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import inf
from typing import Final, Literal

import msgspec

from gateway.core.events import EventKind
from gateway.core.money import NANO, in_dollars
from gateway.policy.budget import passed
from gateway.telemetry.events import Events
from gateway.telemetry.metrics import Sample

MOST: Final = 2000
"""So many budgets and balances are shown in the metrics; of the others only events are told."""


class Standing(msgspec.Struct, frozen=True):
    """kind, name: whose it is. window: the budget's, or `` for what was prepaid. begins: of the window, Unix seconds,
    or of the balance, microseconds. spent, limit: nano-USD. until: Unix seconds when the window is over, as one of the
    calendar is all at once."""

    kind: Literal["key", "team", "project", "router"]
    name: str
    window: str
    begins: int
    spent: int
    limit: int
    until: float = inf

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.name}"


class Standings:
    """The last standing of each."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._seen: dict[tuple[str, str], Standing] = {}
        self._told: dict[tuple[str, str], tuple[int, float]] = {}

    def see(self, standing: Standing, alert_at: Sequence[float], *, refused: bool = False) -> None:
        """Keep it, and tell when it has passed a threshold that it had not passed before. refused: a request did not
        fit any more, which is what the last threshold is about."""
        name = standing.key, standing.window
        # Of a budget it is decided what is left, and there are no more than the config has; whoever has a balance may
        # have been named by a token.
        if standing.window or name in self._seen or len(self._seen) < MOST:
            self._seen[name] = standing
        share = max(alert_at, default=0.0) if refused else passed(alert_at, standing.spent, standing.limit)
        if not share:
            return
        begins, told = self._told.get(name, (standing.begins, 0.0))
        if begins == standing.begins and told >= share:
            return
        if len(self._told) >= 10 * MOST:
            self._told.clear()
        self._told[name] = standing.begins, share
        self._tell(standing, share)

    def charge(self, standing: Standing, cost: int, alert_at: Sequence[float]) -> None:
        """Some more is spent. standing: when it was reserved; others may have been charged since."""
        seen = self._seen.get((standing.key, standing.window))
        before = seen if seen is not None and seen.begins == standing.begins else standing
        self.see(msgspec.structs.replace(standing, spent=before.spent + cost), alert_at)

    def _tell(self, standing: Standing, share: float) -> None:
        kind: EventKind = "budget-exceeded" if share >= 1 else "budget-warning"
        if not standing.window:
            kind = "quota-low"
        percent = round(share * 100)
        self._events.tell(
            kind,
            f"{standing.key} {standing.window or 'quota'} {percent}%",
            {
                "consumer": standing.kind,
                "name": standing.name,
                "window": standing.window,
                "percent": percent,
                "spent_usd": in_dollars(standing.spent),
                "limit_usd": in_dollars(standing.limit),
                "remaining_usd": in_dollars(standing.limit - standing.spent),
            },
        )

    def left(self, key: str, window: str, since: int) -> float:
        """The share that is left of a budget; all of it where nothing has been seen of the window. since: Unix seconds,
        from which on what was spent counts."""
        seen = self._seen.get((key, window))
        if seen is None or seen.begins < since or seen.limit <= 0:
            return 1.0
        return max(1.0 - seen.spent / seen.limit, 0.0)

    def forget(self, keep: frozenset[tuple[str, str]]) -> None:
        """Show no longer the budgets that the config does not have any more. keep: whose, and the window."""
        self._seen = {name: seen for name, seen in self._seen.items() if not name[1] or name in keep}

    def samples(self, now: float) -> Iterator[Sample]:
        """now: Unix seconds. Of a window that is over nothing is spent, whoever has not come since."""
        for standing in islice(self._seen.values(), MOST):
            if standing.window:
                spent = standing.spent if now < standing.until else 0
                ratio = spent / standing.limit if standing.limit > 0 else 1.0
                yield "gateway_budget_spent_ratio", (standing.kind, standing.name, standing.window), ratio
            else:
                left = (standing.limit - standing.spent) / NANO
                yield "gateway_quota_remaining_usd", (standing.kind, standing.name), left
