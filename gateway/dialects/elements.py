"""Chunks cut anywhere become the whole elements of a JSON array, for Gemini's streams without `alt=sse`."""

from __future__ import annotations

import re
from typing import Final

from gateway.core.errors import UpstreamFault
from gateway.dialects.frames import HELD_LIMIT

_TOKEN: Final = re.compile(rb'["{}\[\]]')
_IN_STRING: Final = re.compile(rb'["\\]')


class Scan:
    """Where elements begin and end in bytes that arrive bit by bit.

    `held` is the caller's to append to; it calls `advance` after that, and `drop` for what it has taken from the
    front.
    """

    __slots__ = ("_at", "_base", "_begun", "_depth", "_quoted", "held")

    def __init__(self) -> None:
        self.held = bytearray()
        self._begun = -1
        self._at = 0
        self._base = 0
        self._depth = 0
        self._quoted = False

    def advance(self) -> tuple[list[bytes], int]:
        """The elements that are now whole, and the index after the last of them or after the closing bracket, 0 where
        there is neither."""
        held, at, cut = self.held, self._at, 0
        found: list[bytes] = []
        while True:
            match = (_IN_STRING if self._quoted else _TOKEN).search(held, at)
            if match is None:
                self._at = len(held)
                return found, cut
            at = match.end()
            token = match[0]
            if self._quoted:
                if token == b'"':
                    self._quoted = False
                elif at == len(held):
                    self._at = at - 1
                    return found, cut
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
                    found.append(bytes(held[self._begun : at]))
                    self._begun = -1
                    cut = at
                elif self._begun < 0 and self._depth <= 0:
                    cut = at

    def drop(self, cut: int) -> None:
        """The first `cut` bytes are dealt with."""
        del self.held[:cut]
        self._at -= cut
        if self._begun >= 0:
            self._begun -= cut


class Elements:
    """Fed with every chunk, in order."""

    __slots__ = ("_scan",)

    def __init__(self) -> None:
        self._scan = Scan()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The elements that are now whole. Raises UpstreamFault("malformed") past HELD_LIMIT."""
        scan = self._scan
        scan.held += chunk
        found, cut = scan.advance()
        if cut:
            scan.drop(cut)
        if len(scan.held) > HELD_LIMIT:
            raise UpstreamFault("malformed", "One element of the stream is larger than 16 MiB.")
        return found
