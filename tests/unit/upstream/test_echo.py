from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.clock import Clock
from gateway.upstream.echo import EchoTransport
from gateway.upstream.transport import Transport, UpstreamReply, UpstreamRequest

CLOCK = Clock(monotonic=lambda: 5.0, wall=lambda: 1_800_000_000.9, chance=lambda: 0.5)
URL = "echo://local/v1"

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


async def send(
    body: object, *, streamed: bool = False, path: str = "/chat/completions", method: str = "POST"
) -> UpstreamReply:
    transport: Transport = EchoTransport(CLOCK)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = await transport.send(UpstreamRequest(method, URL + path, [], sent, streamed, 5.0))
    await transport.close()
    return reply


async def chat(*messages: dict[str, object], **fields: object) -> Any:
    reply = await send({"model": "echo", "messages": list(messages), **fields})
    assert reply.status == 200
    assert reply.body is not None
    assert (b"content-length", b"%d" % len(reply.body)) in reply.headers
    return json.loads(reply.body)


async def stream(*messages: dict[str, object], **fields: object) -> list[Any]:
    body = {"model": "echo", "messages": list(messages), "stream": True, **fields}
    reply = await send(body, streamed=True)
    assert (reply.status, reply.headers, reply.body) == (200, [(b"content-type", b"text/event-stream")], None)
    assert reply.chunks is not None
    chunks = [chunk async for chunk in reply.chunks]
    assert all(chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") for chunk in chunks)
    assert chunks[-1] == b"data: [DONE]\n\n"
    return [json.loads(chunk[6:]) for chunk in chunks[:-1]]


async def test_a_whole_reply_has_every_field() -> None:
    assert await chat({"role": "system", "content": "Be brief"}, user("Hello big world"), model="any/model") == {
        "id": "chatcmpl-echo-1800000000-1",
        "object": "chat.completion",
        "created": 1_800_000_000,
        "model": "any/model",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "You said: Hello big world",
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 5,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_echo",
    }


async def test_ids_differ_from_reply_to_reply() -> None:
    transport = EchoTransport(CLOCK)
    body = json.dumps({"model": "echo", "messages": [user("hi")]}).encode()
    request = UpstreamRequest("POST", f"{URL}/chat/completions", [], body, False, 5.0)
    replies = [json.loads((await transport.send(request)).body or b"") for _ in range(2)]
    assert [reply["id"] for reply in replies] == ["chatcmpl-echo-1800000000-1", "chatcmpl-echo-1800000000-2"]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([user("one"), {"role": "assistant", "content": "You said: one"}, user("two")], "You said: two"),
        ([user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}])], "You said: a"),
        ([user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])], "You said: a b"),
        ([user("one"), {"role": "assistant", "content": None}], "You said: one"),
        ([{"role": "system", "content": "alone"}], "You said: alone"),
        ([user("ä  ö\nü")], "You said: ä  ö\nü"),
        ([user("")], "You said: "),
    ],
)
async def test_what_is_said_whole_and_streamed(messages: list[dict[str, object]], text: str) -> None:
    assert (await chat(*messages))["choices"][0]["message"]["content"] == text
    events = await stream(*messages)
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == text


async def test_a_stream_is_role_words_and_finish() -> None:
    events = await stream(user("Hello world"))
    assert [(e["choices"][0]["delta"], e["choices"][0]["finish_reason"]) for e in events] == [
        ({"role": "assistant", "content": "", "refusal": None}, None),
        ({"content": "You"}, None),
        ({"content": " said:"}, None),
        ({"content": " Hello"}, None),
        ({"content": " world"}, None),
        ({}, "stop"),
    ]
    for event in events:
        assert event["object"] == "chat.completion.chunk"
        assert event["id"] == "chatcmpl-echo-1800000000-1"
        assert event["created"] == 1_800_000_000
        assert event["choices"][0]["logprobs"] is None
        assert "usage" not in event


async def test_usage_comes_in_the_stream_when_asked_for() -> None:
    *events, last = await stream(user("Hello world"), stream_options={"include_usage": True})
    assert [event["usage"] for event in events] == [None] * 6
    assert last["choices"] == []
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (2, 4)


async def test_a_tool_is_called_when_the_user_has_spoken() -> None:
    choice = (await chat(user("weather?"), tools=[WEATHER]))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {
            "id": "call_echo-1800000000-1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"text"}'},
        }
    ]


async def test_a_tool_is_called_in_a_stream() -> None:
    events = await stream(user("weather?"), tools=[WEATHER])
    calls = [event["choices"][0]["delta"]["tool_calls"][0] for event in events[:-1]]
    assert calls[0] == {
        "index": 0,
        "id": "call_echo-1800000000-1",
        "type": "function",
        "function": {"name": "weather", "arguments": ""},
    }
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city":"text"}'
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_after_the_tool_there_is_text() -> None:
    called = (await chat(user("weather?"), tools=[WEATHER]))["choices"][0]["message"]
    answered = {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "sunny"}
    choice = (await chat(user("weather?"), called, answered, tools=[WEATHER]))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("The tool said: sunny", "stop")


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", None),
        ("auto", "weather"),
        ("required", "weather"),
        (None, "weather"),
        ({"type": "function", "function": {"name": "clock"}}, "clock"),
        ({"type": "function", "function": {"name": "unknown"}}, None),
    ],
)
async def test_the_choice_of_a_tool_is_kept(choice: object, called: str | None) -> None:
    tools = [WEATHER, {"type": "function", "function": {"name": "clock"}}]
    message = (await chat(user("hi"), tools=tools, tool_choice=choice))["choices"][0]["message"]
    assert [call["function"]["name"] for call in message.get("tool_calls", [])] == ([called] if called else [])


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"not json", None),
        (b"[]", None),
        ({"messages": [user("x")]}, None),
        ({"model": "echo"}, None),
        ({"model": "echo", "messages": []}, "messages"),
        ({"model": "echo", "messages": [{"role": "nobody", "content": "x"}]}, None),
    ],
)
async def test_a_bad_request_is_refused_as_openai_does(body: object, param: str | None, streamed: bool) -> None:
    reply = await send(body, streamed=streamed)
    text = reply.body if reply.chunks is None else b"".join([chunk async for chunk in reply.chunks])
    error = json.loads(text or b"")["error"]
    assert reply.status == 400
    assert (b"content-type", b"application/json") in reply.headers
    assert error["message"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, None)


async def test_fields_that_echo_does_not_know_are_accepted() -> None:
    reply = await chat(user("hi"), n=3, temperature=0.5, metadata={"a": "b"}, response_format={"type": "text"})
    assert len(reply["choices"]) == 1


async def test_the_models() -> None:
    reply = await send(b"", path="/models", method="GET")
    model = {"id": "echo", "object": "model", "created": 0, "owned_by": "router-gateway"}
    assert json.loads(reply.body or b"") == {"object": "list", "data": [model]}
    one = await send(b"", path="/models/echo", method="GET")
    assert json.loads(one.body or b"") == model


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/embeddings", 404), ("GET", "/chat/completions", 405)]
)
async def test_what_is_not_there(method: str, path: str, status: int) -> None:
    reply = await send(b"", path=path, method=method)
    assert reply.status == status
    assert json.loads(reply.body or b"")["error"]["type"] == "invalid_request_error"


async def test_closing_a_stream_early() -> None:
    reply = await send({"model": "echo", "messages": [user("a b")], "stream": True}, streamed=True)
    assert reply.chunks is not None
    assert reply.close is not None
    await anext(reply.chunks)
    await reply.close()
    await reply.close()
