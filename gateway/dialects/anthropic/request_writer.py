"""A request written for a provider that speaks Anthropic's Messages.

Lives here: the request around its messages: system, tools, structured output, sampling. Its messages are turns.py's.
Law: nothing is raised, and what is not written as the client meant it is in the losses.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.anthropic.hosts import HOSTS
from gateway.dialects.anthropic.models import Traits, traits_of
from gateway.dialects.anthropic.reasoning import Thought, lacks_thoughts, think
from gateway.dialects.anthropic.schema import closed
from gateway.dialects.anthropic.turns import Turns, mark
from gateway.dialects.anthropic.words import UNREADABLE
from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Encoded,
    Format,
    HostedTool,
    Loss,
    Request,
    TargetFacts,
    Text,
    Tool,
)
from gateway.dialects.fitting import first_losses

_JSON_HINT: Final = "Answer with a single valid JSON value and nothing else: no prose, no code fence."
_FORMAT_TOOL: Final = "json_answer"
_NO_SCHEMA: Final[dict[str, object]] = {"type": "object", "properties": {}}
_HOSTED: Final[dict[str, dict[str, object]]] = {
    "web-search": {"type": "web_search_20250305", "name": "web_search"},
    "code-execution": {"type": "code_execution_20250825", "name": "code_execution"},
    "url-context": {"type": "web_fetch_20250910", "name": "web_fetch"},
}
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def write_request(request: Request, facts: TargetFacts) -> Encoded:
    traits = traits_of(facts.model, facts.provider)
    losses = first_losses(request)
    blobs = BlobWriter()
    turns = Turns(request, traits, blobs, losses)
    body: dict[str, object] = {}
    host = HOSTS.get(facts.provider)
    if host is None:
        body["model"] = facts.model
    else:
        body["anthropic_version"] = host.version
    system = _system(request, losses)
    messages = turns.written()
    tools, servers = _tools(request, traits, losses)
    choice = _tool_choice(request, tools, losses)
    if not tools and turns.calls:
        # Anthropic refuses a history with calls in it unless tools are told of.
        tools += [{"name": name, "input_schema": _NO_SCHEMA} for name in turns.calls]
        choice = {"type": "none"}
    output: dict[str, object] = {}
    format_tool = ""
    if request.format is not None:
        format_tool = _format(request.format, traits, system, tools, output, losses)
    if format_tool:
        # Beside tools of the client's own the model picks; it must call one of them or give the answer.
        choice = {"type": "tool", "name": format_tool} if len(tools) == 1 else {"type": "any"}
    most = _most(request, facts, losses)
    thought = think(
        request.reasoning if facts.reasoning is not False else None,
        traits,
        most,
        facts.max_output,
        losses,
    )
    if facts.reasoning is False and request.reasoning is not None and request.reasoning.effort != "none":
        losses.append(Loss("reasoning", "hint", "the model does not think"))
    _keep_compatible(request, thought, traits, choice, losses)
    body["max_tokens"] = max(thought.max_tokens, 1)
    if system:
        body["system"] = _plain_or_blocks(system)
    body["messages"] = messages
    if tools:
        body["tools"] = tools
        if choice is not None:
            body["tool_choice"] = choice
    if servers:
        body["mcp_servers"] = servers
    if thought.thinking is not None:
        body["thinking"] = thought.thinking
    if thought.effort:
        output = {"effort": thought.effort, **output}
    if output:
        body["output_config"] = output
    _sampling(request, traits, thought, body, losses)
    _rest(request, body, losses)
    return Encoded(blobs.encode(body), tuple(losses), format_tool)


def _most(request: Request, facts: TargetFacts, losses: list[Loss]) -> int | None:
    """The client's limit, within what the model can give."""
    asked, most = request.max_tokens, facts.max_output
    if asked is None or not most or asked <= most:
        return asked
    losses.append(Loss("max_tokens", "changed", f"{asked} -> {most}"))
    return most


