"""Counting the tokens of a request, as a format beside chat: the same request, asked elsewhere, answered with a number.

Lives here: how each vendor wraps the request and what it calls the number. Reading and writing the request itself is
the chat codec's. Law: a count is no usage; nothing is charged for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Call, Headers
from gateway.core.usage import Usage
from gateway.dialects.body import read
from gateway.dialects.canonical import Answer, Echo, Encoded, Request, TargetFacts
from gateway.dialects.codec import Codec

_Members = dict[str, msgspec.Raw]
_MEMBERS: Final = msgspec.json.Decoder(_Members)
_encode: Final = msgspec.json.encode

# What count_tokens takes; it refuses what only matters to an answer, such as max_tokens.
_ANTHROPIC_TAKES: Final = frozenset(
    ("cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools")
)

# What input_tokens takes: what is read, and not how the answer is to be sampled.
_RESPONSES_TAKES: Final = frozenset(
    ("input", "instructions", "model", "parallel_tool_calls", "reasoning", "text", "tool_choice", "tools", "truncation")
)


class _Said(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    total_tokens: int | None = msgspec.field(default=None, name="totalTokens")


_SAID: Final = msgspec.json.Decoder(_Said)


def _counting(
    chat: Codec,
    wrap: Callable[[bytes, str], bytes],
    unwrap: Callable[[bytes], bytes],
    told: Callable[[int], object],
) -> Codec:
    """A chat codec's requests, and replies that are a number. wrap: the chat body as it is asked to be counted.
    unwrap: the other way. told: the reply for a count."""

    def read_request(body: bytes, call: Call) -> Request:
        return chat.read_request(unwrap(body), call)

    def write_request(request: Request, facts: TargetFacts) -> Encoded:
        encoded = chat.write_request(request, facts)
        return msgspec.structs.replace(encoded, body=wrap(encoded.body, facts.model), format_tool="")

    def write_reply(answer: Answer, echo: Echo) -> bytes:
        return _encode(told(answer.usage.input if answer.usage is not None else 0))

    return msgspec.structs.replace(
        chat, read_request=read_request, write_request=write_request, read_reply=_read_count, write_reply=write_reply
    )


def _read_count(body: bytes, headers: Headers) -> Answer:
    try:
        said = _SAID.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UpstreamFault("malformed", "The reply to a count of tokens cannot be read.") from None
    count = said.input_tokens if said.input_tokens is not None else said.total_tokens
    if count is None or count < 0:
        raise UpstreamFault("malformed", "The reply to a count of tokens has no number in it.")
    return Answer(usage=Usage(input=count))


def anthropic_counting(chat: Codec) -> Codec:
    """`/messages/count_tokens`."""
    return _counting(chat, _for_anthropic, _as_it_is, lambda count: {"input_tokens": count})


def gemini_counting(chat: Codec) -> Codec:
    """`:countTokens`, where the request may stand in `generateContentRequest`."""
    return _counting(chat, _for_gemini, _of_gemini, lambda count: {"totalTokens": count})


def responses_counting(chat: Codec) -> Codec:
    """`/responses/input_tokens`."""
    return _counting(
        chat, _for_responses, _as_it_is, lambda count: {"object": "response.input_tokens", "input_tokens": count}
    )


def _for_anthropic(body: bytes, model: str) -> bytes:
    return _only(_ANTHROPIC_TAKES, body)


def _for_responses(body: bytes, model: str) -> bytes:
    return _only(_RESPONSES_TAKES, body)


def _only(taken: frozenset[str], body: bytes) -> bytes:
    return _encode({name: value for name, value in _MEMBERS.decode(body).items() if name in taken})


def _for_gemini(body: bytes, model: str) -> bytes:
    name = msgspec.Raw(_encode(f"models/{model}"))
    return _encode({"generateContentRequest": {"model": name, **_MEMBERS.decode(body)}})


def _of_gemini(body: bytes) -> bytes:
    members = read(_MEMBERS, body)
    inner = members.get("generateContentRequest", members.get("generate_content_request"))
    if inner is None:
        return body
    return _encode({name: value for name, value in read(_MEMBERS, bytes(inner)).items() if name != "model"})


def _as_it_is(body: bytes) -> bytes:
    return body
