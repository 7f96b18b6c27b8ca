"""Prepaid money and budgets in whole numbers: an account is asked for room before a request goes out, and charged with
what it has cost.

Lives here: windows of time, what an account holds, when an amount fits, which thresholds a sum has passed. Must not:
know where accounts are kept or what a token costs, or read a clock. The Lua scripts of the Redis store say the same,
number for number.

Laws: what is reserved counts as spent until it is settled, so that requests at the same time overspend by no more than
each was estimated too low. A reservation that nobody settles comes back by itself when its lease is over. What an
account says of a time before its origin is not known, and it is not guessed. A ledger's word only ever raises a sum:
the account has heard of what it writes down later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal

import msgspec

from gateway.core.money import NANO

MOST: Final = 4_000_000 * NANO
"""The largest balance, budget and price of one request. Twice of it and more is still exact in a double, which Lua's
numbers are: whole nano-USD to 2**53, nine million dollars."""
CAP: Final = 2**52
"""What a sum stops at, however absurd the usage that a provider reports."""
GRANULE: Final = 60
"""Seconds. Reservations whose leases end in the same one are kept as one sum."""
LONGEST: Final = 90 * 86400
"""Seconds: the longest rolling window."""

_HOUR: Final = 3600
_DAY: Final = 86400
_BY_THE_HOUR: Final = 3 * _DAY
_TWO_MONTHS: Final = 62 * _DAY

Calendar = Literal["day", "month", "rolling"]


class Span(msgspec.Struct, frozen=True, gc=False):
    """A window at one moment, in Unix seconds. current: where the slice begins that is charged now. oldest: the first
    slice that counts. forget: slices before need not be kept. until: when the next slice begins."""

    current: int
    oldest: int
    forget: int
    until: int


PREPAID: Final = Span(0, 0, 0, 2**62)
"""Of a balance, which has no window: all is one slice."""


class Window(msgspec.Struct, frozen=True):
    """kind: a calendar's, or rolling over `length` seconds in slices of `width`. name: as it was written. zone: whose
    midnight it is."""

    kind: Calendar
    name: str
    zone: tzinfo = UTC
    length: int = 0
    width: int = 0

    def at(self, now: float) -> Span:
        """The window at `now`, Unix seconds."""
        if self.kind == "rolling":
            current = int(now // self.width) * self.width
            oldest = current - self.length
            return Span(current, oldest, oldest - self.length, current + self.width)
        today = datetime.fromtimestamp(now, self.zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if self.kind == "day":
            start, end = today, today + timedelta(days=1)
        else:
            start = today.replace(day=1)
            end = (start + timedelta(days=32)).replace(day=1)
        begin = int(start.timestamp())
        return Span(begin, begin, begin - _TWO_MONTHS, int(end.replace(fold=0).timestamp()))


def rolling(length: float, name: str) -> Window:
    """The last so many seconds, in slices of an hour, or of a day where it is more than three. One slice more than the
    length counts, so that no stretch of that length ever sees more than the amount. ValueError."""
    width = _HOUR if length <= _BY_THE_HOUR else _DAY
    if not width <= length <= LONGEST or length % width:
        raise ValueError("a rolling window is 1 to 72 whole hours, or 4 to 90 whole days")
    return Window("rolling", name, UTC, int(length), width)


class Account:
    """What is known of one consumer's money. origin: the Unix second from which on slices are whole. granted: what was
    prepaid, None for a budget. since: the microsecond at which that began to count. slices: spent, by the second at
    which each begins. reserved: by the granule in which the lease ends. All nano-USD."""

    __slots__ = ("granted", "origin", "reserved", "since", "slices")

    def __init__(self, origin: int, granted: int | None, since: int, slices: Mapping[int, int]) -> None:
        self.origin = origin
        self.granted = granted
        self.since = since
        self.slices = {start: min(spent, CAP) for start, spent in slices.items()}
        self.reserved: dict[int, int] = {}


class Ask(msgspec.Struct, frozen=True, gc=False):
    """What one request wants of one account. key: its name in the store. limit: nano-USD, None for what was prepaid.
    amount: nano-USD, not negative. soft: it is taken though there is no room."""

    key: str
    limit: int | None
    span: Span
    amount: int
    soft: bool = False


class State(msgspec.Struct, frozen=True, gc=False):
    """An account before anything was taken of it. since: of the balance, 0 for a budget."""

    spent: int
    reserved: int
    limit: int
    since: int = 0

    @property
    def left(self) -> int:
        """Negative for an account that is overdrawn."""
        return self.limit - self.spent - self.reserved


class Charge(msgspec.Struct, frozen=True, gc=False):
    """The end of a reservation. granule: in which its lease ends. amount: what was reserved. start: of the slice that
    it was asked in. since: of the balance that it was asked of: what was set anew meanwhile is not charged. cost: what
    has been spent in the end."""

    key: str
    granule: int
    amount: int
    start: int
    since: int
    cost: int


class Statement(msgspec.Struct, frozen=True):
    """What a ledger says of an account, as Account has it."""

    origin: int
    granted: int | None = None
    since: int = 0
    slices: Mapping[int, int] = {}


def granule_of(now: int, lease: int) -> int:
    """In which a lease from `now` on, both seconds, is over: never too early, at most two granules late."""
    return (now + lease) // GRANULE + 1


def state_of(account: Account | None, ask: Ask, now: int) -> State | None:
    """How the account stands; None where it does not know so far back. now: seconds on the clock of leases."""
    if account is None or ask.span.oldest < account.origin:
        return None
    limit = account.granted if ask.limit is None else ask.limit
    if limit is None:
        return None
    _forget(account, ask.span, now)
    oldest = ask.span.oldest
    spent = sum(amount for start, amount in account.slices.items() if start >= oldest)
    return State(min(spent, CAP), min(sum(account.reserved.values()), CAP), limit, account.since)


def fits(ask: Ask, state: State) -> bool:
    """Whether there is room. In an account that is overdrawn there is none, not even for nothing."""
    return ask.amount <= state.left


def take(account: Account, ask: Ask, granule: int) -> None:
    account.reserved[granule] = min(account.reserved.get(granule, 0) + ask.amount, CAP)


def settle(account: Account, charge: Charge) -> None:
    """Give a reservation back, and write down what was spent."""
    reserved = account.reserved.get(charge.granule)
    if reserved is not None:
        if reserved > charge.amount:
            account.reserved[charge.granule] = reserved - charge.amount
        else:
            del account.reserved[charge.granule]
    if charge.cost and charge.start >= account.origin and charge.since == account.since:
        account.slices[charge.start] = min(account.slices.get(charge.start, 0) + charge.cost, CAP)


def merged(account: Account | None, said: Statement) -> Account:
    """The account after a ledger was asked. A balance that was set anew begins anew; what is reserved stays."""
    if account is None:
        return Account(said.origin, said.granted, said.since, said.slices)
    if said.since < account.since:
        # From before it was set: somebody read the ledger a while ago.
        return account
    if said.since > account.since:
        fresh = Account(said.origin, said.granted, said.since, said.slices)
        fresh.reserved = account.reserved
        return fresh
    account.granted = said.granted
    account.origin = min(account.origin, said.origin)
    for start, spent in said.slices.items():
        account.slices[start] = max(account.slices.get(start, 0), min(spent, CAP))
    return account


def _forget(account: Account, span: Span, now: int) -> None:
    tick = now // GRANULE
    for granule in [granule for granule in account.reserved if granule <= tick]:
        del account.reserved[granule]
    account.origin = max(account.origin, span.forget)
    for start in [start for start in account.slices if start < span.forget]:
        del account.slices[start]


def passed(alert_at: Sequence[float], spent: int, limit: int) -> float:
    """The highest of the thresholds, shares of the limit, that the sum has reached; 0.0 for none. Of a limit that is
    nothing, or less, all are reached."""
    return max((share for share in alert_at if spent >= limit * share), default=0.0)
