"""`gateway prices`: what a model costs, where that is from, and since when it holds.

Lives here: which sellers are looked at, and how a price is shown. Exit status 1 where no price is known.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.check import loaded_and_checked
from gateway.config.price_book import price_book
from gateway.config.problem import ConfigError
from gateway.core.money import in_dollars
from gateway.core.usage import Usage
from gateway.providers.catalog import detect
from gateway.providers.price import Dollars, Period, Price, Tier
from gateway.providers.price_table import TABLE
from gateway.providers.prices import SHIPPED_BOOK, PriceBook, near_names
from gateway.runtime import system_clock

_USUAL: Final = Path("routers.yaml")
_HOUR: Final = 3600


class TierLine(msgspec.Struct, frozen=True):
    """above: tokens of input from which on it holds. prices: US dollars for a million tokens, `request` for one
    request."""

    above: int
    prices: dict[str, str]


class PeriodLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """holds: now. since: the day, hours: of each day in UTC, where it does not always hold."""

    tiers: tuple[TierLine, ...]
    holds: bool
    since: str = ""
    hours: str = ""


class PriceLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One seller's price. cost: of the tokens that were asked about, in US dollars."""

    provider: str
    model: str
    source: str
    periods: tuple[PeriodLine, ...]
    since: str = ""
    batch: dict[str, str] | None = None
    cost: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """MODEL [--provider P] [--tokens IN,OUT] [--config FILE] [--json]."""
    parser.add_argument("model", metavar="MODEL", help="a model, or provider/model")
    parser.add_argument("--provider", "-p", default="", metavar="P", help="who sells it; absent: all that do")
    parser.add_argument("--tokens", default="", metavar="IN,OUT", help="say what so many tokens cost")
    parser.add_argument("--config", "-c", type=Path, metavar="FILE", help="routers.yaml when not given, and there")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the prices."""
    try:
        usage = _usage(args.tokens)
        book, own = _book(args.config)
    except ConfigError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return 1
    except ValueError as error:
        sys.stderr.write(f"gateway prices: {error}\n")
        return 2
    now = system_clock().wall()
    lines = [_line(*found, usage, now) for found in _found(book, args.provider, args.model, own)]
    if not lines:
        near = ", ".join(near_names(f"{args.provider}/{args.model}" if args.provider else args.model))
        hint = f"; known are {near}" if near else ""
        whose = f" of {args.provider}" if args.provider else ""
        sys.stderr.write(f"no price is known for {args.model!r}{whose}{hint}. `prices` in routers.yaml can say one.\n")
        return 1
    if args.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(lines)).decode() + "\n")
    else:
        sys.stdout.write("\n".join(map(_text, lines)))
    return 0


def _usage(tokens: str) -> Usage | None:
    if not tokens:
        return None
    parts = tokens.split(",")
    if len(parts) > 2 or not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise ValueError(f"--tokens {tokens!r}: write two whole numbers, as in 1000,500")
    return Usage(*(int(part) for part in parts))


def _book(path: Path | None) -> tuple[PriceBook, tuple[str, ...]]:
    """The prices that hold, and the providers that the config adds prices to."""
    if path is None and not _USUAL.exists():
        return SHIPPED_BOOK, ()
    loaded, _ = loaded_and_checked(path or _USUAL)
    named = [name.partition("/")[0] for name in loaded.spec.prices or {}]
    return price_book(loaded.spec), tuple(dict.fromkeys(named))


def _found(book: PriceBook, provider: str, model: str, own: tuple[str, ...]) -> Iterator[tuple[str, str, Price]]:
    """Who sells it: the provider that is named, or whose it is, then all others."""
    named, slash, rest = model.partition("/")
    if not provider and slash and (named in TABLE or named in own or book.price(named, rest) is not None):
        provider, model = named, rest
    sellers = (provider,) if provider else dict.fromkeys((*detect(model), *own, *TABLE))
    for seller in sellers:
        price = book.price(seller, model)
        if price is not None:
            yield seller, model, price


def _line(provider: str, model: str, price: Price, usage: Usage | None, now: float) -> PriceLine:
    holding = price.period(now)
    return PriceLine(
        provider,
        model,
        price.source,
        tuple(_period_line(period, period is holding) for period in price.periods),
        price.since,
        None if price.batch is None else _amounts(price.batch),
        None if usage is None else in_dollars(price.cost(usage, now)),
    )


def _period_line(period: Period, holds: bool) -> PeriodLine:
    hours = "" if period.start == period.end else f"{_clock(period.start)}-{_clock(period.end)}"
    day = datetime.fromtimestamp(period.since, UTC).date().isoformat() if period.since else ""
    return PeriodLine(tuple(map(_tier_line, period.tiers)), holds, day, hours)


def _tier_line(tier: Tier) -> TierLine:
    return TierLine(tier.above, _amounts(tier.said))


def _amounts(said: Dollars) -> dict[str, str]:
    return {word: f"{amount:f}" for word, amount in said.items()}


def _clock(second: int) -> str:
    return f"{second // _HOUR:02d}:{second % _HOUR // 60:02d}"


def _text(line: PriceLine) -> str:
    since = f", since {line.since}" if line.since else ""
    rows = [f"{line.provider}/{line.model} ({line.source}{since}), US dollars for a million tokens:"]
    several = len(line.periods) > 1
    for period in line.periods:
        when = f"from {period.since}" if period.since else f"{period.hours} UTC" if period.hours else "always"
        if several:
            rows.append(f"  {when}{', now' if period.holds else ''}:")
        for tier in period.tiers:
            length = f"above {tier.above} tokens of input: " if tier.above else ""
            rows.append(f"{'    ' if several else '  '}{length}{_words(tier.prices)}")
    if line.batch is not None:
        rows.append(f"  in a batch: {_words(line.batch)}")
    if line.cost is not None:
        rows.append(f"  costs {line.cost} USD")
    return "".join(f"{row}\n" for row in rows)


def _words(prices: dict[str, str]) -> str:
    return ", ".join(f"{word} {amount}" for word, amount in prices.items())
