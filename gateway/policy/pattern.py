"""Regular expressions that cannot be made slow.

Patterns stand in a file that many teams write to, texts come from anybody, and both are met on the event loop. So they
are run by RE2: an automaton that reads each byte once, without backtracking, and refuses what would need it
(back-references, look-around). Law: a search takes at most LARGEST steps for each byte, whatever the pattern and the
text, and its memory is bounded.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

import re2

_MEMORY: Final = 8 << 20
"""Bytes that one pattern may take; a larger one is refused."""
LARGEST: Final = 2000
"""Instructions of a compiled pattern. Each is taken at most once for each byte, so this times the length of a text
bounds the steps of a search."""


class PatternError(ValueError):
    """What is wrong with a pattern, in a few words."""


class Pattern:
    """A pattern that is searched for in UTF-8. PatternError for what RE2 does not take."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        options = re2.Options()
        options.max_mem = _MEMORY
        options.log_errors = False
        options.never_capture = True
        self.text: Final = text
        try:
            self._compiled: Final = re2.compile(text, options)
        except re2.error as error:
            raise PatternError(_words(error)) from None
        if self.size > LARGEST:
            raise PatternError(f"too large: {self.size} instructions, of which {LARGEST} are allowed")

    @property
    def size(self) -> int:
        """Instructions of the compiled pattern."""
        return int(self._compiled.programsize)

    def is_in(self, text: bytes) -> bool:
        """Whether it matches anywhere."""
        return self._compiled.search(text) is not None

    def count(self, text: bytes, most: int) -> int:
        """How often it matches, up to `most`; matches do not overlap."""
        return sum(1 for _ in islice(self._compiled.finditer(text), most))


def _words(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
