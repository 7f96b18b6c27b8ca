"""A Responses request as JSON has it: one typed decode, and nothing else.

An input item is one flat Struct with the members of all kinds, for there are many kinds and new ones come; which of
them count is the reader's to know. Base64, which may be megabytes, is left as it came.
"""

from __future__ import annotations

from typing import Final

import msgspec

NO_JSON: Final = msgspec.Raw()
"""A member that was not sent."""


class Breakpoint(msgspec.Struct, gc=False):
    mode: str | None = None
    ttl: str | None = None


class CacheControl(msgspec.Struct, gc=False):
    """Anthropic's mark, as some routers take it."""

    type: str | None = None
    ttl: str | None = None


class InputAudio(msgspec.Struct):
    data: msgspec.Raw = NO_JSON
    format: str | None = None


class Piece(msgspec.Struct):
    """A content part of any type."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: msgspec.Raw = NO_JSON
    file_id: str | None = None
    file_data: msgspec.Raw = NO_JSON
    file_url: str | None = None
    filename: str | None = None
    detail: str | None = None
    input_audio: InputAudio | None = None
    annotations: msgspec.Raw = NO_JSON
    logprobs: msgspec.Raw = NO_JSON
    prompt_cache_breakpoint: Breakpoint | None = None
    cache_control: CacheControl | None = None


class _Google(msgspec.Struct, gc=False):
    thought_signature: str | None = None


class Extra(msgspec.Struct):
    google: _Google | None = None


class Item(msgspec.Struct):
    """output: of a call, a string or parts; some kinds have an object. input: of a custom tool."""

    type: str | None = None
    role: str | None = None
    content: str | list[Piece] | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | dict[str, msgspec.Raw] | None = None
    input: str | None = None
    output: str | list[Piece] | dict[str, msgspec.Raw] | None = None
    summary: list[Piece] | None = None
    encrypted_content: str | None = None
    status: str | None = None
    phase: str | None = None
    extra_content: Extra | None = None


class CustomFormat(msgspec.Struct, gc=False):
    """What a custom tool's free text is to look like. syntax: of the grammar, `lark` or `regex`."""

    type: str | None = None
    syntax: str | None = None
    definition: str | None = None


class Tool(msgspec.Struct):
    """format: of a custom tool."""

    type: str | None = None
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = NO_JSON
    strict: bool | None = None
    cache_control: CacheControl | None = None
    format: CustomFormat | None = None


class Named(msgspec.Struct, gc=False):
    type: str | None = None
    name: str | None = None


class Choice(msgspec.Struct):
    type: str | None = None
    name: str | None = None
    mode: str | None = None
    tools: list[Named] | None = None


class TextFormat(msgspec.Struct):
    type: str | None = None
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = NO_JSON
    strict: bool | None = None


class TextConfig(msgspec.Struct):
    format: TextFormat | None = None


class ReasoningIn(msgspec.Struct, gc=False):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class Body(msgspec.Struct):
    model: str | None = None
    input: str | list[Item] | None = None
    instructions: str | list[Item] | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: str | Choice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningIn | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: msgspec.Raw = NO_JSON
    service_tier: str | None = None
    stream: bool | None = None
    include: list[str] | None = None
    store: bool | None = None
    truncation: str | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: msgspec.Raw = NO_JSON
    prompt: msgspec.Raw = NO_JSON
