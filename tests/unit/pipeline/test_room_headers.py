"""Headers in the words of OpenAI, of the tightest bucket of each unit."""

from __future__ import annotations

from gateway.core.exchange import Call, Exchange
from gateway.core.usage import Room
from gateway.pipeline.room_headers import REMEMBERED, room_headers


def exchange(requests: Room | None = None, tokens: Room | None = None) -> Exchange:
    call = Call("openai", "chat", "/chat/completions")
    return Exchange("1", "POST", "/", b"", [], b"", call, "r", 0.0, 0.0, requests_left=requests, tokens_left=tokens)


def test_what_is_not_limited_is_not_told() -> None:
    assert room_headers(exchange()) == []


def test_requests_and_tokens_are_told_with_whole_seconds_rounded_up() -> None:
    assert room_headers(exchange(Room(10, 3, 0.000001), Room(5000, 0, 59.5))) == [
        (b"x-ratelimit-limit-requests", b"10"),
        (b"x-ratelimit-remaining-requests", b"3"),
        (b"x-ratelimit-reset-requests", b"1s"),
        (b"x-ratelimit-limit-tokens", b"5000"),
        (b"x-ratelimit-remaining-tokens", b"0"),
        (b"x-ratelimit-reset-tokens", b"60s"),
    ]


def test_headers_that_are_kept_ready_are_right_beyond_their_number() -> None:
    for limit in range(1, 3 * REMEMBERED, 7):
        assert room_headers(exchange(Room(limit, 0, float(limit))))[::2] == [
            (b"x-ratelimit-limit-requests", b"%d" % limit),
            (b"x-ratelimit-reset-requests", b"%ds" % limit),
        ]
