from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.ingress.admin.csv_text import PIECE, Amount, Cell, csv_lines, csv_pieces

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


@given(st.lists(st.lists(st.text(), min_size=1, max_size=4), min_size=1, max_size=5))
def test_no_text_begins_as_a_formula_does_and_each_can_be_had_back(rows: list[list[str]]) -> None:
    written = csv_lines(rows).decode()
    read = list(csv.reader(io.StringIO(written, newline="")))
    assert len(read) == len(rows)
    for cells, row in zip(read, rows, strict=True):
        for cell, text in zip(cells, row, strict=True):
            assert cell.removeprefix("'") == text.removeprefix("'") or cell == text
            assert not cell.lstrip(" \u00a0").startswith(STARTS)


def test_what_was_counted_stays_a_number() -> None:
    assert csv_lines([(Amount("-1.50"), -3, -0.25, True, None)]) == b"-1.50,-3,-0.25,true,\r\n"
    assert csv_lines([("-1.50",)]) == b"'-1.50\r\n"


def test_full_width_signs_are_signs() -> None:
    assert csv_lines([("\uff1dSUM(A1)",)]).decode() == "'\uff1dSUM(A1)\r\n"


def test_half_a_character_does_not_end_the_table() -> None:
    assert csv_lines([("a\ud800",)]) == b"a?\r\n"


async def test_a_piece_is_written_before_the_next_rows_are_asked_for() -> None:
    asked = 0

    async def rows() -> AsyncIterator[Sequence[Cell]]:
        nonlocal asked
        for n in range(3 * PIECE):
            asked = n
            yield (n,)

    pieces = csv_pieces(("n",), rows())
    first = await anext(pieces)
    assert first.startswith(b"n\r\n0\r\n")
    assert asked < PIECE
    assert len([piece async for piece in pieces]) == 3, "the head is a row of the first piece"
