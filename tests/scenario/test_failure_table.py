"""Every row of the failure table: is there another try, what becomes of the key, is the target blamed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

import pytest

from tests.support.house import ALPHA, BETA, GROQ, OPENAI, PROVIDERS, Serve, chat
from tests.support.scripted import (
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
)
from tests.support.virtual_time import elapsed

CONTEXT = {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}
CONTENT = {"error": {"message": "no", "type": "invalid_request_error", "code": "content_policy_violation"}}


def error_event(kind: str) -> bytes:
    return sse({"error": {"message": f"scripted {kind}", "type": kind}})


@dataclass(frozen=True)
class Row:
    """fails over: a second target is asked. alone: attempts at a target that is the only one. blamed:
    the breaker counts it. code: what the client is told when nothing else is left."""

    name: str
    script: Script
    code: str
    fails_over: bool = True
    alone: int = 1
    blamed: bool = True
    key: Literal["active", "cooling", "quarantined"] = "active"
    streamed: bool = False
    keeps: int = 0


ROWS = (
    Row("refused", refuse(), "upstream_unreachable", alone=3),
    Row("connect timeout", refuse(delay=5), "upstream_unreachable", alone=3),
    Row("reset before the head", reset(), "upstream_unreachable", alone=3),
    Row("reset before the head of a stream", reset(), "upstream_unreachable", alone=3, streamed=True),
    Row("no head of a stream", hang(), "upstream_timeout", streamed=True),
    Row("head and no event", stream(hang_after=0), "upstream_timeout", streamed=True),
    Row("head and nothing but comments", stream([b": hi\n\n"], hang_after=1), "upstream_timeout", streamed=True),
    Row("429", status(429), "upstream_rate_limited", alone=3, key="cooling"),
    Row("429 to a stream", status(429), "upstream_rate_limited", alone=3, key="cooling", streamed=True),
    Row("401", status(401), "upstream_unauthorized", blamed=False, key="quarantined"),
    Row("402", status(402), "upstream_unauthorized", blamed=False, key="quarantined"),
    Row("403", status(403), "upstream_unauthorized", blamed=False, key="quarantined"),
    *(
        Row(f"{code}", status(code), "upstream_failed", alone=2, keeps=code)
        for code in (408, 409, 425, 500, 502, 503, 504, 529)
    ),
    Row("500 to a stream", status(500), "upstream_failed", alone=2, keeps=500, streamed=True),
    Row("HTML 502", html(502), "upstream_failed", alone=2),
    Row("HTML 200", html(200), "upstream_failed", alone=2),
    Row("HTML 200 to a stream", html(200), "upstream_failed", alone=2, streamed=True),
    Row("empty 200", Script(), "upstream_failed", alone=2),
    Row("empty stream", stream([]), "upstream_failed", alone=2, streamed=True),
    Row("whole reply cut", Script(chunks=(b'{"choi',), then="cut"), "upstream_failed", alone=2),
    Row("stream cut before its first event", stream(cut_after=0), "upstream_failed", alone=2, streamed=True),
    Row("stream ended in its first event", stream([b"data: {"]), "upstream_failed", alone=2, streamed=True),
    Row("context length", status(400, CONTEXT), "upstream_context_length", fails_over=False, blamed=False, keeps=400),
    Row("content policy", status(400, CONTENT), "upstream_content_policy", fails_over=False, blamed=False, keeps=400),
    Row("other 400", status(400), "upstream_rejected", fails_over=False, blamed=False, keeps=400),
    Row("404", status(404), "upstream_rejected", fails_over=False, blamed=False, keeps=404),
    Row("422", status(422), "upstream_rejected", fails_over=False, blamed=False, keeps=422),
    Row("error event: 500", stream([error_event("server_error")]), "upstream_failed", alone=2, streamed=True),
    Row(
        "error event: 429",
        stream([error_event("rate_limit_error")]),
        "upstream_rate_limited",
        alone=3,
        key="cooling",
        streamed=True,
    ),
    Row(
        "error event: 401",
        stream([error_event("authentication_error")]),
        "upstream_unauthorized",
        blamed=False,
        key="quarantined",
        streamed=True,
    ),
    Row(
        "error event: 400",
        stream([error_event("invalid_request_error")]),
        "upstream_rejected",
        fails_over=False,
        blamed=False,
        streamed=True,
    ),
)
by_name = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))


@by_name
async def test_another_target(serve: Serve, row: Row) -> None:
    served = serve()
    served.upstream.on(ALPHA, row.script)
    served.upstream.on(BETA, stream() if row.streamed else ok())
    reply = await served.client.post("/router/duo/v1/chat/completions", chat(stream=row.streamed))
    if row.fails_over:
        assert reply.status == 200
        assert served.upstream.hosts() == [ALPHA, BETA]
        assert reply.headers["x-gateway-provider"] == "beta"
        assert reply.headers["x-gateway-attempts"] == "2"
        assert not reply.broken
    else:
        assert served.upstream.hosts() == [ALPHA]
        assert reply.headers["x-gateway-error"] == row.code
        assert reply.status == (row.keeps or 400)
    states = dict(served.gateway.house.pools["alpha"].states(asyncio.get_running_loop().time()))
    assert list(states.values()) == [row.key]


@by_name
async def test_alone(serve: Serve, row: Row) -> None:
    served = serve()
    served.upstream.on(ALPHA, row.script)
    reply = await served.client.post("/router/solo/v1/chat/completions", chat(stream=row.streamed))
    assert served.upstream.hosts() == [ALPHA] * row.alone
    assert reply.headers["x-gateway-error"] == row.code
    assert reply.status >= 400
    if row.keeps:
        assert reply.status == row.keeps
    assert not reply.broken
    assert reply.json()["error"]


@by_name
async def test_blame(serve: Serve, row: Row) -> None:
    served = serve()
    served.upstream.on(ALPHA, row.script)
    for _ in range(4):
        await served.client.post("/router/once/v1/chat/completions", chat(stream=row.streamed))
        await asyncio.sleep(700)
    assert await served.metric("gateway_breaker_state", provider="alpha") == 0
    await served.client.post("/router/once/v1/chat/completions", chat(stream=row.streamed))
    assert await served.metric("gateway_breaker_state", provider="alpha") == (2 if row.blamed else 0)
    assert len(served.upstream.sent) == 5


async def test_the_silent_target_is_not_tried_again(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, hang())
    served.upstream.on(BETA, hang())
    reply = await served.client.post("/router/duo/v1/chat/completions", chat(stream=True))
    assert (reply.status, reply.headers["x-gateway-error"]) == (504, "upstream_timeout")
    assert served.upstream.hosts() == [ALPHA, BETA]
    assert elapsed() == 60
    assert served.upstream.cancelled_calls == 2


async def test_a_whole_reply_that_does_not_come_has_the_total_time(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, hang())
    reply = await served.client.post("/router/duo/v1/chat/completions", chat())
    assert (reply.status, reply.headers["x-gateway-error"]) == (504, "deadline_exceeded")
    assert served.upstream.hosts() == [ALPHA]
    assert elapsed() == 600


async def test_refused_everywhere_tries_every_target_and_tells_how_many(serve: Serve) -> None:
    served = serve()
    reply = await served.client.post("/router/trio/v1/chat/completions", chat())
    assert served.upstream.hosts() == [ALPHA, BETA, "gamma.test"]
    assert reply.status == 502
    assert "3 attempts at alpha, beta, gamma" in reply.json()["error"]["message"]
    assert elapsed() == 0


async def test_the_target_comes_back_on_the_second_try_when_it_is_alone(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, refuse(), ok())
    reply = await served.client.post("/router/solo/v1/chat/completions", chat())
    assert (reply.status, reply.headers["x-gateway-attempts"]) == (200, "2")
    assert 0 < served.upstream.last.at <= 0.1


async def test_a_429_waits_as_told_when_the_target_is_alone(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=3), ok())
    reply = await served.client.post("/router/solo/v1/chat/completions", chat())
    assert reply.status == 200
    assert served.upstream.last.at == 3


async def test_a_429_is_told_at_once_when_the_deadline_does_not_allow_the_wait(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(429, retry_after=700))
    reply = await served.client.post("/router/solo/v1/chat/completions", chat())
    assert (reply.status, reply.headers["retry-after"]) == (429, "700")
    assert elapsed() == 0


async def test_a_provider_that_dislikes_our_key_never_looks_like_the_client_s_fault(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(401, {"error": {"message": "Incorrect API key provided: alpha-key-1-00000000"}}))
    reply = await served.client.post("/router/solo/v1/chat/completions", chat())
    assert reply.status == 502
    assert "alpha-key-1" not in reply.text


async def test_a_larger_context_is_tried_and_the_same_model_never(serve: Serve) -> None:
    served = serve("""
