"""What a model's tokens cost, exactly, and the text that says it.

Lives here: a price with its tiers and the times at which it holds, and the sum for a usage. Must not: know which model
it is of. Law: whole numbers all the way; a sum is rounded once, up, so that nothing with a price is free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from gateway.core.usage import Usage

WORDS: Final = (
    "input", "cached", "cache-write", "cache-write-1h", "output", "reasoning", "audio-input", "audio-cached",
    "audio-output", "image-input", "image-cached", "image-output", "request",
)  # fmt: skip
"""What may have a price: US dollars for a million tokens, `request` for one request."""

Dollars = Mapping[str, Decimal]
"""Some of WORDS, and what each costs."""

_MILLION: Final = 1_000_000
_NANO_A_TOKEN: Final = 1000
"""A dollar for a million tokens is so many nano-USD for one."""
_DAY: Final = 86_400


class Rates(msgspec.Struct, frozen=True, gc=False):
    """Of one token, in parts of a dollar for a million; None where there is no price apart. request: of each request,
    in the same parts, as so many tokens."""

    input: int
    cached: int
    write_5m: int
    write_1h: int
    output: int
    reasoning: int | None = None
    audio_input: int | None = None
    audio_cached: int = 0
    audio_output: int | None = None
    image_input: int | None = None
    image_cached: int = 0
    image_output: int | None = None
    request: int = 0

    def sum(self, usage: Usage) -> int:
        """Of a usage, in the same parts. Parts that are more than their whole leave nothing of it, never less."""
        u = usage
        if u.input >= 0 <= u.output and not (
            u.cached or u.cache_write_5m or u.cache_write_1h or u.reasoning
            or u.audio_input or u.audio_output or u.image_input or u.image_output
        ):  # fmt: skip
            # Most have no parts.
            return self.request + u.input * self.input + u.output * self.output
        return self._sum_of_parts(usage)

    def _sum_of_parts(self, usage: Usage) -> int:
        cached = usage.cached
        fresh = usage.input - usage.cache_write_5m - usage.cache_write_1h
        total = self.request + usage.cache_write_5m * self.write_5m + usage.cache_write_1h * self.write_1h
        if self.audio_input is not None and usage.audio_input:
            # More parts than there is whole: so much was both, said or not.
            both = max(usage.audio_cached, cached + usage.audio_input - fresh)
            known = min(both, usage.audio_input, cached)
            fresh -= usage.audio_input
            cached -= known
            total += (usage.audio_input - known) * self.audio_input + known * self.audio_cached
        if self.image_input is not None and usage.image_input:
            both = max(usage.image_cached, cached + usage.image_input - fresh)
            known = min(both, usage.image_input, cached)
            fresh -= usage.image_input
            cached -= known
            total += (usage.image_input - known) * self.image_input + known * self.image_cached
        cached = max(cached, 0)
        total += max(fresh - cached, 0) * self.input + cached * self.cached
        said = usage.output
        if usage.reasoning or usage.audio_output or usage.image_output:
            for tokens, rate in (
                (usage.reasoning, self.reasoning),
                (usage.audio_output, self.audio_output),
                (usage.image_output, self.image_output),
            ):
                if rate is not None and tokens:
                    said -= tokens
                    total += tokens * rate
        return total + max(said, 0) * self.output


class Tier(msgspec.Struct, frozen=True, gc=False):
    """above: with more tokens of input than so many the whole request costs this."""

    above: int
    rates: Rates
    said: Dollars


class Period(msgspec.Struct, frozen=True):
    """When tiers hold. since: Unix seconds. start, end: seconds of the day in UTC, equal for all of it."""

    tiers: tuple[Tier, ...]
    since: float = 0.0
    start: int = 0
    end: int = 0

    def holds(self, when: float) -> bool:
        if when < self.since:
            return False
        if self.start == self.end:
            return True
        second = int(when) % _DAY
        if self.end < self.start:
            return second >= self.start or second < self.end
        return self.start <= second < self.end


class Price(msgspec.Struct, frozen=True):
    """parts: of a dollar, that rates are counted in. periods: the last that holds counts, the first where none does.
    only: the rates where length and time change nothing. batch: what a batch costs, for readers: no exchange is one.
    source: where it is from. since: the day from which it holds, as `2026-11-21`, or ``."""

    parts: int
    periods: tuple[Period, ...]
    only: Rates | None = None
    batch: Dollars | None = None
    source: str = ""
    since: str = ""

    def cost(self, usage: Usage, when: float = 0.0) -> int:
        """In nano-USD, rounded up. when: Unix seconds."""
        rates = self.only
        if rates is None:
            rates = self._tier(usage.input, when).rates
        return -(-rates.sum(usage) * _NANO_A_TOKEN // self.parts)

    def usual(self, when: float = 0.0) -> Dollars:
        """What a short request costs."""
        return self._tier(0, when).said

    def period(self, when: float) -> Period:
        """The one that holds."""
        return next((period for period in reversed(self.periods) if period.holds(when)), self.periods[0])

    def _tier(self, tokens: int, when: float) -> Tier:
        tiers = self.period(when).tiers
        found = tiers[0]
        for tier in tiers[1:]:
            if tokens > tier.above:
                found = tier
        return found


def flat(dollars: Dollars, source: str = "") -> Price:
    """One price, whatever the length and the time."""
    return _built([(0.0, 0, 0, [(0, dollars)])], None, source, "")


def read_price(text: str, source: str) -> Price:
    """`input 2.5 output 10; above 200000 input 5 output 15; from 2027-01-01 input 3 output 12; hours 01:00-04:00 input
    5 output 20; batch input 1.25 output 5; since 2026-10-14`: as the table is written."""
    periods: list[_Spoken] = [(0.0, 0, 0, [])]
    batch: Dollars | None = None
    since = ""
    for part in text.split("; "):
        words = part.split()
        match words[0]:
            case "above":
                periods[-1][3].append((int(words[1]), _dollars(words[2:])))
            case "from":
                day = datetime.fromisoformat(words[1]).replace(tzinfo=UTC).timestamp()
                periods.append((day, 0, 0, [(0, _dollars(words[2:]))]))
            case "hours":
                start, _, end = words[1].partition("-")
                periods.append((0.0, _second(start), _second(end), [(0, _dollars(words[2:]))]))
            case "batch":
                batch = _dollars(words[1:])
            case "since":
                since = words[1]
            case _:
                periods[0][3].append((0, _dollars(words)))
    return _built(periods, batch, source, since)


def scaled(price: Price, factor: Decimal, source: str) -> Price:
    """The same price with a discount."""
    periods: list[_Spoken] = [
        (
            period.since,
            period.start,
            period.end,
            [(tier.above, {word: amount * factor for word, amount in tier.said.items()}) for tier in period.tiers],
        )
        for period in price.periods
    ]
    batch = None if price.batch is None else {word: amount * factor for word, amount in price.batch.items()}
    return _built(periods, batch, source, price.since)


_Spoken = tuple[float, int, int, list[tuple[int, Dollars]]]
"""A period as it was said: since, start, end, tiers."""


def _built(periods: Sequence[_Spoken], batch: Dollars | None, source: str, since: str) -> Price:
    amounts = [amount for _, _, _, tiers in periods for _, said in tiers for amount in said.values()]
    digits = max((-int(exponent) for one in amounts if (exponent := one.as_tuple().exponent)), default=0)
    parts = 10 ** max(digits, 0)
    made = tuple(
        Period(tuple(Tier(above, _rates(said, parts), said) for above, said in tiers), begins, start, end)
        for begins, start, end, tiers in periods
    )
    only = made[0].tiers[0].rates if len(made) == len(made[0].tiers) == 1 else None
    return Price(parts, made, only, batch, source, since)


def _rates(said: Dollars, parts: int) -> Rates:
    """What has no price apart costs what it is a part of."""

    def whole(word: str) -> int | None:
        amount = said.get(word)
        return None if amount is None else int(amount * parts)

    def either(word: str, other: int) -> int:
        found = whole(word)
        return other if found is None else found

    taken = either("input", 0)
    cached = either("cached", taken)
    write = either("cache-write", taken)
    heard, seen = whole("audio-input"), whole("image-input")
    return Rates(
        input=taken,
        cached=cached,
        write_5m=write,
        write_1h=either("cache-write-1h", write),
        output=either("output", 0),
        reasoning=whole("reasoning"),
        audio_input=heard,
        audio_cached=either("audio-cached", cached if "cached" in said else heard or 0),
        audio_output=whole("audio-output"),
        image_input=seen,
        image_cached=either("image-cached", cached if "cached" in said else seen or 0),
        image_output=whole("image-output"),
        request=either("request", 0) * _MILLION,
    )


def _dollars(words: Sequence[str]) -> dict[str, Decimal]:
    return {word: Decimal(amount) for word, amount in zip(words[::2], words[1::2], strict=True)}


def _second(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 3600 + int(minute) * 60
