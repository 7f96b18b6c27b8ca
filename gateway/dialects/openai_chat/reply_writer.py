"""Whole replies of chat completions, as OpenAI's clients have them.

Every member is written that a strict client's schema demands, those that say nothing included. What OpenAI has no
member for is written as others in its format do: thoughts as `reasoning_content`, pictures as `images`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Citation,
    Echo,
    Image,
    Refusal,
    StopReason,
    Text,
    Thinking,
    ToolUse,
)
from gateway.dialects.openai_chat import request_body as wire
from gateway.dialects.openai_chat.thoughts import detail_of
from gateway.dialects.openai_figures import (
    ChatUsage,
    Logprob,
    UrlCitation,
    chat_usage,
    write_citation,
    write_logprobs,
)
from gateway.dialects.openai_words import data_url

FINISH: Final[dict[StopReason, str]] = {
    "stop": "stop",
    "length": "length",
    "tool-use": "tool_calls",
    "stop-sequence": "stop",
    "content-filter": "content_filter",
    "refusal": "content_filter",
    "pause": "length",
    "error": "length",
    "other": "stop",
}
"""What is not in here a strict client would refuse. What was broken off is not told as complete."""


class _FunctionOut(msgspec.Struct):
    name: str
    arguments: str


class _CallOut(msgspec.Struct, omit_defaults=True):
    id: str
    type: str
    function: _FunctionOut
    extra_content: dict[str, dict[str, str]] | None = None


class AnnotationOut(msgspec.Struct, tag_field="type", tag="url_citation"):
    url_citation: UrlCitation


class _UrlOut(msgspec.Struct):
    url: str


class _PictureOut(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: _UrlOut


class _SoundOut(msgspec.Struct):
    id: str
    expires_at: int
    data: str
    transcript: str


class _MessageOut(msgspec.Struct, omit_defaults=True, tag_field="role", tag="assistant"):
    """content, refusal and annotations have no default, so that they are always written."""

    content: str | None
    refusal: str | None
    annotations: list[AnnotationOut]
    reasoning_content: str = ""
    reasoning_details: list[wire.Detail] | None = None
    tool_calls: list[_CallOut] | None = None
    function_call: _FunctionOut | None = None
    audio: _SoundOut | None = None
    images: list[_PictureOut] | None = None


class _LogprobsOut(msgspec.Struct):
    content: list[Logprob] | None
    refusal: list[Logprob] | None


class _ChoiceOut(msgspec.Struct):
    index: int
    message: _MessageOut
    logprobs: _LogprobsOut | None
    finish_reason: str


class _ReplyOut(msgspec.Struct):
    id: str
    object: str
    created: int
    model: str
    choices: list[_ChoiceOut]
    usage: ChatUsage | None
    service_tier: str | None
    system_fingerprint: str | None


def write_reply(answer: Answer, echo: Echo) -> bytes:
    """The reply as an OpenAI client has it."""
    blobs = BlobWriter()
    created = answer.created or echo.created
    reply = _ReplyOut(
        id=answer.id or echo.id,
        object="chat.completion",
        created=created,
        model=echo.model,
        choices=[_write_choice(choice, created, blobs, echo.legacy_calls) for choice in answer.choices],
        usage=chat_usage(answer.usage) if answer.usage is not None else None,
        service_tier=tier_of(answer.service_tier),
        system_fingerprint=None,
    )
    return blobs.encode(reply)


def tier_of(name: str) -> str | None:
    """OpenAI's names alone: a strict client knows no other."""
    return name if name in ("auto", "default", "flex", "scale", "priority", "fast") else None


def extra_of(signature: str) -> dict[str, dict[str, str]] | None:
    """Where Gemini's own endpoint of this format puts the signature of a call, and looks for it."""
    return {"google": {"thought_signature": signature}} if signature else None


def annotation_of(citation: Citation, start: int, end: int) -> AnnotationOut:
    return AnnotationOut(write_citation(citation, start, end))


def _write_choice(choice: Choice, created: int, blobs: BlobWriter, legacy: bool) -> _ChoiceOut:
    texts: list[str] = []
    refusals: list[str] = []
    thoughts: list[Thinking] = []
    calls: list[_CallOut] = []
    pictures: list[_PictureOut] = []
    message = _MessageOut(None, None, [])
    length = 0
    for part in choice.parts:
        match part:
            case Text():
                texts.append(part.text)
                message.annotations += [
                    annotation_of(citation, length, length + len(part.text)) for citation in part.citations
                ]
                length += len(part.text)
            case Refusal():
                refusals.append(part.text)
            case Thinking():
                thoughts.append(part)
            case ToolUse():
                function = _FunctionOut(part.name, part.arguments or "{}")
                calls.append(_CallOut(part.id, "function", function, extra_of(part.signature)))
            case Audio():
                data = blobs.place(part.content) if part.content is not None else ""
                message.audio = _SoundOut(part.id or f"audio_{choice.index}", created, data, part.transcript)
            case Image():
                url = part.url
                if part.content is not None:
                    url = data_url(part.media_type or "image/png", blobs.place(part.content))
                pictures.append(_PictureOut(_UrlOut(url)))
            case _:
                pass
    message.refusal = "".join(refusals) or None
    silent = calls or message.refusal or message.audio
    message.content = "".join(texts) if texts or not silent else None
    if legacy and calls:
        # The older form has one call at a time, and no id.
        message.function_call = calls[0].function
    else:
        message.tool_calls = calls or None
    message.images = pictures or None
    message.reasoning_content = "\n\n".join(part.text for part in thoughts if part.text)
    message.reasoning_details = [
        detail for at, part in enumerate(thoughts) if (detail := detail_of(part, at)) is not None
    ] or None
    logprobs = _LogprobsOut(write_logprobs(choice.logprobs), None) if choice.logprobs else None
    return _ChoiceOut(choice.index, message, logprobs, finish_of(choice.stop, bool(message.refusal), legacy))


def finish_of(stop: StopReason, refused: bool, legacy: bool) -> str:
    """refused: in words. legacy: the client speaks the older form of calls."""
    if stop == "refusal" and refused:
        return "stop"
    return "function_call" if legacy and stop == "tool-use" else FINISH[stop]
