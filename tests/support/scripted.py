"""Scripted providers, as `gateway test` has them."""

from __future__ import annotations

from gateway.rehearsal.replies import (
    DONE,
    chat_chunk,
    chat_reply,
    chat_stream,
    generate_reply,
    generate_stream,
    message_reply,
    message_stream,
    openai_usage,
    sse,
    usage_chunk,
)
from gateway.rehearsal.scripted import (
    JSON,
    SSE,
    Answer,
    Script,
    ScriptedTransport,
    Sent,
    hang,
    html,
    ok,
    refuse,
    reset,
    status,
    stream,
)

__all__ = [
    "DONE",
    "JSON",
    "SSE",
    "Answer",
    "Script",
    "ScriptedTransport",
    "Sent",
    "chat_chunk",
    "chat_reply",
    "chat_stream",
    "generate_reply",
    "generate_stream",
    "hang",
    "html",
    "message_reply",
    "message_stream",
    "ok",
    "openai_usage",
    "refuse",
    "reset",
    "sse",
    "status",
    "stream",
    "usage_chunk",
]
