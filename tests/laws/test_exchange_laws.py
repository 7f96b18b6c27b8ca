"""Laws of whole exchanges: whatever providers and clients do, in whatever order.

Each example is a gateway, a handful of clients at once, and providers that do anything of what is known
to happen. What is demanded holds always: everything settles once, nothing leaks, a reply is complete only
when the provider's was, nothing is retried after commit, and what went wrong does not last.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.asgi_client import Connection
from tests.support.house import ALPHA, BETA, HOUSE, Served, chat
from tests.support.scripted import (
    DONE,
    Script,
    chat_stream,
    hang,
    html,
    ok,
    refuse,
    reset,
    sse,
    status,
    stream,
    usage_chunk,
)

WHOLE = chat_stream()
OVERLOADED = sse({"error": {"message": "overloaded", "type": "server_error"}})
delays = st.sampled_from((0.0, 0.01, 0.02, 0.5, 3.0, 29.0, 31.0))
codes = st.sampled_from((301, 400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504, 529))
cuts = st.integers(0, len(WHOLE))
places = st.integers(0, len(WHOLE) - 1)
waits = st.sampled_from((None, 0, 1, 5, 120, "soon", "Fri, 15 Jan 2027 08:20:00 GMT"))

scripts: st.SearchStrategy[Script] = st.one_of(
    st.builds(ok, delay=delays),
    st.builds(refuse, delays),
    st.builds(reset, delays),
    st.just(hang()),
    st.builds(html, st.sampled_from((200, 502))),
    st.builds(status, codes, retry_after=waits, delay=delays),
    st.builds(stream, delay=delays, first_delay=delays, gap=delays),
    st.builds(stream, gap=delays, cut_after=cuts),
    st.builds(stream, gap=delays, hang_after=cuts),
    st.builds(lambda n: stream(WHOLE[:n]), cuts),
    st.builds(lambda n: stream([*WHOLE[:n], OVERLOADED]), places),
    st.builds(lambda n: stream([*WHOLE[:n], b"data: {nonsense\n\n", *WHOLE[n:]]), places),
    st.just(stream([*WHOLE[:-1], usage_chunk(), DONE], gap=0.1)),
    st.just(Script()),
)


@dataclass(frozen=True)
class Visit:
    """A client: when it comes, whether it wants a stream, and how many seconds it stays or None for to the end."""

    router: str
    streamed: bool
    arrives: float
    stays: float | None


visits = st.builds(
    Visit,
    st.sampled_from(("solo", "duo", "trio", "keys", "keys-beta", "once")),
    st.booleans(),
    st.sampled_from((0.0, 0.0, 0.02, 1.0, 12.0)),
    st.one_of(st.none(), st.none(), delays),
)


async def pay(served: Served, visit: Visit) -> tuple[Connection, bytes]:
    await asyncio.sleep(visit.arrives)
    path = f"/router/{visit.router}/v1/chat/completions"
    connection = served.client.connect("POST", path, json=chat(stream=visit.streamed))
    if visit.stays is not None:
        await asyncio.sleep(visit.stays)
        await connection.disconnect()
    body = b"".join([chunk async for chunk in connection])
    await connection.wait()
    return connection, body


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("laws")


@given(
    alpha=st.lists(scripts, min_size=1, max_size=6),
    beta=st.lists(scripts, min_size=1, max_size=4),
    visitors=st.lists(visits, min_size=1, max_size=8),
    finish=st.booleans(),
)
@settings(max_examples=150, deadline=None)
async def test_whatever_happens(
    folder: Path, alpha: list[Script], beta: list[Script], visitors: list[Visit], finish: bool
) -> None:
    served = Served(folder, HOUSE + ("global: {on-disconnect: finish}\n" if finish else ""))
    served.upstream.on(ALPHA, *alpha)
    served.upstream.on(BETA, *beta)
    ended = await asyncio.gather(*(pay(served, visit) for visit in visitors))

    served.check()
    assert await served.metric("gateway_requests_total") == len(visitors)
    for visit, (connection, body) in zip(visitors, ended, strict=True):
        if connection.status == 0:
            assert visit.stays is not None
        elif connection.complete and connection.status == 200 and body.startswith(b"data:"):
            assert body.endswith(DONE)
            assert body.count(DONE) == 1
        elif connection.complete:
            assert body.startswith((b"{", b"<"))
        elif visit.stays is None:
            assert connection.status == 200
            assert body.count(b'{"error"') == 1
            assert not body.endswith(DONE)
    for attempts in by_task(served).values():
        assert attempts <= 3

    # What went wrong does not last: after the longest rest of a key and of a breaker, all is well.
    await asyncio.sleep(700)
    for host in (ALPHA, BETA):
        served.upstream.on(host, ok())
    for router in ("solo", "duo", "keys"):
        assert (await served.client.post(f"/router/{router}/v1/chat/completions", chat())).status == 200


def by_task(served: Served) -> dict[object, int]:
    """How many attempts each exchange made."""
    found: dict[object, int] = {}
    for call in served.upstream.sent:
        found[call.task] = found.get(call.task, 0) + 1
    return found
