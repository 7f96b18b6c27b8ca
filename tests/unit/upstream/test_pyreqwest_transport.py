from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Self

import pytest
from pyreqwest import exceptions
from pyreqwest.exceptions import DetailedPyreqwestError, PyreqwestError

from gateway.core.errors import UpstreamFault
from gateway.upstream.pyreqwest_transport import PyreqwestTransport
from gateway.upstream.transport import UpstreamRequest


def is_raised(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, PyreqwestError) and found is not PyreqwestError


RAISED: list[type[DetailedPyreqwestError]] = [found for _, found in inspect.getmembers(exceptions, is_raised)]


def fail(kind: type[DetailedPyreqwestError], cause: str) -> PyreqwestError:
    # Some kinds want more details than others; all of them are there.
    details = {
        "causes": [{"message": "for url (http://h/?key=secret)"}, {"message": cause}],
        "doc": "",
        "pos": 0,
        "status": 0,
    }
    return kind("connection error", details)  # type: ignore[arg-type]


class FakeCall:
    """A call of the client's that fails at its head, or at its body."""

    def __init__(self, at_head: BaseException | None, at_body: BaseException | None) -> None:
        self.at_head, self.at_body = at_head, at_body
        self.closed = 0
        self.status, self.headers, self.body_reader = 200, {"A": "b"}, self

    def request(self, method: str, url: str) -> FakeCall:
        return self

    def streamed_read_buffer_limit(self, limit: int) -> FakeCall:
        return self

    def body_bytes(self, body: bytes) -> FakeCall:
        return self

    def build_streamed(self) -> FakeCall:
        return self

    async def __aenter__(self) -> Self:
        if self.at_head is not None:
            raise self.at_head
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed += 1

    async def read(self, size: int) -> None:
        assert self.at_body is not None
        raise self.at_body

    async def read_chunk(self) -> None:
        assert self.at_body is not None
        raise self.at_body


async def never() -> AsyncIterator[bytes]:
    raise AssertionError("a whole reply was made of a failure")
    yield b""


class FakeBuilder(FakeCall):
    def request(self, method: str, url: str) -> FakeCall:
        outer = self

        class WithHeaders:
            def headers(self, headers: object) -> FakeCall:
                return outer

        return WithHeaders()  # type: ignore[return-value]


async def fault_of(call: FakeCall, *, streamed: bool) -> UpstreamFault:
    transport = PyreqwestTransport()
    transport._clients[5.0, 900.0] = call  # type: ignore[assignment]
    request = UpstreamRequest("POST", "http://h/?key=secret", [], b"{}", streamed, 5.0)
    with pytest.raises(UpstreamFault) as raised:
        await anext((await transport.send(request)).chunks or never())
    assert call.closed == (0 if streamed and call.at_body else 1)
    return raised.value


def test_every_kind_of_failure_is_tested() -> None:
    assert {
        "ConnectError",
        "ConnectTimeoutError",
        "PoolTimeoutError",
        "ReadError",
        "BodyDecodeError",
        "ClientClosedError",
    } <= {kind.__name__ for kind in RAISED}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", RAISED)
async def test_before_the_head_it_is_connect(kind: type[DetailedPyreqwestError], streamed: bool) -> None:
    fault = await fault_of(FakeBuilder(fail(kind, "tcp connect error"), None), streamed=streamed)
    assert (fault.kind, fault.message) == ("connect", "connection error: tcp connect error")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", RAISED)
async def test_after_the_head_it_is_cut(kind: type[DetailedPyreqwestError], streamed: bool) -> None:
    fault = await fault_of(FakeBuilder(None, fail(kind, "unexpected EOF")), streamed=streamed)
    assert (fault.kind, fault.message, fault.status) == ("cut", "connection error: unexpected EOF", 200)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_cause_that_quotes_a_url_is_left_out(streamed: bool) -> None:
    failure = fail(exceptions.ConnectError, "error for https://h/?key=secret")
    fault = await fault_of(FakeBuilder(failure, None), streamed=streamed)
    assert fault.message == "connection error"


async def test_what_the_client_does_not_name_is_not_quoted() -> None:
    fault = await fault_of(FakeBuilder(RuntimeError("Bearer secret"), None), streamed=False)
    assert (fault.kind, fault.message) == ("connect", "the request could not be sent (RuntimeError)")
