"""A canonical request as Ollama's `/api/chat` has it.

Facts of the format (github.com/ollama/ollama, docs/api.md): pictures are base64 beside the text, parameters of sampling
stand under `options`, arguments of calls are objects, results name the tool, and a tool cannot be forced.
"""

from __future__ import annotations

import msgspec

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Audio,
    Document,
    Encoded,
    Image,
    Loss,
    Message,
    Part,
    Refusal,
    Request,
    TargetFacts,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
)
from gateway.dialects.fitting import losses_of_text_only
from gateway.dialects.tool_calls import arguments_of, wrapped_arguments

_EMPTY = msgspec.Raw()
_LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "max": "high"}


class _Called(msgspec.Struct):
    name: str
    arguments: msgspec.Raw


class _Call(msgspec.Struct):
    function: _Called


class _Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | None = None
    thinking: str = ""
    images: list[str] = []
    tool_calls: list[_Call] = []
    tool_name: str = ""


class _Function(msgspec.Struct, omit_defaults=True):
    name: str
    description: str = ""
    parameters: msgspec.Raw = _EMPTY


class _Tool(msgspec.Struct):
    function: _Function
    type: str = "function"


class _Options(msgspec.Struct, omit_defaults=True):
    num_predict: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


class _Body(msgspec.Struct, omit_defaults=True):
    """stream: always said, because Ollama streams where it is not."""

    model: str
    messages: list[_Message]
    stream: bool | None = None
    tools: list[_Tool] = []
    format: msgspec.Raw = _EMPTY
    think: bool | str | None = None
    options: _Options | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


def write_request(request: Request, facts: TargetFacts) -> Encoded:
    """The request for this model, with what could not be carried. Never raises."""
    writer = _Writer(request, facts)
    body = writer.body()
    return Encoded(writer.blobs.encode(body), tuple(writer.losses))


