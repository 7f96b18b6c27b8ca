from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Answer,
    Citation,
    Cited,
    Delta,
    Echo,
    End,
    Event,
    Failed,
    Finish,
    Image,
    PartEnd,
    PartStart,
    Ping,
    Refusal,
    Start,
    Text,
    Thinking,
    ToolUse,
)
from gateway.dialects.fold import fold
from gateway.dialects.openai_chat import CODEC

ECHO = Echo(id="id-of-request", model="asked", created=1_700_000_000)
DONE = b"data: [DONE]\n\n"


def chunk(delta: Any = None, finish: str | None = None, **members: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return (
        b"data: "
        + json.dumps({"id": "c", "model": "gpt", "created": 5, "choices": [choice], **members}).encode()
        + b"\n\n"
    )


def call(index: int | None, identity: str | None = None, name: str | None = None, arguments: Any = None) -> bytes:
    function = {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"index": index, "id": identity, "function": function}]})


def read(*chunks: bytes) -> list[Event]:
    reader = CODEC.stream_reader([])
    return [event for one in chunks for event in reader.feed(one)] + reader.end()


def answer(*chunks: bytes) -> Answer:
    return fold(read(*chunks, DONE))


def calls(*chunks: bytes) -> list[tuple[str, str, str]]:
    (choice,) = answer(*chunks, chunk(finish="tool_calls")).choices
    assert choice.stop == "tool-use"
    return [(part.id, part.name, part.arguments) for part in choice.parts if isinstance(part, ToolUse)]


def test_a_stream_as_openai_sends_it() -> None:
    events = read(
        chunk({"role": "assistant", "content": "", "refusal": None}, usage=None),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk(finish="stop"),
        b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n',
        DONE,
    )
    assert events == [
        Start(id="c", model="gpt", created=5),
        PartStart(0, Text(text="")),
        Delta(0, "Hel"),
        Delta(0, "lo"),
        PartEnd(0),
        Finish("stop"),
        End(Usage(3, 4)),
    ]


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk({"content": "Hi"}), chunk(finish="stop")],
        [chunk({"role": "assistant", "content": "Hi"}, "stop")],
        [chunk({"content": "Hi"}, "stop"), chunk(finish="stop")],
        [b'data: {"choices":[],"id":"","model":"","prompt_filter_results":[]}\n\n', chunk({"content": "Hi"}, "stop")],
        [b"data: {broken\n\n", chunk({"content": "Hi"}, "stop")],
        [b'data: {"choices":null}\n\ndata: {}\n\ndata: 7\n\n: ping\n\n', chunk({"content": "Hi"}, "stop")],
        [chunk({"content": "H"}), chunk({"content": 7}), chunk({"content": "i"}, "stop")],
        [chunk({"content": [{"type": "text", "text": "Hi"}]}, "stop")],
        [chunk({"content": "Hi"})],
    ],
)
def test_however_it_is_sent_it_says_the_same(chunks: list[bytes]) -> None:
    found = answer(*chunks)
    (choice,) = found.choices
    assert (found.id, found.model) == ("c", "gpt")
    assert (choice.parts, choice.stop) == ((Text(text="Hi"),), "stop")


@pytest.mark.parametrize("usage", [{"prompt_tokens": 3, "completion_tokens": 4}, {"prompt_tokens": "x"}, None, 7])
def test_usage_beside_the_last_words(usage: Any) -> None:
    found = answer(chunk({"content": "Hi"}, "stop", usage=usage))
    assert found.choices[0].parts == (Text(text="Hi"),)
    assert found.usage == (Usage(3, 4) if isinstance(usage, dict) and usage["prompt_tokens"] == 3 else None)


def test_calls_that_are_interleaved() -> None:
    assert calls(
        call(0, "a", "f", ""), call(1, "b", "g", '{"x'), call(0, None, None, "{}"), call(1, None, None, '":1}')
    ) == [("a", "f", "{}"), ("b", "g", '{"x":1}')]


