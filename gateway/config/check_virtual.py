"""Rules about virtual models: their names, what their rules lead to, and whether each rule can ever decide. What a rule
asks is looked at in check_when.py.

A rule that never decides is an error: the file says something that is not so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from gateway.config.covering import asks, covers
from gateway.config.problem import Path, Problem
from gateway.config.spec import VirtualRule
from gateway.config.subject import Rule, Subject, split_target
from gateway.config.virtual import (
    lists_of,
    misplaced,
    name_of,
    onward_names,
    policies_of,
    target_name,
    virtual_models,
    virtual_names,
)
from gateway.providers.catalog import detect

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")


class VirtualModel(msgspec.Struct, frozen=True):
    """A virtual model where it stands. names: of those that its rules may lead to."""

    path: Path
    name: str
    rules: Sequence[VirtualRule]
    names: frozenset[str]


def _models(subject: Subject) -> Iterator[VirtualModel]:
    for path, policies in policies_of(subject.spec):
        if not policies.virtual_models:
            continue
        names = virtual_names(subject.spec, policies)
        for name, rules in policies.virtual_models.items():
            yield VirtualModel((*path, "virtual-models", name), name, rules, names)


def rules_of(subject: Subject) -> Iterator[tuple[VirtualModel, Path, VirtualRule]]:
    """Every rule, with its model and where it stands."""
    for model in _models(subject):
        for index, rule in enumerate(model.rules):
            yield model, (*model.path, index), rule


def names(subject: Subject) -> Iterator[Problem]:
    for model in _models(subject):
        provider, slash, _ = model.name.partition("/")
        if not _NAME.fullmatch(model.name):
            yield subject.origins.error(
                "virtual-name",
                model.path,
                "this cannot be the name of a virtual model",
                "it has 1 to 64 of A-Z a-z 0-9 . _ / -, the first a letter or a digit",
                at_key=True,
            )
        elif slash and provider in subject.providers:
            yield subject.origins.error(
                "virtual-name",
                model.path,
                f"`{model.name[:60]}` is a model of the provider `{provider[:60]}`, which could not be asked for then",
                "give it a name that begins with no provider's",
                at_key=True,
            )
        elif detect(model.name) or _is_listed(subject, model.name):
            yield subject.origins.warning(
                "virtual-shadows",
                model.path,
                f"`{model.name[:60]}` is the name of a model: whoever asks for it gets what these rules say",
                "ask for `provider/model` to reach the model itself, or give this another name",
                at_key=True,
            )
        for path, policies in policies_of(subject.spec):
            if model.path[: len(path)] == path and model.name in (policies.model_mappings or {}):
                yield subject.origins.error(
                    "mapping-shadowed",
                    (*path, "model-mappings", model.name),
                    f"`{model.name[:60]}` is a virtual model too, so this mapping is never looked at",
                    f"the virtual model is at {subject.origins.key_place(model.path)}; remove one of them",
                    at_key=True,
                )


def _is_listed(subject: Subject, name: str) -> bool:
    return any(name in one.tuned.models for one in subject.providers.values())


def some_rules(subject: Subject) -> Iterator[Problem]:
    for model in _models(subject):
        if not model.rules:
            yield subject.origins.error(
                "virtual-empty",
                model.path,
                "a virtual model needs a rule",
                "`- to: provider/model` at least",
                at_key=True,
            )
        elif asks(model.rules[-1]):
            yield subject.origins.warning(
                "virtual-without-default",
                (*model.path, len(model.rules) - 1),
                "the last rule has a condition: a request that no rule matches is refused",
                "add a rule without `when`, such as `- to: provider/model`",
            )


def distinct_names(subject: Subject) -> Iterator[Problem]:
    for model in _models(subject):
        seen: dict[str, Path] = {}
        for index, rule in enumerate(model.rules):
            name = name_of(rule, index)
            path = (*model.path, index)
            first = seen.setdefault(name, path)
            if first is not path:
                yield subject.origins.error(
                    "rule-name-twice",
                    (*path, "name") if rule.name else path,
                    f"another rule is called `{name}` already",
                    f"the first is at {subject.origins.place(first)}",
                )


def destinations(subject: Subject) -> Iterator[Problem]:
    for model, path, rule in rules_of(subject):
        if (rule.to is None) == (rule.split is None):
            said = "neither `to` nor `split`" if rule.to is None else "both `to` and `split`"
            yield subject.origins.error("rule-destination", path, f"the rule has {said}", "give it one of them")
        for place, name in misplaced(path, rule, model.names):
            yield subject.origins.error(
                "virtual-in-list",
                place,
                f"`{name[:60]}` is a virtual model, which cannot be one target among several",
                "lead to it alone, `to: NAME`, or name it in a `split`",
            )
        for listing in lists_of(path, rule, model.names):
            for place, target in listing.entries:
                provider, named = split_target(target_name(target))
                if not named and provider in subject.providers and (isinstance(target, str) or not target.model):
                    yield subject.origins.error(
                        "model-missing",
                        place,
                        f"`{provider[:60]}` is a provider, and no model of it is named",
                        f"write `{provider[:60]}/MODEL`",
                    )


def shares(subject: Subject) -> Iterator[Problem]:
    for _, path, rule in rules_of(subject):
        if rule.split is None:
            continue
        here = (*path, "split")
        weights = [Decimal(str(weight)) for weight in rule.split.values()]
        if not any(weights):
            yield subject.origins.error(
                "weights-zero", here, "every share is 0, so nothing would be chosen", at_key=True
            )
        elif len(weights) == 1:
            yield subject.origins.warning(
                "split-alone", here, "there is one side, which gets everything", "write `to`", at_key=True
            )
        elif (total := sum(weights, Decimal(0))) not in (1, 100):
            yield subject.origins.warning(
                "weights-sum",
                here,
                f"the shares add up to {total.normalize():f}, not 1",
                "they are relative to the sum; is one missing?",
                at_key=True,
            )


def circles(subject: Subject) -> Iterator[Problem]:
    """Virtual models that lead to one another are told of where the circle is closed."""
    for path, policies in policies_of(subject.spec):
        found = virtual_models(subject.spec, path, policies)
        names = frozenset(found)
        leads = {
            name: {onward for rule in rules for onward in onward_names(rule, names)}
            for name, (_, rules) in found.items()
        }
        for name, (at, rules) in found.items():
            if at[: len(path)] != path:
                continue
            for index, rule in enumerate(rules):
                for onward in onward_names(rule, names):
                    if name == onward or name in _reached(onward, leads):
                        yield subject.origins.error(
                            "virtual-circle",
                            (*at, index, "to" if rule.to is not None else "split"),
                            f"`{name[:60]}` leads to itself"
                            + (f" by way of `{onward[:60]}`" if onward != name else ""),
                            "lead to a target somewhere on the way",
                        )


def _reached(name: str, leads: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    new = {name}
    while new:
        found |= new
        new = {onward for one in new for onward in leads.get(one, ())} - found
    return found


def reachable_rules(subject: Subject) -> Iterator[Problem]:
    for model in _models(subject):
        for index, rule in enumerate(model.rules):
            earlier = next((n for n in range(index) if covers(model.rules[n].when, rule.when)), None)
            if earlier is None:
                continue
            first = name_of(model.rules[earlier], earlier)
            place = subject.origins.place((*model.path, earlier))
            conditional = asks(model.rules[earlier])
            yield subject.origins.error(
                "rule-never",
                (*model.path, index),
                f"this rule can never match: whatever it matches, the rule `{first}` before it matches"
                if conditional
                else f"this rule can never match: the rule `{first}` before it matches everything",
                f"that one is at {place}; put this one in front of it, or remove it",
            )


VIRTUAL_RULES: Final[tuple[Rule, ...]] = (
    names,
    some_rules,
    distinct_names,
    destinations,
    shares,
    circles,
    reachable_rules,
)
