"""OpenAI's chat and text completions, and the many servers that speak them."""

from __future__ import annotations

from typing import Final

from gateway.core.usage import Usage
from gateway.dialects.replay.pieces import (
    Members,
    Unfoldable,
    add,
    encode,
    object_of,
    objects,
    read_events,
    read_object,
    write_event,
)
from gateway.dialects.tap_openai import ChatTap

DONE: Final = b"data: [DONE]\n\n"
_TOP: Final = ("object", "choices", "usage")


def fold(body: bytes, usage: Usage | None, *, text: bool = False) -> bytes:
    """The whole reply of a stream. usage: written where the stream says none. text: of text completions."""
    whole: Members = {}
    choices: dict[object, Members] = {}
    said: object = None
    for chunk in read_events(body):
        for choice in objects(chunk.pop("choices", None)):
            index = choice.get("index", 0)
            add(choices.setdefault(index, {}), choice)
        said = chunk.pop("usage", None) or said
        for name, value in chunk.items():
            if whole.get(name) is None:
                whole[name] = value
    if not choices or any(choice.get("finish_reason") is None for choice in choices.values()):
        raise Unfoldable("a choice has no end")
    ordered = sorted(choices.values(), key=_index)
    whole["object"] = "text_completion" if text else "chat.completion"
    whole["choices"] = ordered if text else [_choice(choice) for choice in ordered]
    if said is None and usage is not None:
        said = usage_members(usage)
    if said is not None:
        whole["usage"] = said
    return encode(whole)


def _index(choice: Members) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _choice(choice: Members) -> Members:
    delta = object_of(choice.pop("delta", None))
    message: Members = {"role": "assistant", "content": None, "refusal": None, **delta}
    calls = objects(message.get("tool_calls"))
    if calls:
        message["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in calls]
    choice.setdefault("logprobs", None)
    return {**choice, "message": message}


def unfold(body: bytes, usage: Usage | None, *, wants_usage: bool, text: bool = False) -> bytes:
    """The stream of a whole reply."""
    whole = read_object(body)
    choices = objects(whole.get("choices"))
    if not choices:
        raise Unfoldable("there are no choices")
    top: Members = {name: value for name, value in whole.items() if name not in _TOP}
    top["object"] = "text_completion" if text else "chat.completion.chunk"
    out = [
        write_event({**top, "choices": [piece]})
        for choice in choices
        for piece in ([choice] if text else _pieces(choice))
    ]
    if wants_usage:
        said = whole.get("usage") or (usage_members(usage) if usage is not None else None)
        if said is not None:
            out.append(write_event({**top, "choices": [], "usage": said}))
    return b"".join([*out, DONE])


def _pieces(choice: Members) -> list[Members]:
    """Who speaks, what is said, and that it is over, as three pieces."""
    message = object_of(choice.get("message"))
    rest: Members = {
        name: value for name, value in choice.items() if name not in ("message", "finish_reason", "logprobs")
    }
    said: Members = {name: value for name, value in message.items() if name != "role"}
    calls = objects(said.get("tool_calls"))
    if calls:
        said["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
    role: Members = {
        "role": message.get("role", "assistant"),
        "content": "" if isinstance(said.get("content"), str) else None,
    }
    return [
        {"index": 0, "delta": role, "logprobs": None, "finish_reason": None, **rest},
        {"index": 0, "delta": said, "logprobs": choice.get("logprobs"), "finish_reason": None, **rest},
        {"index": 0, "delta": {}, "logprobs": None, "finish_reason": choice.get("finish_reason"), **rest},
    ]


def stream_with_usage(body: bytes, usage: Usage | None, *, wanted: bool) -> bytes:
    """The same stream with the usage chunk that this client asked for, or without the one that it did not."""
    tap = ChatTap(strip=not wanted)
    out = tap.feed(body) + tap.end()
    if not wanted or tap.usage is not None or usage is None:
        return out
    cut = out.rfind(DONE)
    chunk = next(read_events(out), None)
    if cut < 0 or chunk is None:
        return out
    chunk["choices"] = []
    chunk["usage"] = usage_members(usage)
    return out[:cut] + write_event(chunk) + out[cut:]


def usage_members(usage: Usage) -> Members:
    """Usage as OpenAI writes it."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": usage.audio_input},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_output},
    }
