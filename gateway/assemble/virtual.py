"""From the virtual models of routers.yaml to rules that decide and the lists of targets that they choose from.

A part of assembly: it knows both the spec and the objects. Equal lists of a route become one, whichever rules lead to
it, so that they share what their targets have been chosen in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from gateway.config import spec as sp
from gateway.config.time_zone import zone_of
from gateway.config.virtual import (
    Listing,
    lists_of,
    minutes,
    name_of,
    several,
    virtual_models,
    virtual_names,
)
from gateway.core.money import NANO, nano_of
from gateway.core.trace import ConfigPath
from gateway.policy.pattern import Pattern
from gateway.policy.rules import (
    AtHours,
    Chosen,
    Condition,
    Facts,
    HasHeader,
    Is,
    Matches,
    OneOf,
    Onward,
    Rule,
    Side,
    Split,
    Targets,
    Within,
)


class VirtualRoute:
    """The virtual models of a route. models: their rules. balances: the lists that they choose from, by key. images:
    some rule asks for pictures. splits: some rule tells callers apart."""

    def __init__(self, spec: sp.Spec, path: ConfigPath, policies: sp.Policies) -> None:
        self._names: Final = virtual_names(spec, policies)
        self.balances: Final[dict[str, sp.Balance]] = {}
        self.images = False
        self.splits = False
        self.models: Final[Mapping[str, tuple[Rule, ...]]] = {
            name: tuple(self._rule(name, rule, index, (*at, index)) for index, rule in enumerate(rules))
            for name, (at, rules) in virtual_models(spec, path, policies).items()
        }

    def _rule(self, model: str, rule: sp.VirtualRule, index: int, path: ConfigPath) -> Rule:
        name = name_of(rule, index)
        listings = list(lists_of(path, rule, self._names))
        targets = [_target(target) for listing in listings for _, target in listing.entries]
        conditions = tuple(conditions_of(rule.when, targets)) if rule.when is not None else ()
        self.images |= rule.when is not None and rule.when.images is not None
        return Rule(name, conditions, self._destination(f"{model}:{name}", rule, listings), path)

    def _destination(self, salt: str, rule: sp.VirtualRule, listings: Sequence[Listing]) -> Onward | Chosen | Split:
        if rule.split is None:
            return self._chosen(listings[0]) if listings else Onward(str(rule.to))
        self.splits = True
        by_name = {str(listing.path[-1]): listing for listing in listings}
        return Split(
            salt,
            tuple(
                Side(name, float(str(weight)), self._chosen(by_name[name]) if name in by_name else Onward(name))
                for name, weight in rule.split.items()
            ),
        )

    def _chosen(self, listing: Listing) -> Chosen:
        balance = listing.balance
        key = f"{balance.strategy} " + " ".join(_said(target) for _, target in listing.entries)
        self.balances.setdefault(key, balance)
        first = "/".join(_target(listing.entries[0][1])) if listing.entries else ""
        return Chosen(key, first, listing.path)


def conditions_of(when: sp.When, targets: Targets) -> Sequence[Condition]:
    """What must hold, the cheapest to find out first: a body is read only when all else holds. targets: where the rule
    leads, whose prices count."""
    found: list[Condition] = []
    for name, names, value in (
        ("key", when.key, lambda facts: facts.caller),
        ("team", when.team, lambda facts: facts.team),
        ("user", when.user, lambda facts: facts.user),
        ("optimize-for", when.optimize_for, lambda facts: facts.wish),
    ):
        if names is not None:
            found.append(OneOf(name, frozenset(several(names)), value, private=name == "user"))
    for header, values in (when.header or {}).items():
        wanted = several(values)
        found.append(HasHeader(header.lower(), frozenset() if "*" in wanted else frozenset(wanted)))
    if when.hour is not None:
        ranges = several(when.hour)
        said = ", ".join(ranges) + (f" {when.time_zone}" if when.time_zone else "")
        found.append(AtHours(tuple(map(minutes, ranges)), zone_of(when.time_zone), said))
    if when.min_budget_left is not None or when.max_budget_left is not None:
        found.append(Within("budget-left", when.min_budget_left, when.max_budget_left, _budget_left))
    if when.min_tokens is not None or when.max_tokens is not None:
        found.append(Within("tokens", when.min_tokens, when.max_tokens, lambda facts: facts.tokens))
    if when.min_cost is not None or when.max_cost is not None:
        low, high = (None if end is None else nano_of(Decimal(str(end))) for end in (when.min_cost, when.max_cost))
        found.append(Within("cost", low, high, lambda facts: _cost(facts, targets), NANO))
    for name, there, has in (
        ("tools", when.tools, lambda facts: facts.prompt.tools > 0),
        ("images", when.images, lambda facts: facts.prompt.images > 0),
        ("json", when.json, lambda facts: facts.prompt.json),
    ):
        if there is not None:
            found.append(Is(name, there, has))
    if when.text is not None:
        found.append(Matches(Pattern(when.text)))
    if when.language is not None:
        found.append(OneOf("language", frozenset(several(when.language)), lambda facts: facts.language))
    if when.min_complexity is not None or when.max_complexity is not None:
        found.append(Within("complexity", when.min_complexity, when.max_complexity, lambda facts: facts.complexity))
    return found


def _budget_left(facts: Facts) -> float | None:
    return None if facts.budget_left is None else facts.budget_left()


def _cost(facts: Facts, targets: Targets) -> int | None:
    return None if facts.price is None else facts.price(targets, facts.tokens)


def _target(target: sp.Target | str) -> tuple[str, str]:
    name, model = (target, None) if isinstance(target, str) else (target.provider, target.model)
    provider, _, named = name.partition("/")
    return provider, model or named


def _said(target: sp.Target | str) -> str:
    """All of a target that an answer may depend on, and its part in the list."""
    if isinstance(target, str):
        return target
    place = f"@{target.base_url}" if target.base_url else ""
    return f"{'/'.join(_target(target))}{place}={target.weight or ''}:{target.priority}"
