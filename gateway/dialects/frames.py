"""Chunks cut anywhere become whole server-sent events, for a stream that is translated."""

from __future__ import annotations

from typing import Final

from gateway.core.errors import UpstreamFault
from gateway.dialects.sse import Event, events, last_boundary

HELD_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of one unfinished event beyond which a stream is malformed."""


class Frames:
    """Fed with every chunk, in order."""

    __slots__ = ("_at_start", "_held")

    def __init__(self) -> None:
        self._held = b""
        self._at_start = True

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are now whole. Raises UpstreamFault("malformed") past HELD_LIMIT."""
        before = len(self._held)
        buffer = self._held + chunk if before else chunk
        end = last_boundary(buffer, max(0, before - 3))
        if not end:
            if len(buffer) > HELD_LIMIT:
                raise UpstreamFault("malformed", "One event of the stream is larger than 16 MiB.")
            self._held = buffer
            return []
        self._held = buffer[end:]
        found = list(events(buffer[:end], self._at_start))
        self._at_start = False
        return found

    def end(self) -> list[Event]:
        """What was left when the provider closed without the last blank line."""
        rest, self._held = self._held, b""
        return list(events(rest + b"\n\n", self._at_start)) if rest.strip() else []
