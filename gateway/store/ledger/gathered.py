"""Records that wait until they go to a database together. Which form costs least meanwhile, the database knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Protocol

from gateway.core.record import Record


class Records(Sized, Iterable[Record], Protocol):
    """Some records."""


class Gathered(Records, Protocol):
    """They come out as they were given, in any order."""

    def append(self, record: Record) -> None:
        """Take one, which fits into columns."""
        ...

    def parts(self, most: int) -> Iterator[Records]:
        """All of them, so many at a time."""
        ...


class Listed(list[Record]):
    """As they are."""

    def parts(self, most: int) -> Iterator[list[Record]]:
        for start in range(0, len(self), most):
            yield self[start : start + most]
