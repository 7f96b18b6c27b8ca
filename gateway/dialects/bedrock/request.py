"""A request written for Converse.

Lives here: everything but the messages (blocks.py): tools, structured output, inference parameters, and what only a
family of models knows, which goes into `additionalModelRequestFields`. Law: nothing is raised, and what is not written
as the client meant it is in the losses.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.dialects.alternation import Json
from gateway.dialects.anthropic.models import Traits
from gateway.dialects.anthropic.reasoning import lacks_thoughts, think
from gateway.dialects.anthropic.schema import closed
from gateway.dialects.bedrock.blocks import Blocks
from gateway.dialects.bedrock.models import Carried, carried_by
from gateway.dialects.bedrock.words import UNREADABLE
from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import Encoded, Format, HostedTool, Loss, Request, TargetFacts, Tool
from gateway.dialects.fitting import first_losses

_JSON_HINT: Final = "Answer with a single valid JSON value and nothing else: no prose, no code fence."
_FORMAT_TOOL: Final = "json_answer"
_ANY_OBJECT: Final[Json] = {"type": "object", "properties": {}}
_METADATA: Final = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXTS: Final = msgspec.json.Decoder(dict[str, str])


def write_request(request: Request, facts: TargetFacts) -> Encoded:
    carried = carried_by(facts.model)
    losses = first_losses(request)
    blobs = BlobWriter()
    blocks = Blocks(request, carried, blobs, losses)
    writer = _Writer(request, facts, carried, blocks, losses)
    return Encoded(blobs.encode(writer.body()), tuple(losses), writer.format_tool)


class _Writer:
    __slots__ = ("_blocks", "_carried", "_extra", "_facts", "_losses", "_request", "format_tool")

    def __init__(
        self, request: Request, facts: TargetFacts, carried: Carried, blocks: Blocks, losses: list[Loss]
    ) -> None:
        self._request = request
        self._facts = facts
        self._carried = carried
        self._blocks = blocks
        self._losses = losses
        self._extra: Json = {}
        self.format_tool = ""

    def body(self) -> Json:
        request = self._request
        system = self._blocks.system()
        messages = self._blocks.messages()
        tools = self._tools()
        choice = self._tool_choice(tools)
        output: Json = {}
        if request.format is not None:
            self._format(request.format, system, tools, output)
        if self.format_tool:
            choice = {"tool": {"name": self.format_tool}} if len(tools) == 1 else {"any": {}}
        inference = self._inference(choice, output)
        body: Json = {"messages": messages}
        if system:
            body["system"] = system
        if inference:
            body["inferenceConfig"] = inference
        if tools:
            body["toolConfig"] = {"tools": tools, **({"toolChoice": choice} if choice is not None else {})}
        if output:
            body["outputConfig"] = output
        if self._extra:
            body["additionalModelRequestFields"] = self._extra
        self._rest(body)
        return body

    def _tools(self) -> list[Json]:
        found: list[Json] = []
        choice = self._request.tool_choice
        allowed = choice.allowed if choice is not None else ()
        for number, tool in enumerate(self._request.tools):
            if isinstance(tool, HostedTool):
                self._host(tool, number, found)
            elif not allowed or tool.name in allowed:
                found.append({"toolSpec": self._spec(tool, number)})
                found += self._blocks.cache_point(tool.cache)
        if allowed:
            self._lose("tool_choice.allowed", "the other tools are left out")
        calls = self._blocks.calls
        if choice is not None and choice.mode == "none" and found:
            if not calls:
                self._lose("tool_choice", "no tool is offered")
                return []
            self._lose("tool_choice", "none -> auto: the conversation has calls in it")
        if not found and calls:
            # Converse refuses a history with calls in it unless tools are told of.
            self._lose("tools", "the tools that the conversation has called are told of")
            found = [{"toolSpec": {"name": name, "inputSchema": {"json": _ANY_OBJECT}}} for name in calls]
        return found

    def _host(self, tool: HostedTool, number: int, found: list[Json]) -> None:
        if tool.kind == "web-search" and self._carried.thinks == "reasoningConfig":
            found.append({"systemTool": {"name": "nova_grounding"}})
            self._lose(f"tools[{number}]", "Nova's own nova_grounding, without its options")
        else:
            self._losses.append(Loss(f"tools[{number}]", "meaning", f"Converse has no `{tool.kind[:60]}` tool"))

    def _spec(self, tool: Tool, number: int) -> Json:
        spec: Json = {"name": tool.name}
        if tool.description:
            spec["description"] = tool.description
        spec["inputSchema"] = {"json": _schema(tool.parameters)}
        if tool.strict:
            if self._carried.structured:
                spec["strict"] = True
            else:
                self._losses.append(Loss(f"tools[{number}].strict"))
        return spec

    def _tool_choice(self, tools: list[Json]) -> Json | None:
        choice = self._request.tool_choice
        if choice is None:
            return None
        if choice.parallel is False:
            self._losses.append(Loss("parallel_tool_calls"))
        if not tools:
            if choice.mode in ("any", "tool"):
                self._lose("tool_choice", "there is no tool to call")
            return None
        if choice.mode == "tool":
            return {"tool": {"name": choice.name}}
        return {"any": {}} if choice.mode == "any" else None

    def _format(self, wanted: Format, system: list[Json], tools: list[Json], output: Json) -> None:
        if wanted.schema is None:
            system.append({"text": _JSON_HINT})
            self._lose("response_format", "JSON is asked for in the system prompt")
            return
        if self._carried.structured:
            schema, changed = closed(wanted.schema)
            if changed:
                self._lose("response_format", "the schema's objects are closed, its limits described")
            definition: Json = {"schema": bytes(schema).decode("utf-8", "replace")}
            if wanted.name:
                definition["name"] = wanted.name
            if wanted.description:
                definition["description"] = wanted.description
            output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": definition}}
            return
        taken = {spec["name"] for tool in tools if isinstance(spec := tool.get("toolSpec"), dict)}
        name = _FORMAT_TOOL
        while name in taken:
            name += "_"
        description = wanted.description or "Gives the answer. Call this once, with the whole answer."
        spec = {"name": name, "description": description, "inputSchema": {"json": _schema(wanted.schema)}}
        tools.append({"toolSpec": spec})
        self._lose("response_format", "brought about by a forced tool")
        self.format_tool = name

    def _inference(self, choice: Json | None, output: Json) -> Json:
        request, asked = self._request, self._request.sampling
        inference: Json = {}
        most = self._facts.max_output
        limit = request.max_tokens
        if limit is not None and most and limit > most:
            self._lose("max_tokens", f"{limit} -> {most}")
            limit = most
        thinks, limit = self._think(choice, limit, output)
        if limit is not None:
            inference["maxTokens"] = max(limit, 1)
        claude = self._carried.claude
        sampling = claude is None or claude.sampling
        if asked.temperature is not None:
            if thinks or not sampling:
                if asked.temperature != 1:
                    self._lose("temperature", f"temperature {asked.temperature:g} -> 1: the model takes no other")
            else:
                inference["temperature"] = self._clamped("temperature", asked.temperature)
        if asked.top_p is not None:
            if not sampling or thinks or (claude is not None and claude.one_of_sampling and "temperature" in inference):
                if asked.top_p != 1:
                    self._losses.append(Loss("top_p", "hint", "the model does not take it so"))
            else:
                inference["topP"] = self._clamped("top_p", asked.top_p)
        if asked.top_k is not None:
            if self._carried.top_k and sampling and not thinks:
                _put(self._extra, self._carried.top_k, max(asked.top_k, 0))
            else:
                self._losses.append(Loss("top_k"))
        for name, value in (
            ("frequency_penalty", asked.frequency_penalty),
            ("presence_penalty", asked.presence_penalty),
            ("seed", asked.seed),
            ("logprobs", asked.logprobs),
        ):
            if value is not None:
                self._losses.append(Loss(name))
        stops = [text for text in request.stop if text.strip()]
        if len(stops) < len(request.stop):
            self._lose("stop", "stop sequences of white space alone are left out")
        if stops:
            inference["stopSequences"] = stops
        return inference

    def _think(self, choice: Json | None, limit: int | None, output: Json) -> tuple[bool, int | None]:
        """Whether the model will think, and the limit that this needs."""
        reasoning, claude = self._request.reasoning, self._carried.claude
        if reasoning is None:
            return False, limit
        wanted = reasoning.effort != "none" and reasoning.budget != 0
        if self._facts.reasoning is False or not self._carried.thinks:
            if wanted:
                self._losses.append(Loss("reasoning", "hint", "the model cannot be told to think"))
            return False, limit
        if claude is not None:
            if wanted and claude.thinking != "none" and (reason := self._hindrance(claude, choice)):
                self._lose("reasoning", reason)
                return False, limit
            thought = think(reasoning, claude, limit, self._facts.max_output, self._losses)
            if thought.thinking is not None:
                self._extra["thinking"] = thought.thinking
            if thought.effort:
                output["effort"] = thought.effort
            budgeted = thought.thinking is not None and "budget_tokens" in thought.thinking
            return thought.on, thought.max_tokens if budgeted else limit
        effort = reasoning.effort
        if effort is None:
            budget = reasoning.budget or 0
            effort = "none" if not wanted else "low" if 0 < budget <= 2048 else "high" if budget > 8192 else "medium"
            if budget > 0:
                self._lose("reasoning.budget", f"{budget} tokens of thinking -> effort {effort}")
        level = {"minimal": "low", "max": "high"}.get(effort, effort)
        if self._carried.thinks == "reasoning_effort":
            self._extra["reasoning_effort"] = "low" if level == "none" else level
        elif level == "none":
            self._extra["reasoningConfig"] = {"type": "disabled"}
        else:
            self._extra["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": level}
        return False, limit

    def _hindrance(self, claude: Traits, choice: Json | None) -> str:
        if choice is not None:
            return "no thinking where a tool is forced"
        if claude.thinking == "budget" and lacks_thoughts(self._request.messages):
            return "the thoughts before the tool calls are not there"
        return ""

    def _rest(self, body: Json) -> None:
        request = self._request
        if request.metadata is not None:
            try:
                found = _TEXTS.decode(request.metadata)
            except UNREADABLE:
                found = {}
            if found and all(_METADATA.fullmatch(name) and _METADATA.fullmatch(text) for name, text in found.items()):
                body["requestMetadata"] = found
            else:
                self._losses.append(Loss("metadata"))
        if request.user:
            self._losses.append(Loss("user"))
        tier = {"auto": "", "default": "default", "standard_only": "default"}.get(request.service_tier)
        if tier is None and request.service_tier in ("priority", "flex", "reserved"):
            tier = request.service_tier
        if tier:
            body["serviceTier"] = {"type": tier}
        elif tier is None and request.service_tier:
            self._losses.append(Loss("service_tier"))
        if request.n > 1:
            self._lose("n", f"n {request.n} -> 1")
        self._losses.extend(
            Loss("modalities", "meaning", f"Converse gives no {kind[:20]}")
            for kind in request.modalities
            if kind != "text"
        )

    def _clamped(self, name: str, value: float) -> float:
        kept = min(max(value, 0.0), 1.0)
        if kept != value:
            self._lose(name, f"{name} {value:g} -> {kept:g}")
        return kept

    def _lose(self, field: str, note: str) -> None:
        self._losses.append(Loss(field, "changed", note))


def _schema(parameters: msgspec.Raw | None) -> object:
    if parameters is None:
        return _ANY_OBJECT
    try:
        members = _OBJECT.decode(parameters)
    except UNREADABLE:
        return _ANY_OBJECT
    return parameters if "type" in members else {"type": "object", **members}


def _put(tree: Json, path: tuple[str, ...], value: object) -> None:
    for name in reversed(path[1:]):
        value = {name: value}
    tree[path[0]] = value
