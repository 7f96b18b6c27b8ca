"""Whole replies of chat completions, as OpenAI and the many that speak its format send them.

What is wrong in a part of a reply costs that part alone: usage that cannot be read is not known.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Image,
    Part,
    Refusal,
    StopReason,
    Text,
    Thinking,
    ToolUse,
)
from gateway.dialects.faults import fault_of_event
from gateway.dialects.openai_chat import request_body as wire
from gateway.dialects.openai_chat.thoughts import mistral_thinking, plain_thought, thoughts_of
from gateway.dialects.openai_figures import (
    Logprob,
    UrlCitation,
    read_citation,
    read_logprobs,
    usage_of,
)
from gateway.dialects.openai_words import FINISHES, UNREADABLE, plain_base64, says_error


class Annotation(msgspec.Struct):
    type: str | None = None
    url_citation: UrlCitation | None = None


class Sound(msgspec.Struct, gc=False):
    """expires_at: Unix seconds."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | float | None = None


class Picture(msgspec.Struct):
    """OpenRouter's: a `data:` URL."""

    type: str | None = None
    image_url: wire.ImageUrl | None = None


class Logprobs(msgspec.Struct):
    content: list[Logprob] | None = None
    refusal: list[Logprob] | None = None


class _Message(msgspec.Struct):
    content: str | list[wire.Piece] | None = None
    refusal: str | None = None
    tool_calls: list[wire.ToolCall] | None = None
    function_call: wire.Function | None = None
    annotations: list[Annotation] | None = None
    audio: Sound | None = None
    images: list[Picture] | None = None
    reasoning_content: msgspec.Raw = wire.NO_JSON
    reasoning: msgspec.Raw = wire.NO_JSON
    reasoning_details: list[wire.Detail] | None = None
    thinking_blocks: list[wire.ThinkingBlock] | None = None


class _Choice(msgspec.Struct):
    """stop_reason: vLLM's, the stop sequence that was met."""

    index: int | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: Logprobs | None = None


class _Reply(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = wire.NO_JSON
    service_tier: str | None = None
    object: str | None = None
    error: msgspec.Raw = wire.NO_JSON


_REPLY: Final = msgspec.json.Decoder(_Reply)


def read_reply(body: bytes, headers: Headers) -> Answer:
    """Raises UpstreamFault: `malformed` where it is no reply, or what the error in it says."""
    try:
        reply = _REPLY.decode(body)
    except UNREADABLE as error:
        raise UpstreamFault("malformed", f"The reply is no chat completion: {error}") from None
    if says_error(reply.error) or reply.object == "error":
        raise fault_of_event("openai", body)
    if reply.choices is None:
        raise UpstreamFault("malformed", "The reply is no chat completion: it has no choices.")
    return Answer(
        id=reply.id or "",
        model=reply.model or "",
        created=int(reply.created or 0),
        choices=tuple(_read_choice(choice, at, reply.id or "") for at, choice in enumerate(reply.choices)),
        usage=usage_of(reply.usage),
        service_tier=reply.service_tier or "",
    )


def stop_of(finish: str | None, calls: bool, refused: bool) -> StopReason:
    """Some say `stop` after a tool call, and OpenAI says it after a refusal."""
    stop = FINISHES.get(finish, "other") if finish else "stop"
    if stop == "stop":
        return "tool-use" if calls else "refusal" if refused else "stop"
    return stop


def call_id(reply: str, choice: int, index: int) -> str:
    """An id for a call that came without one. The reply's id keeps it apart from those of other turns."""
    tail = "".join(letter for letter in reply[-16:] if letter.isalnum() and letter.isascii())
    return f"call_{tail}_{choice}_{index}"


def read_picture(found: Picture) -> Image | None:
    """An image of an answer."""
    raw = found.image_url.url if found.image_url is not None else wire.NO_JSON
    try:
        url: str = msgspec.json.decode(raw, type=str)
    except UNREADABLE:
        return None
    head, comma, content = url.partition(",")
    if not head.startswith("data:") or not comma:
        return Image(url=url)
    return Image(content=plain_base64(content), media_type=head[5:].partition(";")[0])


def _read_choice(choice: _Choice, at: int, reply: str) -> Choice:
    message = choice.message or _Message()
    index = choice.index if choice.index is not None else at
    parts: list[Part] = list(
        thoughts_of(
            message.thinking_blocks,
            message.reasoning_details,
            plain_thought(message.reasoning_content, message.reasoning),
        )
    )
    parts += _read_content(message)
    if message.refusal:
        parts.append(Refusal(text=message.refusal))
    if (sound := message.audio) is not None:
        parts.append(
            Audio(
                content=plain_base64(sound.data or ""),
                media_type="audio/wav",
                id=sound.id or "",
                transcript=sound.transcript or "",
            )
        )
    parts += [image for picture in message.images or () if (image := read_picture(picture)) is not None]
    calls = list(message.tool_calls or ())
    if message.function_call is not None:
        calls.append(wire.ToolCall(function=message.function_call))
    for number, call in enumerate(calls):
        if (use := _read_call(call, call_id(reply, index, number))) is not None:
            parts.append(use)
    met = choice.stop_reason if isinstance(choice.stop_reason, str) else ""
    stop = stop_of(choice.finish_reason, bool(calls), bool(message.refusal))
    said = choice.logprobs
    return Choice(
        parts=tuple(parts),
        stop="stop-sequence" if met and stop == "stop" else stop,
        stop_sequence=met,
        index=index,
        logprobs=read_logprobs((said.content or said.refusal) if said is not None else None),
    )


def _read_content(message: _Message) -> list[Part]:
    content = message.content
    if content is None or content == "":
        return []
    citations = tuple(
        read_citation(note.url_citation) for note in message.annotations or () if note.url_citation is not None
    )
    if isinstance(content, str):
        return [Text(text=content, citations=citations)]
    parts: list[Part] = []
    for piece in content:
        if piece.type == "thinking":
            parts.append(Thinking(text=mistral_thinking(piece.thinking)))
        elif piece.text:
            parts.append(Text(text=piece.text))
        elif piece.refusal:
            parts.append(Refusal(text=piece.refusal))
    return parts


def _read_call(call: wire.ToolCall, otherwise: str) -> ToolUse | None:
    if call.function is not None:
        name, arguments = call.function.name or "", wire.arguments_of(call.function)
    elif call.custom is not None:
        name, arguments = call.custom.name or "", msgspec.json.encode({"input": call.custom.input or ""}).decode()
    else:
        return None
    return ToolUse(id=call.id or otherwise, name=name, arguments=arguments, signature=wire.signature_of(call))
