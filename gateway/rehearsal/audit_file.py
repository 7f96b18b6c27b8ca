"""Recorded requests out of an audit log, in the order of time, without holding the file.

What lives here: reading and counting. A log is written when requests end, so their beginnings are a little out of
order: they are put in order within a window. Law: what is held does not grow with the file.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.telemetry.audit_line import AuditLine
from gateway.telemetry.audit_reader import Missed, read_files

WINDOW: Final = 4096
"""Lines that are held to be put in order. Of what is out of order further than that, time stands still."""


class Counts(msgspec.Struct):
    """Of a file's lines. broken: cut off, or changed since. foreign: of another program or version."""

    read: int = 0
    broken: int = 0
    foreign: int = 0


def lines_of(path: Path, counts: Counts, tell: Callable[[int], object] = lambda position: None) -> Iterator[AuditLine]:
    """The lines that can be read, of a file that may be compressed; the others are counted. tell: is told how many
    bytes of lines there were so far. OSError for a file that is not there."""
    path.stat()
    position = 0
    for found in read_files([path]):
        if isinstance(found, Missed):
            if found.broken:
                counts.broken += 1
            else:
                counts.foreign += 1
            continue
        position += len(found.text) + 1
        counts.read += 1
        if counts.read % 1000 == 0:
            tell(position)
        yield found.line


def in_time(lines: Iterator[AuditLine]) -> Iterator[tuple[float, AuditLine]]:
    """Unix seconds and line, the earliest first."""
    held: list[tuple[float, int, AuditLine]] = []
    for number, line in enumerate(lines):
        item = (line.time, number, line)
        if len(held) < WINDOW:
            heapq.heappush(held, item)
            continue
        moment, _, line = heapq.heappushpop(held, item)
        yield moment, line
    while held:
        moment, _, line = heapq.heappop(held)
        yield moment, line
