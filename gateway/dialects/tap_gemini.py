"""Taps for Gemini's streams: server-sent events (`alt=sse`) and the JSON array that comes without it.

Every chunk carries usageMetadata, cumulative, so every chunk is decoded, for three members. The end
is a candidate with a finishReason, or a prompt that was blocked: there is no terminal event.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Dialect
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


_TOKEN: Final = re.compile(rb'["{}\[\]]')
_IN_STRING: Final = re.compile(rb'["\\]')


class ArrayTap(GenerateTap):
    """The stream as one JSON array. Forwards up to the end of the last whole element, so that what has
    been sent is always continued by `,` or `]`."""

    __slots__ = ("_at", "_base", "_begun", "_depth", "_quoted")

    def __init__(self) -> None:
        super().__init__()
        self._at = 0
        self._base = 0
        self._begun = -1
        self._depth = 0
        self._quoted = False

    def feed(self, chunk: bytes) -> bytes:
        held = self._held
        held += chunk
        cut = self._scan()
        if cut:
            out = bytes(held[:cut])
            del held[:cut]
            self._at -= cut
            if self._begun >= 0:
                self._begun -= cut
            return out
        if len(held) > LIMIT:
            raise UpstreamFault("malformed", f"The provider sent {len(held)} bytes without the end of an element.")
        return b""

    def end(self) -> bytes:
        rest = bytes(self._held)
        self._held.clear()
        # After the closing bracket only white space is left; an element that was cut is dropped.
        return rest if not rest.strip(b", \t\r\n") and b"," not in rest else b""

    def _scan(self) -> int:
        """Go on from where the last scan stopped; index after the last whole element or closing bracket."""
        held, at, cut = self._held, self._at, 0
        while True:
            match = (_IN_STRING if self._quoted else _TOKEN).search(held, at)
            if match is None:
                self._at = len(held)
                return cut
            at = match.end()
            token = match[0]
            if self._quoted:
                if token == b'"':
                    self._quoted = False
                elif at == len(held):
                    self._at = at - 1
                    return cut
                else:
                    at += 1
            elif token == b'"':
                self._quoted = True
            elif token in b"{[":
                self._depth += 1
                if token == b"{" and self._begun < 0:
                    self._begun = at - 1
                    self._base = self._depth
            else:
                self._depth -= 1
                if self._begun >= 0 and self._depth < self._base:
                    self._note(bytes(held[self._begun : at]))
                    self._begun = -1
                    cut = at
                elif self._begun < 0 and self._depth <= 0:
                    cut = at
