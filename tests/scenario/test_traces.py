"""Traces: what requests leave as spans, what providers are told of them, and what the log says."""

from __future__ import annotations

import asyncio

import pytest

from gateway.telemetry import conventions as c
from gateway.telemetry.spans import FinishedSpan
from gateway.telemetry.traces import Traces
from tests.support.caches import CHAT, caching
from tests.support.house import ALPHA, BETA, HOUSE, OPENAI, Serve, Served, chat
from tests.support.scripted import chat_reply, chat_stream, hang, ok, status, stream
from tests.support.speakers import CLIENTS
from tests.support.speakers import HOUSE as SPEAKING
from tests.support.speakers import PROVIDERS as SPEAKERS

PATH = "/router/duo/v1/chat/completions"
TRACED = HOUSE + "traces: {propagate-to: [alpha]}\nserver: {logging: {requests: all}}\n"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def taken(served: Served) -> list[FinishedSpan]:
    sink = served.gateway.house.sinks.get("traces")
    assert isinstance(sink, Traces)
    return [span for request in sink.take() for span in request]


def traceparent(flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{TRACE}-{PARENT}-{flags}", "tracestate": "shop=7"}


async def test_a_request_is_a_span_below_the_clients_and_its_attempt_one_below_that(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, ok(chat_reply("Hello", "gpt-4o-2024-11-20", tokens=(11, 3))))

    await served.client.post(PATH, chat(max_tokens=50), {**traceparent(), "x-request-id": "r-1"})

    request, attempt = taken(served)
    assert (request.kind, attempt.kind) == ("server", "client")
    assert request.trace_id == attempt.trace_id == int(TRACE, 16)
    assert (request.parent, attempt.parent) == (int(PARENT, 16), request.span_id)
    assert (request.name, attempt.name) == ("POST /router/duo", "chat gpt-4o")
    assert (request.error, attempt.error) == ("", "")
    said = request.attributes
    assert (said[c.STATUS_CODE], said[c.ROUTER], said[c.REQUEST_ID], said[c.ATTEMPTS]) == (200, "duo", "r-1", 1)
    said = attempt.attributes
    assert said[c.OPERATION_NAME] == "chat"
    assert said[c.PROVIDER_NAME] == "alpha"
    assert (said[c.REQUEST_MODEL], said[c.RESPONSE_MODEL]) == ("gpt-4o", "gpt-4o-2024-11-20")
    assert said[c.REQUEST_MAX_TOKENS] == 50
    assert (said[c.INPUT_TOKENS], said[c.OUTPUT_TOKENS]) == (11, 3)
    assert (said[c.SERVER_ADDRESS], said[c.SERVER_PORT]) == ("alpha.test", 80)
    assert said[c.STATUS_CODE] == 200
    assert c.ERROR_TYPE not in said


async def test_failover_is_two_attempts_and_the_fault_is_on_the_first(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, status(503))
    served.upstream.on(BETA, ok())

    await served.client.post(PATH, chat())

    request, first, second = taken(served)
    assert request.error == ""
    assert (first.error, first.attributes[c.ERROR_TYPE], first.attributes[c.STATUS_CODE]) == (
        "unavailable",
        "unavailable",
        503,
    )
    assert (second.error, second.attributes[c.RESEND_COUNT]) == ("", 1)
    assert c.RESEND_COUNT not in first.attributes
    assert c.INPUT_TOKENS not in first.attributes
    assert first.parent == second.parent == request.span_id
    assert len({request.span_id, first.span_id, second.span_id}) == 3


async def test_a_stream_says_when_its_first_chunk_came(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b"]), first_delay=1.5, gap=0.25))

    await served.client.post(PATH, chat(stream=True))

    request, attempt = taken(served)
    assert attempt.attributes[c.TIME_TO_FIRST_CHUNK] == pytest.approx(1.5)
    ((name, at),) = attempt.events
    assert name == c.FIRST_CHUNK_EVENT
    assert at - attempt.start == 1_500_000_000
    assert attempt.end > at
    assert attempt.attributes[c.RESPONSE_MODEL] == "gpt-4o"
    assert (request.start, request.end) == (attempt.start, attempt.end)


async def test_a_request_that_nobody_can_answer_has_an_error(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(BETA, status(500))

    reply = await served.client.post(PATH, chat())

    request, *attempts = taken(served)
    assert reply.status == 500
    assert request.error == request.attributes[c.ERROR_TYPE] == "upstream_failed"
    assert [attempt.error for attempt in attempts] == ["unavailable"] * len(attempts)


async def test_a_request_that_is_wrong_is_a_span_and_no_failure_of_ours(serve: Serve) -> None:
    served = serve(TRACED)

    reply = await served.client.post(PATH, b"{", traceparent())

    (request,) = taken(served)
    assert reply.status == 400
    assert request.trace_id == int(TRACE, 16)
    assert (request.error, request.attributes[c.ERROR_TYPE]) == ("", "malformed_body")


async def test_only_a_provider_of_ones_own_is_told_of_the_trace(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, status(503))
    served.upstream.on(BETA, ok())

    await served.client.post(PATH, chat(), traceparent())

    _, first, _ = taken(served)
    alpha, beta = (call.headers for call in served.upstream.sent)
    assert alpha["traceparent"] == f"00-{TRACE}-{first.span_id:016x}-01"
    assert alpha["tracestate"] == "shop=7"
    assert "traceparent" not in beta
    assert "tracestate" not in beta


async def test_without_traces_nobody_is_told_of_the_clients(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())

    await served.client.post(PATH, chat(), traceparent())

    assert not {"traceparent", "tracestate"} & set(served.upstream.last.headers)


async def test_what_a_client_does_not_want_kept_leaves_no_span_and_goes_on_as_such(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, ok())

    await served.client.post(PATH, chat(), traceparent("00"))

    assert taken(served) == []
    assert served.upstream.last.headers["traceparent"].endswith("-00")


async def test_no_share_of_the_traces_that_begin_here(serve: Serve) -> None:
    served = serve(TRACED.replace("traces: {", "traces: {sampling: 0, "))
    served.upstream.on(ALPHA, ok())

    await served.client.post(PATH, chat())

    assert taken(served) == []


async def test_lines_of_the_log_name_the_trace(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, ok())

    await served.client.post(PATH, chat(), traceparent())
    await served.client.post(PATH, b"{", traceparent())

    assert [line["trace_id"] for line in (*served.log("request served"), *served.log("request failed"))] == [TRACE] * 2


async def test_the_cache_says_so_and_a_hit_has_no_attempt(serve: Serve) -> None:
    text = "routers: {one: {cache: {directive: max-age=60}, load-balance: {chat: {providers: [openai]}}}}\ntraces: {}\n"
    served = serve(text)
    served.upstream.on(OPENAI, ok())

    for _ in range(2):
        await served.client.post("/router/one/v1/chat/completions", chat())

    spans = taken(served)
    assert [(span.kind, span.attributes.get(c.CACHE)) for span in spans] == [
        ("server", "miss"),
        ("client", None),
        ("server", "hit"),
    ]


async def test_a_client_that_leaves_is_no_error(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, hang())

    connection = served.client.connect("POST", PATH, json=chat())
    await asyncio.sleep(1)
    await connection.disconnect()

    request, attempt = taken(served)
    assert (request.error, request.attributes[c.OUTCOME]) == ("", "disconnected")
    assert attempt.error == ""
    assert attempt.end - attempt.start == 1_000_000_000


async def test_credentials_content_and_end_users_are_in_no_span(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, status(401, {"error": {"message": "bad key alpha-key-1-00000000"}}))
    served.upstream.on(BETA, ok(chat_reply("the answer")))

    await served.client.post(PATH, chat(user="eve@example.com", metadata={"a": "b"}), {"authorization": "Bearer sk-me"})

    text = repr(taken(served))
    assert "gpt-4o" in text
    for hidden in ("alpha-key", "beta-key", "sk-me", "eve@", "Hi", "the answer", "bad key"):
        assert hidden not in text


async def test_a_reload_keeps_what_waits_where_traces_stay_the_same(serve: Serve) -> None:
    served = serve(TRACED)
    served.upstream.on(ALPHA, ok())
    await served.client.post(PATH, chat())

    assert await served.rewrite(TRACED.replace("requests: all", "requests: none"))

    assert len(taken(served)) == 2


async def test_what_is_fetched_behind_a_stale_answer_is_below_it_and_told_of_the_trace(serve: Serve) -> None:
    served = serve(caching("max-age=60, stale-while-revalidate=30", top="traces: {propagate-to: [alpha]}\n"))
    served.upstream.on(ALPHA, ok(chat_reply("old")), ok(chat_reply("new")))
    await served.client.post(CHAT, chat())
    await asyncio.sleep(70)
    taken(served)
    await served.client.post(CHAT, chat(), traceparent())
    await asyncio.sleep(1)
    spans = {span.parent: span for span in taken(served)}
    stale = spans[int(PARENT, 16)]
    refetch = spans[stale.span_id]
    attempt = spans[refetch.span_id]
    assert (stale.kind, refetch.kind, attempt.kind) == ("server", "server", "client")
    assert {one.trace_id for one in spans.values()} == {int(TRACE, 16)}
    assert served.upstream.last.headers["traceparent"] == f"00-{TRACE}-{attempt.span_id:016x}-01"
    assert served.upstream.last.headers["tracestate"] == "shop=7"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_translated_reply_names_the_model_that_answered(serve: Serve, streamed: bool) -> None:
    (client,) = (one for one in CLIENTS if one.name == "anthropic")
    (provider,) = (one for one in SPEAKERS if one.name == "openai-responses")
    served = serve(f"{SPEAKING}\ntraces: {{}}\n")
    # Whole, where a stream was asked for too.
    served.upstream.on(provider.host, provider.whole("Hello there"))
    path = f"/router/{provider.router}{client.path('m-1', streamed)}"
    assert (await served.client.post(path, client.ask("m-1", stream=streamed))).status == 200
    _, attempt = taken(served)
    assert attempt.attributes[c.RESPONSE_MODEL] == "gpt-4o"
