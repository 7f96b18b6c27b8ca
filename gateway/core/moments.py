"""Days and moments as people write them: `2027-01-31`, `2027-01-31T12:00Z`, `2027-01-31T12:00:00+02:00`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.core.units import DURATION, seconds

MOMENT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2}))?$"

_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?"
)


def end_of(text: str) -> float:
    """The Unix second at which a moment, or the whole of a day in UTC, is over. ValueError when the calendar has
    no such day or the clock no such time."""
    moment = datetime.fromisoformat(text)
    if "T" not in text:
        moment = moment.replace(tzinfo=UTC) + timedelta(days=1)
    if moment.tzinfo is None:
        raise ValueError("a time of day needs its offset: Z, or +02:00")
    return moment.timestamp()


def moment_text(seconds: float) -> str:
    """A Unix time as such a text, to the second, in UTC."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant_of(text: str, now: float) -> float:
    """The Unix second of a moment, of the beginning of a day in UTC, or of so long before `now`: `7d`. ValueError."""
    if re.fullmatch(DURATION, text) is not None:
        return now - seconds(text)
    if _INSTANT.fullmatch(text) is None:
        raise ValueError("write 2026-11-01, 2026-11-01T12:00:00Z, or 7d for so long ago")
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def instant_text(time: float) -> str:
    """A Unix time in UTC, to the millisecond where it is not a whole second."""
    text = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text.replace(".000Z", "Z")
