from __future__ import annotations

import re
from fractions import Fraction

import pytest

from gateway.rehearsal.bounds import COUNT, SHARE, SPAN, bound_of


@pytest.mark.parametrize(
    ("written", "inside", "outside"),
    [
        (5, ["5"], ["4.9", "5.1"]),
        (0.7, ["0.7"], ["0.6999"]),
        (">= 95", ["95", "100"], ["94"]),
        ("> 95", ["95.1"], ["95"]),
        ("<=5", ["0", "5"], ["5.1"]),
        ("< 5", ["4.9"], ["5"]),
        ("4..6", ["4", "6"], ["3.9", "6.1"]),
        ("70%", ["0.7"], ["0.701"]),
        ("69%..71%", ["0.69", "0.71"], ["0.711"]),
        ("<= 300ms", ["0.3"], ["0.3001"]),
        ("1m..2h", ["60", "7200"], ["59", "7201"]),
        ("0", ["0"], ["1"]),
    ],
)
def test_what_a_bound_lets_in(written: str | float, inside: list[str], outside: list[str]) -> None:
    bound = bound_of(written)
    assert [figure for figure in inside if not bound.holds(Fraction(figure))] == []
    assert [figure for figure in outside if bound.holds(Fraction(figure))] == []


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (COUNT, ["5", ">= 95", "4..6", "< 1.5"], ["about 5", "5%", ">= ", "-1", "5s", "=> 5"]),
        (SHARE, ["0.3", "30%", "<= 30%", "0.2..0.3"], ["30 %", "a third", "30%%"]),
        (SPAN, ["0", "300ms", ">= 1s", "1s..2m"], ["300", "1 s", "soon", "1d"]),
    ],
)
def test_what_may_be_written(pattern: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not re.search(pattern, text)] == []
    assert [text for text in bad if re.search(pattern, text)] == []
