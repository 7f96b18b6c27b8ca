"""The totals of a day, made of the groups of rows that are new. PostgreSQL adds them up itself; SQLite is handed the
sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, cast

from gateway.store.ledger.grouped import Group

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


def totals(groups: Iterable[Group]) -> list[Total]:
    """KEYS and SUMS, in the order of the keys, in which all writers take them."""
    found: dict[Key, list[float]] = {}
    days: dict[int, str] = {}
    for group in groups:
        like, requests = group.like, len(group)
        number = int(like.time // 86400)
        day = days.get(number)
        if day is None:
            day = days[number] = day_text(like.time)
        (used_in, used_out, cached, reasoning, _, saved, cost), written, seconds = group.sums()
        key = (
            day, like.team, like.caller, like.project, like.router, like.provider, like.model,
            like.operation, like.status,
        )  # fmt: skip
        sums = (
            requests, requests * (like.outcome in ("error", "broken")), used_in, used_out, cached,
            written, reasoning, cost,
            requests * (like.cost is None), saved, seconds,
        )  # fmt: skip
        _add(found, key, sums)
    return [(*key, *sums) for key, sums in sorted(found.items())]


def team_totals(found: Iterable[Total]) -> list[Total]:
    """TEAM_KEYS and SUMS, made of `totals`."""
    teams: dict[Key, list[float]] = {}
    for row in found:
        _add(teams, (row[0], row[1], row[3]), cast("Sequence[float]", row[len(KEYS) :]))
    return [(*key, *sums) for key, sums in sorted(teams.items())]


def _add(found: dict[Key, list[float]], key: Key, sums: Sequence[float]) -> None:
    own = found.setdefault(key, [0] * len(SUMS))
    for place, value in enumerate(sums):
        own[place] += value