routers:
  r:
    load-balance: {chat: {strategy: priority, providers: [groq/gpt-oss-20b, openai/gpt-4o, openai/gpt-4.1]}}
""")
    served.upstream.on(OPENAI, status(400, CONTEXT), ok())
    served.upstream.on(GROQ, status(400, CONTEXT))
    reply = await served.client.post("/router/r/v1/chat/completions", chat("any"))
    assert reply.status == 200
    assert [call.json()["model"] for call in served.upstream.sent] == ["gpt-oss-20b", "gpt-4o", "gpt-4.1"]


async def test_no_target_with_a_larger_context_tells_the_provider_s_words(serve: Serve) -> None:
    served = serve("""
routers:
  r:
    load-balance: {chat: {strategy: priority, providers: [openai/gpt-4.1, openai/gpt-4o]}}
""")
    served.upstream.on(OPENAI, status(400, CONTEXT))
    reply = await served.client.post("/router/r/v1/chat/completions", chat("any"))
    assert reply.status == 400
    assert reply.json() == CONTEXT
    assert len(served.upstream.sent) == 1


async def test_content_policy_fails_over_when_the_router_says_so(serve: Serve) -> None:
    served = serve(
        PROVIDERS
        + """
routers:
  r:
    load-balance: {chat: {strategy: priority, providers: [alpha, beta]}}
    retries: {on-content-policy: failover}
