"""Routers and their lists of targets: who gets which share, in which order, and of which model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from gateway.config.change.comparison import At, Comparison, matched
from gateway.config.change.credentials import compare_credentials
from gateway.config.change.money import compare_budgets
from gateway.config.change.policies import compare_policies
from gateway.config.price_book import price_book
from gateway.config.problem import Path
from gateway.config.spec import Router
from gateway.config.subject import Entry, Listed

_SAME: Final = {"provider-weighted": "weighted", "balanced-latency": "latency"}
_WEIGHTED: Final = ("weighted", "model-weighted")
Balances = Mapping[Path | None, Mapping[str, Listed]]
"""By the path of the route, then by the group."""
_IDENTITIES: Final[tuple[Callable[[Entry], object], ...]] = (
    lambda entry: (entry.provider, entry.model, entry.target.base_url, entry.target.region, entry.target.keys),
    lambda entry: (entry.provider, entry.model, entry.target.base_url, entry.target.region),
    lambda entry: (entry.provider, entry.model),
    lambda entry: entry.provider,
)
"""What is wholly alike is the same target; then what is at another address; then what asks for another model."""
Pairs = list[tuple[Entry, Entry]]


def compare_routers(found: Comparison) -> None:
    """The named routers, `unified-api`, `global` and `default-router`."""
    left, right = found.left.spec, found.right.spec
    home = At("gateway", (), ())
    found.plain("default-router", home.at("default-router"), left.default_router, right.default_router)
    compare_policies(found, At("global", ("global",), ("global",)), left.global_, right.global_, inherited=False)
    balances = [_by_route(side.lists) for side in (found.left, found.right)]
    path: Path = ("unified-api",)
    _router(found, At("unified-api", path, path), left.unified_api, right.unified_api, balances)
    for name in dict.fromkeys((*left.routers, *right.routers)):
        path = ("routers", name)
        about = f"router {name}"
        old, new = left.routers.get(name), right.routers.get(name)
        if old is None:
            found.note("router-added", At(about, None, path), f"`/router/{name}/` is new")
        elif new is None:
            found.note("router-removed", At(about, path, None), f"`/router/{name}/` is gone")
        else:
            _router(found, At(about, path, path), old, new, balances)


def _by_route(lists: Sequence[Listed]) -> Balances:
    routes: dict[Path | None, dict[str, Listed]] = {}
    for listed in lists:
        if not listed.virtual:
            routes.setdefault(listed.route, {})[listed.group] = listed
    return routes


def _router(found: Comparison, at: At, old: Router, new: Router, balances: Sequence[Balances]) -> None:
    before, after = balances[0].get(at.old, {}), balances[1].get(at.new, {})
    for group in dict.fromkeys((*before, *after)):
        here = at.at("load-balance", group)
        if group not in after:
            code = "balance-folded" if "default" in after else "balance-removed"
            found.note(code, here.alone(old=here.old), f"`{group}` went to {_names(before[group].entries)}")
        elif group not in before:
            found.note("balance-added", here.alone(new=here.new), f"`{group}` goes to {_names(after[group].entries)}")
        else:
            _balance(found, here, before[group], after[group])
    found.plain("optimize-for", at.at("optimize-for"), old.optimize_for, new.optimize_for, secret=True)
    compare_policies(found, at, old, new, inherited=True)
    compare_budgets(found, at.at("budget"), old.budget, new.budget)


def _balance(found: Comparison, at: At, old: Listed, new: Listed) -> None:
    strategies = [_SAME.get(listed.balance.strategy, listed.balance.strategy) for listed in (old, new)]
    changed = found.plain("strategy", at.at("strategy"), *strategies)
    pairs, gone, come = matched(old.entries, new.entries, _IDENTITIES)
    shares = [_shares(listed.entries, strategy) for listed, strategy in zip((old, new), strategies, strict=True)]
    for entry in gone:
        found.note("target-removed", at.alone(old=entry.path), f"{_name(entry)}{_had(shares[0], entry, 'had')}")
    for entry in come:
        found.note("target-added", at.alone(new=entry.path), f"{_name(entry)}{_had(shares[1], entry, 'gets')}")
    for first, second in pairs:
        _target(found, at.alone(old=first.path, new=second.path), first, second)
    if changed:
        return
    if strategies[1] in _WEIGHTED:
        _weights(found, at, pairs, shares)
    elif strategies[1] == "priority":
        _order(found, at, pairs)


def _target(found: Comparison, at: At, old: Entry, new: Entry) -> None:
    if old.model != new.model:
        books = [price_book(side.spec) for side in (found.left, found.right)]
        prices = [
            book.price(entry.provider, entry.model) if entry.model else None
            for book, entry in zip(books, (old, new), strict=True)
        ]
        words = f"{_name(old)} -> {_name(new)}"
        if None not in prices and prices[0] != prices[1]:
            found.note("target-price", at, words)
        else:
            found.note("target-model", at, words)
    found.plain("target-address", at.at("base-url"), old.target.base_url, new.target.base_url)
    found.plain("target-region", at.at("region"), old.target.region, new.target.region)
    compare_credentials(found, at.at("keys"), old.target.keys, new.target.keys)


def _shares(entries: Sequence[Entry], strategy: str) -> dict[int, Decimal]:
    """The share of each entry, by its identity; empty where weights do not count."""
    if strategy not in _WEIGHTED:
        return {}
    weights = {id(entry): _weight(entry) for entry in entries}
    total = sum(weights.values(), Decimal(0))
    return {key: weight / total for key, weight in weights.items()} if total else {}


def _weight(entry: Entry) -> Decimal:
    return Decimal(1) if entry.target.weight is None else Decimal(str(entry.target.weight))


def _weights(found: Comparison, at: At, pairs: Pairs, shares: Sequence[dict[int, Decimal]]) -> None:
    """A target that comes or goes moves shares as well; that is told with it, unless the others' proportions move."""
    references = [
        [side.reference((*entry.path, "weight")) for side, entry in zip((found.left, found.right), pair, strict=True)]
        for pair in pairs
    ]
    if any(old != new for old, new in references):
        found.note("other", at, "weights come from other references")
        return
    totals = [sum((_weight(entry) for entry in side), Decimal(0)) for side in zip(*pairs, strict=True)]
    # Products, so that equal proportions are equal without a division.
    if all(_weight(old) * totals[1] == _weight(new) * totals[0] for old, new in pairs):
        return
    moved = [f"{_name(new)} {_percent(shares[0], old)} -> {_percent(shares[1], new)}" for old, new in pairs]
    found.note("weights", at, "; ".join(moved))


def _order(found: Comparison, at: At, pairs: Pairs) -> None:
    """A lower priority first, then the place in the list."""
    orders = []
    for side in (0, 1):
        ranked = sorted(range(len(pairs)), key=lambda index: _rank(pairs[index][side]))  # used at once
        orders.append(ranked)
    if orders[0] != orders[1]:
        words = [", ".join(_name(pairs[index][side]) for index in order) for side, order in enumerate(orders)]
        found.note("order", at, f"{words[0]} -> {words[1]}")


def _rank(entry: Entry) -> tuple[int, int]:
    place = entry.path[-1]
    return entry.target.priority, place if isinstance(place, int) else 0


def _percent(shares: dict[int, Decimal], entry: Entry) -> str:
    share = shares.get(id(entry), Decimal(0)) * 100
    return f"{share.quantize(Decimal('0.1')):f}".removesuffix(".0") + "%"


def _had(shares: dict[int, Decimal], entry: Entry, verb: str) -> str:
    return f" {verb} {_percent(shares, entry)}" if shares else ""


def _name(entry: Entry) -> str:
    return f"{entry.provider}/{entry.model}" if entry.model else entry.provider


def _names(entries: Sequence[Entry]) -> str:
    return ", ".join(map(_name, entries)) or "none"
