"""A canonical request becomes a chat completions request.

The law it keeps: what the request says is in the body, or it is in the losses. Nothing is raised. OpenAI's own endpoint
refuses members that it does not know, and the many that speak its format differ in what they add; the sets below say
who takes what.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Encoded,
    Format,
    HostedTool,
    Loss,
    Request,
    TargetFacts,
    Tool,
    ToolChoice,
)
from gateway.dialects.fitting import first_losses, first_stops
from gateway.dialects.openai_chat.message_writer import MessageWriter, cache_control
from gateway.dialects.openai_chat.quirks import KEEPS_CACHE_MARKS, MAKES_IMAGES, OPENAI, TAKES_TOP_K
from gateway.dialects.openai_sampling import effort_of, settle_sampling, takes_no_sampling

_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]+")
_TIERS: Final = frozenset(("auto", "default", "flex", "scale", "priority", "fast"))
_STOPS: Final = 4


class _Function(msgspec.Struct, omit_defaults=True):
    name: str
    description: str = ""
    parameters: msgspec.Raw | None = None
    strict: bool | None = None


class _Tool(msgspec.Struct, omit_defaults=True, tag_field="type", tag="function"):
    function: _Function
    cache_control: dict[str, str] | None = None


class _Named(msgspec.Struct):
    name: str


class _NamedTool(msgspec.Struct, tag_field="type", tag="function"):
    function: _Named


class _Allowed(msgspec.Struct):
    mode: str
    tools: list[_NamedTool]


class _AllowedTools(msgspec.Struct, tag_field="type", tag="allowed_tools"):
    allowed_tools: _Allowed


class _Schema(msgspec.Struct, omit_defaults=True):
    name: str
    description: str = ""
    schema: msgspec.Raw | None = None
    strict: bool | None = None


class _ResponseFormat(msgspec.Struct, omit_defaults=True):
    type: str
    json_schema: _Schema | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool


class _Audio(msgspec.Struct):
    voice: str
    format: str


class _Body(msgspec.Struct, omit_defaults=True):
    model: str
    messages: list[object]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    random_seed: int | None = None
    stop: list[str] | None = None
    n: int = 1
    logprobs: bool = False
    top_logprobs: int = 0
    tools: list[_Tool] | None = None
    tool_choice: str | _NamedTool | _AllowedTools | None = None
    parallel_tool_calls: bool | None = None
    response_format: _ResponseFormat | None = None
    reasoning_effort: str = ""
    user: str = ""
    service_tier: str = ""
    modalities: list[str] | None = None
    audio: _Audio | None = None
    stream: bool = False
    stream_options: _StreamOptions | None = None


def write_request(request: Request, facts: TargetFacts) -> Encoded:
    losses = first_losses(request)
    blobs = BlobWriter()
    provider = facts.provider
    messages = MessageWriter(facts, blobs, losses).write(request)
    body = _Body(model=facts.model, messages=messages)
    if request.max_tokens is not None:
        # A thinking model of OpenAI's refuses the old name; most others know no new one.
        if takes_no_sampling(facts) or provider in ("openai", "azure"):
            body.max_completion_tokens = request.max_tokens
        else:
            body.max_tokens = request.max_tokens
    _put_sampling(body, request, facts, losses)
    _put_tools(body, request, facts, losses)
    if request.format is not None:
        body.response_format = _format(request.format)
    if (reasoning := request.reasoning) is not None:
        body.reasoning_effort = effort_of(reasoning, facts, losses)
        if reasoning.visible:
            losses.append(Loss("reasoning.visible", "hint", "the target shows what thoughts it likes"))
    _put_hints(body, request, facts, losses)
    _put_modalities(body, request.modalities, provider, losses)
    if request.stream:
        body.stream = True
        if request.wants_usage:
            body.stream_options = _StreamOptions(include_usage=True)
    return Encoded(blobs.encode(body), tuple(losses))


def _put_sampling(body: _Body, request: Request, facts: TargetFacts, losses: list[Loss]) -> None:
    sampling = settle_sampling(request.sampling, facts, losses)
    body.temperature = sampling.temperature
    body.top_p = sampling.top_p
    body.frequency_penalty = sampling.frequency_penalty
    body.presence_penalty = sampling.presence_penalty
    if facts.provider == "mistral":
        body.random_seed = sampling.seed
    else:
        body.seed = sampling.seed
    if sampling.top_k is not None:
        if facts.provider in TAKES_TOP_K:
            body.top_k = sampling.top_k
        else:
            losses.append(Loss("top_k"))
    if sampling.logprobs is not None:
        body.logprobs = True
        body.top_logprobs = sampling.logprobs
    body.n = request.n
    if not request.stop:
        return
    if takes_no_sampling(facts):
        losses.append(Loss("stop", "changed", "the model has no stop sequences"))
        return
    body.stop = list(first_stops(request.stop, _STOPS, losses) if facts.provider in OPENAI else request.stop)


def _put_tools(body: _Body, request: Request, facts: TargetFacts, losses: list[Loss]) -> None:
    choice = request.tool_choice
    tools: list[_Tool] = []
    allowed = choice.allowed if choice is not None else ()
    narrow = bool(allowed) and facts.provider not in OPENAI
    for index, tool in enumerate(request.tools):
        if isinstance(tool, HostedTool):
            losses.append(Loss(f"tools[{index}]", "meaning", f"{tool.kind} is run by {tool.vendor} alone"))
        elif not narrow or tool.name in allowed:
            tools.append(_tool(tool, index, facts, losses))
    if tools and facts.tools is False:
        losses.append(Loss("tools", "meaning", "the model calls no tools"))
        return
    if tools:
        body.tools = tools
    if choice is None:
        return
    if not tools:
        if choice.mode in ("any", "tool"):
            losses.append(Loss("tool_choice", "hint", "there is no tool to choose"))
        return
    body.tool_choice = _tool_choice(choice, narrow)
    body.parallel_tool_calls = choice.parallel


def _tool(tool: Tool, index: int, facts: TargetFacts, losses: list[Loss]) -> _Tool:
    mark = None
    if tool.cache is not None:
        if facts.provider in KEEPS_CACHE_MARKS:
            mark = cache_control(tool.cache)
        else:
            losses.append(Loss(f"tools[{index}].cache_control"))
    return _Tool(_Function(tool.name, tool.description, tool.parameters, tool.strict), mark)


def _tool_choice(choice: ToolChoice, narrow: bool) -> str | _NamedTool | _AllowedTools:
    if choice.mode == "tool":
        return _NamedTool(_Named(choice.name))
    mode = "required" if choice.mode == "any" else choice.mode
    if choice.allowed and not narrow and mode != "none":
        return _AllowedTools(_Allowed(mode, [_NamedTool(_Named(name)) for name in choice.allowed]))
    return mode


def _format(found: Format) -> _ResponseFormat:
    if found.kind == "json":
        return _ResponseFormat("json_object")
    name = _NAME.sub("_", found.name)[:64] or "response"
    return _ResponseFormat("json_schema", _Schema(name, found.description, found.schema, found.strict))


def _put_hints(body: _Body, request: Request, facts: TargetFacts, losses: list[Loss]) -> None:
    provider = facts.provider
    if request.user and provider != "mistral":
        body.user = request.user
    elif request.user:
        losses.append(Loss("user"))
    if request.service_tier:
        if provider in OPENAI and request.service_tier in _TIERS:
            body.service_tier = request.service_tier
        else:
            losses.append(Loss("service_tier"))
    if request.metadata is not None:
        # OpenAI takes it only of replies that it stores.
        losses.append(Loss("metadata"))


def _put_modalities(body: _Body, wanted: tuple[str, ...], provider: str, losses: list[Loss]) -> None:
    if not wanted or wanted == ("text",):
        return
    kept = [name for name in wanted if name in ("text", "audio") or (name == "image" and provider in MAKES_IMAGES)]
    if len(kept) < len(wanted):
        losses.append(Loss("modalities", "meaning", "the target answers in text and audio alone"))
    if "audio" in kept:
        body.audio = _Audio("alloy", "wav")
        losses.append(Loss("modalities", "changed", "audio is written as wav, in the voice alloy"))
    body.modalities = kept
