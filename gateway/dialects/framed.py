"""What every reader of a stream of server-sent events does with its bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gateway.dialects.canonical import Event
from gateway.dialects.frames import Frames


class FramedReader(ABC):
    """A StreamReader, but for what an event means. over: nothing more is read."""

    __slots__ = ("_frames", "_over")

    def __init__(self) -> None:
        self._frames = Frames()
        self._over = False

    def feed(self, chunk: bytes) -> list[Event]:
        found: list[Event] = []
        for event in self._frames.feed(chunk):
            if not self._over:
                self._read(event.data, event.event, found)
        return found

    def end(self) -> list[Event]:
        found: list[Event] = []
        for event in self._frames.end():
            if not self._over:
                self._read(event.data, event.event, found)
        return found

    @abstractmethod
    def _read(self, payload: bytes, name: bytes, found: list[Event]) -> None:
        """Take in one event."""
