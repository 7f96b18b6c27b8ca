"""What the upstreams of the benchmark answer: provider replies with every field that a real one has.

nginx serves them as files, the streaming upstream from memory.
"""

from __future__ import annotations

import json
from typing import Final

ANSWER: Final = (
    "Hello! How can I assist you today? I am happy to help with whatever you need, including answering questions, "
    "drafting text, and analysing tables."
)


def chat_completion() -> bytes:
    return _compact(
        {
            "id": "chatcmpl-abc123",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "gpt-4o-mini",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": ANSWER, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 19,
                "completion_tokens": 28,
                "total_tokens": 47,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": "fp_fc9f1d7035",
        }
    )


def anthropic_message() -> bytes:
    return _compact(
        {
            "id": "msg_01abc",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": [{"type": "text", "text": ANSWER}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 19,
                "output_tokens": 28,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
            },
        }
    )


def chat_chunk(delta: dict[str, str], finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    """One `data:` event of an OpenAI chat stream."""
    chunk: dict[str, object] = {
        "id": "chatcmpl-abc123",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "gpt-4o-mini",
        "system_fingerprint": "fp_fc9f1d7035",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    if usage is not None:
        chunk |= {"choices": [], "usage": usage}
    return b"data: " + _compact(chunk) + b"\n\n"


def anthropic_event(kind: str, **fields: object) -> bytes:
    """One named event of an Anthropic stream."""
    return f"event: {kind}\n".encode() + b"data: " + _compact({"type": kind, **fields}) + b"\n\n"


def by_path() -> dict[str, bytes]:
    """Request path, without its leading slash -> reply body."""
    return {"v1/chat/completions": chat_completion(), "v1/messages": anthropic_message()}


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
