"""From the quotas and budgets of routers.yaml to the layers that keep them. A part of assembly.

What is not configured is not built: where only one router has a budget, only its path has the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from gateway.config import spec as sp
from gateway.config.budgets import UNIFIED, amount_of, budgets_of, window_of
from gateway.core.exchange import Exchange, Layer
from gateway.core.units import seconds
from gateway.pipeline.accounts import Accounts, Ledger, budget_of
from gateway.pipeline.budgeted import CHEAPEST, BudgetRule, QuotaRule, Spending, budgeted
from gateway.pipeline.candidates import Entry
from gateway.pipeline.endpoint import Endpoint
from gateway.pipeline.quote import Quotes
from gateway.runtime import Runtime
from gateway.store.ledger.protocol import Consumer
from gateway.store.ledger.writer import LedgerWriter
from gateway.store.stores import Stores
from gateway.telemetry.sinks import Sinks

_SLACK: Final = 60
"""Seconds that a lease is longer than the longest request."""
_UNIFIED_NAMES: Final = (UNIFIED, "/v1")
_ON: Final = {"key": "the gateway key", "team": "the team", "project": "the project", "router": "the router"}


class RouteBudgets:
    """Makes the layers. accounts: None where nobody has any."""

    def __init__(self, spec: sp.Spec, runtime: Runtime, stores: Stores, ledger: Ledger | None) -> None:
        budgets = _rules(spec)
        self._everywhere = spec.quotas is not None or any(consumer.kind != "router" for consumer in budgets)
        self._routers = {consumer.name for consumer in budgets if consumer.kind == "router"}
        self.accounts: Final = (
            Accounts(stores.accounts, ledger, runtime.clock.monotonic, runtime.behind.start)
            if self._everywhere or self._routers
            else None
        )
        self._spending = None
        if self.accounts is not None:
            self._spending = Spending(
                accounts=self.accounts,
                budgets=budgets,
                quotas=_quotas(spec.quotas),
                standings=runtime.standings,
                metrics=runtime.metrics,
                lease=_lease(spec),
                outage=spec.quotas.on_outage if spec.quotas is not None else "open",
            )

    def of_route(self, name: str, quotes: Quotes) -> list[Layer]:
        """Behind the route's own limits. name: as its budget has it. quotes: what requests may cost at its targets."""
        if self._spending is None or not (self._everywhere or name in self._routers):
            return []
        return [budgeted(self._spending, name, quotes)]

    def downgrades(self, name: str) -> tuple[str, ...]:
        """The models that may have to answer on a route, CHEAPEST among them."""
        if self._spending is None:
            return ()
        rules = [
            rule
            for consumer, of_one in self._spending.budgets.items()
            if consumer.kind != "router" or consumer.name == name
            for rule in of_one
        ]
        return tuple(dict.fromkeys(rule.downgrade for rule in rules if rule.downgrade))

    def left(self, name: str) -> Callable[[Exchange], float | None] | None:
        """The share that is left of the tightest budget that counts a request, as this process has last seen it; None
        where no budget ever does."""
        spending = self._spending
        if spending is None or not spending.budgets:
            return None
        router = spending.budgets.get(Consumer("router", name), ())
        standings = spending.standings

        def of(exchange: Exchange) -> float | None:
            consumers = (
                Consumer("key", exchange.caller),
                Consumer("team", exchange.team),
                Consumer("project", exchange.project),
            )
            rules = [*router, *(rule for one in consumers for rule in spending.budgets.get(one, ()))]
            since = [rule.holding.at(exchange.wall).oldest for rule in rules]
            shares = (standings.left(*_shown(rule), oldest) for rule, oldest in zip(rules, since, strict=True))
            return min(shares, default=None)

        return of


def entries_for(
    model: str,
    listed: Sequence[Entry],
    endpoints: Mapping[str, Endpoint],
    owners: Callable[[str], tuple[str, ...]],
) -> list[Entry]:
    """The targets that answer with a model: the provider that it names; else those of the route's list that have it, in
    that order; else those whose own it is."""
    provider, slash, rest = model.partition("/")
    if slash and provider in endpoints:
        return [Entry(endpoints[provider], 0, 1, 0, rest, "")]
    own = owners(model)
    having = [entry.endpoint for entry in listed if entry.endpoint.knowledge_of(model, own) == "knows"]
    having = having or [endpoints[name] for name in own if name in endpoints]
    return [Entry(endpoint, index, 1, index, model, "") for index, endpoint in enumerate(dict.fromkeys(having))]


def wants_money(spec: sp.Spec) -> bool:
    """Whether any quota or budget is to be charged."""
    return spec.quotas is not None or any(True for _ in budgets_of(spec))


def shown_budgets(spec: sp.Spec) -> frozenset[tuple[str, str]]:
    """The budgets of a spec, as standings name them."""
    return frozenset((f"{kind}:{name}", window_of(budget).name) for _, kind, name, budget in budgets_of(spec))


def _shown(rule: BudgetRule) -> tuple[str, str]:
    """As standings name it."""
    holding = rule.holding
    assert holding.window is not None
    return f"{holding.consumer.kind}:{holding.consumer.name}", holding.window.name


def _rules(spec: sp.Spec) -> dict[Consumer, tuple[BudgetRule, ...]]:
    found: dict[Consumer, tuple[BudgetRule, ...]] = {}
    for path, kind, name, budget in budgets_of(spec):
        consumer = Consumer(kind, name)
        limit = amount_of(budget)
        assert limit is not None
        action = budget.on_exceeded
        rule = BudgetRule(
            budget_of(consumer, window_of(budget), limit, _UNIFIED_NAMES if name == UNIFIED else (name,)),
            action.downgrade if isinstance(action, sp.Downgrade) else CHEAPEST if action == "cheapest" else "",
            budget.alert_at,
            f"The budget of {_ON[kind]} {name!r} ({budget.amount} USD per {budget.window})",
            path,
        )
        found[consumer] = (*found.get(consumer, ()), rule)
    return found


def _quotas(quotas: sp.Quotas | None) -> QuotaRule | None:
    return None if quotas is None else QuotaRule(quotas.consumers, quotas.required, quotas.alert_at)


def ledger_of(sinks: Sinks) -> Ledger | None:
    """What is asked for balances, where records go to a ledger."""
    sink = sinks.get("ledger")
    return sink.database if isinstance(sink, LedgerWriter) else None


def _lease(spec: sp.Spec) -> int:
    given = [policies.timeouts for policies in (spec.global_, spec.unified_api, *spec.routers.values())]
    longest = max(seconds(timeouts.total) for timeouts in (sp.Timeouts(), *filter(None, given)))
    return int(longest) + 1 + _SLACK
