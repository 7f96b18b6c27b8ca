"""What redis-py raises, named as every link names it, and nothing of its texts repeated."""

from __future__ import annotations

import ssl

import pytest
from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from gateway.config.store_url import read_store_url
from gateway.store.library_faults import named

URL = read_store_url("redis+sentinel://one:1,two:2/main")


def raised_from(failure: Exception, cause: Exception) -> Exception:
    """As the library raises its own while it handles another's."""
    failure.__context__ = cause
    return failure


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (TimeoutError(), "timeout"),
        (exceptions.TimeoutError("Timeout connecting to server"), "timeout"),
        (exceptions.MaxConnectionsError("Too many connections"), "timeout"),
        (
            raised_from(exceptions.ConnectionError("Error 111 connecting to"), ConnectionRefusedError()),
            "refused",
        ),
        (exceptions.ConnectionError("Error 111 connecting to one:1. Connect call failed."), "refused"),
        (exceptions.ConnectionError("Error 113 connecting to one:1. No route to host."), "unreachable"),
        (exceptions.ConnectionError("Error 1 connecting to one:1. [SSL: WRONG_VERSION_NUMBER]."), "tls"),
        (raised_from(exceptions.ConnectionError("Error 1 connecting to one:1."), ssl.SSLError()), "tls"),
        (exceptions.ConnectionError("Connection closed by server."), "lost"),
        (raised_from(exceptions.ConnectionError("Error while reading"), ConnectionResetError()), "lost"),
        (exceptions.ConnectionError("Connection not ready"), "garbage"),
        (exceptions.InvalidResponse("Protocol error"), "garbage"),
        (exceptions.ConnectionError("The previous master is now a slave"), "read-only"),
        (exceptions.AuthenticationError("invalid username-password pair", status_code="WRONGPASS"), "auth"),
        (exceptions.AuthenticationError("Authentication required.", status_code="NOAUTH"), "auth"),
        (exceptions.AuthenticationError("AUTH called without any password configured", status_code="ERR"), "auth"),
        (exceptions.OutOfMemoryError("command not allowed", status_code="OOM"), "full"),
        (exceptions.MovedError("1 two:2", status_code="MOVED"), "cluster"),
        (exceptions.ResponseError("BUSY Redis is busy running a script."), "busy"),
        (exceptions.ResponseError("something else"), "error"),
        (exceptions.ClusterError("TTL exhausted."), "error"),
        (exceptions.RedisClusterException("All slots are not covered"), "cluster"),
        (raised_from(exceptions.RedisClusterException("cannot be connected"), ConnectionRefusedError()), "refused"),
        (MasterNotFoundError("No master found for 'main'"), "sentinel"),
        (MasterNotFoundError("No master found for 'main' : one - network:ConnectionError"), "sentinel"),
        (
            MasterNotFoundError("None : one - network:ConnectionError, two - network:ConnectionError"),
            "unreachable",
        ),
        (MasterNotFoundError("No master : one - network:TimeoutError, two - network:TimeoutError"), "timeout"),
        (exceptions.ConnectionError("something new"), "unreachable"),
    ],
)
def test_a_failure_is_named(failure: Exception, kind: str) -> None:
    assert named(failure, URL).kind == kind


def test_what_a_text_quotes_is_not_shown() -> None:
    for failure in (
        exceptions.AuthenticationError("no secret-0123456789 here", status_code="WRONGPASS"),
        exceptions.ResponseError("unknown command 'secret-0123456789'", status_code="ERR"),
        exceptions.ConnectionError("secret-0123456789"),
        MasterNotFoundError("No master found for 'secret-0123456789'"),
    ):
        assert "secret" not in str(named(failure, URL))
