"""The totals of a day, made of the rows that are new. PostgreSQL adds them up itself; SQLite is handed the sums."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, cast

from gateway.core.record import Record

KEYS: Final = ("day", "team", "caller", "project", "router", "provider", "model", "operation", "status")
"""Of ledger_days."""
TEAM_KEYS: Final = ("day", "team", "project")
"""Of ledger_team_days."""
SUMS: Final = (
    "requests", "failed", "input", "output", "cached", "cache_write", "reasoning", "cost", "unpriced", "saved",
    "seconds",
)  # fmt: skip

Key = tuple[str | int | float, ...]
Total = Key


def day_text(seconds: float) -> str:
    """The UTC day of a Unix second, as `2026-11-21`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def totals(records: Iterable[Record]) -> list[Total]:
    """KEYS and SUMS of each group, in the order of the keys, in which all writers take them."""
    found: dict[Key, list[float]] = {}
    days: dict[int, str] = {}
    for r in records:
        number = int(r.time // 86400)
        day = days.get(number)
        if day is None:
            day = days[number] = day_text(r.time)
        key = (day, r.team, r.caller, r.project, r.router, r.provider, r.model, r.operation, r.status)
        sums = found.get(key)
        if sums is None:
            sums = found[key] = [0] * len(SUMS)
        usage = r.usage
        sums[0] += 1
        sums[1] += r.outcome in ("error", "broken")
        sums[2] += usage.input
        sums[3] += usage.output
        sums[4] += usage.cached
        sums[5] += usage.cache_write_5m + usage.cache_write_1h
        sums[6] += usage.reasoning
        if r.cost is None:
            sums[8] += 1
        else:
            sums[7] += r.cost
        sums[9] += r.saved
        sums[10] += r.seconds
    return [(*key, *sums) for key, sums in sorted(found.items())]


def team_totals(found: Iterable[Total]) -> list[Total]:
    """TEAM_KEYS and SUMS, made of `totals`."""
    sums: dict[Key, list[float]] = {}
    for row in found:
        own = sums.setdefault((row[0], row[1], row[3]), [0] * len(SUMS))
        for place, value in enumerate(row[len(KEYS) :]):
            own[place] += cast("float", value)
    return [(*key, *own) for key, own in sorted(sums.items())]
