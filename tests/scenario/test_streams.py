"""Streams after commit: passed as they came, and when they break, ended so that nobody takes them for whole."""

from __future__ import annotations

import pytest

from tests.support.house import ALPHA, ANTHROPIC, BARE, BETA, GEMINI, OPENAI, Serve, chat, generate, message
from tests.support.scripted import (
    DONE,
    Script,
    chat_chunk,
    chat_stream,
    generate_reply,
    generate_stream,
    message_stream,
    ok,
    sse,
    stream,
    usage_chunk,
)
from tests.support.virtual_time import elapsed

PATH = "/router/duo/v1/chat/completions"
DIRECT = "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent"


async def test_each_event_goes_through_when_it_comes(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(gap=1))
    async with served.client.stream("POST", PATH, json=chat(stream=True)) as connection:
        assert elapsed() == 0
        seen = [(elapsed(), chunk) async for chunk in connection]
    assert seen == list(enumerate(chat_stream()))
    assert connection.complete


async def test_events_cut_at_any_place_arrive_whole_and_in_order(serve: Serve) -> None:
    served = serve()
    whole = b"".join(chat_stream(["Grüße", " 世界", "\U0001f600"]))
    for size in (1, 2, 3, 7, 64, 10_000):
        served.upstream.on(ALPHA, stream([whole[at : at + size] for at in range(0, len(whole), size)]))
        reply = await served.client.post(PATH, chat(stream=True))
        assert reply.body == whole
        assert not reply.broken


async def test_crlf_comments_and_unknown_events_go_through_as_they_came(serve: Serve) -> None:
    served = serve()
    pieces = [
        b": keep-alive\n\n",
        chat_chunk({"content": "a"}).replace(b"\n", b"\r\n"),
        b'event: x-new\ndata: {"never":"heard of"}\n\n',
        b'id: 7\ndata: {"choices": [\ndata: ]}\n\n',
        DONE,
    ]
    served.upstream.on(ALPHA, stream(pieces))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.body == b"".join(pieces)
    assert not reply.broken


DIALECTS = pytest.mark.parametrize(
    ("host", "path", "body", "pieces", "cut", "told"),
    [
        (OPENAI, "/openai/v1/chat/completions", chat(stream=True), chat_stream(), 2, b'data: {"error":{"message":'),
        (
            ANTHROPIC,
            "/anthropic/v1/messages",
            message(stream=True),
            message_stream(),
            4,
            b'event: error\ndata: {"type":"error","error":{"type":',
        ),
        (GEMINI, f"{DIRECT}?alt=sse", generate(), generate_stream(["a", "b", "c"]), 2, b'data: {"error":{"code":'),
    ],
    ids=["openai", "anthropic", "gemini"],
)


@DIALECTS
@pytest.mark.parametrize("how", ["reset", "clean end"])
async def test_a_cut_stream_ends_with_an_error_event_and_without_the_protocol_s_end(
    serve: Serve, host: str, path: str, body: object, pieces: list[bytes], cut: int, told: bytes, how: str
) -> None:
    served = serve(BARE)
    served.upstream.on(host, stream(pieces, cut_after=cut) if how == "reset" else stream(pieces[:cut]))
    reply = await served.client.post(path, body)
    assert reply.status == 200
    assert reply.chunks[:-1] == pieces[:cut]
    assert reply.chunks[-1].startswith(told)
    assert b"upstream_cut" in reply.chunks[-1]
    assert reply.broken
    assert len(served.upstream.sent) == 1
    assert b"[DONE]" not in reply.body
    assert b"message_stop" not in reply.body
    assert await served.metric("gateway_requests_total", outcome="broken", status="200") == 1
    assert await served.metric("gateway_faults_total", kind="cut") == 1


@DIALECTS
async def test_a_complete_stream_ends_as_the_provider_ended_it(
    serve: Serve, host: str, path: str, body: object, pieces: list[bytes], cut: int, told: bytes
) -> None:
    served = serve(BARE)
    served.upstream.on(host, stream(pieces))
    reply = await served.client.post(path, body)
    assert reply.chunks == pieces
    assert not reply.broken
    assert await served.metric("gateway_requests_total", outcome="ok") == 1


async def test_half_an_event_is_not_sent_before_the_error(serve: Serve) -> None:
    served = serve()
    pieces = [*chat_stream()[:2], b'data: {"choices":[{"delta":{"con']
    served.upstream.on(ALPHA, stream(pieces, cut_after=3))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks[:2] == pieces[:2]
    assert reply.chunks[2].startswith(b'data: {"error"')
    assert reply.broken


