"""Rules about what a rule of a virtual model asks: that each condition can be read, can hold, and is about somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.config.check_keys import holders
from gateway.config.check_virtual import rules_of
from gateway.config.covering import RANGES, SETS, asks, range_of
from gateway.config.problem import Path, Problem
from gateway.config.spec import JwtIssuer, When
from gateway.config.subject import Rule, Subject
from gateway.config.time_zone import zone_of
from gateway.config.virtual import lists_of, minutes, several
from gateway.policy.languages import LANGUAGES
from gateway.policy.pattern import Pattern, PatternError

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECRET_HEADERS: Final = frozenset(
    ("authorization", "proxy-authorization", "cookie", "x-api-key", "x-goog-api-key", "x-gateway-signature")
)


def conditions(subject: Subject) -> Iterator[Problem]:
    for _, path, rule in rules_of(subject):
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
    for model, path, rule in rules_of(subject):
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
    for _, path, rule in rules_of(subject):
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


WHEN_RULES: Final[tuple[Rule, ...]] = (conditions, answerable, callers)
