"""Taps for Gemini's streams: server-sent events (`alt=sse`) and the JSON array that comes without it.

Every chunk carries usageMetadata, cumulative, so every chunk is decoded, for three members. The end
is a candidate with a finishReason, or a prompt that was blocked: there is no terminal event.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Dialect
from gateway.dialects.elements import Scan
from gateway.dialects.sse import Event
from gateway.dialects.tap_events import LIMIT, UNREADABLE, EventTap
from gateway.dialects.tokens import GeminiUsage, of_gemini


class _Candidate(msgspec.Struct, gc=False):
    reason: str | None = msgspec.field(default=None, name="finishReason")


class _Feedback(msgspec.Struct, gc=False):
    reason: str | None = msgspec.field(default=None, name="blockReason")


class _Chunk(msgspec.Struct):
    candidates: list[_Candidate] | None = None
    feedback: _Feedback | None = msgspec.field(default=None, name="promptFeedback")
    usage: GeminiUsage | None = msgspec.field(default=None, name="usageMetadata")
    model: str | None = msgspec.field(default=None, name="modelVersion")
    error: object = None


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


class GenerateTap(EventTap):
    __slots__ = ()

    dialect: Dialect = "gemini"

    @staticmethod
    def _dull(block: bytes) -> bool:
        return False

    def feed(self, chunk: bytes) -> bytes:
        if self._steady and chunk.startswith(b"data:"):
            lines = chunk.splitlines()
            if len(lines) == 2 and not lines[1] and chunk.endswith(b"\n"):
                self._note(lines[0][5:])
                return chunk
        return super().feed(chunk)

    def _examine(self, event: Event) -> bool:
        self._note(event.data)
        return True

    def _note(self, payload: bytes) -> None:
        try:
            chunk = _CHUNK.decode(payload)
        except UNREADABLE:
            return
        if chunk.error:
            self._blame(payload)
            return
        self.started = True
        if chunk.model and not self.model:
            self.model = chunk.model
        if chunk.usage is not None:
            self.usage = of_gemini(chunk.usage) or self.usage
        for candidate in chunk.candidates or ():
            if candidate.reason:
                self.complete = True
        if chunk.feedback is not None and chunk.feedback.reason:
            self.complete = True


class ArrayTap(GenerateTap):
    """The stream as one JSON array. Forwards up to the end of the last whole element, so that what has
    been sent is always continued by `,` or `]`."""

    __slots__ = ("_scan",)

    def __init__(self) -> None:
        super().__init__()
        self._scan = Scan()

    def feed(self, chunk: bytes) -> bytes:
        scan = self._scan
        held = scan.held
        held += chunk
        elements, cut = scan.advance()
        for element in elements:
            self._note(element)
        if cut:
            out = bytes(held[:cut])
            scan.drop(cut)
            return out
        if len(held) > LIMIT:
            raise UpstreamFault("malformed", f"The provider sent {len(held)} bytes without the end of an element.")
        return b""

    def end(self) -> bytes:
        rest = bytes(self._scan.held)
        self._scan.held.clear()
        # After the closing bracket only white space is left; an element that was cut is dropped.
        return rest if not rest.strip(b", \t\r\n") and b"," not in rest else b""
