"""Time zones by their names in the config. Nothing is known here of what they are for."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def zone_of(name: str | None) -> ZoneInfo:
    """UTC for None. ValueError where there is none of that name."""
    try:
        return ZoneInfo("UTC" if name is None else name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"there is no time zone `{(name or '')[:60]}`") from None
