"""The credentials of one provider: which is next, and which rest.

Lives here: round robin, or where keys have limits, the roomiest first; cool-down after a 429, quarantine after a 401 or
403. Must not: show a credential; everything
but the request itself goes by a key's name. Law: nothing but `restore` and `restore_all` ever shortens a rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hmac import compare_digest
from typing import Final, Literal

from gateway.core.secret import LentSecret, Secret
from gateway.policy.key_room import KeyRoom

KeyState = Literal["active", "cooling", "limited", "quarantined"]

SHORTEST_REST: Final = 1.0
"""What is meant by a `retry-after` of 0 or of the past: soon, but no hammering."""
LONGEST_REST: Final = 86_400.0
"""A `retry-after` beyond a day is believed for a day."""


class PoolKey:
    """A credential and the clock times until which it rests; 0 for never. room: of its own limit, None for no limit;
    full_until: as far as is known here, that has no room for anything before. free: nothing is paid for it."""

    __slots__ = ("cooling_until", "free", "full_until", "quarantined_until", "room", "secret")

    def __init__(self, secret: Secret, room: KeyRoom | None = None, *, free: bool = False) -> None:
        self.secret = secret
        self.cooling_until = 0.0
        self.quarantined_until = 0.0
        self.full_until = 0.0
        self.room = room
        self.free = free

    @property
    def name(self) -> str:
        return self.secret.name


class KeyPool:
    """cooldown: seconds a key rests after a 429 that names no time. quarantine: seconds after a 401 or 403. rooms: of
    those keys that have a limit. free: the names of those that nothing is paid for."""

    __slots__ = ("_cooldown", "_keys", "_next", "_quarantine", "limited")

    def __init__(
        self,
        keys: Sequence[Secret],
        cooldown: float,
        quarantine: float,
        rooms: Mapping[Secret, KeyRoom] | None = None,
        free: Collection[str] = (),
    ) -> None:
        rooms = rooms or {}
        self._keys = [PoolKey(secret, rooms.get(secret), free=secret.name in free) for secret in keys]
        self.limited = bool(rooms)
        self._cooldown = cooldown
        self._quarantine = quarantine
        self._next = 0

    def __len__(self) -> int:
        return len(self._keys)

    def __bool__(self) -> bool:
        # A pool without keys is still a pool: it must not be mistaken for an absent one.
        return True

    @property
    def secrets(self) -> list[Secret]:
        """The credentials, in their order."""
        return [key.secret for key in self._keys]

    def pick(self, now: float, tried: Collection[str] = ()) -> PoolKey | None:
        """The next available key whose name is not in `tried`, or None."""
        keys = self._keys
        if self.limited:
            return self._roomiest(now, tried)
        count = len(keys)
        place = self._next
        for _ in range(count):
            key = keys[place]
            place = place + 1 if place + 1 < count else 0
            if now >= key.cooling_until and now >= key.quarantined_until and key.secret.name not in tried:
                self._next = place
                return key
        return None

    def _roomiest(self, now: float, tried: Collection[str]) -> PoolKey | None:
        """The key with the largest share of its limit left; of equals, the next in turn."""
        keys = self._keys
        count = len(keys)
        best: PoolKey | None = None
        best_share = -1.0
        for step in range(count):
            key = keys[(self._next + step) % count]
            if max(key.cooling_until, key.quarantined_until, key.full_until) > now or key.secret.name in tried:
                continue
            share = key.room.share(now) if key.room is not None else 1.0
            if share > best_share:
                best, best_share = key, share
        if best is not None:
            self._next = (keys.index(best) + 1) % count
        return best

    def note_room(self, key: PoolKey, now: float) -> None:
        """The store has said what is left of a key's limit."""
        if key.room is not None:
            wait = key.room.opens_in(now)
            key.full_until = now + wait if wait else 0.0

    def available(self, now: float) -> bool:
        """Whether any key may be used now. False for an empty pool."""
        # A loop, not any(): this is asked for every target of every request, and the first key mostly answers it.
        for key in self._keys:
            if now >= key.cooling_until and now >= key.quarantined_until and now >= key.full_until:
                return True
        return False

    def cool(self, key: PoolKey, now: float, retry_after: float | None) -> None:
        """Let a key rest after a 429: `retry_after` seconds if the provider named a time, else the cool-down."""
        if retry_after is None:
            rest = self._cooldown
        elif retry_after > 0:
            rest = min(retry_after, LONGEST_REST)
        else:
            rest = SHORTEST_REST
        key.cooling_until = max(key.cooling_until, now + rest)

    def quarantine(self, key: PoolKey, now: float) -> None:
        """Let a key rest that the provider did not accept."""
        key.quarantined_until = max(key.quarantined_until, now + self._quarantine)

    def restore(self, key: PoolKey) -> None:
        """End the quarantine of a key that was accepted. A cool-down is left to run out."""
        key.quarantined_until = 0.0

    def restore_all(self, now: float) -> int:
        """End every quarantine, because somebody says so; how many there were."""
        held = [key for key in self._keys if now < key.quarantined_until]
        for key in held:
            key.quarantined_until = 0.0
        return len(held)

    def soonest(self, now: float) -> float | None:
        """Seconds until a key is available, 0 if one is; None for an empty pool."""
        if not self._keys:
            return None
        free = min(max(key.cooling_until, key.quarantined_until, key.full_until) for key in self._keys)
        return max(0.0, free - now)

    def states(self, now: float) -> list[tuple[str, KeyState]]:
        """Name and state of each key, in the order of the config."""
        return [(key.name, _state(key, now)) for key in self._keys]

    def inherit(self, old: KeyPool) -> None:
        """Take over the keys of the pool that this one replaces, where name and credential are the same.

        The objects themselves are taken, so that a request still under way on the old config tells both.
        """
        known = {key.name: key for key in old._keys}
        for place, key in enumerate(self._keys):
            before = known.get(key.name)
            if before is not None and _is_same(before.secret, key.secret):
                if (before.room and before.room.limit) != (key.room and key.room.limit):
                    before.room = key.room
                    before.full_until = 0.0
                self._keys[place] = before


def _state(key: PoolKey, now: float) -> KeyState:
    if now < key.quarantined_until:
        return "quarantined"
    if now < key.cooling_until:
        return "cooling"
    return "limited" if now < key.full_until else "active"


def _is_same(one: Secret, other: Secret) -> bool:
    if isinstance(one, LentSecret) or isinstance(other, LentSecret):
        return isinstance(one, LentSecret) and isinstance(other, LentSecret) and one.lender is other.lender
    return compare_digest(one.reveal().encode(), other.reveal().encode())
