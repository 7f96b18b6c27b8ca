"""Laws of the cache: what is the same stays the same however it is written, cut or kept."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.exchange import Call
from gateway.dialects.cache_key import key_of, members_of
from gateway.dialects.replay.forms import in_wanted_form
from gateway.dialects.replay.pieces import Unfoldable
from gateway.dialects.replay.storable import is_storable
from gateway.dialects.tap import tap_for
from gateway.policy.cache_control import NO_WISH, Directive, Wish, decide, read_wish, usable_after_error
from gateway.store.cache_entry import Entry, decode, encode
from gateway.store.cache_memory import MemoryCache
from tests.support.scripted import chat_stream, generate_stream, message_stream, sse

CHAT = Call("openai", "chat", "/chat/completions")
MESSAGES = Call("anthropic", "messages", "/messages")
GENERATE = Call("gemini", "generate", "/models/{model}:generateContent", in_path=True)
RESPONSES = Call("openai", "responses", "/responses")

words = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8)
text = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


def streamed(call: Call) -> Call:
    return msgspec.structs.replace(call, stream=True, wants_usage=True)


def through_a_tap(call: Call, stream: bytes, cuts: list[int]) -> bytes:
    """As a provider's stream arrives that is cut anywhere."""
    tap = tap_for(streamed(call), strip_usage=False)
    assert tap is not None
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    out = b"".join(tap.feed(stream[a:b]) for a, b in pairwise(edges)) + tap.end()
    assert tap.complete
    return out


@given(words, st.lists(st.integers(0, 10_000), max_size=20), st.sampled_from(("chat", "messages", "generate")))
def test_however_a_stream_was_cut_it_folds_into_the_same_reply(said: list[str], cuts: list[int], kind: str) -> None:
    call, chunks = {
        "chat": (CHAT, chat_stream(said, tokens=(9, 3))),
        "messages": (MESSAGES, message_stream(said)),
        "generate": (GENERATE, generate_stream(said)),
    }[kind]
    stream = b"".join(chunks)
    folded = in_wanted_form(call, "events", through_a_tap(call, stream, cuts), None)
    assert folded == in_wanted_form(call, "events", stream, None)
    whole = msgspec.json.decode(folded)
    match kind:
        case "chat":
            found = whole["choices"][0]["message"]["content"]
        case "messages":
            found = whole["content"][0]["text"]
        case _:
            found = whole["candidates"][0]["content"]["parts"][0]["text"]
    assert found == "".join(said)
    assert is_storable(streamed(call), "events", stream, None)


@given(words, st.data())
def test_a_stream_that_was_cut_short_is_never_kept_or_folded_whole(said: list[str], data: st.DataObject) -> None:
    stream = b"".join(message_stream(said))
    short = stream[: data.draw(st.integers(0, len(stream) - len(sse({"type": "message_stop"}, "message_stop"))))]
    assert not is_storable(streamed(MESSAGES), "events", short, None) or b'"stop_reason":"end_turn"' in short
    with pytest.raises(Unfoldable):
        in_wanted_form(MESSAGES, "events", short, None)


