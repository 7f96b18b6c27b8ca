"""Rows as CSV, a piece at a time, that a spreadsheet does not run.

Law: a text that a spreadsheet would take for a formula has an apostrophe in front; what we counted ourselves is a
number and stays one. Memory is that of one piece, however long the table.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Final

Cell = str | int | float | bool | None

CONTENT_TYPE: Final = "text/csv; charset=utf-8; header=present"
PIECE: Final = 100
"""Rows that are written at once: a few milliseconds, in which the process does nothing else."""

_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")  # noqa: RUF001  # as Excel reads them
"""How what is run begins, once the spaces in front are left out."""
_SPACES: Final = " \u00a0"
_LOOKED_AT: Final = frozenset((*_STARTS, *_SPACES))


class Amount(str):
    """A number as text, exact: it may begin with a minus."""

    __slots__ = ()


def csv_lines(rows: Sequence[Sequence[Cell]]) -> bytes:
    """Lines as RFC 4180 has them."""
    written = io.StringIO()
    csv.writer(written).writerows([_safe(cell) for cell in row] for row in rows)
    return written.getvalue().encode("utf-8", "replace")


async def csv_pieces(names: Sequence[str], rows: AsyncIterator[Sequence[Cell]]) -> AsyncIterator[bytes]:
    """The table with its head. The first piece waits for the first rows, so that what fails at once fails before it."""
    piece: list[Sequence[Cell]] = [names]
    async for row in rows:
        piece.append(row)
        if len(piece) >= PIECE:
            yield csv_lines(piece)
            piece = []
    if piece:
        yield csv_lines(piece)


def _safe(cell: Cell) -> Cell:
    kind = type(cell)
    if kind is str:
        assert isinstance(cell, str)
        # Nearly every text begins with a letter or digit, and that is seen at once.
        if cell and cell[0] in _LOOKED_AT and cell.lstrip(_SPACES).startswith(_STARTS):
            return f"'{cell}"
    elif kind is bool:
        return "true" if cell else "false"
    return cell
