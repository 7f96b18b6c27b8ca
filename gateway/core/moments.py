"""Days and moments as people write them: `2027-01-31`, `2027-01-31T12:00Z`, `2027-01-31T12:00:00+02:00`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

MOMENT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2}))?$"


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
