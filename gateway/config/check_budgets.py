"""Rules about budgets and quotas: amounts that can be counted, windows that there are, and somebody whom they bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

from gateway.config.budgets import UNIFIED, amount_of, budgets_of, window_of
from gateway.config.check_balance import suggest
from gateway.config.consumers import may_be_named
from gateway.config.problem import Path, Problem
from gateway.config.spec import ConsumerKind, Downgrade, Spender
from gateway.config.subject import Rule, Subject, split_target
from gateway.config.time_zone import zone_of
from gateway.core.money import in_dollars
from gateway.policy.budget import MOST
from gateway.providers.catalog import CATALOG, detect, find_model


def countable_budgets(subject: Subject) -> Iterator[Problem]:
    for path, _, _, budget in budgets_of(subject.spec):
        here = (*path, "amount")
        nano = amount_of(budget)
        if nano is None:
            yield subject.origins.error(
                "budget-amount", here, "dollars are counted to the billionth", "write `500`, `'12.50'`"
            )
        elif nano == 0:
            yield subject.origins.error(
                "budget-amount", here, "nothing fits into a budget of nothing", "to close a route, take it out"
            )
        elif nano > MOST:
            yield subject.origins.error(
                "budget-amount", here, f"the largest budget that is counted exactly is {in_dollars(MOST)} USD"
            )


def windows(subject: Subject) -> Iterator[Problem]:
    for path, _, _, budget in budgets_of(subject.spec):
        try:
            zone_of(budget.time_zone)
        except ValueError as reason:
            yield subject.origins.error(
                "budget-zone", (*path, "time-zone"), str(reason), "a name such as `UTC`, `Europe/Berlin`"
            )
            continue
        try:
            window_of(budget)
        except ValueError as reason:
            yield subject.origins.error("budget-window", (*path, "window"), str(reason))
            continue
        if budget.window.startswith("rolling") and budget.time_zone != "UTC":
            yield subject.origins.warning(
                "budget-zone", (*path, "time-zone"), "a rolling window has no midnight", "leave it out"
            )


def distinct_budgets(subject: Subject) -> Iterator[Problem]:
    seen: dict[tuple[str, str, str, str], Path] = {}
    for path, kind, name, budget in budgets_of(subject.spec):
        first = seen.setdefault((kind, name, budget.window, budget.time_zone), path)
        if first != path:
            yield subject.origins.error(
                "budget-twice",
                path,
                f"the {kind} `{name[:60]}` has another budget for the same `{budget.window}`",
                f"it stands at {subject.origins.place(first)}",
            )


def downgrades(subject: Subject) -> Iterator[Problem]:
    # What answers in place of chat is of the list for chat, or else of the default one.
    sizes: dict[str, int] = {}
    for listed in sorted(subject.lists, key=lambda listed: listed.group == "chat"):
        if listed.group in ("chat", "default") and not listed.virtual:
            sizes[UNIFIED if listed.path[0] == "unified-api" else str(listed.path[1])] = len(listed.entries)
    for path, kind, name, budget in budgets_of(subject.spec):
        if budget.on_exceeded == "cheapest" and kind == "router" and sizes.get(name) == 1:
            yield subject.origins.warning(
                "downgrade-inert",
                (*path, "on-exceeded"),
                "this router has one target, and none that is cheaper",
                "say `{downgrade: MODEL}`, or `reject`",
            )
        if not isinstance(budget.on_exceeded, Downgrade):
            continue
        here = (*path, "on-exceeded", "downgrade")
        model = budget.on_exceeded.downgrade
        provider, rest = split_target(model)
        if not _is_known(subject, model):
            if rest and provider not in subject.providers:
                hint = suggest(provider, subject)
            else:
                hint = "a model of the catalog, of a provider's `models`, or of `model-mappings`"
            yield subject.origins.error("downgrade-unknown", here, f"nobody is known to have `{model[:80]}`", hint)


def _is_known(subject: Subject, model: str) -> bool:
    provider, rest = split_target(model)
    if rest and provider in subject.providers:
        return True
    if detect(model) or any(find_model(row, model) is not None for row in CATALOG.values()):
        return True
    if any(model in (policies.model_mappings or {}) for _, policies in subject.policies):
        return True
    return any(
        fnmatchcase(model, pattern) for known in subject.providers.values() for pattern in known.tuned.models
    ) or any(model in known.tuned.deployments for known in subject.providers.values())


def budgets_that_bind_somebody(subject: Subject) -> Iterator[Problem]:
    auth = subject.spec.auth
    known = auth.mode == "keys"
    sections: tuple[tuple[str, ConsumerKind, Mapping[str, Spender]], ...] = (
        ("teams", "team", subject.spec.teams),
        ("projects", "project", subject.spec.projects),
    )
    for section, word, spenders in sections:
        for name in spenders:
            if known and may_be_named(subject.spec, word, name):
                continue
            hint = (
                f"give keys `{word}: {name[:60]}`" if known else "say `auth: {mode: keys}`: without it nobody is known"
            )
            yield subject.origins.warning(
                "budget-unused",
                (section, name),
                f"no caller is of this {word}, so nothing is counted",
                hint,
                at_key=True,
            )
    quotas = subject.spec.quotas
    if quotas is not None and not known:
        yield subject.origins.warning(
            "quota-unused",
            ("quotas",),
            "nobody is known by name, so nobody has a balance",
            "say `auth: {mode: keys}`",
            at_key=True,
        )


def money_without_a_ledger(subject: Subject) -> Iterator[Problem]:
    spec = subject.spec
    if spec.ledger is not None:
        return
    if spec.quotas is not None:
        yield subject.origins.error(
            "quota-without-ledger",
            ("quotas",),
            "balances are kept in the ledger, and there is none",
            "`ledger: {}` keeps one in a file",
            at_key=True,
        )
    if spec.store.url.startswith("memory:"):
        for path, _, _, _ in budgets_of(spec):
            yield subject.origins.warning(
                "budget-without-ledger",
                path,
                "without a ledger what was spent is forgotten when the process ends",
                "`ledger: {}` keeps one in a file",
            )


def budgets_of_each_worker(subject: Subject) -> Iterator[Problem]:
    spec = subject.spec
    if spec.server.workers == 1 or not spec.store.url.startswith("memory:"):
        return
    placed = [path for path, _, _, _ in budgets_of(spec)] + ([("quotas",)] if spec.quotas is not None else [])
    for path in placed[:1]:
        yield subject.origins.warning(
            "budgets-per-process",
            path,
            f"each of {spec.server.workers} workers counts by itself between two looks at the ledger",
            "give `store` a Redis, or let `server.workers` be 1",
            at_key=True,
        )


BUDGET_RULES: Final[tuple[Rule, ...]] = (
    countable_budgets,
    windows,
    distinct_budgets,
    downgrades,
    budgets_that_bind_somebody,
    money_without_a_ledger,
    budgets_of_each_worker,
)
