"""Token buckets in the memory of this process.

Lives here: where levels are kept, and which are forgotten. Law: a bucket that is full again need not be kept, because a
bucket that nobody knows is full. Each new bucket looks at the two of its rate that rested longest and lets them go if
they are full, so that what is kept is what was used within the last period or two. Should that still be MOST buckets,
the one that rested longest of all, to a quarter of its period, goes before its time: whoever it counts begins again
with a full one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Final

from gateway.core.usage import Room
from gateway.policy.token_bucket import refilled, settled
from gateway.store.protocol import Decider, Grant, Take
from gateway.store.verdict import verdict

MOST: Final = 200_000
"""Buckets, about half a kilobyte each with their keys."""

_LOOKS: Final = 2
"""More than one, so that the full ones go faster than new ones come."""


class _Bucket:
    """since: the moment of its level, in microseconds. due: when it is to be put behind all others again. gone:
    forgotten. What its rate says is here too: a check reads one piece of memory for each bucket. Whole numbers, kept as
    doubles: what is below 2**53 they add up exactly (see LARGEST), and in less time than Python's own."""

    __slots__ = ("due", "full", "gone", "level", "rate", "since", "step", "unit")

    def __init__(self, take: Take, now: int) -> None:
        rate = take.rate
        self.rate = rate
        self.unit = float(rate.unit)
        self.step = float(rate.step)
        self.full = float(rate.full)
        self.level = float(rate.full)
        self.since = float(now)
        self.due = float(now + (rate.period >> 2))
        self.gone = False


_Table = OrderedDict[str, _Bucket]
_NO_TABLE: Final[_Table] = OrderedDict()


class _Held:
    """Buckets of which one request each is taken, again and again: what `take` does where they are known and all have
    room. Nearly every request under a limit goes this way, so it is one pass over what is at hand; a law holds it to
    the other."""

    __slots__ = ("_buckets", "_monotonic", "_tables", "_takes", "undoing")

    def __init__(
        self,
        monotonic: Callable[[], float],
        found: tuple[tuple[_Bucket, Take], ...],
        tables: dict[str, _Table],
        settle: Callable[[Sequence[tuple[Take, int]]], None],
    ) -> None:
        self._monotonic = monotonic
        self._buckets = tuple(bucket for bucket, _ in found)
        self._takes = tuple(take for _, take in found)
        self._tables = tables
        self.undoing = (partial(settle, tuple((take, 1) for take in self._takes)),)

    def __call__(self) -> Room | None:
        now = self._monotonic() * 1_000_000 // 1.0
        buckets = self._buckets
        least = -1.0
        tightest = buckets[0]
        for bucket in buckets:
            level = bucket.level
            elapsed = now - bucket.since
            bucket.since = now
            if elapsed > 0.0:
                # Of a very long time this is no whole number any more, and more than full.
                level += elapsed * bucket.step
                if level > bucket.full:
                    level = bucket.full
            unit = bucket.unit
            if level < unit or bucket.gone:
                bucket.level = level
                self._put_back(bucket)
                return None
            bucket.level = level = level - unit
            # Below a whole number is below it in whole numbers, too: only what is told is rounded down.
            if level / unit < least or least < 0.0:
                least = level // unit
                tightest = bucket
            if now > bucket.due:
                self._place(now)
        # It is not rounded past a whole number: a quotient that is not whole is further from the next than that.
        reset = ceil((tightest.full - tightest.level) / tightest.step)
        return Room(tightest.rate.capacity, int(least), reset / 1_000_000)

    def _put_back(self, short: _Bucket) -> None:
        """What was taken of the buckets before the one that is short."""
        for bucket in self._buckets:
            if bucket is short:
                return
            bucket.level += bucket.unit

    def _place(self, now: float) -> None:
        for bucket, take in zip(self._buckets, self._takes, strict=True):
            if not bucket.gone:
                bucket.due = now + (bucket.rate.period >> 2)
                self._tables[bucket.rate.name].move_to_end(take.key)


