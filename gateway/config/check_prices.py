"""Rules about prices: models of providers that exist, and amounts that can be meant."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final

from gateway.config.check_balance import suggest
from gateway.config.price_book import FIELDS, dollars_of
from gateway.config.problem import Path, Problem
from gateway.config.spec import ModelPrice
from gateway.config.subject import Rule, Subject
from gateway.policy.balance import is_by_cost

MOST: Final = Decimal(100_000)
"""US dollars for a million tokens. The dearest model costs a hundredth of it."""
DIGITS: Final = 12


def prices_of_something(subject: Subject) -> Iterator[Problem]:
    for name, said in (subject.spec.prices or {}).items():
        path: Path = ("prices", name)
        provider, slash, model = name.partition("/")
        if provider not in subject.providers:
            yield subject.origins.error(
                "provider-unknown",
                path,
                f"there is no provider `{provider[:60]}`",
                suggest(provider, subject),
                at_key=True,
            )
        elif slash and not model:
            yield subject.origins.error(
                "price-model", path, "no model is named", f"write `{provider}/MODEL`, or `{provider}` for all of them"
            )
        else:
            yield from _entry(subject, path, provider, model, said)


def _entry(subject: Subject, path: Path, provider: str, model: str, said: ModelPrice) -> Iterator[Problem]:
    amounts = {word: getattr(said, field) for word, field in FIELDS.items()}
    sound = True
    for word, amount in (*amounts.items(), ("factor", said.factor)):
        reason = "" if amount is None else _nonsense(word, amount)
        if reason:
            sound = False
            yield subject.origins.error("price-amount", (*path, word), reason, "`input: '0.25'`, for example")
    if not sound:
        return
    dollars = dollars_of(said)
    if said.factor is None and not dollars:
        yield subject.origins.error(
            "price-empty", path, "this price says nothing", "say `input` and `output`, or a `factor`", at_key=True
        )
    elif said.factor is not None and dollars:
        yield subject.origins.error(
            "price-twice",
            (*path, "factor"),
            "a factor is one of the shipped price, and prices are given too",
            "keep one of them",
            at_key=True,
        )
    elif dollars and "input" not in dollars:
        yield subject.origins.error(
            "price-input",
            path,
            "`input` is missing, which the other kinds of tokens go by",
            "`input: 0` where it is free",
            at_key=True,
        )
    elif said.factor is not None and model and not _is_pattern(model) and subject.prices.price(provider, model) is None:
        yield subject.origins.error(
            "price-factor",
            (*path, "factor"),
            f"no price of `{provider}/{model[:60]}` is shipped, so there is nothing to multiply",
            "say `input` and `output`",
            at_key=True,
        )


def _nonsense(word: str, amount: str | float) -> str:
    if isinstance(amount, float) and not math.isfinite(amount):
        return f"`{word}` is not a finite number"
    exact = Decimal(str(amount))
    exponent = exact.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > DIGITS:
        return f"`{word}` has more than {DIGITS} places behind the point"
    if word == "factor" and exact > 10:
        return "ten times the shipped price is no discount"
    if word == "request" and exact > MOST / 100:
        return f"`{word}` is more than {MOST / 100:,} USD for one request"
    if exact > MOST:
        return f"`{word}` is more than {MOST:,} USD for a million tokens"
    return ""


def _is_pattern(model: str) -> bool:
    return any(mark in model for mark in "*?[")


def prices_that_another_hides(subject: Subject) -> Iterator[Problem]:
    """Of several patterns that fit, the longest counts; one that always loses says nothing."""
    prices = subject.spec.prices or {}
    for name in prices:
        provider, _, model = name.partition("/")
        for other in prices:
            theirs, _, pattern = other.partition("/")
            same = theirs == provider and other != name
            if same and _is_pattern(model) and len(pattern) > len(model) and fnmatchcase(model, pattern):
                yield subject.origins.warning(
                    "price-inert",
                    ("prices", name),
                    f"`{other[:60]}` is longer and fits all that this fits",
                    "remove one of them",
                    at_key=True,
                )
                break


def preferences(subject: Subject) -> Iterator[Problem]:
    for path, router in subject.routes:
        wanted = router.optimize_for
        here = (*path, "optimize-for")
        if wanted is not None and not wanted.allow and wanted.default is None:
            yield subject.origins.error(
                "optimize-for",
                here,
                "nobody may ask for anything, and there is no default",
                "`optimize-for: {allow: [cost, speed]}`, for example",
                at_key=True,
            )


def choices_by_cost(subject: Subject) -> Iterator[Problem]:
    """What has no price is asked last, which is not what a list says that is to be chosen from by cost."""
    preferring = {path: router.optimize_for is not None for path, router in subject.routes}
    for listed in subject.lists:
        if not is_by_cost(listed.balance.strategy) and not preferring.get(listed.path[:-2]):
            continue
        for entry in listed.entries:
            known = entry.provider in subject.providers
            if known and entry.model and subject.prices.price(entry.provider, entry.model) is None:
                yield subject.origins.warning(
                    "cost-unpriced",
                    entry.path,
                    f"no price is known for {entry.provider}/{entry.model[:60]}: by cost, it is asked last",
                    f"say one: `prices: {{{entry.provider}/{entry.model[:60]}: {{input: ..., output: ...}}}}`",
                )


PRICE_RULES: Final[tuple[Rule, ...]] = (
    prices_of_something,
    prices_that_another_hides,
    preferences,
    choices_by_cost,
)
