"""Whole Responses replies, read and written."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Echo,
    Image,
    Part,
    Refusal,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.faults import fault_of_event
from gateway.dialects.openai_figures import Logprob, UrlCitation, read_citation, read_logprobs, usage_of
from gateway.dialects.openai_responses.items import (
    Content,
    CustomItem,
    ImageItem,
    Item,
    MessageItem,
    OutputRefusal,
    call_item,
    conclude,
    free_text,
    item_id,
    output_text,
    response,
    thought_item,
)
from gateway.dialects.openai_responses.request_body import NO_JSON, Extra
from gateway.dialects.openai_responses.seal import OWN
from gateway.dialects.openai_words import UNREADABLE, plain_base64, says_error


class AnnotationIn(UrlCitation):
    type: str | None = None


class Piece(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    annotations: list[AnnotationIn] | None = None
    logprobs: list[Logprob] | None = None


class ItemIn(msgspec.Struct):
    """An output item of any kind. result: the base64 of an image."""

    type: str | None = None
    id: str | None = None
    content: list[Piece] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    summary: list[Piece] | None = None
    encrypted_content: str | None = None
    result: str | None = None
    output_format: str | None = None
    extra_content: Extra | None = None


class _Details(msgspec.Struct):
    reason: str | None = None


class ResponseIn(msgspec.Struct):
    """output: undecoded items, so that one of a kind nobody knows does not cost the others."""

    id: str | None = None
    model: str | None = None
    created_at: int | float | None = None
    status: str | None = None
    output: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = NO_JSON
    incomplete_details: _Details | None = None
    service_tier: str | None = None
    error: msgspec.Raw = NO_JSON


_READ: Final = frozenset(("message", "reasoning", "function_call", "custom_tool_call", "image_generation_call"))

RESPONSE: Final = msgspec.json.Decoder(ResponseIn)
ITEM: Final = msgspec.json.Decoder(ItemIn)


def read_reply(body: bytes, headers: Headers) -> Answer:
    """Raises UpstreamFault: `malformed` where it is no response, or what the error in it says."""
    try:
        found = RESPONSE.decode(body)
    except UNREADABLE as error:
        raise UpstreamFault("malformed", f"The reply is no response: {error}") from None
    if says_error(found.error) or found.status == "failed":
        raise fault_of_event("openai", body)
    if found.output is None:
        raise UpstreamFault("malformed", "The reply is no response: it has no output.")
    parts: list[Part] = []
    logprobs: list[TokenLogprob] = []
    unread: list[str] = []
    for raw in found.output:
        if (item := item_of(raw)) is not None:
            parts += parts_of(item)
            if item.type not in _READ and item.type:
                unread.append(item.type)
            for piece in (item.content or ()) if item.type == "message" else ():
                logprobs += read_logprobs(piece.logprobs)
    calls = any(isinstance(part, ToolUse) for part in parts)
    refused = any(isinstance(part, Refusal) for part in parts)
    choice = Choice(parts=tuple(parts), stop=stop_of(found, calls, refused), logprobs=tuple(logprobs))
    return Answer(
        id=found.id or "",
        model=found.model or "",
        created=int(found.created_at or 0),
        choices=(choice,),
        usage=usage_of(found.usage),
        service_tier=found.service_tier or "",
        unread=tuple(dict.fromkeys(unread)),
    )


def item_of(raw: msgspec.Raw) -> ItemIn | None:
    """An output item, None where it cannot be read."""
    try:
        return ITEM.decode(raw)
    except UNREADABLE:
        return None


def stop_of(found: ResponseIn, calls: bool, refused: bool) -> StopReason:
    if found.status == "incomplete":
        reason = found.incomplete_details.reason if found.incomplete_details is not None else None
        return (
            "length" if reason == "max_output_tokens" else "content-filter" if reason == "content_filter" else "other"
        )
    if found.status in ("cancelled", "queued", "in_progress"):
        return "other"
    return "tool-use" if calls else "refusal" if refused else "stop"


def parts_of(item: ItemIn) -> list[Part]:
    """The parts of one output item. What OpenAI's own tools did has none."""
    match item.type:
        case "message":
            return [part for piece in item.content or () if (part := _piece(piece)) is not None]
        case "reasoning":
            thought = thought_of(item)
            return [thought] if thought.text or thought.redacted else []
        case "function_call" | "custom_tool_call":
            return [call_of(item)]
        case "image_generation_call" if item.result:
            return [image_of(item)]
        case _:
            return []


