"""A chat completions request as JSON has it: one typed decode, and nothing else.

What is not named here is stepped over and told of as unread. A member whose shape depends on who wrote it is left as
it came (Raw) and looked at by the reader; so is base64, which may be megabytes.
"""

from __future__ import annotations

from typing import Final

import msgspec

NO_JSON: Final = msgspec.Raw()
"""A member that was not sent."""


class CacheControl(msgspec.Struct, gc=False):
    """Anthropic's mark, as OpenRouter and LiteLLM take it."""

    type: str | None = None
    ttl: str | None = None


class Breakpoint(msgspec.Struct, gc=False):
    """OpenAI's own mark."""

    mode: str | None = None
    ttl: str | None = None


class ImageUrl(msgspec.Struct):
    url: msgspec.Raw = NO_JSON
    detail: str | None = None


class InputAudio(msgspec.Struct):
    data: msgspec.Raw = NO_JSON
    format: str | None = None


class File(msgspec.Struct):
    file_data: msgspec.Raw = NO_JSON
    file_id: str | None = None
    filename: str | None = None


class Piece(msgspec.Struct):
    """A content part of any type. image_url: the URL alone is what some write. thinking: Mistral's, a list of texts."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    input_audio: InputAudio | None = None
    file: File | None = None
    thinking: msgspec.Raw = NO_JSON
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class Function(msgspec.Struct):
    """arguments: a string; some clients send the object itself."""

    name: str | None = None
    arguments: str | dict[str, msgspec.Raw] | None = None


class Custom(msgspec.Struct, gc=False):
    name: str | None = None
    input: str | None = None


class _Google(msgspec.Struct, gc=False):
    thought_signature: str | None = None


class Extra(msgspec.Struct):
    """Where Gemini's own OpenAI endpoint puts what the format has no place for."""

    google: _Google | None = None


class ToolCall(msgspec.Struct):
    id: str | None = None
    type: str | None = None
    index: int | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: Extra | None = None


class Detail(msgspec.Struct, omit_defaults=True):
    """OpenRouter's `reasoning_details`. type: `reasoning.text`, `reasoning.summary` or `reasoning.encrypted`."""

    type: str | None = None
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    id: str | None = None
    index: int | None = None


class ThinkingBlock(msgspec.Struct, gc=False):
    """LiteLLM's `thinking_blocks`: Anthropic's own blocks."""

    type: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class AudioId(msgspec.Struct, gc=False):
    id: str | None = None


class Message(msgspec.Struct):
    role: str | None = None
    content: str | list[Piece] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: Function | None = None
    audio: AudioId | None = None
    reasoning_content: msgspec.Raw = NO_JSON
    reasoning: msgspec.Raw = NO_JSON
    reasoning_details: list[Detail] | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    cache_control: CacheControl | None = None
    # What a reply has and a client sends back with it.
    annotations: msgspec.Raw = NO_JSON


class Definition(msgspec.Struct):
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = NO_JSON
    strict: bool | None = None


class Tool(msgspec.Struct):
    type: str | None = None
    function: Definition | None = None
    cache_control: CacheControl | None = None


class Named(msgspec.Struct, gc=False):
    name: str | None = None


class AllowedTool(msgspec.Struct):
    type: str | None = None
    function: Named | None = None


class Allowed(msgspec.Struct):
    mode: str | None = None
    tools: list[AllowedTool] | None = None


class Choice(msgspec.Struct):
    type: str | None = None
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: Allowed | None = None


class JsonSchema(msgspec.Struct):
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = NO_JSON
    strict: bool | None = None


class ResponseFormat(msgspec.Struct):
    type: str | None = None
    json_schema: JsonSchema | None = None


class ReasoningIn(msgspec.Struct, gc=False):
    """OpenRouter's."""

    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None


class ThinkingIn(msgspec.Struct, gc=False):
    """DeepSeek's and LiteLLM's."""

    type: str | None = None
    budget_tokens: int | None = None


class StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Body(msgspec.Struct):
    model: str | None = None
    messages: list[Message] | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: str | Choice | None = None
    parallel_tool_calls: bool | None = None
    functions: list[Definition] | None = None
    function_call: str | Named | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning: ReasoningIn | None = None
    thinking: ThinkingIn | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: msgspec.Raw = NO_JSON
    service_tier: str | None = None
    modalities: list[str] | None = None
    web_search_options: msgspec.Raw = NO_JSON
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None


def arguments_of(function: Function) -> str:
    """JSON text, whether it came as one or as an object."""
    arguments = function.arguments
    return (
        arguments
        if isinstance(arguments, str)
        else msgspec.json.encode(arguments).decode()
        if arguments is not None
        else ""
    )


def signature_of(call: ToolCall) -> str:
    google = call.extra_content.google if call.extra_content is not None else None
    return (google.thought_signature or "") if google is not None else ""