async def test_a_gemini_array_that_is_cut_stays_json(serve: Serve) -> None:
    served = serve(BARE)
    first = b'[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\n'
    served.upstream.on(GEMINI, stream([first, b',\r\n{"candidates":'], cut_after=2, content_type="application/json"))
    reply = await served.client.post(DIRECT, generate())
    assert reply.broken
    assert [list(element) for element in reply.json()] == [["candidates"], ["error"]]


async def test_a_stream_is_never_continued_elsewhere(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(cut_after=2))
    served.upstream.on(BETA, stream())
    await served.client.post(PATH, chat(stream=True))
    assert served.upstream.hosts() == [ALPHA]


async def test_a_broken_stream_is_a_failure_of_its_target(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(cut_after=2))
    for _ in range(5):
        await served.client.post(PATH, chat(stream=True))
    assert await served.metric("gateway_breaker_state", provider="alpha") == 2


@pytest.mark.parametrize(
    "piece", [b"data: {not json\n\n", b"data: \xff\xfe\n\n", b"nonsense without a colon\n\n", b"data:\n\n"]
)
async def test_a_malformed_event_does_no_harm_when_the_rest_is_sound(serve: Serve, piece: bytes) -> None:
    served = serve()
    pieces = [*chat_stream()[:2], piece, *chat_stream()[2:]]
    served.upstream.on(ALPHA, stream(pieces))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.status == 200
    assert not reply.broken
    assert reply.chunks[-1] == DONE
    assert chat_stream()[2] in reply.body


async def test_an_error_event_after_commit_is_forwarded_once_and_is_the_end(serve: Serve) -> None:
    served = serve()
    event = sse({"error": {"message": "overloaded", "type": "server_error"}})
    served.upstream.on(ALPHA, stream([*chat_stream()[:2], event, chat_stream()[2]]))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks == [*chat_stream()[:2], event]
    assert reply.broken
    assert served.upstream.hosts() == [ALPHA]


async def test_an_anthropic_error_event_after_commit_is_forwarded_once(serve: Serve) -> None:
    served = serve(BARE)
    event = sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")
    served.upstream.on(ANTHROPIC, stream([*message_stream()[:4], event]))
    reply = await served.client.post("/anthropic/v1/messages", message(stream=True))
    assert reply.chunks == [*message_stream()[:4], event]
    assert reply.broken


