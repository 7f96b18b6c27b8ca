"""Time and chance as values that are handed in, so that the same pipeline runs on virtual time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Clock(msgspec.Struct, frozen=True):
    """monotonic: seconds that never go back, for durations. wall: Unix seconds, for records.
    chance: uniform in [0, 1)."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]
    chance: Callable[[], float]
