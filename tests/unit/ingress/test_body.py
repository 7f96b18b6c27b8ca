from __future__ import annotations

from collections.abc import Iterable

import pytest

from gateway.core.errors import Disconnected, GatewayError
from gateway.ingress.body import Message, Receive, read_body

LEFT: Message = {"type": "http.disconnect"}


def part(body: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def client(messages: Iterable[Message]) -> Receive:
    """A client that sends these messages; to ask it for more is the test's failure."""
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    return receive


@pytest.mark.parametrize(
    ("messages", "declared"),
    [
        ([part(b"12345", False)], b"5"),
        ([part(b"12345", False)], None),
        ([part(b"123"), part(b"45", False)], b"5"),
        ([part(b"123"), part(b"45", False)], None),
        ([part(b""), part(b"123"), part(b""), part(b"45"), part(b"", False)], None),
        ([part(b"12345", False)], b"0000005"),
        ([{"type": "http.request", "body": b"12345"}], None),
    ],
)
async def test_a_body_is_read_whole_however_it_comes(messages: list[Message], declared: bytes | None) -> None:
    assert await read_body(client(messages), declared, 5) == b"12345"


@pytest.mark.parametrize("messages", [[part(b"12345")], [part(b"123"), part(b"45")]])
async def test_no_more_is_asked_for_than_was_declared(messages: list[Message]) -> None:
    assert await read_body(client(messages), b"5", 5) == b"12345"


async def test_a_declared_empty_body_is_not_waited_for() -> None:
    assert await read_body(client([]), b"0", 5) == b""


async def test_a_request_without_a_body_is_empty() -> None:
    assert await read_body(client([{"type": "http.request"}]), None, 5) == b""


async def test_a_body_that_ends_early_is_what_there_was() -> None:
    assert await read_body(client([part(b"123", False)]), b"5", 5) == b"123"


@pytest.mark.parametrize("declared", [b"6", b"9" * 15, b"9" * 16, b"9" * 5000])
async def test_a_body_that_is_declared_too_large_is_not_read(declared: bytes) -> None:
    with pytest.raises(GatewayError) as refused:
        await read_body(client([]), declared, 5)
    assert refused.value.code == "body_too_large"
    assert "5 bytes" in refused.value.message
    assert (b"connection", b"close") in refused.value.headers


@pytest.mark.parametrize(
    "messages",
    [[part(b"123456", False)], [part(b"123456")], [part(b"123"), part(b"456")], [part(b"1"), part(b"23456")]],
)
@pytest.mark.parametrize("declared", [None, b"5", b"4"])
async def test_a_body_that_grows_too_large_is_not_read_on(messages: list[Message], declared: bytes | None) -> None:
    with pytest.raises(GatewayError) as refused:
        await read_body(client(messages), declared, 5)
    assert refused.value.code == "body_too_large"


@pytest.mark.parametrize("declared", [b"", b"-1", b"+5", b"5 ", b"5, 5", b"0x5", b"1_0", b"\xd9\xa5"])
async def test_a_length_that_is_no_number_is_refused(declared: bytes) -> None:
    with pytest.raises(GatewayError) as refused:
        await read_body(client([]), declared, 5)
    assert (refused.value.code, refused.value.param) == ("invalid_request", "content-length")


@pytest.mark.parametrize("messages", [[LEFT], [part(b"1"), LEFT], [part(b"1"), part(b"2"), LEFT]])
async def test_a_client_that_leaves_in_its_body_has_left(messages: list[Message]) -> None:
    with pytest.raises(Disconnected):
        await read_body(client(messages), b"5", 5)
