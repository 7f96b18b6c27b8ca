"""What happened that somebody on call wants to know, told at once to whoever listens.

Must not: wait, deliver, or decide what is told twice. Law: telling never raises and never keeps a request waiting; with
nobody listening it costs one test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from gateway.core.events import SEVERITIES, Event, EventKind, Field

Listener = Callable[[Event], None]


class Events:
    """Passes events on. wall: Unix seconds. A listener takes an event at once and waits for nothing; one that raises
    loses what it was told, and nobody else does."""

    __slots__ = ("_listeners", "_wall")

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._listeners: tuple[Listener, ...] = ()

    def __bool__(self) -> bool:
        """Whether anybody listens: ask before making fields that cost something."""
        return bool(self._listeners)

    def tell(self, kind: EventKind, key: str, fields: Mapping[str, Field] | None = None) -> None:
        """Something has happened now."""
        if not self._listeners:
            return
        event = Event(kind, key, self._wall(), SEVERITIES[kind], fields or {})
        for listener in self._listeners:
            # Who tells of trouble on the path of a request must not be given more of it.
            with suppress(Exception):
                listener(event)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told from now on, until what is returned is called."""
        self._listeners += (listener,)

        def leave() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

        return leave