def test_ids_and_names_that_are_repeated_begin_nothing_new() -> None:
    assert calls(call(0, "a", "f", "{"), call(0, "a", "f", "}")) == [("a", "f", "{}")]


def test_whole_calls_that_are_all_counted_as_the_first() -> None:
    assert calls(call(0, "a", "f", "{}"), call(0, "b", "f", "[]")) == [("a", "f", "{}"), ("b", "f", "[]")]


def test_calls_without_an_index_an_id_or_a_name_at_first() -> None:
    assert calls(call(None, "a", "f", "{"), call(None, None, None, "}")) == [("a", "f", "{}")]
    assert calls(call(0, None, "f", "{}"), call(1, "", "g", "{}")) == [
        ("call_c_0_0", "f", "{}"),
        ("call_c_0_1", "g", "{}"),
    ]
    assert calls(call(0, "a", None, "{"), call(0, None, "f", "}")) == [("a", "f", "{}")]
    assert calls(call(0, "a", None, "{}")) == [("a", "", "{}")]


def test_arguments_that_came_as_an_object() -> None:
    assert calls(call(0, "a", "f", {"x": 1})) == [("a", "f", '{"x":1}')]


def test_the_older_form_of_a_call() -> None:
    found = calls(
        chunk({"function_call": {"name": "f", "arguments": ""}}), chunk({"function_call": {"arguments": "{}"}})
    )
    assert [one[1:] for one in found] == [("f", "{}")]


@pytest.mark.parametrize("finish", ["stop", "tool_calls", None])
def test_a_call_is_why_it_stopped_whatever_is_said(finish: str | None) -> None:
    assert answer(call(0, "a", "f", "{}"), chunk(finish=finish)).choices[0].stop == "tool-use"


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk({"reasoning_content": "Hm."}), chunk({"content": "Yes."}, "stop")],
        [chunk({"reasoning": "Hm."}), chunk({"content": "Yes."}, "stop")],
        [chunk({"reasoning_content": "Hm.", "content": "Yes."}, "stop")],
        [
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]}),
            chunk({"content": "Yes."}, "stop"),
        ],
        [
            chunk({"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]}),
            chunk({"content": "Yes."}, "stop"),
        ],
    ],
)
def test_thoughts_are_read_as_others_send_them(chunks: list[bytes]) -> None:
    assert answer(*chunks).choices[0].parts == (Thinking(text="Hm."), Text(text="Yes."))


def test_signatures_follow_their_thoughts() -> None:
    form = {"format": "anthropic-claude-v1"}
    found = answer(
        chunk({"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", **form}]}),
        chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "sig", **form}]}),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "enc", **form}]}, "stop"),
    )
    assert found.choices[0].parts == (
        Thinking(text="Hm.", signature="sig", vendor="anthropic"),
        Thinking(redacted="enc", vendor="anthropic"),
    )


def test_several_choices_and_a_refusal() -> None:
    found = answer(
        b'data: {"choices":[{"index":1,"delta":{"refusal":"No."}},{"index":0,"delta":{"content":"Yes."}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"finish_reason":"stop"}]}\n\n',
    )
    assert [(one.parts, one.stop) for one in found.choices] == [
        ((Text(text="Yes."),), "stop"),
        ((Refusal(text="No."),), "refusal"),
    ]


@pytest.mark.parametrize(
    ("payload", "status", "hint"),
    [
        (b'data: {"error":{"message":"Boom.","type":"server_error"}}\n\n', 500, "server_error"),
        (b'event: error\ndata: {"message":"Boom."}\n\n', 500, ""),
        (b'data: {"object":"error","message":"Boom.","code":400}\n\n', 400, "400"),
        (b'data: {"error":"Boom."}\n\n', 500, ""),
        (b'data: {"id":"c","choices":[],"error":{"message":"Boom.","code":429}}\n\n', 429, "429"),
    ],
)
def test_an_error_event_ends_the_stream(payload: bytes, status: int, hint: str) -> None:
    events = read(chunk({"content": "Hi"}), payload, chunk({"content": "more"}), DONE)
    assert events[-1] == Failed("Boom.", status, hint)


