"""What a client is told of the room that its limits have left, as OpenAI tells it."""

from __future__ import annotations

import math
from typing import Final

from gateway.core.exchange import Exchange, Headers

REMEMBERED: Final = 4096
"""Headers of each kind. All are forgotten when there are more: making one costs little."""


class _Said(dict[int, tuple[bytes, bytes]]):
    """Headers with a number of which there are few, ready made by the number."""

    def __init__(self, name: bytes, form: bytes) -> None:
        super().__init__()
        self._name = name
        self._form = form

    def __missing__(self, number: int) -> tuple[bytes, bytes]:
        if len(self) >= REMEMBERED:
            self.clear()
        header = self[number] = self._name, self._form % number
        return header


_REQUESTS_LIMIT: Final = _Said(b"x-ratelimit-limit-requests", b"%d")
_REQUESTS_RESET: Final = _Said(b"x-ratelimit-reset-requests", b"%ds")
_TOKENS_LIMIT: Final = _Said(b"x-ratelimit-limit-tokens", b"%d")
_TOKENS_RESET: Final = _Said(b"x-ratelimit-reset-tokens", b"%ds")


def room_headers(exchange: Exchange) -> Headers:
    """What is left, of requests and of tokens. Times are whole seconds, rounded up."""
    headers: Headers = []
    room = exchange.requests_left
    if room is not None:
        headers = [
            _REQUESTS_LIMIT[room.limit],
            (b"x-ratelimit-remaining-requests", b"%d" % room.remaining),
            _REQUESTS_RESET[math.ceil(room.reset)],
        ]
    room = exchange.tokens_left
    if room is not None:
        headers += [
            _TOKENS_LIMIT[room.limit],
            (b"x-ratelimit-remaining-tokens", b"%d" % room.remaining),
            _TOKENS_RESET[math.ceil(room.reset)],
        ]
    return headers
