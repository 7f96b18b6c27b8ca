"""What every tap on an event stream does: forward whole events as they came, look at the few that matter.

A chunk in which nothing can matter is handed back as the same object after a handful of substring
tests. The tests have no false negatives for what a provider writes; a hit (which may be mere content)
is settled by decoding that event. The same rule is applied to each event alone, so how the bytes were
cut into chunks changes nothing.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Dialect
from gateway.core.usage import Usage
from gateway.dialects.faults import fault_of_event
from gateway.dialects.sse import Event, events, last_boundary, spans

LIMIT: Final = 16 * 1024 * 1024
"""Bytes that may be held back while an event is incomplete."""

_ENDS: Final = (b"\n\n", b"\r\n\r\n")
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _ErrorBody(msgspec.Struct):
    error: object = None


_ERROR_BODY: Final = msgspec.json.Decoder(_ErrorBody)
_JSON: Final = msgspec.json.Decoder(msgspec.Raw)


class EventTap:
    """The grammar-free part. A dialect says which bytes are dull and what an event means."""

    __slots__ = ("_first", "_held", "_steady", "complete", "fault", "model", "started", "usage")

    dialect: Dialect = "openai"

    def __init__(self) -> None:
        self.complete = False
        self.started = False
        self.fault: UpstreamFault | None = None
        self.usage: Usage | None = None
        self.model = ""
        self._held = bytearray()
        self._first = True
        self._steady = False

    def feed(self, chunk: bytes) -> bytes:
        """The events that this chunk completes, as they came. UpstreamFault("malformed") when more than
        LIMIT bytes hold no event."""
        if self._steady and chunk.endswith(_ENDS) and self._dull(chunk):
            return chunk
        held = self._held
        if held:
            searched = max(len(held) - 3, 0)
            held += chunk
            cut = last_boundary(held, searched)
            block = bytes(held[:cut])
            del held[:cut]
        else:
            cut = last_boundary(chunk)
            block = chunk if cut == len(chunk) else chunk[:cut]
            held += chunk[cut:]
        if len(held) > LIMIT:
            raise UpstreamFault("malformed", f"The provider sent {len(held)} bytes without the end of an event.")
        out = self._sift(block) if block else b""
        self._steady = self.started and not held
        return out

    def end(self) -> bytes:
        """The upstream has closed: an event that lacks no more than its blank line is completed and given
        out; one that was cut is dropped, so that an error event can follow."""
        rest = bytes(self._held)
        self._held.clear()
        if not rest.strip(b"\r\n"):
            return rest
        closed = rest + (b"\n" if rest.endswith(b"\n") else b"\n\n")
        for event in events(closed, self._first):
            return self._sift(closed) if event.data == b"[DONE]" or _is_json(event.data) else b""
        # Some servers break off a stream with a bare JSON error instead of an event.
        if rest.lstrip()[:1] == b"{" and self._settle_error(rest):
            return rest
        return b""

    def _sift(self, block: bytes) -> bytes:
        if self.started and self._dull(block):
            return block
        kept: list[bytes] = []
        stripped = False
        for span in spans(block):
            keep = True
            if not self.started or not self._dull(span):
                for event in events(span, self._first):
                    if not self._examine(event):
                        keep = False
            if self._first and span.strip(b"\r\n"):
                self._first = False
            if keep:
                kept.append(span)
            else:
                stripped = True
                kept.append(span[: len(span) - len(span.lstrip(b"\r\n"))])
        return b"".join(kept) if stripped else block

    @staticmethod
    def _dull(block: bytes) -> bool:
        """True when no event of a stream that has started can matter in these bytes.

        Written with `find`, not `in`: for bytes, `in` first tries the needle as an integer, which
        costs as much as the search (CPython 3.11 to 3.13).
        """
        raise NotImplementedError

    def _examine(self, event: Event) -> bool:
        """Take note of an event; False when it is not to be forwarded."""
        raise NotImplementedError

    def _settle_error(self, payload: bytes) -> bool:
        """Note the fault when the payload has a top-level error; True when it has."""
        try:
            failed = bool(_ERROR_BODY.decode(payload).error)
        except UNREADABLE:
            return False
        if failed:
            self._blame(payload)
        return failed

    def _blame(self, payload: bytes) -> None:
        """Note the fault that this error event stands for. The first one counts."""
        if self.fault is None:
            self.fault = fault_of_event(self.dialect, payload)


def _is_json(payload: bytes) -> bool:
    try:
        _JSON.decode(payload)
    except UNREADABLE:
        return False
    return True
