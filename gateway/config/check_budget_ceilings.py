"""The rule about `ceilings.budget`: how much a budget lets be spent in another's time, at worst."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from gateway.config.budgets import Holder, amount_of, budgets_of, window_of
from gateway.config.consumers import names_of
from gateway.config.problem import Path, Problem
from gateway.config.spec import Budget, BudgetCeiling
from gateway.config.subject import Subject
from gateway.policy.budget import Window

_KINDS: Final[tuple[tuple[str, str, Holder], ...]] = (
    ("per-api-key", "per_api_key", "key"),
    ("per-team", "per_team", "team"),
    ("per-project", "per_project", "project"),
    ("per-router", "per_router", "router"),
)
_HOUR: Final = 3600
_LONGEST: Final = {"day": 25, "month": 31 * 24 + 1}
_SHORTEST: Final = {"day": 23, "month": 28 * 24 - 1}
"""Hours, where clocks are put forward and back."""


def budgets_within(subject: Subject) -> Iterator[Problem]:
    """No budget at all, or one that does not refuse, is above any ceiling."""
    spec = subject.spec
    ceilings = spec.ceilings.budget if spec.ceilings is not None else None
    if ceilings is None:
        return
    for key, field, kind in _KINDS:
        most: BudgetCeiling | None = getattr(ceilings, field)
        if most is None:
            continue
        try:
            window_of(most)
        except ValueError as reason:
            yield subject.origins.error("budget-window", ("ceilings", "budget", key), str(reason), at_key=True)
            continue
        found: dict[str, list[tuple[Path, Budget]]] = {name: [] for name in sorted(names_of(spec, kind))}
        for path, holder, name, budget in budgets_of(spec):
            if holder == kind:
                found.setdefault(name, []).append((path, budget))
        for name, budgets in found.items():
            if any(_is_within(budget, most) for _, budget in budgets):
                continue
            place = budgets[0][0] if budgets else _place(subject, kind, name)
            if place is None:
                continue
            yield subject.origins.error(
                "ceiling-budget",
                (*place, "amount") if budgets else place,
                f"this allows more than the ceiling of {_shown(most)}"
                if budgets
                else f"the {kind} `{name[:60]}` has no budget, and the ceiling is {_shown(most)}",
                f"the ceiling stands at {subject.origins.place(('ceilings', 'budget', key))}; "
                "allow at most so much, with `on-exceeded: reject`",
                at_key=not budgets,
            )


def _place(subject: Subject, kind: Holder, name: str) -> Path | None:
    """Where somebody without a budget is named."""
    spec = subject.spec
    if kind == "router":
        path: Path = ("routers", name) if name in spec.routers else ("unified-api",)
        return path if subject.origins.node(path) is not None else None
    for section, spenders in (("teams", spec.teams), ("projects", spec.projects)):
        if section == f"{kind}s" and name in spenders:
            return section, name
    for index, key in enumerate(spec.auth.keys):
        if name == {"key": key.name, "team": key.team, "project": key.project}[kind]:
            return "auth", "keys", index, "name" if kind == "key" else kind
    return "auth", "jwt"


def _is_within(budget: Budget, most: BudgetCeiling) -> bool:
    """Whether it never lets more be spent than the ceiling, in any window of the ceiling's."""
    amount, bound = amount_of(budget), amount_of(most)
    try:
        times = _times(window_of(budget), window_of(most))
    except ValueError:
        # That is a problem by itself.
        return True
    return budget.on_exceeded == "reject" and (amount is None or bound is None or amount * times <= bound)


def _times(own: Window, other: Window) -> int:
    """So many windows of its own may a budget have in one of another's."""
    if own.name == other.name:
        return 1
    longest = _LONGEST.get(other.kind) or math.ceil(other.length / _HOUR)
    if own.kind == "rolling":
        # No stretch of that length ever sees more than the amount.
        return math.ceil(longest * _HOUR / own.length)
    if own.kind == "day" and other.kind == "month" and own.zone == other.zone:
        return 31
    return math.ceil(longest / _SHORTEST[own.kind]) + 1


def _shown(most: BudgetCeiling) -> str:
    return f"{most.amount} USD per {most.window}"
