"""How virtual models are read: which there are on a route, what their rules lead to, and their times of day.

Shared by the check, `gateway plan` and assembly, so that all three mean the same. Must not: say what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from gateway.config.problem import Path
from gateway.config.spec import Balance, Policies, Spec, Target, VirtualRule

_RANGE: Final = re.compile(r"([01]?[0-9]|2[0-4])(?::([0-5][0-9]))?-([01]?[0-9]|2[0-4])(?::([0-5][0-9]))?")
_DAY: Final = 24 * 60


def policies_of(spec: Spec) -> Iterator[tuple[Path, Policies]]:
    """Everywhere virtual models may stand."""
    yield ("global",), spec.global_
    yield ("unified-api",), spec.unified_api
    for name, router in spec.routers.items():
        yield ("routers", name), router


def virtual_models(spec: Spec, path: Path, policies: Policies) -> Mapping[str, tuple[Path, Sequence[VirtualRule]]]:
    """The virtual models of a route, with where each stands. A name of its own hides the one of `global`."""
    found: dict[str, tuple[Path, Sequence[VirtualRule]]] = {}
    for base, one in ((("global",), spec.global_), (path, policies)):
        for name, rules in (one.virtual_models or {}).items():
            found[name] = (*base, "virtual-models", name), rules
    return found


def virtual_names(spec: Spec, policies: Policies) -> frozenset[str]:
    """What rules that stand there may lead to by name."""
    return frozenset((*(spec.global_.virtual_models or {}), *(policies.virtual_models or {})))


def virtual_rules(path: Path, policies: Policies) -> Iterator[tuple[str, Path, VirtualRule]]:
    """Every rule that stands there: its virtual model, its place, and itself."""
    for name, rules in (policies.virtual_models or {}).items():
        for index, rule in enumerate(rules):
            yield name, (*path, "virtual-models", name, index), rule


def name_of(rule: VirtualRule, index: int) -> str:
    """A rule that has no name is called by its place, from 1."""
    return rule.name or str(index + 1)


class Listing(msgspec.Struct, frozen=True):
    """A list of targets that a rule leads to. entries: with the place of each; virtual models are none of them."""

    path: Path
    balance: Balance
    entries: tuple[tuple[Path, Target | str], ...]


def lists_of(path: Path, rule: VirtualRule, names: frozenset[str]) -> Iterator[Listing]:
    """The lists that a rule at `path` leads to: that of `to`, and those of the sides of a split. names: of virtual
    models."""
    to = rule.to
    if isinstance(to, str) and to not in names:
        yield Listing((*path, "to"), in_order((to,)), (((*path, "to"), to),))
    elif isinstance(to, tuple | Balance):
        entries = tuple(entry for entry in _entries((*path, "to"), to) if target_name(entry[1]) not in names)
        yield Listing((*path, "to"), in_order(to) if isinstance(to, tuple) else to, entries)
    for name in rule.split or {}:
        if name not in names:
            place = (*path, "split", name)
            yield Listing(place, in_order((name,)), ((place, name),))


def misplaced(path: Path, rule: VirtualRule, names: frozenset[str]) -> Iterator[tuple[Path, str]]:
    """Virtual models that stand among several targets, where none can be asked."""
    if isinstance(rule.to, tuple | Balance):
        for place, target in _entries((*path, "to"), rule.to):
            if target_name(target) in names:
                yield place, target_name(target)


def _entries(path: Path, to: tuple[Target | str, ...] | Balance) -> Iterator[tuple[Path, Target | str]]:
    if isinstance(to, Balance):
        key, targets = ("models", to.models) if to.models is not None else ("providers", to.providers)
        path, to = (*path, key), targets or ()
    for index, target in enumerate(to):
        yield (*path, index), target


def target_name(target: Target | str) -> str:
    """As the config writes it."""
    return target if isinstance(target, str) else target.provider


def in_order(targets: tuple[Target | str, ...]) -> Balance:
    """What a short list means."""
    return Balance(strategy="priority", providers=targets)


def onward_names(rule: VirtualRule, names: frozenset[str]) -> Iterator[str]:
    """The virtual models that a rule leads to."""
    if isinstance(rule.to, str) and rule.to in names:
        yield rule.to
    for name in rule.split or {}:
        if name in names:
            yield name


def several(names: tuple[str, ...] | str | None) -> tuple[str, ...]:
    """One or a list, as a list."""
    return () if names is None else (names,) if isinstance(names, str) else names


def minutes(text: str) -> tuple[int, int]:
    """`09:00-17:30` as minutes of the day. ValueError with what is wrong."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError("this is not a time of day: write `09:00-17:30`, or `22-6`")
    start, end = (int(match[n]) * 60 + int(match[n + 1] or 0) for n in (1, 3))
    if start >= _DAY or end > _DAY:
        raise ValueError("a day has 24 hours")
    if start == end:
        raise ValueError("this begins when it ends, so it is never")
    return start, end