def _system(request: Request, losses: list[Loss]) -> list[dict[str, object]]:
    blocks: list[dict[str, object]] = []
    for number, part in enumerate(request.system):
        if not isinstance(part, Text):
            losses.append(Loss(f"system[{number}]", "meaning", "a system prompt is text"))
        elif part.text.strip():
            blocks.append({"type": "text", "text": part.text, **mark(part.cache)})
    return blocks


def _plain_or_blocks(blocks: list[dict[str, object]]) -> object:
    return blocks[0]["text"] if len(blocks) == 1 and len(blocks[0]) == 2 else blocks


def _tools(
    request: Request, traits: Traits, losses: list[Loss]
) -> tuple[list[dict[str, object] | msgspec.Raw], list[msgspec.Raw]]:
    found: list[dict[str, object] | msgspec.Raw] = []
    servers: list[msgspec.Raw] = []
    allowed = request.tool_choice.allowed if request.tool_choice is not None else ()
    for number, tool in enumerate(request.tools):
        if isinstance(tool, Tool):
            if not allowed or tool.name in allowed:
                found.append(_tool(tool, number, traits, losses))
        elif tool.vendor == "anthropic" and tool.kind == "mcp":
            servers.append(tool.body)
        elif tool.vendor == "anthropic":
            found.append(tool.body)
        else:
            _host(tool, number, found, losses)
    if allowed:
        losses.append(Loss("tool_choice.allowed", "changed", "the other tools are left out"))
    return found, servers


def _host(tool: HostedTool, number: int, found: list[dict[str, object] | msgspec.Raw], losses: list[Loss]) -> None:
    known = _HOSTED.get(tool.kind)
    if known is None:
        losses.append(Loss(f"tools[{number}]", "meaning", f"Anthropic has no `{tool.kind[:60]}` tool"))
        return
    losses.append(Loss(f"tools[{number}]", "changed", f"Anthropic's own {known['name']}, without its options"))
    found.append(dict(known))


def _tool(tool: Tool, number: int, traits: Traits, losses: list[Loss]) -> dict[str, object]:
    written: dict[str, object] = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["input_schema"] = _input_schema(tool.parameters)
    if tool.strict:
        if traits.structured:
            written["strict"] = True
        else:
            losses.append(Loss(f"tools[{number}].strict"))
    return {**written, **mark(tool.cache)}


def _input_schema(parameters: msgspec.Raw | None) -> object:
    """Anthropic wants an object's schema that says so."""
    if parameters is None:
        return _NO_SCHEMA
    try:
        members = _OBJECT.decode(parameters)
    except UNREADABLE:
        return _NO_SCHEMA
    if "type" in members:
        return parameters
    return {"type": "object", **members}


def _tool_choice(
    request: Request, tools: list[dict[str, object] | msgspec.Raw], losses: list[Loss]
) -> dict[str, object] | None:
    choice = request.tool_choice
    if choice is None:
        return None
    if not tools:
        if choice.mode in ("any", "tool"):
            losses.append(Loss("tool_choice", "changed", "there is no tool to call"))
        return None
    written: dict[str, object] = {"type": choice.mode}
    if choice.mode == "tool":
        written["name"] = choice.name
    if choice.parallel is not None and choice.mode != "none":
        written["disable_parallel_tool_use"] = not choice.parallel
    return written


def _format(
    wanted: Format,
    traits: Traits,
    system: list[dict[str, object]],
    tools: list[dict[str, object] | msgspec.Raw],
    output: dict[str, object],
    losses: list[Loss],
) -> str:
    """Adds what brings structured output about; the name of the tool that is forced for it, or ``."""
    if wanted.schema is None:
        system.append({"type": "text", "text": _JSON_HINT})
        losses.append(Loss("response_format", "changed", "JSON is asked for in the system prompt"))
        return ""
    if traits.structured:
        schema, changed = closed(wanted.schema)
        if changed:
            losses.append(Loss("response_format", "changed", "the schema's objects are closed, its limits described"))
        output["format"] = {"type": "json_schema", "schema": schema}
        return ""
    taken = {tool["name"] for tool in tools if isinstance(tool, dict) and "name" in tool}
    name = _FORMAT_TOOL
    while name in taken:
        name += "_"
    description = wanted.description or "Gives the answer. Call this once, with the whole answer."
    tools.append({"name": name, "description": description, "input_schema": _input_schema(wanted.schema)})
    losses.append(Loss("response_format", "changed", "brought about by a forced tool"))
    return name


