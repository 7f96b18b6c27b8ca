"""What a figure may be: `5`, `'>= 95'`, `'4..6'`, `'70%'`, `'<= 300ms'`.

Figures are compared as fractions, so that a share of 7 in 10 is exactly 70 %.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_SPAN: Final = rf"(?:0|{_NUMBER}(?:ms|s|m|h))"


def _pattern(figure: str) -> str:
    return rf"^(?:(?:>=|<=|>|<)? ?{figure}|{figure} ?\.\. ?{figure})$"


COUNT: Final = _pattern(_NUMBER)
SHARE: Final = _pattern(rf"{_NUMBER}%?")
SPAN: Final = _pattern(_SPAN)

_SCALES: Final = {
    "": Fraction(1), "%": Fraction(1, 100), "ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60),
    "h": Fraction(3600),
}  # fmt: skip
_PARTS: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(%|ms|s|m|h)?")


class Bound(msgspec.Struct, frozen=True):
    """From low to high, None for no end; open: the end itself is not good. text: as it was written."""

    text: str
    low: Fraction | None
    high: Fraction | None
    is_open: bool = False

    def holds(self, figure: Fraction) -> bool:
        return not self.is_under(figure) and not self.is_over(figure)

    def is_under(self, figure: Fraction) -> bool:
        """Whether the figure is too small."""
        return self.low is not None and (figure < self.low or (self.is_open and figure == self.low))

    def is_over(self, figure: Fraction) -> bool:
        """Whether the figure is too large."""
        return self.high is not None and (figure > self.high or (self.is_open and figure == self.high))


def bound_of(written: str | float) -> Bound:
    """Read a figure that one of the patterns above matches. A number alone is exact. Durations are seconds."""
    # A float's own text may have an exponent, `1e-05`, which no pattern has.
    text = written if isinstance(written, str) else f"{Decimal(str(written)):f}"
    figures = [Fraction(number) * _SCALES[unit] for number, unit in _PARTS.findall(text)]
    if ".." in text:
        return Bound(text, figures[0], figures[1])
    if text.startswith(">"):
        return Bound(text, figures[0], None, is_open=not text.startswith(">="))
    if text.startswith("<"):
        return Bound(text, None, figures[0], is_open=not text.startswith("<="))
    return Bound(text, figures[0], figures[0])
