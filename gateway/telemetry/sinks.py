"""All sinks of a process, opened and closed together.

A reload keeps those whose settings are the same: what they hold is not written twice nor lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gateway.telemetry.sink import Sink

Settings = object
"""Whatever a sink was made from, compared by value."""


class Sinks:
    """By name: `ledger`, `audit`, `alerts`, `traces`. made: each with the settings it was made from."""

    def __init__(self, made: Mapping[str, tuple[Settings, Sink]]) -> None:
        self._made = dict(made)

    def __iter__(self) -> Iterator[Sink]:
        return (sink for _, sink in self._made.values())

    def __len__(self) -> int:
        return len(self._made)

    def names(self) -> tuple[str, ...]:
        return tuple(self._made)

    def get(self, name: str) -> Sink | None:
        found = self._made.get(name)
        return found[1] if found is not None else None

    def kept_or_made(self, name: str, settings: Settings, make: Callable[[], Sink]) -> tuple[Settings, Sink]:
        """The sink of that name while its settings are these, else a new one."""
        found = self._made.get(name)
        return found if found is not None and found[0] == settings else (settings, make())

    def without(self, others: Sinks) -> list[Sink]:
        """Those that the others do not have."""
        kept = {id(sink) for sink in others}
        return [sink for sink in self if id(sink) not in kept]

    def troubles(self) -> dict[str, str]:
        """What is wrong, by name."""
        return {name: trouble for name, (_, sink) in self._made.items() if (trouble := sink.trouble()) is not None}


NO_SINKS: Final = Sinks({})
