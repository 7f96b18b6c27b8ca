"""Gemini's streams: each chunk is a whole GenerateContentResponse, as a server-sent event or as an element of a JSON
array. Lives here: reading both framings. What a chunk means is assembly.py's; writing is stream_writer.py's.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.canonical import (
    Event,
    Failed,
)
from gateway.dialects.elements import Elements
from gateway.dialects.frames import Frames
from gateway.dialects.gemini import wire
from gateway.dialects.gemini.assembly import Assembly

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Reader:
    """Reads a provider's stream in either framing."""

    __slots__ = ("_assembly", "_cutter", "_failed", "_html")

    def __init__(self, headers: Headers) -> None:
        self._assembly = Assembly()
        self._cutter: Frames | Elements | None = None
        self._failed = False
        self._html = False
        for name, value in headers:
            if name == b"content-type":
                kind = value[:64].lower()
                if b"event-stream" in kind:
                    self._cutter = Frames()
                elif b"json" in kind:
                    self._cutter = Elements()
                self._html = b"html" in kind

    def feed(self, chunk: bytes) -> list[Event]:
        if self._failed or not chunk:
            return []
        if self._html:
            raise UpstreamFault("malformed", "The provider sent HTML where a stream was due.")
        cutter = self._cutter
        if cutter is None:
            start = chunk.lstrip()[:1]
            if not start:
                return []
            cutter = self._cutter = Elements() if start in b"[{" else Frames()
        if isinstance(cutter, Frames):
            return self._read([event.data for event in cutter.feed(chunk)])
        return self._read(cutter.feed(chunk))

    def end(self) -> list[Event]:
        if self._failed:
            return []
        cutter = self._cutter
        events = self._read([event.data for event in cutter.end()]) if isinstance(cutter, Frames) else []
        if not events or not isinstance(events[-1], Failed):
            events += self._assembly.end()
        return events

    def _read(self, payloads: list[bytes]) -> list[Event]:
        found: list[Event] = []
        for payload in payloads:
            try:
                chunk = wire.RESPONSE.decode(payload)
            except _UNREADABLE:
                continue
            if chunk.error is not None:
                error = chunk.error
                status = int(error.code) if error.code and 400 <= error.code < 600 else 0
                found.append(Failed(error.message or "", status, error.status or ""))
                self._failed = True
                break
            found += self._assembly.add(chunk)
            if isinstance(found[-1] if found else None, Failed):
                self._failed = True
                break
        return found