def _keep_compatible(
    request: Request,
    thought: Thought,
    traits: Traits,
    choice: dict[str, object] | None,
    losses: list[Loss],
) -> None:
    """Anthropic refuses thinking beside a forced tool, and where it wants its own thoughts back and they are gone."""
    if not thought.on:
        return
    reason = ""
    if choice is not None and choice["type"] in ("any", "tool"):
        reason = "no thinking where a tool is forced"
    elif traits.thinking == "budget" and lacks_thoughts(request.messages):
        reason = "the thoughts before the tool calls are not there"
    if not reason:
        return
    switched_off = traits.thinking == "adaptive" and not traits.always_thinking
    thought.thinking = {"type": "disabled"} if switched_off else None
    thought.on = False
    losses.append(Loss("reasoning", "changed", reason))


def _sampling(request: Request, traits: Traits, thought: Thought, body: dict[str, object], losses: list[Loss]) -> None:
    asked = request.sampling
    for name, value in (
        ("frequency_penalty", asked.frequency_penalty),
        ("presence_penalty", asked.presence_penalty),
        ("seed", asked.seed),
        ("logprobs", asked.logprobs),
    ):
        if value is not None:
            losses.append(Loss(name))
    temperature, top_p, top_k = asked.temperature, asked.top_p, asked.top_k
    if not traits.sampling:
        if temperature is not None and temperature != 1:
            losses.append(Loss("temperature", "changed", f"temperature {temperature:g} -> 1: the model takes no other"))
        for name, number in (("top_p", top_p), ("top_k", top_k)):
            if number is not None and not (name == "top_p" and number == 1):
                losses.append(Loss(name, "hint", "the model does not take it"))
        return
    if thought.on:
        if temperature is not None and temperature != 1:
            losses.append(Loss("temperature", "changed", f"temperature {temperature:g} -> 1: it is fixed in thinking"))
        if top_k is not None:
            losses.append(Loss("top_k", "hint", "not beside thinking"))
        temperature = top_k = None
    if temperature is not None:
        body["temperature"] = _clamped("temperature", temperature, losses)
    if top_p is not None and (temperature is None or not traits.one_of_sampling):
        low = 0.95 if thought.on else 0.0
        body["top_p"] = _clamped("top_p", top_p, losses, low)
    elif top_p is not None:
        losses.append(Loss("top_p", "hint", "not beside temperature"))
    if top_k is not None:
        body["top_k"] = max(top_k, 0)


def _clamped(name: str, value: float, losses: list[Loss], low: float = 0.0) -> float:
    kept = min(max(value, low), 1.0)
    if kept != value:
        losses.append(Loss(name, "changed", f"{name} {value:g} -> {kept:g}"))
    return kept


def _rest(request: Request, body: dict[str, object], losses: list[Loss]) -> None:
    stops = [text for text in request.stop if text.strip()]
    if len(stops) < len(request.stop):
        losses.append(Loss("stop", "changed", "stop sequences of white space alone are left out"))
    if stops:
        body["stop_sequences"] = stops
    if request.user:
        body["metadata"] = {"user_id": request.user}
    if request.metadata is not None:
        losses.append(Loss("metadata"))
    tier = {"auto": "auto", "standard_only": "standard_only", "default": "standard_only"}.get(request.service_tier)
    if tier is not None:
        body["service_tier"] = tier
    elif request.service_tier:
        losses.append(Loss("service_tier"))
    if request.n > 1:
        losses.append(Loss("n", "changed", f"n {request.n} -> 1"))
    losses.extend(
        Loss("modalities", "meaning", f"Anthropic's models give no {kind[:20]}")
        for kind in request.modalities
        if kind != "text"
    )
    if request.stream:
        body["stream"] = True
