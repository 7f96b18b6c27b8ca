"""The budgets of a config: where each stands, whose it is, and the whole numbers that it is counted in."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Literal

from gateway.config.problem import Path
from gateway.config.spec import Budget, BudgetCeiling, Spec
from gateway.config.time_zone import zone_of
from gateway.core.money import NANO
from gateway.core.units import seconds
from gateway.policy.budget import Window, rolling

Holder = Literal["key", "team", "project", "router"]
UNIFIED: Final = "/ai"
"""The name of `unified-api` among routers."""


def budgets_of(spec: Spec) -> Iterator[tuple[Path, Holder, str, Budget]]:
    """Each budget, with its path, the kind and the name of who has it."""
    for index, key in enumerate(spec.auth.keys):
        yield from _placed(("auth", "keys", index, "budget"), "key", key.name, key.budget)
    for name, team in spec.teams.items():
        yield from _placed(("teams", name, "budget"), "team", name, team.budget)
    for name, project in spec.projects.items():
        yield from _placed(("projects", name, "budget"), "project", name, project.budget)
    yield from _placed(("unified-api", "budget"), "router", UNIFIED, spec.unified_api.budget)
    for name, router in spec.routers.items():
        yield from _placed(("routers", name, "budget"), "router", name, router.budget)


def listed_budgets(one_or_more: Budget | tuple[Budget, ...] | None) -> Iterator[tuple[Path, Budget]]:
    """A budget by itself, or those of a list by their places."""
    if isinstance(one_or_more, Budget):
        yield (), one_or_more
    elif one_or_more is not None:
        for index, budget in enumerate(one_or_more):
            yield (index,), budget


def amount_of(budget: Budget | BudgetCeiling) -> int | None:
    """In nano-USD, None where that is no whole number."""
    nano = Decimal(str(budget.amount)) * NANO
    return int(nano) if nano.is_finite() and nano == int(nano) else None


def window_of(budget: Budget | BudgetCeiling) -> Window:
    """ValueError for a length that cannot be counted in slices, or a time zone that nobody knows."""
    kind, _, length = budget.window.partition(" ")
    if length:
        return rolling(seconds(length), budget.window)
    zone = zone_of(budget.time_zone)
    name = budget.window if budget.time_zone == "UTC" else f"{budget.window} {budget.time_zone}"
    return Window("month" if kind == "month" else "day", name, zone)


def _placed(
    path: Path, kind: Holder, name: str, one_or_more: Budget | tuple[Budget, ...] | None
) -> Iterator[tuple[Path, Holder, str, Budget]]:
    for below, budget in listed_budgets(one_or_more):
        yield (*path, *below), kind, name, budget