def thought_of(item: ItemIn) -> Thinking:
    pieces = (*(item.summary or ()), *(item.content or ()))
    text = "\n\n".join(piece.text for piece in pieces if piece.text)
    return Thinking(text=text, redacted=item.encrypted_content or "", vendor=OWN, id=item.id or "")


def call_of(item: ItemIn) -> ToolUse:
    """A custom tool's free text becomes the argument of the function that stands for it."""
    arguments = item.arguments or ""
    if item.type == "custom_tool_call":
        arguments = msgspec.json.encode({"input": item.input or ""}).decode()
    google = item.extra_content.google if item.extra_content is not None else None
    return ToolUse(
        id=item.call_id or item.id or "",
        name=item.name or "",
        arguments=arguments,
        signature=(google.thought_signature or "") if google is not None else "",
    )


def image_of(item: ItemIn) -> Image:
    return Image(content=plain_base64(item.result or ""), media_type=f"image/{item.output_format or 'png'}")


def _piece(piece: Piece) -> Part | None:
    if piece.type == "refusal":
        return Refusal(text=piece.refusal or "")
    if piece.type == "output_text" or piece.text is not None:
        citations = tuple(read_citation(one) for one in piece.annotations or () if one.type == "url_citation")
        return Text(text=piece.text or "", citations=citations)
    return None


def write_reply(answer: Answer, echo: Echo) -> bytes:
    """The reply as a Responses client has it. The format has one answer: of several the first is written."""
    blobs = BlobWriter()
    identity = answer.id or echo.id
    written = response(identity, answer.created or echo.created, echo.model, answer.service_tier)
    choice = answer.choices[0] if answer.choices else Choice(parts=())
    written.output = _items(choice, identity, echo, blobs)
    refused = any(isinstance(part, Refusal) for part in choice.parts)
    conclude(written, choice.stop, refused, answer.usage, echo)
    if written.status == "incomplete" and written.output and isinstance(last := written.output[-1], MessageItem):
        last.status = "incomplete"
    return blobs.encode(written)


def _items(choice: Choice, reply: str, echo: Echo, blobs: BlobWriter) -> list[Item]:
    items: list[Item] = []
    content: list[Content] | None = None
    logprobs = choice.logprobs
    for part in choice.parts:
        number = len(items)
        match part:
            case Text() | Refusal() | Audio():
                if content is None:
                    content = []
                    items.append(MessageItem(item_id("msg", reply, number), "completed", "assistant", content))
                if isinstance(part, Refusal):
                    content.append(OutputRefusal(part.text))
                elif isinstance(part, Text):
                    content.append(output_text(part.text, part.citations, logprobs))
                    logprobs = ()
                else:
                    content.append(output_text(part.transcript))
                continue
            case Thinking():
                items.append(thought_item(part, item_id("rs", reply, number), "completed"))
            case ToolUse() if part.name in echo.custom_tools:
                identity = item_id("ctc", reply, number)
                items.append(CustomItem(identity, part.id, part.name, free_text(part.arguments)))
            case ToolUse():
                items.append(call_item(part, item_id("fc", reply, number), part.arguments or "{}", "completed"))
            case Image():
                result = blobs.place(part.content) if part.content is not None else None
                items.append(ImageItem(item_id("ig", reply, number), "completed", result))
            case _:
                continue
        content = None
    return items
