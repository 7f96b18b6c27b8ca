"""A canonical request as Gemini's generateContent has it.

Lives here: writing, and what each generation of Gemini takes. Reading is request.py. Schemas are written as JSON Schema
(`parametersJsonSchema`, `responseJsonSchema`), which every Gemini since 2.5 takes as it is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Document,
    Effort,
    Encoded,
    Format,
    HostedTool,
    Loss,
    Reasoning,
    Refusal,
    Request,
    TargetFacts,
    Text,
    Tool,
    ToolChoice,
)
from gateway.dialects.fitting import clamped, first_losses, first_stops, marks
from gateway.dialects.gemini import wire
from gateway.dialects.gemini.contents import Contents
from gateway.dialects.gemini.models import Model

_STOPS: Final = 5
_CANDIDATES: Final = 8
_SEED: Final = 2**31
_LOGPROBS: Final = 20
_HOSTED: Final = {"web-search": "googleSearch", "code-execution": "codeExecution", "url-context": "urlContext"}
_TIERS: Final = {"default": "standard", "standard_only": "standard", "flex": "flex", "priority": "priority"}
_LEVELS: Final[dict[Effort, str]] = {
    "none": "minimal",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "high",
}
_BUDGETS: Final[dict[Effort, int]] = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "max": 32768,
}


class _Function(msgspec.Struct, omit_defaults=True):
    name: str
    description: str = ""
    parameters: msgspec.Raw = msgspec.field(default=wire.EMPTY, name="parametersJsonSchema")


class _Calling(msgspec.Struct, omit_defaults=True, rename="camel"):
    mode: str
    allowed_function_names: tuple[str, ...] = ()


class _ToolConfig(msgspec.Struct, rename="camel"):
    function_calling_config: _Calling


class _Thinking(msgspec.Struct, omit_defaults=True, rename="camel"):
    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class _Config(msgspec.Struct, omit_defaults=True, rename="camel"):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_mime_type: str | None = None
    response_json_schema: msgspec.Raw = wire.EMPTY
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_modalities: tuple[str, ...] = ()
    thinking_config: _Thinking | None = None


class _Body(msgspec.Struct, omit_defaults=True, rename="camel"):
    contents: list[wire.Content]
    system_instruction: wire.Content | None = None
    tools: list[dict[str, list[_Function]] | msgspec.Raw] = []
    tool_config: _ToolConfig | None = None
    generation_config: _Config | None = None
    service_tier: str | None = None


def write_request(request: Request, facts: TargetFacts) -> Encoded:
    """The request for this model, with what could not be carried. Never raises."""
    writer = _Writer(request, facts)
    body = writer.body()
    return Encoded(writer.blobs.encode(body), tuple(writer.losses))


class _Writer:
    __slots__ = ("blobs", "facts", "losses", "model", "request")

    def __init__(self, request: Request, facts: TargetFacts) -> None:
        self.request = request
        self.facts = facts
        self.model = Model(facts.model)
        self.blobs = BlobWriter()
        self.losses = first_losses(request)

    def body(self) -> _Body:
        request = self.request
        config = self._config()
        if marks(request):
            self.losses.append(Loss("cache_control", note="Gemini caches by itself"))
        for name, said in (("user", request.user), ("metadata", request.metadata)):
            if said:
                self.losses.append(Loss(name))
        system = [wire.Part(text=text) for text in self._system_texts()]
        tools = self._tools()
        contents = Contents(request.messages, self.model, self.blobs, self.losses).written()
        if system and not contents:
            # A request must ask something.
            self.losses.append(Loss("system", "changed", "written as a turn of the user"))
            contents, system = [wire.Content("user", system)], []
        return _Body(
            contents=contents,
            system_instruction=wire.Content(parts=system) if system else None,
            tools=tools,
            tool_config=self._tool_config() if tools else None,
            generation_config=config if config != _Config() else None,
            service_tier=self._tier(),
        )

    def _system_texts(self) -> list[str]:
        texts: list[str] = []
        for at, part in enumerate(self.request.system):
            if isinstance(part, Text | Refusal) or (isinstance(part, Document) and part.text):
                texts.append(part.text)
            else:
                self.losses.append(Loss(f"system[{at}]", "meaning", "only text can stand there"))
        return [text for text in texts if text]

    def _tools(self) -> list[dict[str, list[_Function]] | msgspec.Raw]:
        functions: list[_Function] = []
        hosted: list[msgspec.Raw] = []
        for at, tool in enumerate(self.request.tools):
            if isinstance(tool, Tool):
                functions.append(_Function(tool.name, tool.description, tool.parameters or wire.EMPTY))
            elif tool.vendor == "gemini":
                hosted.append(tool.body)
            else:
                hosted += self._hosted(tool, f"tools[{at}]")
        return [{"functionDeclarations": functions}, *hosted] if functions else [*hosted]

    def _hosted(self, tool: HostedTool, place: str) -> list[msgspec.Raw]:
        name = _HOSTED.get(tool.kind)
        if name is None:
            self.losses.append(Loss(place, "meaning", f"Gemini runs no tool of the kind {tool.kind[:40]}"))
            return []
        self.losses.append(Loss(place, "changed", f"{name} with its own settings"))
        return [msgspec.Raw(b'{"%s":{}}' % name.encode())]

    def _tool_config(self) -> _ToolConfig | None:
        functions = [tool for tool in self.request.tools if isinstance(tool, Tool)]
        if not functions:
            return None
        choice = self.request.tool_choice or ToolChoice()
        strict = all(tool.strict for tool in functions)
        if choice.parallel is False:
            self.losses.append(Loss("parallel_tool_calls", note="Gemini may call several tools at once"))
        if choice.mode == "auto" and not strict and any(tool.strict for tool in functions):
            self.losses.append(Loss("tools.strict", note="all tools are strict, or none is"))
        match choice.mode:
            case "tool":
                return _ToolConfig(_Calling("ANY", (choice.name,)))
            case "any":
                return _ToolConfig(_Calling("ANY", choice.allowed))
            case "none":
                return _ToolConfig(_Calling("NONE"))
            case "auto" if strict or choice.allowed:
                return _ToolConfig(_Calling("VALIDATED", choice.allowed))
            case _:
                return _ToolConfig(_Calling("AUTO")) if self.request.tool_choice is not None else None

    def _config(self) -> _Config:
        request, losses, sampling = self.request, self.losses, self.request.sampling
        n = request.n
        if n > _CANDIDATES:
            losses.append(Loss("n", "changed", f"n {n} -> {_CANDIDATES}"))
            n = _CANDIDATES
        seed = sampling.seed
        if seed is not None and not -_SEED <= seed < _SEED:
            losses.append(Loss("seed", note="more than 32 bits"))
            seed = None
        alternatives = clamped("top_logprobs", sampling.logprobs, 0, _LOGPROBS, losses)
        limit = self.facts.max_output
        max_tokens = request.max_tokens
        if max_tokens is not None and 0 < limit < max_tokens:
            losses.append(Loss("max_tokens", "changed", f"max_tokens {max_tokens} -> {limit}"))
            max_tokens = limit
        kind, schema = self._format(request.format)
        return _Config(
            temperature=clamped("temperature", sampling.temperature, 0.0, 2.0, losses),
            top_p=clamped("top_p", sampling.top_p, 0.0, 1.0, losses),
            top_k=sampling.top_k,
            candidate_count=n if n > 1 else None,
            max_output_tokens=max_tokens,
            stop_sequences=first_stops(request.stop, _STOPS, losses),
            seed=seed,
            presence_penalty=_penalty("presence_penalty", sampling.presence_penalty, losses),
            frequency_penalty=_penalty("frequency_penalty", sampling.frequency_penalty, losses),
            response_mime_type=kind,
            response_json_schema=schema,
            response_logprobs=True if alternatives is not None else None,
            logprobs=int(alternatives) if alternatives else None,
            response_modalities=self._modalities(),
            thinking_config=self._thinking_config(),
        )

    def _format(self, wanted: Format | None) -> tuple[str | None, msgspec.Raw]:
        if wanted is None:
            return None, wire.EMPTY
        if wanted.description:
            self.losses.append(Loss("response_format.description"))
        return "application/json", wanted.schema or wire.EMPTY

    def _modalities(self) -> tuple[str, ...]:
        wanted = self.request.modalities
        return () if wanted == ("text",) else tuple(one.upper() for one in wanted)

    def _thinking_config(self) -> _Thinking | None:
        reasoning = self.request.reasoning
        if reasoning is None:
            return None
        if self.facts.reasoning is False or self.model.version < (2, 5):
            if reasoning.effort != "none":
                self.losses.append(Loss("reasoning", note="the model does not think"))
            return None
        level = budget = None
        if self.model.thinks_by_level:
            if reasoning.effort is not None:
                level = self._level(reasoning.effort)
            else:
                budget = reasoning.budget
        else:
            budget = self._budget(reasoning)
        found = _Thinking(reasoning.visible, budget, level)
        return found if found != _Thinking() else None

    def _level(self, effort: Effort) -> str:
        level = _LEVELS[effort]
        if level == "minimal" and self.model.is_pro:
            level = "low"
        if level != effort:
            self.losses.append(Loss("reasoning.effort", "changed", f"effort {effort} -> {level}"))
        return level.upper()

    def _budget(self, reasoning: Reasoning) -> int | None:
        budget = reasoning.budget
        if budget is None:
            if reasoning.effort is None:
                return None
            budget = _BUDGETS[reasoning.effort]
        if budget < 0:
            return -1
        low, high = (128, 32768) if self.model.is_pro else (0, 24576)
        kept = min(max(budget, low), high)
        if kept != budget:
            self.losses.append(Loss("reasoning.budget", "changed", f"{budget} tokens of thinking -> {kept}"))
        return kept

    def _tier(self) -> str | None:
        wanted = self.request.service_tier
        if wanted in ("", "auto"):
            return None
        tier = _TIERS.get(wanted)
        if tier is None:
            self.losses.append(Loss("service_tier"))
        return tier


def _penalty(name: str, value: float | None, losses: list[Loss]) -> float | None:
    return clamped(name, value, -2.0, 1.9999, losses)
