"""Laws of Converse's codec: cuts do not matter, a stream says what a whole reply says, and nothing but a clear error
leaves a reader, whatever the bytes."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.bedrock import CODEC
from gateway.dialects.canonical import Event, Request, TargetFacts
from tests.support.any_request import REQUESTS
from tests.support.eventstream import frame, message
from tests.support.fold import fold

HEADERS: Headers = [(b"x-amzn-requestid", b"r-1")]

_text = st.text(max_size=12)
_blocks = st.lists(
    st.one_of(
        st.builds(lambda text: {"text": text}, st.text(min_size=1, max_size=12)),
        st.builds(
            lambda name, key, value: {"toolUse": {"toolUseId": "t" + name, "name": name, "input": {key: value}}},
            st.text("abc", min_size=1, max_size=4),
            _text,
            st.integers() | _text,
        ),
        st.just({"toolUse": {"toolUseId": "t", "name": "none", "input": {}}}),
        st.builds(
            lambda text, proof: {"reasoningContent": {"reasoningText": {"text": text, "signature": proof}}},
            st.text(min_size=1, max_size=12),
            st.text("abc", max_size=4),
        ),
        st.just({"reasoningContent": {"redactedContent": "EmwKAhgB"}}),
        st.builds(
            lambda text, url: {
                "citationsContent": {
                    "content": [{"text": text}],
                    "citations": [{"title": "t", "location": {"web": {"url": url}}}],
                }
            },
            st.text(min_size=1, max_size=12),
            _text,
        ),
    ),
    max_size=5,
)
_reasons = st.sampled_from(["end_turn", "tool_use", "max_tokens", "guardrail_intervened", "stop_sequence", "else"])
_usage = st.fixed_dictionaries(
    {"inputTokens": st.integers(0, 999), "outputTokens": st.integers(0, 999)},
    optional={"cacheReadInputTokens": st.integers(0, 99), "cacheWriteInputTokens": st.integers(0, 99)},
)


def _frames(blocks: list[dict[str, object]], reason: str, usage: object) -> bytes:
    """The reply as a stream: each text in single characters."""
    sent: list[tuple[str, object]] = [("messageStart", {"role": "assistant"})]
    for at, block in enumerate(blocks):
        deltas: list[dict[str, object]] = []
        match block:
            case {"text": str(text)}:
                deltas = [{"text": letter} for letter in text]
            case {"toolUse": {"toolUseId": str(identity), "name": str(name), "input": arguments}}:
                start = {"toolUse": {"toolUseId": identity, "name": name}}
                sent.append(("contentBlockStart", {"contentBlockIndex": at, "start": start}))
                written = msgspec.json.encode(arguments).decode()
                deltas = [{"toolUse": {"input": letter}} for letter in written] if arguments else []
            case {"reasoningContent": {"reasoningText": {"text": str(text), "signature": str(proof)}}}:
                deltas = [{"reasoningContent": {"text": letter}} for letter in text]
                deltas += [{"reasoningContent": {"signature": proof}}] if proof else []
            case {"reasoningContent": redacted}:
                deltas = [{"reasoningContent": redacted}]
            case {"citationsContent": {"content": [{"text": str(text)}], "citations": list(citations)}}:
                deltas = [{"text": letter} for letter in text] + [{"citation": one} for one in citations]
            case _:
                raise AssertionError(block)
        sent += [("contentBlockDelta", {"contentBlockIndex": at, "delta": delta}) for delta in deltas]
        sent.append(("contentBlockStop", {"contentBlockIndex": at}))
    sent += [("messageStop", {"stopReason": reason}), ("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})]
    return b"".join(frame(event, msgspec.json.encode(body)) for event, body in sent)


def _read(chunks: list[bytes]) -> list[Event]:
    reader = CODEC.stream_reader(HEADERS)
    found: list[Event] = []
    for chunk in chunks:
        found += reader.feed(chunk)
    return found + reader.end()


@given(blocks=_blocks, reason=_reasons, usage=_usage, cuts=st.lists(st.integers(0), max_size=6))
def test_a_stream_says_what_the_whole_reply_says_however_it_is_cut(
    blocks: list[dict[str, object]], reason: str, usage: object, cuts: list[int]
) -> None:
    whole = msgspec.json.encode(
        {"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": reason, "usage": usage}
    )
    streamed = _frames(blocks, reason, usage)
    edges = [0, *sorted(cut % (len(streamed) + 1) for cut in cuts), len(streamed)]
    found = _read([streamed[a:b] for a, b in pairwise(edges)])
    assert found == _read([streamed])
    assert fold(found) == CODEC.read_reply(whole, HEADERS)


@given(blocks=_blocks, cut=st.integers(0))
def test_a_stream_that_is_cut_before_its_stop_is_never_complete(blocks: list[dict[str, object]], cut: int) -> None:
    streamed = _frames(blocks, "end_turn", {})
    stop = streamed.index(b"messageStop")
    found = _read([streamed[: cut % stop]])
    assert not any(type(event).__name__ in ("End", "Finish") for event in found)
    fold(found)


_names = st.sampled_from(
    [
        "output", "message", "content", "text", "toolUse", "input", "name", "toolUseId", "reasoningContent", "usage",
        "delta", "start", "contentBlockIndex", "stopReason", "citation", "signature", "redactedContent", "inputTokens",
        "citationsContent", "citations", "image", "source", "bytes", "location", "web", "url", "type",
    ]
)  # fmt: skip
_near = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=5),
    max_leaves=16,
)
_events = st.sampled_from(
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "else"]
)


@given(body=st.binary(max_size=60) | _near.map(json.dumps).map(str.encode))
def test_no_reply_makes_the_reader_raise_anything_but_a_fault(body: bytes) -> None:
    with suppress(UpstreamFault):
        CODEC.read_reply(body, [])
    with suppress(UpstreamFault):
        _read([body])


@given(sent=st.lists(st.tuples(_events, st.dictionaries(_names, _near, max_size=5)), max_size=8))
def test_odd_events_keep_the_grammar(sent: list[tuple[str, object]]) -> None:
    fold(_read([frame(event, json.dumps(body).encode()) for event, body in sent]))


@given(kind=st.sampled_from(["exception", "error", "else"]), payload=st.binary(max_size=20))
def test_an_exception_ends_the_stream_whatever_is_in_it(kind: str, payload: bytes) -> None:
    found = _read([message({":message-type": kind, ":exception-type": "throttlingException"}, payload)])
    assert [type(event).__name__ for event in found] == ["Failed"]


_facts = st.builds(
    TargetFacts,
    model=st.sampled_from(
        [
            "anthropic.claude-3-haiku-20240307-v1:0",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
            "us.anthropic.claude-opus-4-6-v1:0",
            "global.anthropic.claude-opus-5-5-v1:0",
            "amazon.nova-2-lite-v1:0",
            "openai.gpt-oss-120b-1:0",
            "meta.llama4-scout-17b-instruct-v1:0",
        ]
    ),
    max_output=st.sampled_from([0, 4096]),
    reasoning=st.sampled_from([None, False]),
)


@given(request=REQUESTS, facts=_facts)
def test_whatever_is_asked_is_written_as_converse_demands(request: Request, facts: TargetFacts) -> None:
    encoded = CODEC.write_request(request, facts)
    body = msgspec.json.decode(encoded.body)
    roles = [turn["role"] for turn in body["messages"]]
    assert roles[0] == "user"
    assert all(before != after for before, after in pairwise(roles))
    for turn in body["messages"]:
        assert turn["content"]
        for block in turn["content"]:
            assert len(block) == 1
            assert block.get("text", "x").strip()
    uses = any("toolUse" in block for turn in body["messages"] for block in turn["content"])
    assert not uses or body["toolConfig"]["tools"]
    extra = body.get("additionalModelRequestFields", {})
    budget = extra.get("thinking", {}).get("budget_tokens")
    if budget is not None:
        assert 1024 <= budget < body["inferenceConfig"]["maxTokens"]
    if extra.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        assert body.get("toolConfig", {}).get("toolChoice") is None
        assert "temperature" not in body.get("inferenceConfig", {})