"""
    )
    served.upstream.on(ALPHA, status(400, CONTENT))
    served.upstream.on(BETA, ok())
    reply = await served.client.post("/router/r/v1/chat/completions", chat())
    assert reply.status == 200
    assert served.upstream.hosts() == [ALPHA, BETA]


@pytest.mark.parametrize("code", [400, 404, 422])
async def test_a_provider_s_own_refusal_goes_to_the_client_as_it_came(serve: Serve, code: int) -> None:
    served = serve()
    body = b'{"error" : {"message":"no such thing","type":"invalid_request_error","param":"x","code":null}}'
    served.upstream.on(ALPHA, status(code, body))
    reply = await served.client.post("/router/duo/v1/chat/completions", chat())
    assert (reply.status, reply.body) == (code, body)


async def test_an_error_event_at_the_head_of_a_stream_fails_over_unseen(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream([error_event("overloaded_error")]))
    served.upstream.on(BETA, stream())
    reply = await served.client.post("/router/duo/v1/chat/completions", chat(stream=True))
    assert reply.chunks == chat_stream()


async def test_a_post_to_a_path_nobody_knows_is_not_sent_twice_once_it_may_have_had_its_effect(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(500), ok())
    reply = await served.client.post("/alpha/v1/batches", {"input": 1})
    assert reply.status == 500
    assert len(served.upstream.sent) == 1


async def test_a_post_to_a_path_nobody_knows_is_sent_again_when_it_did_not_arrive(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, refuse(), ok())
    reply = await served.client.post("/alpha/v1/batches", {"input": 1})
    assert reply.status == 200
