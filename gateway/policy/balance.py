"""Which of the eligible targets is next.

Lives here: one balancer per strategy, and the choice of one by its name in routers.yaml. Must not: decide who is
eligible, or start anything. Law: a pick is one of the choices it was given, and a single choice is returned as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from math import gcd, lcm
from typing import Final, Literal, Protocol, TypeVar, assert_never

from gateway.policy.ewma import PeakEwma
from gateway.policy.load import TargetLoad

Strategy = Literal[
    "weighted", "provider-weighted", "latency", "balanced-latency", "model-weighted", "model-latency",
    "priority", "least-busy", "cost", "model-cost",
]  # fmt: skip


_FINENESS: Final = 32
"""Bits after the binary point of a credit that was converted: what that may lose is nothing to a pick. Until then
credits are whole, and as small as weights are."""


class Choice(Protocol):
    """A target as a balancer sees it. index: its entry's place in the router's list; several choices share one when
    the entry can serve the model under several names; they stand together, the preferred one first. weight: as from
    integer_weights."""

    @property
    def index(self) -> int: ...
    @property
    def weight(self) -> int: ...
    @property
    def priority(self) -> int: ...
    @property
    def load(self) -> TargetLoad: ...


C = TypeVar("C", bound=Choice)


class Balancer(Protocol):
    """A strategy with its memory. `eligible` is never empty, in the order of the list, and may differ from pick to
    pick. streamed: the reply is wanted as a stream. chance: uniform in [0, 1)."""

    def pick(self, eligible: Sequence[C], streamed: bool, now: float, chance: Callable[[], float]) -> C: ...


class SmoothWeighted:
    """Smooth weighted round robin, with the shares exact at every moment.

    Each eligible entry earns its weight per pick, the picked one pays the sum. nginx picks the largest credit, which
    lets an entry among eight or more fall behind by more than one pick. Here an entry that is owed something and
    would be the first to fall a whole pick behind is taken (earliest deadline first), so that after any number of
    picks each entry has its share, rounded up or down.

    The credit of an entry that is not eligible stands still: the others share by their weights, and nothing is made
    up for in a burst when it is back. Credit is kept in parts of one pick: when the sum of the eligible weights
    changes it is converted, or an entry would carry what it owes among large weights into a company of small ones.

    size: the number of entries, above every index.
    """

    __slots__ = ("_bits", "_credit", "_last", "_pick")

    def __init__(self, size: int) -> None:
        self._pick = 0
        self._bits = 0
        self._credit = [0] * size
        self._last = -1

    def pick(self, eligible: Sequence[C], streamed: bool, now: float, chance: Callable[[], float]) -> C:
        if len(eligible) == 1:
            return eligible[0]
        credit = self._credit
        pick = 0
        last = -1
        for choice in eligible:
            index = choice.index
            if index != last:
                last = index
                pick += choice.weight
        if not pick:
            picked = next_in_turn(eligible, self._last, len(credit))
            self._last = picked.index
            return picked
        bits = self._bits
        pick <<= bits
        if pick != self._pick:
            if self._pick and not bits:
                self._bits = bits = _FINENESS
                pick <<= bits
            self._convert(pick)
            credit = self._credit
        best: C | None = None
        last = -1
        best_credit = best_weight = 0
        for choice in eligible:
            index, weight = choice.index, choice.weight
            # One entry, one earning: its second choice is passed over here.
            if not weight or index == last:
                continue
            last = index
            credit[index] = own = credit[index] + (weight << bits)
            if best is None:
                sooner = True
            elif own > 0:
                sooner = best_credit <= 0 or (pick - own) * best_weight < (pick - best_credit) * weight
            else:
                # Nobody here is owed anything only when an entry that is away holds the credit.
                sooner = best_credit < own
            if sooner:
                best, best_credit, best_weight = choice, own, weight
        assert best is not None
        credit[best.index] -= pick
        return best

    def _convert(self, pick: int) -> None:
        before, self._pick = self._pick or 1, pick
        self._credit = [credit * pick // before for credit in self._credit]


class PeakEwmaP2C:
    """The better of two choices drawn by chance: the lower product of latency and requests in flight.

    A target without a sample has no latency to compare. One with nothing in flight is tried at once, the first time;
    after that, and while its first answers are awaited, it is given one request a second at most, and only while it
    has fewer in flight than the known target it was drawn with: neither stampeded nor starved, and no magnet when it
    fails faster than others answer. Two targets without a sample share by requests in flight.
    """

    __slots__ = ()

    def pick(self, eligible: Sequence[C], streamed: bool, now: float, chance: Callable[[], float]) -> C:
        count = len(eligible)
        if count == 1:
            return eligible[0]
        for choice in eligible:
            load = choice.load
            latency = load.streamed if streamed else load.whole
            if not latency.tried and not load.in_flight and now >= latency.next_offer:
                latency.offer(now)
                return choice
        first, second = divmod(int(chance() * count * (count - 1)), count - 1)
        if second >= first:
            second += 1
        one, other = eligible[first], eligible[second]
        load, other_load = one.load, other.load
        if streamed:
            latency, other_latency = load.streamed, other_load.streamed
        else:
            latency, other_latency = load.whole, other_load.whole
        if latency.tried and other_latency.tried:
            score = latency.value(now) * (load.in_flight + 1)
            other_score = other_latency.value(now) * (other_load.in_flight + 1)
            if score != other_score:
                return one if score < other_score else other
        elif latency.tried:
            return other if _is_worth_an_offer(other_latency, other_load, load, now) else one
        elif other_latency.tried:
            return one if _is_worth_an_offer(latency, load, other_load, now) else other
        return one if load.in_flight <= other_load.in_flight else other


def _is_worth_an_offer(unknown: PeakEwma, load: TargetLoad, known: TargetLoad, now: float) -> bool:
    if now < unknown.next_offer or load.in_flight >= known.in_flight:
        return False
    unknown.offer(now)
    return True


class Priority:
    """In order: the lowest priority, then the first in the list."""

    __slots__ = ()

    def pick(self, eligible: Sequence[C], streamed: bool, now: float, chance: Callable[[], float]) -> C:
        best = eligible[0]
        for choice in eligible:
            if choice.priority < best.priority or (choice.priority == best.priority and choice.index < best.index):
                best = choice
        return best


class LeastBusy:
    """The fewest requests in flight; equals take turns. size: the number of entries, above every index."""

    __slots__ = ("_last", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._last = -1

    def pick(self, eligible: Sequence[C], streamed: bool, now: float, chance: Callable[[], float]) -> C:
        if len(eligible) == 1:
            return eligible[0]
        best: C | None = None
        fewest = nearest = 0
        for choice in eligible:
            busy = choice.load.in_flight
            if best is not None and busy > fewest:
                continue
            distance = (choice.index - self._last - 1) % self._size
            if best is None or busy < fewest or distance < nearest:
                best, fewest, nearest = choice, busy, distance
        assert best is not None
        self._last = best.index
        return best


def is_by_cost(strategy: Strategy) -> bool:
    """Whether a balancer chooses among the cheapest only."""
    return strategy in ("cost", "model-cost")


def cheapest(eligible: Sequence[C], costs: Sequence[int | None]) -> Sequence[C]:
    """Those that cost least. costs: of each; what is not known is dearer than all that is."""
    least = min((cost for cost in costs if cost is not None), default=None)
    return [choice for choice, cost in zip(eligible, costs, strict=True) if cost == least]


def next_in_turn(eligible: Sequence[C], last: int, size: int) -> C:
    """The choice that follows the entry `last` in the list, the first again after the end."""
    return min(eligible, key=lambda choice: (choice.index - last - 1) % size)


def shares(balancer: Balancer, eligible: Sequence[Choice]) -> list[float | None]:
    """What part of the requests each choice gets: of an entry that can serve under several names, the first gets it
    all. None for each where no weights say so."""
    if not isinstance(balancer, SmoothWeighted):
        return [None] * len(eligible)
    weights = {choice.index: choice.weight for choice in eligible}
    if not any(weights.values()):
        weights = dict.fromkeys(weights, 1)
    whole = sum(weights.values())
    return [weights.pop(choice.index, 0) / whole for choice in eligible]


def balancer_for(strategy: Strategy, size: int) -> Balancer:
    """The balancer of a strategy as routers.yaml names it, for a list of `size` entries."""
    match strategy:
        case "weighted" | "provider-weighted" | "model-weighted":
            return SmoothWeighted(size)
        case "latency" | "balanced-latency" | "model-latency" | "cost" | "model-cost":
            # Of those that cost the same, which `cheapest` has left.
            return PeakEwmaP2C()
        case "priority":
            return Priority()
        case "least-busy":
            return LeastBusy(size)
        case _:
            assert_never(strategy)


def integer_weights(weights: Sequence[Decimal]) -> tuple[int, ...]:
    """The same proportions as the smallest integers: 0.7 and 0.30 -> 7 and 3. ValueError on a weight that is negative
    or not finite."""
    for weight in weights:
        if not weight.is_finite() or weight < 0:
            raise ValueError(f"{weight} is not a weight: it must be a decimal that is not negative")
    ratios = [weight.as_integer_ratio() for weight in weights]
    common = lcm(*(denominator for _, denominator in ratios))
    whole = [numerator * (common // denominator) for numerator, denominator in ratios]
    divisor = gcd(*whole) or 1
    return tuple(number // divisor for number in whole)
