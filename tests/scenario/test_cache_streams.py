"""Streams that are kept and given again, in every dialect, and those that never are."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.support.asgi_client import Response
from tests.support.caches import CHAT, caching, calls, said
from tests.support.house import ALPHA, ANTHROPIC, GEMINI, OPENAI, Serve, chat, generate, message
from tests.support.scripted import (
    DONE,
    Script,
    chat_chunk,
    chat_stream,
    generate_reply,
    generate_stream,
    message_reply,
    message_stream,
    ok,
    sse,
    stream,
)
from tests.support.virtual_time import elapsed


def with_provider(path: str) -> str:
    """A router whose one provider speaks the dialect of this path."""
    provider = "gemini" if "v1beta" in path else "anthropic" if path.endswith("/messages") else "openai"
    return f"routers: {{c: {{load-balance: {{chat: {{providers: [{provider}]}}}}, cache: {{directive: max-age=60}}}}}}"


async def test_a_stream_passes_at_no_delay_and_is_given_again_at_once(serve: Serve) -> None:
    served = serve(caching())
    chunks = chat_stream(["a", "b", "c"])
    served.upstream.on(ALPHA, stream(chunks, gap=1))
    async with served.client.stream("POST", CHAT, json=chat(stream=True)) as connection:
        arrived = [(elapsed(), chunk) async for chunk in connection]
    assert [at for at, _ in arrived] == [0, 1, 2, 3, 4, 5]
    assert [chunk for _, chunk in arrived] == chunks
    before = elapsed()
    hit = await served.client.post(CHAT, chat(stream=True))
    assert elapsed() == before
    assert hit.body == b"".join(chunks)
    assert hit.headers["content-type"].startswith("text/event-stream")
    assert hit.headers["age"] == "0"


async def test_age_counts_from_the_end_of_the_stream(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(["a", "b", "c"]), gap=10))
    await served.client.post(CHAT, chat(stream=True))
    await asyncio.sleep(59)
    assert said(await served.client.post(CHAT, chat(stream=True))) == "hit"


@pytest.mark.parametrize(
    "trouble",
    [
        stream(chat_stream(), cut_after=3),
        stream(chat_stream()[:-1]),
        stream([*chat_stream()[:2], sse({"error": {"message": "x", "type": "server_error"}})]),
        stream([chat_chunk({"content": "a"}), chat_chunk({}, "length"), DONE]),
        stream([chat_chunk({"content": "a"}), DONE]),
        stream([chat_chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}),
                chat_chunk({}, "tool_calls"), DONE]),
        stream([chat_chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}),
                chat_chunk({}, "stop"), DONE]),
    ],
    ids=["cut", "without-end", "error", "length", "no-reason", "tool-calls", "tool-calls-that-stop"],
)  # fmt: skip
async def test_what_is_not_a_complete_answer_is_not_kept(serve: Serve, trouble: Script) -> None:
    served = serve(caching(router=", retries: {max-retries: 0}"))
    served.upstream.on(ALPHA, trouble, stream(chat_stream()))
    await served.client.post(CHAT, chat(stream=True))
    assert said(await served.client.post(CHAT, chat(stream=True))) == "miss"


async def test_a_stream_that_stalls_is_not_kept(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream(chat_stream(), hang_after=3), stream(chat_stream()))
    assert (await served.client.post(CHAT, chat(stream=True))).broken
    assert said(await served.client.post(CHAT, chat(stream=True))) == "miss"


async def test_empty_members_about_tools_keep_nothing_from_being_kept(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, stream([chat_chunk({"content": "a", "tool_calls": []}), chat_chunk({}, "stop"), DONE]))
    await served.client.post(CHAT, chat(stream=True))
    assert said(await served.client.post(CHAT, chat(stream=True))) == "hit"


async def test_words_about_tools_keep_nothing_from_being_kept(serve: Serve) -> None:
    served = serve(caching())
    words = ['"finish_reason":"length"', ' "tool_calls" and "error"']
    served.upstream.on(ALPHA, stream(chat_stream(words)))
    await served.client.post(CHAT, chat(stream=True))
    hit = await served.client.post(CHAT, chat())
    assert said(hit) == "hit"
    assert hit.json()["choices"][0]["message"]["content"] == "".join(words)


async def test_a_stream_that_came_as_a_whole_is_given_as_a_stream(serve: Serve) -> None:
    served = serve(caching())
    served.upstream.on(ALPHA, ok())
    first = await served.client.post(CHAT, chat(stream=True))
    assert first.headers["content-type"] == "application/json"
    hit = await served.client.post(CHAT, chat(stream=True))
    assert hit.headers["content-type"].startswith("text/event-stream")
    assert hit.body.endswith(DONE)


RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-4o",
    "output": [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "Hello", "annotations": []}]}],
    "usage": {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12},
}  # fmt: skip
RESPONSE_STREAM = [
    sse({"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": [], "usage": None}}),
    sse({"type": "response.completed", "response": RESPONSE}),
]
Ask = tuple[str, str, dict[str, Any], dict[str, Any], Script, Script]
V1 = "/router/c/v1"
BETA = "/router/c/v1beta/models/gemini-2.5-flash"
CASES: dict[str, Ask] = {
    "chat": (f"{V1}/chat/completions", f"{V1}/chat/completions", chat(), chat(stream=True),
             ok(), stream(chat_stream(tokens=(9, 3)))),
    "responses": (f"{V1}/responses", f"{V1}/responses", {"model": "gpt-4o", "input": "Hi"},
                  {"model": "gpt-4o", "input": "Hi", "stream": True}, ok(RESPONSE), stream(RESPONSE_STREAM)),
    "messages": (f"{V1}/messages", f"{V1}/messages", message(), message(stream=True),
                 ok(message_reply()), stream(message_stream())),
    "generate": (f"{BETA}:generateContent", f"{BETA}:streamGenerateContent?alt=sse", generate(), generate(),
                 ok(generate_reply()), stream(generate_stream())),
    "generate-array": (f"{BETA}:generateContent", f"{BETA}:streamGenerateContent", generate(), generate(),
                       ok(generate_reply()),
                       stream([msgspec.json.encode([generate_reply("Hel", None), generate_reply("lo")])],
                              content_type="application/json")),
}  # fmt: skip


def text_of(reply: Response) -> str:
    """What was said, whatever the format."""
    body = reply.json()
    match body:
        case {"choices": [{"message": {"content": str(text)}}]}:
            return text
        case {"output": [{"content": [{"text": str(text)}]}]}:
            return text
        case {"content": [{"text": str(text)}]}:
            return text
        case {"candidates": [{"content": {"parts": [{"text": str(text)}]}}]}:
            return text
        case _:
            raise AssertionError(body)


@pytest.mark.parametrize("name", CASES)
async def test_a_stream_is_given_to_one_that_asks_for_a_whole_reply(serve: Serve, name: str) -> None:
    whole_path, stream_path, whole, streamed, _, script = CASES[name]
    served = serve(with_provider(whole_path))
    for host in (OPENAI, ANTHROPIC, GEMINI):
        served.upstream.on(host, script)
    first = await served.client.post(stream_path, streamed)
    assert said(first) == "miss"
    again = await served.client.post(stream_path, streamed)
    assert (said(again), again.body) == ("hit", first.body)
    hit = await served.client.post(whole_path, whole)
    assert said(hit) == "hit"
    assert hit.headers["content-type"] == "application/json"
    assert text_of(hit) == "Hello"
    assert calls(served) == 1


@pytest.mark.parametrize("name", CASES)
async def test_a_whole_reply_is_given_to_one_that_asks_for_a_stream(serve: Serve, name: str) -> None:
    whole_path, stream_path, whole, streamed, script, _ = CASES[name]
    served = serve(with_provider(whole_path))
    for host in (OPENAI, ANTHROPIC, GEMINI):
        served.upstream.on(host, script)
    first = await served.client.post(whole_path, whole)
    hit = await served.client.post(stream_path, streamed)
    assert (said(first), said(hit)) == ("miss", "hit")
    expected = "application/json" if name == "generate-array" else "text/event-stream"
    assert hit.headers["content-type"].startswith(expected)
    assert b"Hello" in hit.body
    assert not hit.broken
    assert calls(served) == 1


@pytest.mark.parametrize(
    ("path", "body", "script"),
    [
        (f"{V1}/messages", message(), ok({**message_reply(), "stop_reason": "max_tokens"})),
        (f"{V1}/messages", message(), ok({**message_reply(), "stop_reason": "tool_use", "content": [
            {"type": "tool_use", "id": "t", "name": "f", "input": {}}]})),
        (f"{V1}/messages", message(), ok({**message_reply(), "stop_reason": "refusal"})),
        (f"{V1}/messages", message(), ok({**message_reply(), "stop_reason": "pause_turn"})),
        (f"{V1}/responses", {"model": "gpt-4o", "input": "Hi"}, ok({**RESPONSE, "status": "incomplete"})),
        (f"{V1}/responses", {"model": "gpt-4o", "input": "Hi"}, ok({**RESPONSE, "status": "queued"})),
        (f"{V1}/responses", {"model": "gpt-4o", "input": "Hi"}, ok({**RESPONSE, "output": [
            {"type": "function_call", "id": "f", "call_id": "c", "name": "f", "arguments": "{}"}]})),
        (f"{BETA}:generateContent", generate(), ok(generate_reply(finish="MAX_TOKENS"))),
        (f"{BETA}:generateContent", generate(), ok(generate_reply(finish="SAFETY"))),
        (f"{BETA}:generateContent", generate(), ok({"promptFeedback": {"blockReason": "SAFETY"}})),
        (f"{BETA}:generateContent", generate(), ok({"candidates": [{"finishReason": "STOP", "content": {
            "parts": [{"functionCall": {"name": "f", "args": {}}}]}}]})),
    ],
)  # fmt: skip
async def test_incomplete_answers_and_tool_calls_of_every_dialect_are_not_kept(
    serve: Serve, path: str, body: dict[str, Any], script: Script
) -> None:
    served = serve(with_provider(path))
    for host in (OPENAI, ANTHROPIC, GEMINI):
        served.upstream.on(host, script)
    assert [said(await served.client.post(path, body)) for _ in range(2)] == ["miss", "miss"]


async def test_speech_is_kept_byte_for_byte(serve: Serve) -> None:
    served = serve(caching())
    sound = bytes(range(256)) * 20
    served.upstream.on(ALPHA, stream([sound[:1000], sound[1000:]], content_type="audio/mpeg"))
    asked = {"model": "tts-1", "input": "Hi", "voice": "a"}
    replies = [await served.client.post("/router/c/v1/audio/speech", asked) for _ in range(2)]
    assert [said(reply) for reply in replies] == ["miss", "hit"]
    assert [reply.body for reply in replies] == [sound, sound]
    assert replies[1].headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize("first_streams", [True, False])
async def test_a_translated_answer_is_kept_as_the_client_had_it(serve: Serve, first_streams: bool) -> None:
    balance = "{chat: {providers: [anthropic/claude-sonnet-4-5]}}"
    served = serve(f"routers: {{c: {{load-balance: {balance}, cache: {{directive: max-age=60}}}}}}")
    served.upstream.on(ANTHROPIC, stream(message_stream()) if first_streams else ok(message_reply()))
    asked = chat(seed=1)
    first = await served.client.post(f"{V1}/chat/completions", {**asked, "stream": first_streams})
    same = await served.client.post(f"{V1}/chat/completions", {**asked, "stream": first_streams})
    other = await served.client.post(f"{V1}/chat/completions", {**asked, "stream": not first_streams})
    assert [said(reply) for reply in (first, same, other)] == ["miss", "hit", "hit"]
    assert same.body == first.body
    assert same.headers["x-gateway-dropped"] == first.headers["x-gateway-dropped"]
    assert text_of(other if first_streams else first) == "Hello"
    assert b"Hel" in (first if first_streams else other).body
    assert calls(served) == 1