class MemoryLimits:
    """LimitStore for one process. monotonic: seconds. by: what its grants say of who decided."""

    def __init__(self, monotonic: Callable[[], float], by: Decider = "store", most: int = MOST) -> None:
        self._monotonic = monotonic
        self._by: Decider = by
        self._most = most
        self._tables: dict[str, _Table] = {}
        self._kept = 0

    def __len__(self) -> int:
        """How many buckets are kept."""
        return self._kept

    async def take(self, takes: Sequence[Take]) -> Grant:
        return self.take_at(takes, int(self._monotonic() * 1_000_000))

    def settle(self, changes: Sequence[tuple[Take, int]], by: Decider = "store") -> None:
        if by == self._by:
            self.settle_at(changes, int(self._monotonic() * 1_000_000))

    def hold(self, takes: Sequence[Take]) -> _Held | None:
        """The buckets of takes at hand; None where one of them is not known."""
        found = []
        for take in takes:
            bucket = self._tables.get(take.rate.name, _NO_TABLE).get(take.key)
            if bucket is None:
                return None
            found.append((bucket, take))
        return _Held(self._monotonic, tuple(found), self._tables, self.settle)

    def take_at(self, takes: Sequence[Take], now: int) -> Grant:
        """now: microseconds."""
        granted = True
        kept = self._kept
        buckets = []
        levels = []
        tables = self._tables
        for take in takes:
            rate = take.rate
            # What `_bucket` does for one that is known, and then `refilled`: this is on the path of every request, and
            # a law holds it to them.
            table = tables.get(rate.name)
            bucket = table.get(take.key) if table is not None else None
            if bucket is None or table is None:
                bucket = self._bucket(take, now)
            else:
                table.move_to_end(take.key)
            level = int(bucket.level)
            elapsed = now - int(bucket.since)
            if elapsed > 0:
                if elapsed >= 2 * rate.period:
                    level = rate.full
                else:
                    level += elapsed * rate.step
                    if level > rate.full:
                        level = rate.full
            bucket.level = level
            bucket.since = now
            buckets.append(bucket)
            levels.append(level)
            if level < take.amount * rate.unit and not take.shadow:
                granted = False
        if granted:
            for take, bucket in zip(takes, buckets, strict=True):
                asked = take.amount * take.rate.unit
                if bucket.level >= asked:
                    bucket.level -= asked
        if self._kept != kept:
            # Not before the levels are written: a bucket of this very check may be among the full ones.
            self._forget(takes, now)
        return verdict(takes, levels, granted, self._by)

    def settle_at(self, changes: Sequence[tuple[Take, int]], now: int) -> None:
        """now: microseconds."""
        for take, returned in changes:
            bucket = self._bucket(take, now)
            bucket.level = settled(take.rate, _level(bucket, now), returned)
            bucket.since = now
        self._forget([take for take, _ in changes], now)

    def _bucket(self, take: Take, now: int) -> _Bucket:
        table = self._tables.get(take.rate.name)
        if table is None:
            table = self._tables[take.rate.name] = OrderedDict()
        bucket = table.get(take.key)
        if bucket is None:
            bucket = table[take.key] = _Bucket(take, now)
            self._kept += 1
        else:
            table.move_to_end(take.key)
        return bucket

    def _forget(self, takes: Sequence[Take], now: int) -> None:
        """Make room for the new ones among these."""
        tables = self._tables
        for take in takes:
            table = tables[take.rate.name]
            for _ in range(_LOOKS):
                if not table or not _is_full(next(iter(table.values())), now):
                    break
                self._drop(table)
        while self._kept > self._most:
            self._drop(min(filter(None, tables.values()), key=_rests_since))

    def _drop(self, table: _Table) -> None:
        """Forget the one that rested longest."""
        _, bucket = table.popitem(last=False)
        bucket.gone = True
        self._kept -= 1


def _is_full(bucket: _Bucket, now: int) -> bool:
    return _level(bucket, now) == bucket.rate.full


def _level(bucket: _Bucket, now: int) -> int:
    return refilled(bucket.rate, int(bucket.level), int(bucket.since), now)


def _rests_since(table: _Table) -> float:
    """Of its longest resting bucket."""
    return next(iter(table.values())).since
