"""Which form an answer has, which one a client wants, and how the one becomes the other."""

from __future__ import annotations

from typing import Final, Literal

from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.replay import anthropic_messages, gemini, openai_chat, openai_responses
from gateway.dialects.replay.pieces import Unfoldable

Form = Literal["whole", "events", "array"]
"""whole: one body. events: server-sent events. array: Gemini's stream as one JSON array."""

CONTENT_TYPES: Final[dict[Form, bytes]] = {
    "whole": b"application/json",
    "events": b"text/event-stream; charset=utf-8",
    "array": b"application/json; charset=UTF-8",
}

_TRANSLATED: Final = frozenset(
    (
        ("openai", "chat"), ("openai", "completions"), ("openai", "responses"), ("anthropic", "messages"),
        ("gemini", "generate"),
    )
)  # fmt: skip


def has_both_forms(call: Call) -> bool:
    """Whether a stream and a whole reply to such a call can be made of each other."""
    return (call.dialect, call.operation) in _TRANSLATED


def wanted_form(call: Call) -> Form:
    if not call.stream:
        return "whole"
    return "array" if call.framing == "json-array" else "events"


def in_wanted_form(call: Call, form: Form, body: bytes, usage: Usage | None, *, told: bool = True) -> bytes:
    """An answer of the given form as this call wants it. usage: told where the answer does not say it and the call
    wants it. told: a stream tells its usage itself. Unfoldable when it cannot be done."""
    wanted = wanted_form(call)
    if form == wanted and (told == call.wants_usage or form == "whole"):
        return body
    if call.dialect == "openai" and call.operation in ("chat", "completions"):
        text = call.operation == "completions"
        if wanted == "whole":
            return openai_chat.fold(body, usage, text=text)
        if form == "whole":
            return openai_chat.unfold(body, usage, wants_usage=call.wants_usage, text=text)
        return openai_chat.stream_with_usage(body, usage, wanted=call.wants_usage)
    if form == wanted:
        return body
    match call.dialect, call.operation:
        case "openai", "responses":
            return openai_responses.fold(body) if wanted == "whole" else openai_responses.unfold(body)
        case "anthropic", "messages":
            return anthropic_messages.fold(body) if wanted == "whole" else anthropic_messages.unfold(body)
        case "gemini", "generate":
            if wanted == "whole":
                return gemini.fold(body, array=form == "array")
            if form == "whole":
                return gemini.unfold(body, array=wanted == "array")
            return gemini.events_of_array(body) if form == "array" else gemini.array_of_events(body)
        case _:
            raise Unfoldable("this operation has one form only")
