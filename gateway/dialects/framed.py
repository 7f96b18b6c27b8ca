"""What every reader of a stream of server-sent events does with its bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from gateway.dialects.canonical import Event, Ping
from gateway.dialects.frames import Frames
from gateway.dialects.sse import COMMENT

_PING: Final = Ping()


class FramedReader(ABC):
    """A StreamReader, but for what an event means. over: nothing more is read."""

    __slots__ = ("_frames", "_over")

    def __init__(self) -> None:
        self._frames = Frames(comments=True)
        self._over = False

    def feed(self, chunk: bytes) -> list[Event]:
        found: list[Event] = []
        for event in self._frames.feed(chunk):
            if self._over:
                break
            if event is COMMENT:
                # Providers that are slow to begin send them, so that nobody in between closes the connection.
                found.append(_PING)
            else:
                self._read(event.data, event.event, found)
        return found

    def end(self) -> list[Event]:
        found: list[Event] = []
        for event in self._frames.end():
            if event is not COMMENT and not self._over:
                self._read(event.data, event.event, found)
        return found

    @abstractmethod
    def _read(self, payload: bytes, name: bytes, found: list[Event]) -> None:
        """Take in one event."""