class _Writer:
    __slots__ = ("blobs", "facts", "losses", "request")

    def __init__(self, request: Request, facts: TargetFacts) -> None:
        self.request = request
        self.facts = facts
        self.blobs = BlobWriter()
        self.losses = losses_of_text_only(request, "Ollama", "Ollama caches by itself")

    def body(self) -> _Body:
        request, sampling = self.request, self.request.sampling
        options = _Options(
            num_predict=request.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            frequency_penalty=sampling.frequency_penalty,
            presence_penalty=sampling.presence_penalty,
            seed=sampling.seed,
            stop=request.stop,
        )
        return _Body(
            model=self.facts.model,
            messages=self._messages(),
            stream=request.stream,
            tools=self._tools(),
            format=self._format(),
            think=self._think(),
            options=options if options != _Options() else None,
            logprobs=True if sampling.logprobs is not None else None,
            top_logprobs=sampling.logprobs or None,
        )

    def _messages(self) -> list[_Message]:
        out: list[_Message] = []
        if self.request.system:
            out += self._turn(Message("system", self.request.system), "system")
        for at, message in enumerate(self.request.messages):
            if message.name:
                self.losses.append(Loss(f"messages[{at}].name"))
            out += self._turn(message, f"messages[{at}]")
        return out

    def _turn(self, message: Message, place: str) -> list[_Message]:
        """One message for what is said, behind one for each tool result."""
        out: list[_Message] = []
        texts: list[str] = []
        thoughts: list[str] = []
        images: list[str] = []
        calls: list[_Call] = []
        for part in message.parts:
            match part:
                case ToolResult():
                    out.append(self._result(part, place))
                case ToolUse():
                    calls.append(self._call(part, place))
                case Thinking():
                    if part.vendor in ("", "ollama"):
                        thoughts.append(part.text)
                    else:
                        self.losses.append(Loss(f"{place}.thinking", note="thoughts of another provider's model"))
                case Image():
                    self._image(part, place, images)
                case _:
                    text = self._text(part, place)
                    if text:
                        texts.append(text)
        if texts or images or calls or any(thoughts):
            separator = "" if message.role == "assistant" else "\n\n"
            out.append(_Message(message.role, separator.join(texts), "".join(thoughts), images, calls))
        return out

    def _text(self, part: Part, place: str) -> str:
        match part:
            case Text(text=text) | Refusal(text=text):
                return text
            case Document(text=text) if text:
                for name, said in (("context", part.context), ("citations", part.citations)):
                    if said:
                        self.losses.append(Loss(f"{place}.document.{name}"))
                return f"{part.name}\n\n{text}" if part.name else text
            case Audio(transcript=text) if text:
                return text
            case _:
                kind = type(part).__name__.lower()
                self.losses.append(Loss(f"{place}.{kind}", "meaning", "Ollama takes text and pictures"))
                return ""

    def _image(self, part: Image, place: str, images: list[str]) -> None:
        if part.content is None:
            self.losses.append(Loss(f"{place}.image", "meaning", "Ollama takes pictures as base64 alone"))
        else:
            images.append(self.blobs.place(part.content))
            if part.detail not in ("", "auto"):
                self.losses.append(Loss(f"{place}.image.detail"))

    def _call(self, part: ToolUse, place: str) -> _Call:
        if part.signature:
            self.losses.append(Loss(f"{place}.signature"))
        arguments = arguments_of(part.arguments)
        if arguments is None:
            arguments = wrapped_arguments(part.arguments)
            self.losses.append(Loss(f"{place}.arguments", "changed", "no JSON object; sent as a string inside one"))
        return _Call(_Called(part.name, arguments))

    def _result(self, part: ToolResult, place: str) -> _Message:
        images: list[str] = []
        texts: list[str] = []
        for inner in part.content:
            if isinstance(inner, Image):
                self._image(inner, place, images)
            else:
                texts.append(self._text(inner, place))
        if part.error:
            self.losses.append(Loss(f"{place}.is_error", note="only its text says that the tool failed"))
        return _Message("tool", "\n\n".join(text for text in texts if text), "", images, [], part.name or part.id)

    def _tools(self) -> list[_Tool]:
        request = self.request
        choice = request.tool_choice
        found: list[Tool] = []
        for at, tool in enumerate(request.tools):
            if isinstance(tool, Tool):
                found.append(tool)
            else:
                self.losses.append(Loss(f"tools[{at}]", "meaning", "Ollama runs no tools"))
        if choice is not None and found:
            if choice.mode == "none":
                self.losses.append(Loss("tool_choice", "changed", "no tool is offered"))
                return []
            if choice.mode != "auto":
                self.losses.append(Loss("tool_choice", "meaning", "Ollama cannot force a call"))
            elif choice.allowed:
                found = [tool for tool in found if tool.name in choice.allowed]
                self.losses.append(Loss("tool_choice", "changed", "the other tools are not offered"))
            if choice.parallel is False:
                self.losses.append(Loss("parallel_tool_calls", note="Ollama may call several tools at once"))
        if any(tool.strict for tool in found):
            self.losses.append(Loss("tools.strict"))
        return [_Tool(_Function(tool.name, tool.description, tool.parameters or _EMPTY)) for tool in found]

    def _format(self) -> msgspec.Raw:
        wanted = self.request.format
        if wanted is None:
            return _EMPTY
        if wanted.description:
            self.losses.append(Loss("response_format.description"))
        return wanted.schema or msgspec.Raw(b'"json"')

    def _think(self) -> bool | str | None:
        reasoning = self.request.reasoning
        if reasoning is None or (reasoning.effort is None and reasoning.budget is None):
            return None
        effort = reasoning.effort
        if self.facts.reasoning is False:
            if effort != "none":
                self.losses.append(Loss("reasoning", note="the model does not think"))
            return None
        if effort == "none":
            return False
        if effort is None:
            if (reasoning.budget or 0) > 0:
                self.losses.append(Loss("reasoning.budget", "changed", "Ollama takes no number of tokens"))
            return True
        if "gpt-oss" not in self.facts.model:
            self.losses.append(Loss("reasoning.effort", "changed", f"effort {effort} -> on"))
            return True
        level = _LEVELS[effort]
        if level != effort:
            self.losses.append(Loss("reasoning.effort", "changed", f"effort {effort} -> {level}"))
        return level
