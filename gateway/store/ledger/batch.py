"""Rows that go to the ledger together, and what of them is on disk meanwhile. Nothing here waits or writes."""

from __future__ import annotations

from gateway.core.record import Record
from gateway.store.ledger.gathered import Gathered
from gateway.store.ledger.spool import Segment


class Batch:
    """rows: to be brought, which fit into columns; size: how many. safe: the ids of those that are on disk already.
    segment: where, if in its own. keeps: the segment has rows that are not among these. began: clock seconds of the
    first row."""

    __slots__ = ("began", "keeps", "rows", "safe", "segment", "size")

    def __init__(self, rows: Gathered) -> None:
        self.began = 0.0
        self.rows = rows
        self.size = 0
        self.safe: set[str] = set()
        self.segment: Segment | None = None
        self.keeps = False

    def loose(self) -> list[Record]:
        """What is in memory alone."""
        return [row for row in self.rows if row.id not in self.safe]
