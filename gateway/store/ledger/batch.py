"""Rows that go to the ledger together, and what of them is on disk meanwhile. Nothing here waits or writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.core.record import Record
from gateway.store.ledger.grouped import GroupedRecords
from gateway.store.ledger.spool import Segment

CHUNK: Final = 1000
"""Rows in one transaction at most."""


class Batch:
    """chunks: what is to be brought, which fits into columns; size: how many rows. safe: the ids of those that are on
    disk already. segment: where, if in its own. keeps: the segment has rows that are not among these. began: clock
    seconds of the first row."""

    __slots__ = ("began", "chunks", "keeps", "safe", "segment", "size")

    def __init__(self) -> None:
        self.began = 0.0
        self.chunks = [GroupedRecords()]
        self.size = 0
        self.safe: set[str] = set()
        self.segment: Segment | None = None
        self.keeps = False

    def append(self, row: Record) -> None:
        if len(self.chunks[-1]) >= CHUNK:
            self.chunks.append(GroupedRecords())
        self.chunks[-1].append(row)
        self.size += 1

    def extend(self, rows: Sequence[Record]) -> None:
        chunk = self.chunks[-1]
        if len(chunk) + len(rows) > CHUNK:
            for row in rows:
                self.append(row)
            return
        append = chunk.append
        for row in rows:
            append(row)
        self.size += len(rows)

    def loose(self) -> list[Record]:
        """What is in memory alone."""
        return [row for chunk in self.chunks for row in chunk if row.id not in self.safe]
