"""Where lines of the audit log can go, and standard output, the plainest of the places.

A place is used by one thread, which may wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol


class Line(NamedTuple):
    """time: Unix seconds. text: without its line break."""

    time: float
    text: bytes


class Refused(OSError):
    """The place will not take these lines, now or later."""


class Place(Protocol):
    """Takes lines in batches: all of a batch, or none. What it raises:

    OSError: not now; the same batch is offered again. Refused: never.
    """

    def write(self, lines: Sequence[Line]) -> None: ...

    def tend(self) -> None:
        """Do what is due when there is nothing to write. OSError as above."""
        ...

    def close(self) -> None:
        """Nothing more will come. Raises nothing."""
        ...


class StandardOutput:
    """Each line is one write, so that lines of several processes stay whole on a pipe up to 4096 bytes. A line that was
    written in part is ended, and written again."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor: Final = descriptor
        self._done = 0
        self._torn = False

    def write(self, lines: Sequence[Line]) -> None:
        for line in lines[self._done :]:
            text = (b"\n" if self._torn else b"") + line.text + b"\n"
            while text:
                self._torn = True
                text = text[os.write(self._descriptor, text) :]
            self._torn = False
            # Offered again, a batch goes on where it ended.
            self._done += 1
        self._done = 0

    def tend(self) -> None:
        return

    def close(self) -> None:
        return


def said(problem: OSError) -> str:
    """What is wrong, without a path or an address."""
    return problem.strerror or str(problem) or type(problem).__name__