async def test_usage_is_asked_for_and_its_event_taken_out_again(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(OPENAI, stream(chat_stream(tokens=(9, 3))))
    reply = await served.client.post("/ai/v1/chat/completions", chat(stream=True))
    assert served.upstream.last.json()["stream_options"] == {"include_usage": True}
    assert reply.body == b"".join(chat_stream())
    assert await served.metric("gateway_tokens_total", provider="openai", model="gpt-4o", kind="input") == 9
    assert await served.metric("gateway_tokens_total", provider="openai", model="gpt-4o", kind="output") == 3


async def test_usage_that_the_client_asked_for_is_left_in(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(OPENAI, stream(chat_stream(tokens=(9, 3))))
    body = chat(stream=True, stream_options={"include_usage": True})
    reply = await served.client.post("/ai/v1/chat/completions", body)
    assert served.upstream.last.json() == body
    assert reply.chunks == chat_stream(tokens=(9, 3))
    assert await served.metric("gateway_tokens_total", kind="output") == 3


async def test_other_stream_options_are_kept(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(OPENAI, stream(chat_stream(tokens=(9, 3))))
    options = {"include_obfuscation": False}
    await served.client.post("/ai/v1/chat/completions", chat(stream=True, stream_options=options))
    assert served.upstream.last.json()["stream_options"] == {"include_obfuscation": False, "include_usage": True}


async def test_usage_is_not_asked_of_a_provider_that_cannot(serve: Serve) -> None:
    served = serve(
        "providers: {old: {dialect: openai, base-url: 'http://old.test/v1', models: ['*'], stream-usage: never}}\n"
        "routers: {r: {load-balance: {chat: {providers: [old]}}}}"
    )
    served.upstream.on("old.test", stream())
    await served.client.post("/router/r/v1/chat/completions", chat(stream=True))
    assert served.upstream.last.json() == chat(stream=True)
    assert await served.metric("gateway_requests_without_usage_total", provider="old") == 1


async def test_usage_of_a_stream_that_broke_is_counted_as_far_as_it_is_known(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(OPENAI, stream([*chat_stream()[:3], usage_chunk(100, 7)]))
    reply = await served.client.post("/ai/v1/chat/completions", chat(stream=True))
    assert reply.broken
    assert await served.metric("gateway_tokens_total", kind="output") == 7


@pytest.mark.parametrize(
    ("host", "path", "body", "pieces"),
    [
        (ANTHROPIC, "/anthropic/v1/messages", message(stream=True), message_stream(tokens=(11, 5))),
        (GEMINI, f"{DIRECT}?alt=sse", generate(), generate_stream(tokens=(11, 5))),
    ],
    ids=["anthropic", "gemini"],
)
async def test_usage_of_the_other_dialects_is_read_on_the_way(
    serve: Serve, host: str, path: str, body: object, pieces: list[bytes]
) -> None:
    served = serve(BARE)
    served.upstream.on(host, stream(pieces))
    assert (await served.client.post(path, body)).chunks == pieces
    assert await served.metric("gateway_tokens_total", kind="input") == 11
    assert await served.metric("gateway_tokens_total", kind="output") == 5


async def test_a_whole_reply_where_a_stream_was_asked_goes_through(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, ok())
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.json()["object"] == "chat.completion"
    assert not reply.broken


async def test_a_whole_gemini_reply_where_a_stream_was_asked_goes_through(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(GEMINI, ok(generate_reply()))
    reply = await served.client.post(f"{DIRECT}?alt=sse", generate())
    assert reply.json() == generate_reply()
    assert not reply.broken


async def test_the_time_to_the_first_token_is_counted(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream(delay=1, first_delay=2, gap=1))
    await served.client.post(PATH, chat(stream=True))
    assert await served.metric("gateway_time_to_first_token_seconds_sum", provider="alpha") == 3
    assert await served.metric("gateway_request_duration_seconds_sum", provider="alpha") == 8


async def test_audio_is_passed_as_it_comes(serve: Serve) -> None:
    served = serve(BARE)
    served.upstream.on(OPENAI, stream([b"\x00\x01", b"\xff"], gap=1, content_type="audio/mpeg"))
    reply = await served.client.post("/openai/v1/audio/speech", {"model": "tts-1", "input": "Hi", "voice": "alloy"})
    assert (reply.headers["content-type"], reply.chunks) == ("audio/mpeg", [b"\x00\x01", b"\xff"])
    assert not reply.broken


async def test_pings_are_no_first_event(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream([b": ping\n\n"], endless=True, gap=1))
    served.upstream.on(BETA, stream())
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks == chat_stream()
    assert served.upstream.last.at == 30
    assert served.upstream.cancelled_calls == 1


async def test_pings_keep_a_stream_that_has_begun_alive(serve: Serve) -> None:
    served = serve()
    pieces = [chat_stream()[0], *[b": ping\n\n"] * 20, *chat_stream()[1:]]
    served.upstream.on(ALPHA, stream(pieces, gap=20))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks == pieces
    assert not reply.broken


async def test_an_event_without_end_is_not_kept_for_ever(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream([b"data: " + b"x" * 1_000_000], endless=True))
    served.upstream.on(BETA, stream())
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.chunks == chat_stream()
    assert served.upstream.to(ALPHA)[0].read <= 18
    assert served.upstream.cancelled_calls == 1


async def test_an_event_without_end_after_commit_breaks_the_stream(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, stream([chat_stream()[0], b"data: " + b"x" * 1_000_000], endless=True))
    reply = await served.client.post(PATH, chat(stream=True))
    assert reply.broken
    assert reply.chunks[0] == chat_stream()[0]
    assert reply.chunks[1].startswith(b'data: {"error"')
    assert len(reply.chunks) == 2


async def test_an_error_reply_without_end_is_read_as_far_as_it_is_worth(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, Script(500, chunks=(b"x" * 100_000,), then="endless"))
    served.upstream.on(BETA, stream())
    assert (await served.client.post(PATH, chat(stream=True))).chunks == chat_stream()
    assert served.upstream.to(ALPHA)[0].read <= 12


@pytest.mark.parametrize("then", ["cut", "hang"])
async def test_an_error_reply_whose_body_breaks_off_is_still_that_error(serve: Serve, then: str) -> None:
    served = serve()
    served.upstream.on(ALPHA, Script(500, chunks=(b'{"err',), then=then))  # type: ignore[arg-type]
    served.upstream.on(BETA, stream())
    assert (await served.client.post(PATH, chat(stream=True))).chunks == chat_stream()
    assert await served.metric("gateway_faults_total", provider="alpha") == 1


async def test_a_dialect_s_own_end_for_a_failure_is_an_orderly_end(serve: Serve) -> None:
    served = serve(BARE)
    created = sse({"type": "response.created", "response": {"model": "gpt-4o"}}, "response.created")
    error = {"code": "server_error", "message": "x"}
    failed = sse({"type": "response.failed", "response": {"model": "gpt-4o", "error": error}}, "response.failed")
    served.upstream.on(OPENAI, stream([created, failed]))
    reply = await served.client.post("/ai/v1/responses", {"model": "gpt-4o", "input": "Hi", "stream": True})
    assert reply.chunks == [created, failed]
    assert not reply.broken
    assert await served.metric("gateway_requests_total", outcome="broken") == 1
    assert await served.metric("gateway_faults_total", provider="openai") == 1
