"""What providers say: whole replies and streams in the vendors' shapes.

What lives here: plain builders, with every field that a strict client demands. A stream is a list of pieces, one
event each, so that it can be cut anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

DONE: Final = b"data: [DONE]\n\n"

_encode = msgspec.json.encode


def sse(payload: object, event: str = "") -> bytes:
    """One event. payload: bytes as they are, anything else as JSON."""
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + (payload if isinstance(payload, bytes) else _encode(payload)) + b"\n\n"


def chat_reply(text: str = "Hello", model: str = "gpt-4o", tokens: tuple[int, int] | None = (9, 3)) -> dict[str, Any]:
    """OpenAI: a whole chat completion. tokens: input and output."""
    usage = {} if tokens is None else {"usage": openai_usage(*tokens)}
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], **usage,
    }  # fmt: skip


def openai_usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def chat_chunk(delta: dict[str, Any], finish: str | None = None, model: str = "gpt-4o") -> bytes:
    """OpenAI: one event of a chat stream."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return sse(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
    )


def usage_chunk(prompt: int = 9, completion: int = 3, model: str = "gpt-4o") -> bytes:
    """OpenAI: the event that `include_usage` brings."""
    return sse({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [],
        "usage": openai_usage(prompt, completion),
    })  # fmt: skip


def chat_stream(
    words: Sequence[str] = ("Hel", "lo"), model: str = "gpt-4o", tokens: tuple[int, int] | None = None
) -> list[bytes]:
    """OpenAI: a complete chat stream, an event a piece. tokens: with the usage event."""
    role = chat_chunk({"role": "assistant", "content": ""}, model=model)
    body = [chat_chunk({"content": word}, model=model) for word in words]
    usage = [] if tokens is None else [usage_chunk(*tokens, model=model)]
    return [role, *body, chat_chunk({}, "stop", model=model), *usage, DONE]


def message_reply(
    text: str = "Hello", model: str = "claude-sonnet-4-5", tokens: tuple[int, int] = (9, 3)
) -> dict[str, Any]:
    """Anthropic: a whole message."""
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model,
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": tokens[0], "output_tokens": tokens[1]},
    }  # fmt: skip


def message_stream(
    words: Sequence[str] = ("Hel", "lo"), model: str = "claude-sonnet-4-5", tokens: tuple[int, int] = (9, 3)
) -> list[bytes]:
    """Anthropic: a complete message stream, an event a piece, with a ping in front of the text."""
    usage = {"input_tokens": tokens[0], "output_tokens": 1}
    message = {**message_reply("", model), "content": [], "stop_reason": None, "usage": usage}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words
    ]
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    payloads: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": tokens[1]}},
        {"type": "message_stop"},
    ]
    return [sse(payload, payload["type"]) for payload in payloads]


def generate_reply(
    text: str = "Hello",
    finish: str | None = "STOP",
    model: str = "gemini-2.5-flash",
    tokens: tuple[int, int] | None = (9, 3),
) -> dict[str, Any]:
    """Gemini: a whole reply, and with finish None a piece of a stream."""
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    reply: dict[str, Any] = {"candidates": [candidate], "modelVersion": model}
    if tokens is not None:
        counts = {"promptTokenCount": tokens[0], "candidatesTokenCount": tokens[1], "totalTokenCount": sum(tokens)}
        reply["usageMetadata"] = counts
    return reply


def generate_stream(words: Sequence[str] = ("Hel", "lo"), tokens: tuple[int, int] = (9, 3)) -> list[bytes]:
    """Gemini: a complete stream of events (`alt=sse`)."""
    last = len(words) - 1
    return [
        sse(generate_reply(word, "STOP" if n == last else None, tokens=tokens if n == last else None))
        for n, word in enumerate(words)
    ]
