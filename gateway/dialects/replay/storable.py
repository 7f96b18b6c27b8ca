"""Which answers are worth giving again: complete ones, that say what they have to say.

Not kept: errors, what was cut off at `max_tokens` or by a filter, refusals of a filter, and what asks for a tool to be
called. A tool call is a step of a conversation: given again, it sends an agent in circles.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.core.exchange import Call
from gateway.core.usage import Usage
from gateway.dialects.replay.forms import Form, has_both_forms, in_wanted_form
from gateway.dialects.replay.pieces import Unfoldable

_DONE: Final = frozenset(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"))
_CALLS: Final = frozenset(("tool_calls", "function_call", "tool_use", "tool_call"))
_CLIENT_ITEMS: Final = frozenset(
    (
        "function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
        "mcp_approval_request",
    )
)  # fmt: skip
"""Items of a Responses reply that ask the client to do something."""

# A quote within JSON text is escaped, so these match members and never what somebody said.
_REASON: Final = {
    "openai": re.compile(rb'"finish_reason"\s*:\s*"([^"]*)"'),
    "anthropic": re.compile(rb'"stop_reason"\s*:\s*"([^"]*)"'),
    "gemini": re.compile(rb'"finishReason"\s*:\s*"([^"]*)"'),
}
_COHERE_DONE: Final = re.compile(rb'"finish_reason"\s*:\s*"COMPLETE"')
_CALL: Final = {
    "openai": re.compile(rb'"(?:tool_calls|function_call)"'),
    "anthropic": re.compile(rb'"tool_use"'),
    "gemini": re.compile(rb'"functionCall"'),
}
_CHUNKED: Final = frozenset(
    (("openai", "chat"), ("openai", "completions"), ("anthropic", "messages"), ("gemini", "generate"))
)


class _Message(msgspec.Struct, gc=False):
    tool_calls: list[object] | None = None
    function_call: object = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str | None = None
    message: _Message | None = None


class _Chat(msgspec.Struct, gc=False):
    choices: list[_Choice] = []
    error: object = None


class _Typed(msgspec.Struct, gc=False):
    type: str = ""


class _Messages(msgspec.Struct, gc=False):
    type: str = ""
    stop_reason: str | None = None
    content: list[_Typed] = []


class _Responses(msgspec.Struct, gc=False):
    status: str = "completed"
    error: object = None
    output: list[_Typed] = []


class _Part(msgspec.Struct, gc=False):
    call: object = msgspec.field(default=None, name="functionCall")


class _Content(msgspec.Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, gc=False):
    reason: str | None = msgspec.field(default=None, name="finishReason")
    content: _Content | None = None


class _Generated(msgspec.Struct, gc=False):
    candidates: list[_Candidate] = []
    error: object = None


class _Other(msgspec.Struct, gc=False):
    error: object = None


_CHAT: Final = msgspec.json.Decoder(_Chat)
_MESSAGES: Final = msgspec.json.Decoder(_Messages)
_RESPONSES: Final = msgspec.json.Decoder(_Responses)
_GENERATED: Final = msgspec.json.Decoder(_Generated)
_OTHER: Final = msgspec.json.Decoder(_Other)


def is_storable(call: Call, form: Form, body: bytes, usage: Usage | None, *, tool_calls: bool = False) -> bool:
    """Whether a complete reply of status 200 may be given again. tool_calls: those that call tools, too."""
    if not body:
        return False
    if call.dialect == "cohere" and call.operation == "chat":
        return _COHERE_DONE.search(body) is not None and not _CALL["openai"].search(body)
    if form != "whole":
        if not has_both_forms(call):
            return True
        quick = _quick(call, body)
        if quick is not None:
            return quick
        # A member that may mean a call is there: what it means, the whole reply says.
        whole = Call(call.dialect, call.operation, call.suffix)
        try:
            body = in_wanted_form(whole, form, body, usage)
        except Unfoldable:
            return False
    try:
        return _whole(call, body, tool_calls=tool_calls)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _quick(call: Call, body: bytes) -> bool | None:
    """The verdict on a stream by what it names alone; None where that is not enough."""
    if (call.dialect, call.operation) not in _CHUNKED or _CALL[call.dialect].search(body):
        return None
    reasons = set(_REASON[call.dialect].findall(body))
    return bool(reasons) and all(reason.decode("latin-1").lower() in _DONE for reason in reasons)


def _whole(call: Call, body: bytes, *, tool_calls: bool) -> bool:
    allowed = _DONE | _CALLS if tool_calls else _DONE
    match call.dialect, call.operation:
        case "openai", "chat" | "completions":
            chat = _CHAT.decode(body)
            return (
                not chat.error
                and bool(chat.choices)
                and all((choice.finish_reason or "").lower() in allowed for choice in chat.choices)
                and (tool_calls or not any(_asks(choice.message) for choice in chat.choices))
            )
        case "openai", "responses":
            response = _RESPONSES.decode(body)
            called = any(item.type in _CLIENT_ITEMS for item in response.output)
            return response.status == "completed" and not response.error and (tool_calls or not called)
        case "anthropic", "messages":
            message = _MESSAGES.decode(body)
            called = any(block.type == "tool_use" for block in message.content)
            return message.type == "message" and message.stop_reason in allowed and (tool_calls or not called)
        case "gemini", "generate":
            generated = _GENERATED.decode(body)
            parts = [part for each in generated.candidates if each.content for part in each.content.parts or ()]
            return (
                bool(generated.candidates)
                and all(each.reason == "STOP" for each in generated.candidates)
                and (tool_calls or not any(part.call for part in parts))
            )
        case _, "audio":
            return True
        case _:
            return body.lstrip()[:1] != b"{" or not _OTHER.decode(body).error


def _asks(message: _Message | None) -> bool:
    return message is not None and bool(message.tool_calls or message.function_call)
