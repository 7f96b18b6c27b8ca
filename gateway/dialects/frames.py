"""Chunks cut anywhere become whole server-sent events, for a stream that is translated."""

from __future__ import annotations

from typing import Final

from gateway.core.errors import UpstreamFault
from gateway.dialects.sse import Event, events, last_boundary

HELD_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of one unfinished event beyond which a stream is malformed."""


class Frames:
    """Fed with every chunk, in order. comments: told of, too, as sse.COMMENT."""

    __slots__ = ("_at_start", "_comments", "_held")

    def __init__(self, comments: bool = False) -> None:
        self._comments = comments
        self._held = bytearray()
        self._at_start = True

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are now whole. Raises UpstreamFault("malformed") past HELD_LIMIT."""
        held = self._held
        before = len(held)
        if not before and chunk.endswith(b"\n\n"):
            # Nearly every chunk of a provider's is one event, or several whole ones.
            return self._whole(chunk)
        # Grown in place: an event of megabytes that comes in small pieces is not copied for each of them.
        held += chunk
        end = last_boundary(held, max(0, before - 3))
        if not end:
            if len(held) > HELD_LIMIT:
                raise UpstreamFault("malformed", "One event of the stream is larger than 16 MiB.")
            return []
        block = bytes(held[:end])
        del held[:end]
        return self._whole(block)

    def _whole(self, block: bytes) -> list[Event]:
        found = list(events(block, self._at_start, self._comments))
        self._at_start = False
        return found

    def end(self) -> list[Event]:
        """What was left when the provider closed without the last blank line."""
        rest = bytes(self._held)
        self._held.clear()
        return list(events(rest + b"\n\n", self._at_start, self._comments)) if rest.strip() else []
