"""Budgets and quotas: who may spend more, less, or otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from gateway.config.budgets import listed_budgets
from gateway.config.change.comparison import At, Comparison, shown
from gateway.config.spec import Budget, Downgrade, Quotas, Spender

Budgets = Budget | tuple[Budget, ...] | None
_KNOWN: Final = ("amount", "window", "time_zone", "on_exceeded", "alert_at")
_KNOWN_OF_QUOTAS: Final = ("consumers", "required", "alert_at", "on_outage")


def compare_budgets(found: Comparison, at: At, old: Budgets, new: Budgets) -> None:
    """Budgets of one holder. Those of the same window are the same budget."""
    olds = {(one.window, one.time_zone): (path, one) for path, one in listed_budgets(old)}
    news = {(one.window, one.time_zone): (path, one) for path, one in listed_budgets(new)}
    for window in dict.fromkeys((*olds, *news)):
        before, after = olds.get(window), news.get(window)
        if before is None and after is not None:
            found.note("budget-added", At(at.about, None, (*(at.new or ()), *after[0])), _said(after[1]))
        elif before is not None and after is None:
            found.note("budget-removed", At(at.about, (*(at.old or ()), *before[0]), None), _said(before[1]))
        elif before is not None and after is not None:
            here = At(at.about, (*(at.old or ()), *before[0]), (*(at.new or ()), *after[0]))
            _budget(found, here, before[1], after[1])


def _budget(found: Comparison, at: At, old: Budget, new: Budget) -> None:
    amounts = at.at("amount")
    if found.is_referenced(amounts):
        found.plain("other", amounts, old.amount, new.amount)
    else:
        before, after = Decimal(str(old.amount)), Decimal(str(new.amount))
        words = f"{_said(old)} -> {_said(new)}"
        if after > before:
            found.note("budget-raised", amounts, words)
        elif after * 10 < before:
            found.note("budget-slashed", amounts, words)
        elif after < before:
            found.note("budget-lowered", amounts, words)
    found.plain("budget-exceeded", at.at("on-exceeded"), _action(old), _action(new))
    found.plain("budget-alerts", at.at("alert-at"), old.alert_at, new.alert_at)
    found.rest(at, old, new, _KNOWN)


def _said(budget: Budget) -> str:
    zone = "" if budget.time_zone == "UTC" else f" ({budget.time_zone})"
    return f"{budget.amount} USD per {budget.window}{zone}"


def _action(budget: Budget) -> str:
    action = budget.on_exceeded
    return f"downgrade to {action.downgrade}" if isinstance(action, Downgrade) else action


def compare_money(found: Comparison) -> None:
    """All of `teams`, `projects` and `quotas`."""
    left, right = found.left.spec, found.right.spec
    _spenders(found, "team", left.teams, right.teams)
    _spenders(found, "project", left.projects, right.projects)
    _quotas(found, left.quotas, right.quotas)


def _spenders(found: Comparison, kind: str, olds: Mapping[str, Spender], news: Mapping[str, Spender]) -> None:
    for name in dict.fromkeys((*olds, *news)):
        old, new = olds.get(name, Spender()), news.get(name, Spender())
        at = At(f"{kind} {name}", (f"{kind}s", name), (f"{kind}s", name))
        compare_budgets(found, at.at("budget"), old.budget, new.budget)
        if name in olds and name in news:
            found.rest(at, old, new, ("budget",))


def _quotas(found: Comparison, old: Quotas | None, new: Quotas | None) -> None:
    path = ("quotas",)
    if old is None or new is None:
        if new is not None:
            code = "quota-required" if new.required else "quotas-on"
            found.note(code, At("gateway", None, path), f"balances count of each {shown(new.consumers)}")
        elif old is not None:
            found.note("quotas-off", At("gateway", path, None), "balances bound nobody")
        return
    at = At("gateway", path, path)
    found.plain("quota-consumers", at.at("consumers"), sorted(old.consumers), sorted(new.consumers))
    code = "quota-required" if new.required else "quota-not-required"
    found.plain(code, at.at("required"), old.required, new.required)
    found.plain("budget-alerts", at.at("alert-at"), old.alert_at, new.alert_at)
    found.plain("quota-outage", at.at("on-outage"), old.on_outage, new.on_outage)
    found.rest(at, old, new, _KNOWN_OF_QUOTAS)
