"""What is told of all that happens: the same thing once in a while, and never a state that is over without its end.

Lives here: which events are the same, and which are held back. Must not: wait, deliver, or know of webhooks. Laws: what
is told last about a thing is true within a window; good news is told only of what bad news was told; memory is bounded.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.events import ENDS, Event, EventKind

TOPICS: Final = 10_000
"""Things remembered at most; of more, those told longest ago are forgotten, and may be told again too soon."""

Topic = tuple[EventKind, str]
"""The kind of a thing's beginning, and its key."""


class Told(msgspec.Struct, frozen=True):
    """An event that is to be told. repeats: how often it has happened since it was told last, untold."""

    event: Event
    repeats: int = 0


class _State(msgspec.Struct):
    """told: the kind last told, at `since` Unix seconds. held: what is true now and was not told. repeats: untold."""

    told: EventKind
    since: float
    held: Event | None = None
    repeats: int = 0


class Repetition:
    """window: seconds in which the same is told once. Times are those of the events, Unix seconds."""

    __slots__ = ("_states", "_topics", "_window")

    def __init__(self, window: float, topics: int = TOPICS) -> None:
        self._window = window
        self._topics = topics
        self._states: dict[Topic, _State] = {}

    def __len__(self) -> int:
        return len(self._states)

    def take(self, event: Event) -> Told | None:
        """The event, if it is to be told now. None: it was told already, or is held until the window is over."""
        begin = ENDS.get(event.kind)
        topic: Topic = (begin or event.kind, event.key)
        state = self._states.get(topic)
        if state is None:
            return None if begin is not None else self._tell(topic, event, 0)
        if event.kind == state.told:
            # What was held is over, and what was told is true again.
            state.held = None
            if begin is None and event.at - state.since >= self._window:
                return self._tell(topic, event, state.repeats)
            state.repeats += 1
            return None
        if begin is not None:
            return self._tell(topic, event, state.repeats)
        if event.at - state.since >= self._window:
            return self._tell(topic, event, 0)
        state.held = event
        state.repeats += 1
        return None

    def due(self, now: float) -> list[Told]:
        """What was held and is still so, a window after the opposite was told. Forgets what is over."""
        found: list[Told] = []
        for topic, state in list(self._states.items()):
            if now - state.since < self._window:
                continue
            if state.held is not None:
                found.append(self._tell(topic, state.held, state.repeats - 1))
            elif state.told in ENDS or topic[0] not in _STATES:
                del self._states[topic]
        return found

    def _tell(self, topic: Topic, event: Event, repeats: int) -> Told:
        old = self._states.pop(topic, None)
        # An end does not begin a window of its own: what begins again after it is held as long as if it had gone on.
        since = old.since if old is not None and event.kind in ENDS else event.at
        if len(self._states) >= self._topics:
            del self._states[next(iter(self._states))]
        self._states[topic] = _State(event.kind, since)
        return Told(event, repeats)


_STATES: Final = frozenset(ENDS.values())
