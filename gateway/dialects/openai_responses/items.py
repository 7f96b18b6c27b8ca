"""The objects of a Responses reply, as they are written: its items, and the response around them.

Every member that a strict client's schema demands is here, those that say nothing included.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.canonical import Citation, Echo, StopReason, Thinking, TokenLogprob, ToolUse
from gateway.dialects.openai_figures import Logprob, ResponsesUsage, responses_usage, write_citation, write_logprobs
from gateway.dialects.openai_responses.seal import sealed

TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")

_REASONS: Final[dict[StopReason, str | None]] = {
    "length": "max_output_tokens",
    "content-filter": "content_filter",
    "refusal": "content_filter",
    "pause": None,
    "error": None,
}
"""Why a response is incomplete; stops that are not in here complete it."""


class Annotation(msgspec.Struct, tag_field="type", tag="url_citation"):
    start_index: int
    end_index: int
    title: str
    url: str


class OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    annotations: list[Annotation]
    logprobs: list[Logprob]
    text: str


class OutputRefusal(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


Content = OutputText | OutputRefusal


class MessageItem(msgspec.Struct, tag_field="type", tag="message"):
    id: str
    status: str
    role: str
    content: list[Content]


class CallItem(msgspec.Struct, omit_defaults=True, tag_field="type", tag="function_call"):
    id: str
    call_id: str
    name: str
    arguments: str
    status: str
    extra_content: dict[str, dict[str, str]] | None = None


class CustomItem(msgspec.Struct, tag_field="type", tag="custom_tool_call"):
    id: str
    call_id: str
    name: str
    input: str


class Summary(msgspec.Struct, tag_field="type", tag="summary_text"):
    text: str


class ThoughtItem(msgspec.Struct, tag_field="type", tag="reasoning"):
    id: str
    summary: list[Summary]
    encrypted_content: str | None
    status: str


class ImageItem(msgspec.Struct, tag_field="type", tag="image_generation_call"):
    id: str
    status: str
    result: str | None


Item = MessageItem | CallItem | CustomItem | ThoughtItem | ImageItem


class _Details(msgspec.Struct):
    reason: str | None


class _Reasoning(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None


class _TextFormat(msgspec.Struct):
    type: str = "text"


class _TextConfig(msgspec.Struct):
    format: _TextFormat
    verbosity: str


class Response(msgspec.Struct):
    """created_at, completed_at: Unix seconds."""

    id: str
    object: str
    created_at: int
    status: str
    background: bool
    completed_at: int | None
    error: None
    incomplete_details: _Details | None
    instructions: None
    max_output_tokens: None
    max_tool_calls: None
    model: str
    output: list[Item]
    parallel_tool_calls: bool
    previous_response_id: None
    prompt_cache_key: None
    reasoning: _Reasoning
    safety_identifier: None
    service_tier: str | None
    store: bool
    temperature: float | None
    text: _TextConfig
    tool_choice: str
    tools: list[None]
    top_logprobs: int
    top_p: float | None
    truncation: str
    usage: ResponsesUsage | None
    user: None
    metadata: dict[str, str]


def response(identity: str, created: int, model: str, tier: str = "") -> Response:
    """One that is under way."""
    return Response(
        id=identity,
        object="response",
        created_at=created,
        status="in_progress",
        background=False,
        completed_at=None,
        error=None,
        incomplete_details=None,
        instructions=None,
        max_output_tokens=None,
        max_tool_calls=None,
        model=model,
        output=[],
        parallel_tool_calls=True,
        previous_response_id=None,
        prompt_cache_key=None,
        reasoning=_Reasoning(),
        safety_identifier=None,
        service_tier=tier if tier in TIERS else None,
        store=False,
        temperature=None,
        text=_TextConfig(_TextFormat(), "medium"),
        tool_choice="auto",
        tools=[],
        top_logprobs=0,
        top_p=None,
        truncation="disabled",
        usage=None,
        user=None,
        metadata={},
    )


def is_incomplete(stop: StopReason, refused: bool) -> bool:
    """refused: the refusal is told in words, so the response is complete."""
    return stop in _REASONS and not (stop == "refusal" and refused)


def conclude(begun: Response, stop: StopReason, refused: bool, usage: Usage | None, echo: Echo) -> None:
    """What is known in the end."""
    if is_incomplete(stop, refused):
        begun.status = "incomplete"
        begun.incomplete_details = _Details(_REASONS[stop])
    else:
        begun.status = "completed"
        begun.completed_at = max(begun.created_at, echo.created)
    begun.usage = responses_usage(usage) if usage is not None else None


def item_id(kind: str, reply: str, number: int) -> str:
    """An item's id, which nobody else in the conversation has."""
    tail = "".join(letter for letter in reply[-32:] if letter.isalnum() and letter.isascii())
    return f"{kind}_{tail}_{number}"


def call_item(part: ToolUse, identity: str, arguments: str, status: str) -> CallItem:
    extra = {"google": {"thought_signature": part.signature}} if part.signature else None
    return CallItem(identity, part.id, part.name, arguments, status, extra)


class _FreeText(msgspec.Struct):
    input: str


_FREE_TEXT: Final = msgspec.json.Decoder(_FreeText)


def free_text(arguments: str) -> str:
    """What a custom tool is given: the argument of the function that stood for it, or all that the model wrote."""
    try:
        return _FREE_TEXT.decode(arguments).input
    except (msgspec.MsgspecError, UnicodeError):
        return arguments


def thought_item(part: Thinking, identity: str, status: str) -> ThoughtItem:
    """part: with all of its text and its proof."""
    proof = sealed(part, part.redacted, True) if part.redacted else sealed(part, part.signature, False)
    return ThoughtItem(part.id or identity, [Summary(part.text)] if part.text else [], proof or None, status)


def annotation(citation: Citation, length: int) -> Annotation:
    """length: of the text that it is for, in characters."""
    cited = write_citation(citation, 0, length)
    return Annotation(cited.start_index or 0, cited.end_index or 0, cited.title or "", cited.url or "")


def output_text(text: str, citations: tuple[Citation, ...] = (), logprobs: tuple[TokenLogprob, ...] = ()) -> OutputText:
    return OutputText([annotation(one, len(text)) for one in citations], write_logprobs(logprobs), text)
