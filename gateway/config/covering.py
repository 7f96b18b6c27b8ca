"""What a rule of a virtual model asks, and whether one rule leaves anything for another.

Lives here: comparing conditions. Must not: say what is wrong. Law: one is said to cover another only where every
request that the other holds for is one that it holds for too; where that would be a puzzle, it is said not to.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gateway.config.spec import VirtualRule, When
from gateway.config.virtual import minutes, several

RANGES: Final = ("tokens", "cost", "budget_left", "complexity")
SETS: Final = ("language", "key", "team", "user", "optimize_for")
_FLAGS: Final = ("tools", "images", "json")


def asks(rule: VirtualRule) -> bool:
    """Whether there is any condition."""
    when = rule.when
    return when is not None and any(
        getattr(when, field) is not None for field in When.__struct_fields__ if field != "time_zone"
    )


def covers(wide: When | None, narrow: When | None) -> bool:
    """Whether all that `narrow` holds for, `wide` holds for, as far as that can be said without solving puzzles: each
    thing that the wider one asks, the narrower one asks at least as strictly."""
    wide, narrow = wide or When(), narrow or When()
    if wide.text is not None and wide.text != narrow.text:
        return False
    if range_of(wide, "cost") != (None, None):
        # Each rule prices a request by its own targets.
        return False
    for name in _FLAGS:
        asked = getattr(wide, name)
        if asked is not None and getattr(narrow, name) is not asked:
            return False
    for name in RANGES:
        (low, high), (inner_low, inner_high) = range_of(wide, name), range_of(narrow, name)
        if low is not None and (inner_low is None or inner_low < low):
            return False
        if high is not None and (inner_high is None or inner_high > high):
            return False
    for name in SETS:
        asked, inner = getattr(wide, name), getattr(narrow, name)
        if asked is not None and (inner is None or not set(several(inner)) <= set(several(asked))):
            return False
    for header, values in (wide.header or {}).items():
        inner = {name.lower(): several(value) for name, value in (narrow.header or {}).items()}.get(header.lower())
        if inner is None or ("*" not in several(values) and not set(inner) <= set(several(values))):
            return False
    return wide.hour is None or _is_within(narrow, wide)


def _is_within(narrow: When, wide: When) -> bool:
    if narrow.hour is None or (narrow.time_zone or "UTC") != (wide.time_zone or "UTC"):
        return False
    try:
        inner, outer = (_minutes_of(when) for when in (narrow, wide))
    except ValueError:
        return False
    return inner <= outer


def _minutes_of(when: When) -> set[int]:
    found: set[int] = set()
    for text in several(when.hour):
        start, end = minutes(text)
        found |= set(range(start, end)) if start < end else set(range(start, 24 * 60)) | set(range(end))
    return found


def range_of(when: When, name: str) -> tuple[Decimal | None, Decimal | None]:
    """The ends of one of RANGES, None for one that is not said."""
    low, high = (getattr(when, f"{end}_{name}") for end in ("min", "max"))
    return (None if low is None else Decimal(str(low))), (None if high is None else Decimal(str(high)))