def test_a_cut_stream_is_never_complete() -> None:
    events = read(chunk({"content": "Hi"}), chunk(finish="stop"))
    assert not any(isinstance(event, End) for event in events)


def test_a_last_event_without_its_blank_line_counts() -> None:
    assert isinstance(read(chunk({"content": "Hi"}), b"data: [DONE]")[-1], End)


def test_an_event_without_end_is_malformed() -> None:
    reader = CODEC.stream_reader([])
    for _ in range(16):
        assert reader.feed(b"x" * (1024 * 1024)) == []
    with pytest.raises(UpstreamFault):
        reader.feed(b"x" * (1024 * 1024))


def written(*events: Event, echo: Echo = ECHO) -> list[Any]:
    block = CODEC.stream_writer(echo).write([Start(id="c"), *events])
    return [json.loads(line[6:]) if line != "data: [DONE]" else None for line in block.decode().split("\n\n") if line]


def test_the_first_chunk_has_the_role_and_the_last_the_usage() -> None:
    first, finish, usage, done = written(Finish("length"), End(Usage(3, 4, cached=1)))
    assert first == {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "asked",
        "service_tier": None,
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": "", "refusal": None},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
        "usage": None,
    }
    assert finish["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}]
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens_details"]["cached_tokens"] == 1
    assert done is None


def test_usage_is_told_to_those_who_asked() -> None:
    echo = Echo(id="r", model="asked", created=1, wants_usage=False)
    first, _, done = written(Finish("stop"), End(Usage(3, 4)), echo=echo)
    assert "usage" not in first
    assert done is None


def test_each_call_has_its_number() -> None:
    _, *found = written(
        PartStart(0, Text(text="")),
        Delta(0, "Hm"),
        PartStart(1, ToolUse(id="a", name="f", arguments="")),
        PartStart(2, ToolUse(id="b", name="g", arguments="")),
        Delta(2, "[]", "arguments"),
        Delta(1, "{}", "arguments"),
    )
    assert [one["choices"][0]["delta"] for one in found[1:]] == [
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "[]"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ]


def test_a_citation_and_a_picture() -> None:
    _, _, cited, picture = written(
        PartStart(0, Text(text="")),
        Delta(0, "Rain."),
        Cited(0, Citation(url="https://example.com", title="Sky")),
        PartStart(1, Image(url="https://example.com/a.png")),
    )
    note = cited["choices"][0]["delta"]["annotations"][0]["url_citation"]
    assert (note["start_index"], note["end_index"]) == (0, 5)
    assert picture["choices"][0]["delta"]["images"][0]["image_url"] == {"url": "https://example.com/a.png"}


def test_a_ping_is_a_comment_and_a_failure_is_nothing() -> None:
    writer = CODEC.stream_writer(ECHO)
    assert writer.write([Ping()]) == b": ping\n\n"
    assert writer.write([Failed("x")]) == b""


def test_a_client_of_the_older_form_is_given_its_first_call_alone() -> None:
    echo = Echo(id="r", model="asked", created=1, legacy_calls=True)
    _, *found, finish = written(
        PartStart(0, ToolUse(id="a", name="f", arguments="")),
        Delta(0, "[]", "arguments"),
        PartEnd(0),
        PartStart(1, ToolUse(id="b", name="g", arguments="")),
        PartEnd(1),
        Finish("tool-use"),
        echo=echo,
    )
    assert [one["choices"][0]["delta"] for one in found] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "[]"}},
    ]
    assert finish["choices"][0]["finish_reason"] == "function_call"


def test_a_call_without_arguments_is_an_empty_object() -> None:
    _, begun, arguments = written(PartStart(0, ToolUse(id="a", name="f", arguments="")), PartEnd(0))
    assert begun["choices"][0]["delta"]["tool_calls"][0]["function"] == {"name": "f", "arguments": ""}
    assert arguments["choices"][0]["delta"]["tool_calls"][0]["function"] == {"arguments": "{}"}
