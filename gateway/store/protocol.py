"""What the pipeline asks of shared state, wherever it is kept.

Lives here: protocols and their values. A store decides nothing: the arithmetic of a bucket is policy/token_bucket.py,
freshness is policy/cache_control.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

import msgspec

from gateway.core.usage import Room
from gateway.policy.budget import Ask, Charge, State, Statement
from gateway.policy.token_bucket import Rate

UNCOUNTED: Final = "Limits cannot be kept now, because the gateway's store is away. Ask again; its log has the cause."
"""What a client is told of a StoreDown, whose own message names addresses."""


class StoreDown(Exception):
    """The store did not answer in time, or not sensibly. The message is for operators and says what to do about it; no
    credential in it.
    kind: a short word for metrics, such as `timeout`."""

    def __init__(self, message: str, kind: str = "error") -> None:
        super().__init__(message)
        self.kind = kind


class Take(msgspec.Struct, frozen=True, gc=False):
    """One bucket of a request and what is wanted of it. key: its name in the store, the hash tag of its route
    included, so that all buckets of one check are in one slot. amount: in the rate's unit, not negative. shadow: it is
    taken and told of, but never stands in the way."""

    key: str
    rate: Rate
    amount: int
    shadow: bool = False


Decider = Literal["store", "local", "open"]
"""Who decides over a check: the store, this process alone, or nobody while the store is away."""


class Standing(msgspec.Struct, frozen=True, gc=False):
    """One bucket after a check. remaining: whole units left, never negative. reset: seconds until it is full.
    retry_after: seconds until the amount would have fitted, 0.0 when it did; math.inf when it is more than the
    capacity."""

    remaining: int
    reset: float
    retry_after: float


class Grant(msgspec.Struct, frozen=True, gc=False):
    """The verdict over all buckets of a check, taken all or none. standings: in the order of the takes.
    by `open`, every bucket stands as if it were full."""

    granted: bool
    standings: tuple[Standing, ...]
    by: Decider = "store"


class Held(Protocol):
    """Buckets at hand. undoing: what gives back, called, what one call took."""

    @property
    def undoing(self) -> tuple[Callable[[], None]]: ...

    def __call__(self) -> Room | None:
        """Take one request of each, where all have room, and tell of the one with the least left; else take nothing,
        be None, and the store is to be asked."""
        ...


class LimitStore(Protocol):
    """Token buckets.

    hold: of a store that need not be waited for, None of others. What takes of these buckets, one request each and none
    of them a shadow; None where it does not know one of them yet.
    """

    @property
    def hold(self) -> Callable[[Sequence[Take]], Held | None] | None: ...

    async def take(self, takes: Sequence[Take]) -> Grant:
        """Take of all buckets in one atomic step, or of none; their keys are distinct. A shadow bucket without room
        is left as it is. Raises StoreDown only under `on-outage: closed`."""
        ...

    def settle(self, changes: Sequence[tuple[Take, int]], by: Decider = "store") -> None:
        """Correct what was granted to what was used: for each take, the amount to give back (negative: charge more,
        down to a debt of one capacity). by: the grant's, because only there something was taken. Not waited for, never
        raises."""
        ...


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """The verdict over all accounts of a request, reserved all or none. states: in the order of the asks, None for an
    account that the store does not know: then nothing is reserved. granule: in which the lease ends."""

    granted: bool
    states: tuple[State | None, ...]
    granule: int = 0
    by: Decider = "store"

    @property
    def known(self) -> bool:
        """Whether the verdict is over what is known of every account."""
        return None not in self.states


class AccountStore(Protocol):
    """Accounts of money, as policy/budget.py has them. All are in one slot of a cluster."""

    async def reserve(self, asks: Sequence[Ask], lease: int) -> Reservation:
        """Reserve of all accounts in one atomic step, or of none; their keys are distinct. lease: seconds after which
        a reservation that nobody has settled comes back. Raises StoreDown only under `on-outage: closed`. by `open`,
        nothing is known and nothing reserved."""
        ...

    def settle(self, charges: Sequence[Charge], by: Decider = "store") -> None:
        """End a reservation. by: as the reservation says. Not waited for, never raises."""
        ...

    async def merge(self, key: str, said: Statement, by: Decider = "store") -> None:
        """Take in what a ledger says of an account. Raises nothing: what could not be told is not known."""
        ...


class CacheStore(Protocol):
    """Opaque entries by key, each with a life. No method but `purge` raises: a store that is down has nothing. A key is
    a router's name, a colon, and the rest, whose braces are a hash tag."""

    async def get(self, keys: Sequence[str]) -> list[bytes | None]: ...

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """ttl: seconds, rounded up to whole milliseconds."""
        ...

    async def purge(self, prefix: str) -> int:
        """Delete what begins with prefix; how many there were. Raises StoreDown."""
        ...

    async def lease(self, key: str, holder: str, ttl: float) -> bool:
        """Whether the holder is now the only one that fetches this key. True when the store cannot tell."""
        ...

    async def release(self, key: str, holder: str) -> None:
        """End a lease that is still the holder's."""
        ...


class NonceStore(Protocol):
    """Values that may be seen once."""

    async def add(self, nonce: str, ttl: float) -> bool:
        """Whether it is new. Raises StoreDown only under `on-outage: closed`."""
        ...
