"""Tokens, one way for every provider.

`input` includes what was read from a cache and what was written to one; `output` includes
reasoning. What was read from a cache may be audio or a picture: audio_cached is a part of audio_input as well as of
cached. The parts are counted beside the sum, never added to it again, because they have prices
of their own.
"""

from __future__ import annotations

from typing import Final

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
    audio_cached: int = 0
    image_input: int = 0
    image_cached: int = 0
    image_output: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output


NOTHING_USED: Final = Usage()
"""Of a reply that nobody was asked for. It is told from a provider's own zeros by being this very object."""


class Estimate(msgspec.Struct, frozen=True, gc=False):
    """What a request is thought to use before anybody has answered. raw: input as counted off the body alone; input:
    the same, corrected by what came back before. said: the client itself has bounded the output."""

    raw: int = 0
    input: int = 0
    output: int = 0
    said: bool = False


class Room(msgspec.Struct, frozen=True, gc=False):
    """The bucket with the least left, of those that count one unit. limit, remaining: in the unit. reset: seconds until
    it is full."""

    limit: int
    remaining: int
    reset: float
