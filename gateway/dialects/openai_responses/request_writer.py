"""A canonical request becomes a Responses request.

The law it keeps: what the request says is in the body, or it is in the losses. Nothing is raised. Nothing is stored at
the provider either: the client has the conversation and sends it whole, with encrypted reasoning to go on from.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import Encoded, Format, HostedTool, Loss, Request, TargetFacts, Tool, ToolChoice
from gateway.dialects.fitting import first_losses
from gateway.dialects.openai_responses.input_writer import InputWriter
from gateway.dialects.openai_sampling import effort_of, settle_sampling, takes_no_sampling

_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]+")
_TIERS: Final = frozenset(("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"))
_OPENAI: Final = frozenset(("", "openai", "azure"))
_LEAST_TOKENS: Final = 16
_NO_PARAMETERS: Final = msgspec.Raw(b'{"type":"object","properties":{}}')
_HOSTED: Final = {
    "web-search": msgspec.Raw(b'{"type":"web_search"}'),
    "code-execution": msgspec.Raw(b'{"type":"code_interpreter","container":{"type":"auto"}}'),
}


class _Function(msgspec.Struct, omit_defaults=True, kw_only=True, tag_field="type", tag="function"):
    """parameters and strict are always written: what is left out is taken as strict."""

    name: str
    description: str = ""
    parameters: msgspec.Raw
    strict: bool


class _Named(msgspec.Struct, tag_field="type", tag="function"):
    name: str


class _Allowed(msgspec.Struct, tag_field="type", tag="allowed_tools"):
    mode: str
    tools: list[_Named]


class _TextFormat(msgspec.Struct, omit_defaults=True):
    type: str
    name: str = ""
    description: str = ""
    schema: msgspec.Raw | None = None
    strict: bool | None = None


class _TextConfig(msgspec.Struct):
    format: _TextFormat


class _Reasoning(msgspec.Struct, omit_defaults=True):
    effort: str = ""
    summary: str = ""


class _Body(msgspec.Struct, omit_defaults=True, kw_only=True):
    model: str
    instructions: str = ""
    input: list[object]
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    tools: list[_Function | msgspec.Raw] | None = None
    tool_choice: str | _Named | _Allowed | None = None
    parallel_tool_calls: bool | None = None
    text: _TextConfig | None = None
    reasoning: _Reasoning | None = None
    include: list[str] | None = None
    user: str = ""
    metadata: msgspec.Raw | None = None
    service_tier: str = ""
    store: bool
    stream: bool = False


def write_request(request: Request, facts: TargetFacts) -> Encoded:
    losses = first_losses(request)
    blobs = BlobWriter()
    writer = InputWriter(facts, blobs, losses)
    body = _Body(
        model=facts.model,
        instructions=writer.instructions(request.system),
        input=writer.items(request.messages),
        store=False,
        stream=request.stream,
        user=request.user,
        metadata=request.metadata,
    )
    if request.max_tokens is not None:
        body.max_output_tokens = max(request.max_tokens, _LEAST_TOKENS)
        if request.max_tokens < _LEAST_TOKENS:
            losses.append(Loss("max_tokens", "changed", f"max_tokens {request.max_tokens} -> {_LEAST_TOKENS}"))
    include: list[str] = []
    _put_sampling(body, request, facts, losses, include)
    _put_tools(body, request, facts, losses)
    if request.format is not None:
        body.text = _TextConfig(_format(request.format))
    _put_reasoning(body, request, facts, losses)
    if facts.reasoning or takes_no_sampling(facts):
        include.append("reasoning.encrypted_content")
    body.include = include or None
    if request.service_tier in _TIERS and facts.provider in _OPENAI:
        body.service_tier = request.service_tier
    elif request.service_tier:
        losses.append(Loss("service_tier"))
    if request.n > 1:
        losses.append(Loss("n", "changed", f"n {request.n} -> 1"))
    if any(name != "text" for name in request.modalities):
        losses.append(Loss("modalities", "meaning", "the target answers in text"))
    return Encoded(blobs.encode(body), tuple(losses))


def _put_sampling(body: _Body, request: Request, facts: TargetFacts, losses: list[Loss], include: list[str]) -> None:
    sampling = settle_sampling(request.sampling, facts, losses)
    body.temperature = sampling.temperature
    body.top_p = sampling.top_p
    if sampling.logprobs is not None:
        body.top_logprobs = sampling.logprobs
        include.append("message.output_text.logprobs")
    for name, value in (
        ("top_k", sampling.top_k),
        ("seed", sampling.seed),
        ("frequency_penalty", sampling.frequency_penalty),
        ("presence_penalty", sampling.presence_penalty),
    ):
        if value:
            losses.append(Loss(name))
    if request.stop:
        losses.append(Loss("stop", "changed", "the target has no stop sequences"))


def _put_reasoning(body: _Body, request: Request, facts: TargetFacts, losses: list[Loss]) -> None:
    reasoning = request.reasoning
    if reasoning is None:
        return
    effort = effort_of(reasoning, facts, losses)
    summary = "auto" if reasoning.visible and facts.reasoning is not False else ""
    if effort or summary:
        body.reasoning = _Reasoning(effort, summary)


def _put_tools(body: _Body, request: Request, facts: TargetFacts, losses: list[Loss]) -> None:
    tools: list[_Function | msgspec.Raw] = []
    for index, tool in enumerate(request.tools):
        if isinstance(tool, Tool):
            if tool.cache is not None:
                losses.append(Loss(f"tools[{index}].cache_control"))
            parameters = tool.parameters if tool.parameters is not None else _NO_PARAMETERS
            tools.append(
                _Function(name=tool.name, description=tool.description, parameters=parameters, strict=bool(tool.strict))
            )
        elif (hosted := _hosted(tool, index, facts, losses)) is not None:
            tools.append(hosted)
    if tools and facts.tools is False:
        losses.append(Loss("tools", "meaning", "the model calls no tools"))
        return
    choice = request.tool_choice
    if tools:
        body.tools = tools
        if choice is not None:
            body.tool_choice = _tool_choice(choice)
            body.parallel_tool_calls = choice.parallel
    elif choice is not None and choice.mode in ("any", "tool"):
        losses.append(Loss("tool_choice", "hint", "there is no tool to choose"))


def _hosted(tool: HostedTool, index: int, facts: TargetFacts, losses: list[Loss]) -> msgspec.Raw | None:
    own = _HOSTED.get(tool.kind) if facts.provider in _OPENAI else None
    if own is None:
        losses.append(Loss(f"tools[{index}]", "meaning", f"{tool.kind} is run by {tool.vendor} alone"))
    else:
        losses.append(Loss(f"tools[{index}]", "changed", f"{tool.kind} is the target's own, without settings"))
    return own


def _tool_choice(choice: ToolChoice) -> str | _Named | _Allowed:
    if choice.mode == "tool":
        return _Named(choice.name)
    mode = "required" if choice.mode == "any" else choice.mode
    if choice.allowed and mode != "none":
        return _Allowed(mode, [_Named(name) for name in choice.allowed])
    return mode


def _format(found: Format) -> _TextFormat:
    if found.kind == "json":
        return _TextFormat("json_object")
    name = _NAME.sub("_", found.name)[:64] or "response"
    return _TextFormat("json_schema", name, found.description, found.schema, found.strict)
