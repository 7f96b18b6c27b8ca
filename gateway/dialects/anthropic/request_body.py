"""The Structs that a Messages request is decoded into: one for each object, with the members that are read.

A content block is one flat Struct with the members of all kinds: there are many, and new ones come. What is read only
where its kind says what it is stays undecoded.
"""

from __future__ import annotations

import msgspec

from gateway.dialects.anthropic.words import EMPTY, CacheControl
from gateway.dialects.body import Number


class Source(msgspec.Struct, gc=False):
    type: str | None = None
    media_type: str | None = None
    data: msgspec.Raw = EMPTY
    url: str | None = None
    file_id: str | None = None
    content: msgspec.Raw = EMPTY


class Citations(msgspec.Struct, gc=False):
    enabled: bool | None = None


class Block(msgspec.Struct, gc=False):
    """Of a request: any kind. citations: a list on text, an object on documents. source: an address on search
    results."""

    type: str | None = None
    cache_control: CacheControl | None = None
    text: str | None = None
    citations: msgspec.Raw = EMPTY
    source: Source | str | None = None
    title: str | None = None
    context: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = EMPTY
    tool_use_id: str | None = None
    content: msgspec.Raw = EMPTY
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class Turn(msgspec.Struct, gc=False):
    role: str | None = None
    content: str | list[Block] | None = None


class Tool(msgspec.Struct, gc=False):
    type: str | None = None
    name: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = EMPTY
    strict: bool | None = None
    cache_control: CacheControl | None = None


class ToolChoice(msgspec.Struct, gc=False):
    type: str | None = None
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct, gc=False):
    type: str | None = None
    budget_tokens: Number = None
    display: str | None = None


class Format(msgspec.Struct, gc=False):
    type: str | None = None
    schema: msgspec.Raw = EMPTY
    name: str | None = None


class OutputConfig(msgspec.Struct, gc=False):
    effort: str | None = None
    format: Format | None = None


class Metadata(msgspec.Struct, gc=False):
    user_id: str | None = None


class Body(msgspec.Struct, gc=False):
    model: str | None = None
    messages: list[Turn] | None = None
    system: str | list[Block] | None = None
    max_tokens: Number = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None
    stop_sequences: list[str] | None = None
    temperature: Number = None
    top_p: Number = None
    top_k: Number = None
    metadata: Metadata | None = None
    service_tier: str | None = None
    stream: bool | None = None
    cache_control: CacheControl | None = None
    mcp_servers: list[msgspec.Raw] | None = None
