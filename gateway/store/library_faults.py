"""What redis-py raises, in the words of every link.

The library takes the word off that an error reply began with, and keeps it beside; what the system said of a socket is
behind its own error, or in its text alone. Nothing of those texts is repeated.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from typing import Final

from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from gateway.config.store_url import StoreUrl
from gateway.store.faults import garbage, lost, refusal, too_late, unreachable
from gateway.store.protocol import StoreDown

RAISED: Final = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
"""All that a call can raise: a deadline that is over is an OSError, and an error of a cluster is not a RedisError."""

_NUMBERED: Final = re.compile(r"Error (\d+) connecting to")


def named(failure: Exception, url: StoreUrl) -> StoreDown:
    """What is wrong: of the failure, or else of the one behind it."""
    for cause in _behind(failure):
        fault = _known(cause, url)
        if fault is not None:
            return fault
    if isinstance(failure, exceptions.RedisClusterException):
        return StoreDown("the cluster does not serve all its slots", "cluster")
    return unreachable(url.place(), _by_number(str(failure)) or failure)


def _behind(failure: BaseException | None) -> Iterator[BaseException]:
    while failure is not None:
        yield failure
        failure = failure.__cause__ or failure.__context__


def _known(failure: BaseException, url: StoreUrl) -> StoreDown | None:
    place = url.place()
    text = str(failure)
    match failure:
        case MasterNotFoundError():
            return _without_primary(text, url)
        case exceptions.TimeoutError() | exceptions.MaxConnectionsError() | TimeoutError():
            return too_late(place)
        case exceptions.RedisError(status_code=str(word)):
            return refusal(f"{word} {text}")
        case exceptions.ResponseError():
            return refusal(text)
        case exceptions.ClusterError():
            return StoreDown("the cluster moves the keys of this call just now", "error")
        case exceptions.InvalidResponse():
            return garbage(place)
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return lost(place)
        case OSError():
            return unreachable(place, failure)
        case exceptions.ConnectionError() if text.startswith("Connection closed by server"):
            return lost(place)
        case exceptions.ConnectionError() if text == "Connection not ready":
            # It speaks before it is asked.
            return garbage(place)
        case exceptions.ConnectionError() if text == "The previous master is now a slave":
            return refusal("READONLY")
        case _:
            return None


def _without_primary(text: str, url: StoreUrl) -> StoreDown:
    """The text lists the sentinels that did not answer, as `NAME - ERROR`."""
    if text.count(" - ") < len(url.nodes):
        return StoreDown(
            f"the sentinel at {url.place()} knows no service {url.service[:60]!r}: see store.url", "sentinel"
        )
    if "TimeoutError" in text:
        return too_late(url.place())
    return StoreDown(f"no sentinel at {url.place()} is reached: are they up, and store.url right?", "unreachable")


def _by_number(text: str) -> OSError | None:
    """What the system said, where that is left in the text alone: after a connection that had been closed."""
    if "[SSL" in text:
        return ssl.SSLError()
    numbered = _NUMBERED.search(text)
    if numbered is None:
        return None
    number = int(numbered[1])
    return OSError(number, os.strerror(number))
