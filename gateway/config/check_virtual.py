"""Rules about virtual models: their names, what their rules ask and lead to, and whether each rule can ever decide.

A rule that never decides is an error: the file says something that is not so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from gateway.config.check_keys import holders
from gateway.config.covering import RANGES, SETS, asks, covers, range_of
from gateway.config.problem import Path, Problem
from gateway.config.spec import JwtIssuer, VirtualRule, When
from gateway.config.subject import Rule, Subject, split_target
from gateway.config.virtual import (
    lists_of,
    minutes,
    misplaced,
    name_of,
    onward_names,
    policies_of,
    several,
    target_name,
    virtual_models,
    virtual_names,
    zone_of,
)
from gateway.policy.languages import LANGUAGES
from gateway.policy.pattern import Pattern, PatternError
from gateway.providers.catalog import detect

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECRET_HEADERS: Final = frozenset(
    ("authorization", "proxy-authorization", "cookie", "x-api-key", "x-goog-api-key", "x-gateway-signature")
)


class _Model(msgspec.Struct, frozen=True):
    """A virtual model where it stands. names: of those that its rules may lead to."""

    path: Path
    name: str
    rules: Sequence[VirtualRule]
    names: frozenset[str]


def _models(subject: Subject) -> Iterator[_Model]:
    for path, policies in policies_of(subject.spec):
        names = virtual_names(subject.spec, policies)
        for name, rules in (policies.virtual_models or {}).items():
            yield _Model((*path, "virtual-models", name), name, rules, names)


def _rules(subject: Subject) -> Iterator[tuple[_Model, Path, VirtualRule]]:
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
    for model, path, rule in _rules(subject):
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
    for _, path, rule in _rules(subject):
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


def conditions(subject: Subject) -> Iterator[Problem]:
    for _, path, rule in _rules(subject):
        if rule.when is None:
            continue
        here = (*path, "when")
        if not asks(rule):
            yield subject.origins.warning("when-empty", here, "nothing is asked here", "leave `when` out", at_key=True)
        yield from _pattern(subject, here, rule.when)
        yield from _ranges(subject, here, rule.when)
        yield from _hours(subject, here, rule.when)
        yield from _headers(subject, here, rule.when)
        for language in several(rule.when.language):
            if language not in LANGUAGES:
                yield subject.origins.error(
                    "language-unknown",
                    (*here, "language"),
                    f"`{language[:20]}` is never told of a text",
                    f"known: {', '.join(sorted(LANGUAGES))}",
                )
        for name in SETS:
            if getattr(rule.when, name) == ():
                yield subject.origins.error("rule-never", (*here, name), "an empty list holds for nothing", at_key=True)


def answerable(subject: Subject) -> Iterator[Problem]:
    """What is asked of a rule's targets needs some, and a client's wish a router that lets it have one."""
    listening = {path for path, router in subject.routes if router.optimize_for is not None}
    for model, path, rule in _rules(subject):
        when = rule.when or When()
        if range_of(when, "cost") != (None, None) and not any(lists_of(path, rule, model.names)):
            yield subject.origins.error(
                "rule-never",
                (*path, "when"),
                "this asks what the request costs, and the rule has no target of its own to price it by",
                "ask it in the rules of the virtual model that this one leads to",
            )
        for key in ("min-budget-left", "max-budget-left"):
            if getattr(when, key.replace("-", "_")) is not None and not _has_budgets(subject):
                yield subject.origins.error(
                    "rule-never",
                    (*path, "when", key),
                    "nobody has a budget, so this rule can never match",
                    "give a router, a key, a team or a project a `budget`",
                    at_key=True,
                )
        if when.optimize_for is not None and path[:-3] not in listening and path[0] != "global":
            yield subject.origins.error(
                "rule-never",
                (*path, "when", "optimize-for"),
                "no client of this router may say what it optimizes for, so this rule can never match",
                "give the router `optimize-for: {}`",
                at_key=True,
            )


def _has_budgets(subject: Subject) -> bool:
    spec = subject.spec
    return (
        any(key.budget is not None for key in spec.auth.keys)
        or any(spender.budget is not None for spender in (*spec.teams.values(), *spec.projects.values()))
        or any(router.budget is not None for _, router in subject.routes)
    )


def _pattern(subject: Subject, here: Path, when: When) -> Iterator[Problem]:
    if when.text is None:
        return
    try:
        pattern = Pattern(when.text)
    except PatternError as error:
        yield subject.origins.error(
            "pattern-invalid",
            (*here, "text"),
            f"this is no regular expression of RE2: {error}",
            "back-references and look-around are not there; `(?i)` in front ignores case",
        )
        return
    if "\b" in when.text:
        yield subject.origins.warning(
            "pattern-quotes",
            (*here, "text"),
            "this has a backspace in it: between double quotes, YAML takes `\\b` for one",
            "write the pattern between single quotes, where `\\b` is the edge of a word",
        )
    elif pattern.is_in(b""):
        yield subject.origins.warning(
            "pattern-idle",
            (*here, "text"),
            "this matches every text, also none",
            "leave it out, or ask for a character",
        )


def _ranges(subject: Subject, here: Path, when: When) -> Iterator[Problem]:
    for name in RANGES:
        low, high = range_of(when, name)
        if low is not None and high is not None and low > high:
            key = name.replace("_", "-")
            yield subject.origins.error(
                "rule-never",
                (*here, f"max-{key}"),
                f"`min-{key}` is above `max-{key}`, so this rule can never match",
                at_key=True,
            )


def _hours(subject: Subject, here: Path, when: When) -> Iterator[Problem]:
    if when.time_zone is not None:
        try:
            zone_of(when.time_zone)
        except ValueError as error:
            hint = "write it as `Europe/Berlin`, `America/New_York` or `UTC`"
            yield subject.origins.error("time-zone", (*here, "time-zone"), str(error), hint)
        if when.hour is None:
            yield subject.origins.warning(
                "time-zone", (*here, "time-zone"), "without `hour` nothing is asked of the time", "remove it"
            )
    ranges = several(when.hour)
    if when.hour is not None and not ranges:
        yield subject.origins.error("rule-never", (*here, "hour"), "an empty list is never", at_key=True)
    for index, text in enumerate(ranges):
        try:
            minutes(text)
        except ValueError as error:
            place = (*here, "hour") if isinstance(when.hour, str) else (*here, "hour", index)
            yield subject.origins.error("hour-invalid", place, str(error))


def _headers(subject: Subject, here: Path, when: When) -> Iterator[Problem]:
    for name, values in (when.header or {}).items():
        place = (*here, "header", name)
        if not _HEADER.fullmatch(name):
            yield subject.origins.error("header", place, "this cannot be the name of a header", at_key=True)
        elif name.lower() in _SECRET_HEADERS:
            yield subject.origins.error(
                "header",
                place,
                f"`{name}` holds a credential, which does not belong in a rule",
                "ask for `key` or `team`",
                at_key=True,
            )
        elif not several(values):
            yield subject.origins.error("rule-never", place, "an empty list holds for nothing", at_key=True)


def callers(subject: Subject) -> Iterator[Problem]:
    """Names of keys and teams that nobody has. Bearers of tokens bring names and teams that no file knows."""
    auth = subject.spec.auth
    if any(isinstance(one, JwtIssuer) for _, one in holders(subject)):
        return
    keys = {key.name for key in auth.keys}
    teams = {key.team for key in auth.keys if key.team}
    for _, path, rule in _rules(subject):
        for name, known in (("key", keys), ("team", teams)) if rule.when is not None else ():
            for wanted in several(getattr(rule.when, name)):
                if wanted not in known:
                    listed = ", ".join(sorted(filter(None, known))[:10])
                    yield subject.origins.error(
                        f"{name}-unknown",
                        (*path, "when", name),
                        f"no caller's {name} is `{wanted[:60]}`, so this rule can never match"
                        if len(several(getattr(rule.when, name))) == 1
                        else f"no caller's {name} is `{wanted[:60]}`",
                        f"known: {listed}"
                        if listed
                        else f"`auth.keys` gives no key a {'name' if name == 'key' else name}",
                    )


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
    conditions,
    answerable,
    callers,
    reachable_rules,
)
