"""What providers say: whole replies and streams of three dialects, as bytes.

What lives here: plain builders, with every field that a strict client demands. Streams are lists of
chunks, one event each, so that a test can cut, delay or split them.
"""

from __future__ import annotations

import json
from typing import Any, Final

JSON_HEAD: Final = (("content-type", "application/json"),)
SSE_HEAD: Final = (("content-type", "text/event-stream"),)


def encode(reply: object) -> bytes:
    return json.dumps(reply, separators=(",", ":")).encode()


def event(payload: object, name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
    return f"{head}data: {text}\n\n".encode()


def openai_usage(prompt: int = 9, completion: int = 3) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def openai_chat(text: str = "Hello there", *, model: str = "gpt-4o", prompt: int = 9, completion: int = 3) -> bytes:
    message = {"role": "assistant", "content": text, "refusal": None}
    return encode(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_800_000_000,
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": openai_usage(prompt, completion),
            "system_fingerprint": None,
        }
    )


def openai_stream(
    text: str = "Hello there", *, model: str = "gpt-4o", usage: bool = True, prompt: int = 9, completion: int = 3
) -> list[bytes]:
    """Role, a chunk for each word, finish, usage if wanted, [DONE]."""

    def chunk(delta: dict[str, Any] | None, finish: str | None = None, used: dict[str, Any] | None = None) -> bytes:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        body: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_800_000_000,
            "model": model,
            "system_fingerprint": None,
            "choices": choices,
        }
        if usage:
            body["usage"] = used
        return event(body)

    chunks = [chunk({"role": "assistant", "content": "", "refusal": None})]
    chunks += [chunk({"content": word}) for word in split_words(text)]
    chunks.append(chunk({}, "stop"))
    if usage:
        chunks.append(chunk(None, None, openai_usage(prompt, completion)))
    return [*chunks, event("[DONE]")]


def openai_error(
    message: str = "something is wrong", *, kind: str = "invalid_request_error", code: str | None = None
) -> bytes:
    return encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def anthropic_usage(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "input_tokens": prompt,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": completion,
        "service_tier": "standard",
    }


def anthropic_message(
    text: str = "Hello there", *, model: str = "claude-sonnet-4-5", prompt: int = 9, completion: int = 3
) -> bytes:
    return encode(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": anthropic_usage(prompt, completion),
        }
    )


def anthropic_stream(
    text: str = "Hello there", *, model: str = "claude-sonnet-4-5", prompt: int = 9, completion: int = 3
) -> list[bytes]:
    def named(name: str, **fields: object) -> bytes:
        return event({"type": name, **fields}, name)

    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": anthropic_usage(prompt, 1),
    }
    return [
        named("message_start", message=message),
        named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        named("ping"),
        *(
            named("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
            for word in split_words(text)
        ),
        named("content_block_stop", index=0),
        named(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": completion},
        ),
        named("message_stop"),
    ]


def anthropic_error(message: str = "something is wrong", *, kind: str = "invalid_request_error") -> bytes:
    return encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})


def _gemini_part(text: str, finish: str | None, model: str, prompt: int, completion: int) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": prompt,
            "candidatesTokenCount": completion,
            "totalTokenCount": prompt + completion,
        },
        "modelVersion": model,
        "responseId": "resp-1",
    }


def gemini_reply(
    text: str = "Hello there", *, model: str = "gemini-2.5-flash", prompt: int = 9, completion: int = 3
) -> bytes:
    return encode(_gemini_part(text, "STOP", model, prompt, completion))


def gemini_stream(
    text: str = "Hello there", *, model: str = "gemini-2.5-flash", prompt: int = 9, completion: int = 3
) -> list[bytes]:
    """As `alt=sse` sends it: no [DONE], the last event has the finish reason."""
    words = split_words(text)
    last = len(words) - 1
    return [
        event(_gemini_part(word, "STOP" if number == last else None, model, prompt, completion))
        for number, word in enumerate(words)
    ]


def gemini_error(message: str = "something is wrong", *, code: int = 400, status: str = "INVALID_ARGUMENT") -> bytes:
    return encode({"error": {"code": code, "message": message, "status": status}})


def split_words(text: str) -> list[str]:
    """Words with the space before them, so that joining gives the text."""
    words = text.split(" ")
    return [words[0], *(f" {word}" for word in words[1:])]
