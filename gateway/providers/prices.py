"""Which price a model has. What is known is generated: price_table.py; what a config says counts before that.

Lives here: from a name, as clients and clouds write it, to its price. Law: what is not known is None, never 0, and what
is found is remembered, so that a request only looks up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

import msgspec

from gateway.core.usage import Usage
from gateway.providers.catalog import CATALOG, detect, pinned_names
from gateway.providers.price import Dollars, Price, flat, read_price, scaled
from gateway.providers.price_table import FALLBACKS, PRICED_ON, TABLE

SHIPPED: Final = f"table {PRICED_ON}"
"""The source of a price that the gateway comes with."""
CONFIGURED: Final = "config"
"""Of one that routers.yaml says."""
LOCAL: Final = "local"
"""Of a server of one's own, which sends no bill."""

REMEMBERED: Final = 4096
_FREE: Final = flat({"input": Decimal(0)}, LOCAL)
_ROOTS: Final = ("models/", "publishers/", "tunedmodels/")
_COMPACT_DATE: Final = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
_PLACES: Final = re.compile(r"^(?:us-gov|us|eu|apac|au|jp|in|ca|global)\.(?=[a-z0-9]+\.)")


class Override(msgspec.Struct, frozen=True):
    """What a config says of a model. model: its name, or a pattern. dollars: its price; None for the shipped one.
    factor: that is multiplied by this."""

    provider: str
    model: str
    dollars: Dollars | None = None
    factor: Decimal | None = None


class _Found(dict[tuple[str, str], Price | None]):
    """By provider and model; what is not there yet is looked for. One that is there costs no call of Python."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[str, str], Price | None]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: tuple[str, str]) -> Price | None:
        # Names come from clients.
        if len(self) >= REMEMBERED:
            self.clear()
        found = self[key] = self._find(*key)
        return found


class PriceBook:
    """All prices that hold under a config. overrides: one of a name counts before patterns, and of these the
    longest. found: `price` for who is on the path of every request."""

    __slots__ = ("_overrides", "found")

    def __init__(self, overrides: Sequence[Override] = ()) -> None:
        by_provider: dict[str, list[Override]] = {}
        for one in sorted(overrides, key=lambda one: (_is_pattern(one.model), -len(one.model))):
            by_provider.setdefault(one.provider, []).append(one)
        self._overrides: Final[Mapping[str, Sequence[Override]]] = by_provider
        self.found: Final = _Found(self._find)

    def price(self, provider: str, model: str) -> Price | None:
        """The price of a model, None where it is not known. provider: `` where none has been chosen: the model's own,
        by `provider/model` or by its name."""
        return self.found[provider, model]

    def cost(self, provider: str, model: str, usage: Usage, when: float = 0.0) -> int | None:
        """In nano-USD, rounded up; None where the price is not known. when: Unix seconds."""
        found = self.price(provider, model)
        return None if found is None else found.cost(usage, when)

    def _find(self, provider: str, model: str) -> Price | None:
        if not provider:
            return self._own(model)
        for one in self._overrides.get(provider, ()):
            if one.model == model or fnmatchcase(model, one.model):
                known = flat(one.dollars, CONFIGURED) if one.dollars is not None else _shipped(provider, model)
                return known if known is None or one.factor is None else scaled(known, one.factor, CONFIGURED)
        return _shipped(provider, model)

    def _own(self, model: str) -> Price | None:
        named, slash, rest = model.partition("/")
        if slash and (named in CATALOG or named in self._overrides):
            found = self.price(named, rest)
            if found is not None:
                return found
        for vendor in dict.fromkeys((*detect(model), *TABLE)):
            found = self.price(vendor, model)
            if found is not None:
                return found
        return None


def _is_pattern(model: str) -> bool:
    return any(mark in model for mark in "*?[")


SHIPPED_BOOK: Final = PriceBook()
"""The prices that the gateway comes with, and no others."""


def near_names(model: str, most: int = 5) -> list[str]:
    """Names with a known price that are like this one, as `provider/model`."""
    known = [f"{provider}/{name}" for provider in TABLE for name in _sheet(provider).exact]
    wanted = model.lower()
    if "/" in wanted:
        return get_close_matches(wanted, known, most, 0.5)
    by_name: dict[str, str] = {}
    for full in known:
        by_name.setdefault(full.partition("/")[2], full)
    return [by_name[name] for name in get_close_matches(wanted, by_name, most, 0.5)]


class _Sheet(msgspec.Struct, frozen=True):
    """One provider's prices. exact: by name, the line. rules: the other ways to be a model's, with their lines."""

    prices: tuple[str, ...]
    exact: Mapping[str, int]
    rules: tuple[tuple[int, str], ...]

    def line_of(self, name: str) -> int | None:
        found = self.exact.get(name)
        for line, rule in self.rules:
            if found is not None and line > found:
                break
            if _is_of(rule, name):
                return line
        return found


def _is_of(rule: str, name: str) -> bool:
    if rule[0] == "/":
        return re.search(rule[1:-1], name) is not None
    if rule[0] == "*":
        return rule[1:-1] in name if rule[-1] == "*" else name.endswith(rule[1:])
    return name.startswith(rule[:-1])


@lru_cache(None)
def _sheet(provider: str) -> _Sheet:
    """Read when the first price of a provider is asked for: most are never asked for."""
    exact: dict[str, int] = {}
    rules: list[tuple[int, str]] = []
    prices: list[str] = []
    for line in TABLE[provider].splitlines():
        names, mark, text = line.partition(" = ")
        if mark:
            for name in names.split(" "):
                if name[0] in "/*" or name[-1] == "*":
                    rules.append((len(prices), name))
                else:
                    exact.setdefault(name, len(prices))
            prices.append(text)
    return _Sheet(tuple(prices), exact, tuple(rules))


def _shipped(provider: str, model: str) -> Price | None:
    if provider in TABLE:
        for name in _names_of(model.lower()):
            for seller in (provider, *FALLBACKS.get(provider, ())):
                sheet = _sheet(seller)
                line = sheet.line_of(name)
                if line is not None:
                    text = sheet.prices[line]
                    return None if text == "-" else read_price(text, SHIPPED)
        return None
    known = CATALOG.get(provider)
    if known is None:
        return None
    if known.vendors:
        # Who sells the models of their vendors sells them at their vendors' prices.
        return next((found for vendor in known.vendors if (found := _shipped(vendor, model)) is not None), None)
    return _FREE if known.local else None


def _names_of(model: str) -> Iterator[str]:
    """What a name may be written for, the likeliest first: as it is, with its date as vendors write it, without the
    path or the place that a cloud puts in front, and what it may be a pin of."""
    bare = model
    if bare.startswith(_ROOTS):
        bare = bare.rpartition("/")[2]
    for name in dict.fromkeys((model, _COMPACT_DATE.sub(r"-\1-\2-\3", model), bare, _PLACES.sub("", bare))):
        yield name
    for name in pinned_names(_PLACES.sub("", bare)):
        yield name
