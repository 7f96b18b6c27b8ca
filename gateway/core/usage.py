"""Tokens, one way for every provider.

`input` includes what was read from a cache and what was written to one; `output` includes
reasoning. The parts are counted beside the sum, never added to it again, because they have prices
of their own.
"""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Token counts of one reply. All non-negative."""

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output