unknown = st.dictionaries(st.text("xyz", min_size=1, max_size=3).map("novel_".__add__), json_values, max_size=3)
choice = st.builds(
    lambda index, content, reason, more: {
        "index": index,
        "message": {"role": "assistant", "content": content, "refusal": None},
        "logprobs": None,
        "finish_reason": reason,
        **more,
    },
    st.just(0),
    text,
    st.sampled_from(("stop", "length")),
    st.just({}),
)
chats = st.builds(
    lambda count, made, more: {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{**made, "index": index} for index in range(count)],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        **{name: value for name, value in more.items() if value is not None},
    },
    st.integers(1, 3), choice, unknown,
)  # fmt: skip
blocks = st.one_of(
    st.builds(lambda t: {"type": "text", "text": t}, text),
    st.builds(lambda t, s: {"type": "thinking", "thinking": t, "signature": s}, text, text),
    st.dictionaries(text, json_values, max_size=3).map(
        lambda given: {"type": "tool_use", "id": "t", "name": "f", "input": given}
    ),
    st.builds(lambda more: {"type": "novel", **more}, unknown),
)  # fmt: skip
messages = st.builds(
    lambda content, more: {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 2}, **more,
    },
    st.lists(blocks, max_size=4), unknown,
)  # fmt: skip
parts = st.one_of(
    st.builds(lambda t: {"text": t, "thoughtSignature": "s"}, text),
    st.just({"functionCall": {"name": "f", "args": {}}}),
)
generations = st.builds(
    lambda found, more: {
        "candidates": [{"content": {"parts": found, "role": "model"}, "index": 0, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1}, **{name: value for name, value in more.items() if value is not None},
    },
    st.lists(parts, min_size=1, max_size=4), unknown,
)  # fmt: skip
items = st.one_of(
    st.builds(
        lambda t: {"id": "m", "type": "message", "role": "assistant", "status": "completed",
                   "content": [{"type": "output_text", "text": t, "annotations": []}]},
        text,
    ),
    st.builds(lambda t: {"id": "r", "type": "reasoning", "summary": [{"type": "summary_text", "text": t}]}, text),
)  # fmt: skip
responses = st.builds(
    lambda output, more: {"id": "r", "object": "response", "status": "completed", "output": output, **more},
    st.lists(items, max_size=3),
    unknown,
)


@given(
    st.one_of(
        st.tuples(st.just(CHAT), chats),
        st.tuples(st.just(MESSAGES), messages),
        st.tuples(st.just(GENERATE), generations),
        st.tuples(st.just(RESPONSES), responses),
    )
)
def test_a_reply_that_was_unfolded_folds_back_into_itself(case: tuple[Call, dict[str, Any]]) -> None:
    call, whole = case
    stream = in_wanted_form(streamed(call), "whole", msgspec.json.encode(whole), None)
    assert msgspec.json.decode(in_wanted_form(call, "events", stream, None)) == whole


def shuffled(value: object, data: st.DataObject) -> object:
    """The same JSON with the members of every object in another order."""
    if isinstance(value, dict):
        names = data.draw(st.permutations(list(value)))
        return {name: shuffled(value[name], data) for name in names}
    if isinstance(value, list):
        return [shuffled(item, data) for item in value]
    return value


@given(st.dictionaries(text, json_values, max_size=5), st.data())
def test_the_order_of_members_and_white_space_make_no_other_key(members: dict[str, Any], data: st.DataObject) -> None:
    one = msgspec.json.encode(members)
    other = msgspec.json.format(msgspec.json.encode(shuffled(members, data)), indent=data.draw(st.integers(0, 4)))
    first, second = members_of(one), members_of(other)
    assert first is not None
    assert second is not None
    assert key_of(("a",), (), first) == key_of(("a",), (), second)


@given(st.dictionaries(text, json_values, max_size=4), st.dictionaries(text, json_values, max_size=4))
def test_what_means_something_else_has_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    encode_in_order = msgspec.json.Encoder(order="deterministic").encode
    a, b = members_of(msgspec.json.encode(one)), members_of(msgspec.json.encode(other))
    assert a is not None
    assert b is not None
    assert (key_of((), (), a) == key_of((), (), b)) == (encode_in_order(a) == encode_in_order(b))


seconds = st.floats(0, 1000).map(lambda number: round(number, 1))
directives = st.builds(Directive, seconds, seconds, seconds, seconds | st.just(math.inf), st.just(False), st.booleans())
wishes = st.builds(
    Wish, seconds | st.just(math.inf), seconds, seconds | st.just(math.inf), seconds | st.just(math.inf),
    st.booleans(), st.booleans(),
)  # fmt: skip
_ORDER = ("miss", "stale", "refresh", "fresh")


@given(directives, wishes, seconds)
def test_a_wish_never_gets_what_the_file_does_not_allow(directive: Directive, wish: Wish, age: float) -> None:
    assert _ORDER.index(decide(age, directive, wish)) <= _ORDER.index(decide(age, directive))
    assert usable_after_error(age, directive) or not usable_after_error(age, directive, wish)


@given(directives, seconds)
def test_what_is_no_longer_kept_is_never_given(directive: Directive, age: float) -> None:
    if age > directive.kept_for:
        assert decide(age, directive, NO_WISH) in ("miss", "stale")
        assert not usable_after_error(age, directive)
        assert decide(age, directive, NO_WISH) == "miss" or math.isinf(directive.max_stale)


@given(st.binary(max_size=200))
def test_any_header_is_read(header: bytes) -> None:
    wish = read_wish(header)
    assert wish.max_age >= 0
    assert wish.min_fresh >= 0


@given(st.binary(max_size=60) | st.binary(max_size=8).map(lambda end: encode(Entry(1.0, "whole", [], b"x")) + end))
def test_any_bytes_are_an_entry_or_nothing(value: bytes) -> None:
    found = decode(value)
    assert found is None or isinstance(found.body, bytes)


steps = st.lists(
    st.tuples(st.sampled_from(("put", "get", "wait", "bound")), st.sampled_from("abcdef"), st.integers(0, 900)),
    max_size=40,
)


@given(steps)
@settings(deadline=None)
def test_memory_is_bounded_and_its_sum_is_that_of_what_is_there(
    steps: list[tuple[str, str, int]],
) -> None:
    async def run() -> None:
        now = 0.0
        cache = MemoryCache(lambda: now)
        limit = 2500
        cache.bound({"r": limit})
        for what, name, number in steps:
            match what:
                case "put":
                    await cache.put(f"r:{name}", bytes(number), 10)
                case "get":
                    await cache.get([f"r:{name}"])
                case "wait":
                    now += number / 100
                case _:
                    limit = 500 + number * 3
                    cache.bound({"r": limit})
            for shelf in cache.shelves.values():
                fresh = MemoryCache(lambda: 0.0)
                fresh.bound({"r": 10**9})
                for key, (value, _) in shelf.entries.items():
                    await fresh.put(key, value, 1)
                assert shelf.size == (fresh.shelves["r"].size if fresh.shelves else 0) <= limit

    asyncio.run(run())
