"""Streams of Ollama's `/api/chat`: a JSON object a line, the last of them `done`."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.canonical import Event, Failed
from gateway.dialects.frames import HELD_LIMIT
from gateway.dialects.ollama.assembly import CHUNK, Assembly

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Reader:
    """Reads a provider's stream."""

    __slots__ = ("_assembly", "_failed", "_held", "_html", "_size")

    def __init__(self, headers: Headers) -> None:
        self._assembly = Assembly()
        self._held: list[bytes] = []
        self._size = 0
        self._failed = False
        self._html = any(name == b"content-type" and b"html" in value[:64].lower() for name, value in headers)

    def feed(self, chunk: bytes) -> list[Event]:
        if self._html:
            raise UpstreamFault("malformed", "The provider sent HTML where a stream was due.")
        whole, newline, rest = chunk.rpartition(b"\n")
        if not newline:
            self._hold(chunk)
            return []
        lines = b"".join((*self._held, whole))
        self._held, self._size = [], 0
        self._hold(rest)
        return self._read(lines)

    def end(self) -> list[Event]:
        rest, self._held = b"".join(self._held), []
        return self._read(rest)

    def _hold(self, rest: bytes) -> None:
        if not rest:
            return
        self._held.append(rest)
        self._size += len(rest)
        if self._size > HELD_LIMIT:
            raise UpstreamFault("malformed", "One line of the stream is larger than 16 MiB.")

    def _read(self, lines: bytes) -> list[Event]:
        out: list[Event] = []
        for line in lines.split(b"\n"):
            if self._failed or self._assembly.done:
                break
            if not line.strip():
                continue
            try:
                chunk = CHUNK.decode(line)
            except _UNREADABLE:
                continue
            if chunk.error is not None:
                self._failed = True
                out.append(Failed(chunk.error if isinstance(chunk.error, str) else ""))
            else:
                self._assembly.add(chunk, out)
        return out
