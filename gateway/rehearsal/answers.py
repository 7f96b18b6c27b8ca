"""The shortest complete answers in the words of each vendor, with the usage that was recorded.

What lives here: text alone. A path that nobody here has words for has no answer, and whoever asked is told so.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.core.usage import Usage
from gateway.rehearsal.replies import DONE, sse

_encode = msgspec.json.encode
_TEXT: Final = "."


def whole_answer(path: str, model: str, usage: Usage) -> bytes | None:
    """The body of a reply that was not asked for as a stream; None for a path without words."""
    if path.endswith("/chat/completions"):
        message = {"role": "assistant", "content": _TEXT, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return _encode({**_openai("chat.completion", model), "choices": [choice], "usage": _openai_usage(usage)})
    if path.endswith("/messages"):
        return _encode(_message(model, usage, _TEXT))
    if path.endswith(":generateContent"):
        return _encode(_generated(model, usage))
    if path.endswith("/responses"):
        return _encode(_response(model, usage, "completed"))
    if path.endswith("/completions"):
        choice = {"index": 0, "text": _TEXT, "logprobs": None, "finish_reason": "stop"}
        return _encode({**_openai("text_completion", model), "choices": [choice], "usage": _openai_usage(usage)})
    if path.endswith("/embeddings"):
        entry = {"object": "embedding", "index": 0, "embedding": [0.0]}
        tokens = {"prompt_tokens": usage.input, "total_tokens": usage.input}
        return _encode({"object": "list", "model": model, "data": [entry], "usage": tokens})
    if path.endswith("/converse"):
        content = {"role": "assistant", "content": [{"text": _TEXT}]}
        return _encode({"output": {"message": content}, "stopReason": "end_turn", "usage": {
            "inputTokens": usage.input, "outputTokens": usage.output, "totalTokens": usage.total,
        }})  # fmt: skip
    if path.endswith("/v2/chat"):
        tokens = {"input_tokens": usage.input, "output_tokens": usage.output}
        said = {"role": "assistant", "content": [{"type": "text", "text": _TEXT}]}
        return _encode({"id": "1", "finish_reason": "COMPLETE", "message": said, "usage": {"tokens": tokens}})
    if path.endswith("/api/chat"):
        return _encode({
            "model": model, "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": _TEXT},
            "done": True, "done_reason": "stop", "prompt_eval_count": usage.input, "eval_count": usage.output,
        })  # fmt: skip
    return None


def streamed_answer(path: str, model: str, usage: Usage, *, tells_usage: bool) -> tuple[bytes, bytes] | None:
    """The first piece of a stream and the rest. tells_usage: OpenAI's chat was asked for it."""
    if path.endswith(("/chat/completions", "/completions")):
        chat = path.endswith("/chat/completions")
        head = _openai("chat.completion.chunk" if chat else "text_completion", model)
        part: dict[str, Any] = {"delta": {"role": "assistant", "content": _TEXT}} if chat else {"text": _TEXT}
        end: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
        first = sse({**head, "choices": [{"index": 0, "logprobs": None, "finish_reason": None, **part}]})
        rest = sse({**head, "choices": [{"index": 0, "logprobs": None, "finish_reason": "stop", **end}]})
        told = sse({**head, "choices": [], "usage": _openai_usage(usage)}) if tells_usage else b""
        return first, rest + told + DONE
    if path.endswith("/messages"):
        message = {**_message(model, usage, ""), "content": [], "stop_reason": None}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _TEXT}}
        stop = {"stop_reason": "end_turn", "stop_sequence": None}
        opening: list[dict[str, Any]] = [{"type": "message_start", "message": message}, block, delta]
        closing: list[dict[str, Any]] = [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": {"output_tokens": usage.output}},
            {"type": "message_stop"},
        ]
        return _events(opening), _events(closing)
    if path.endswith(":streamGenerateContent"):
        part_only = {**_generated(model, usage), "usageMetadata": {}}
        part_only["candidates"] = [{"index": 0, "content": {"role": "model", "parts": [{"text": _TEXT}]}}]
        return sse(part_only), sse(_generated(model, usage))
    if path.endswith("/responses"):
        begun = {"type": "response.created", "sequence_number": 0, "response": _response(model, usage, "in_progress")}
        ended = {"type": "response.completed", "sequence_number": 1, "response": _response(model, usage, "completed")}
        return _events([begun]), _events([ended])
    return None


def _events(payloads: list[dict[str, Any]]) -> bytes:
    return b"".join(sse(payload, payload["type"]) for payload in payloads)


def _openai(kind: str, model: str) -> dict[str, Any]:
    return {"id": "1", "object": kind, "created": 1, "model": model}


def _openai_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": usage.audio_input},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_output},
    }  # fmt: skip


def _message(model: str, usage: Usage, text: str) -> dict[str, Any]:
    writes = {
        "ephemeral_5m_input_tokens": usage.cache_write_5m,
        "ephemeral_1h_input_tokens": usage.cache_write_1h,
    }
    written = usage.cache_write_5m + usage.cache_write_1h
    return {
        "id": "1", "type": "message", "role": "assistant", "model": model,
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {
            "input_tokens": max(usage.input - usage.cached - written, 0), "cache_read_input_tokens": usage.cached,
            "cache_creation_input_tokens": written, "cache_creation": writes, "output_tokens": usage.output,
        },
    }  # fmt: skip


def _generated(model: str, usage: Usage) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": _TEXT}]}
    return {
        "candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
        "modelVersion": model,
        "usageMetadata": {
            "promptTokenCount": usage.input, "candidatesTokenCount": max(usage.output - usage.reasoning, 0),
            "thoughtsTokenCount": usage.reasoning, "cachedContentTokenCount": usage.cached,
            "totalTokenCount": usage.total,
        },
    }  # fmt: skip


def _response(model: str, usage: Usage, status: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": _TEXT, "annotations": []}
    said = {"type": "message", "id": "1", "role": "assistant", "status": "completed", "content": [part]}
    told = {
        "input_tokens": usage.input, "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }  # fmt: skip
    done = status == "completed"
    return {
        "id": "1", "object": "response", "created_at": 1, "status": status, "model": model,
        "output": [said] if done else [], "usage": told if done else None,
    }  # fmt: skip
