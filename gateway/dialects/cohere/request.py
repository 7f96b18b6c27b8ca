"""A canonical request as Cohere's v2 chat has it.

Facts of the format (docs.cohere.com, v2 chat): text beside calls is the `tool_plan`; a forced tool is the only one
that is offered; `response_format` cannot stand beside tools or documents; penalties are between 0 and 1.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Audio,
    Document,
    Effort,
    Encoded,
    HostedTool,
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
from gateway.dialects.fitting import clamped, first_stops, losses_of_text_only, plain

_STOPS: Final = 5
_TOP_K: Final = 500
_SEED: Final = 2**64
_EMPTY: Final = msgspec.Raw()
_NO_PARAMETERS: Final = msgspec.Raw(b'{"type":"object","properties":{}}')
_BUDGETS: Final[dict[Effort, int | None]] = {
    "minimal": 512,
    "low": 2048,
    "medium": 8192,
    "high": 24576,
    "max": None,
}


class _Url(msgspec.Struct, omit_defaults=True):
    url: str
    detail: str = ""


class _Content(msgspec.Struct, omit_defaults=True):
    type: str
    text: str | None = None
    thinking: str | None = None
    image_url: _Url | None = None


class _Called(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    id: str
    function: _Called
    type: str = "function"


class _Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | list[_Content] | None = None
    tool_plan: str = ""
    tool_calls: list[_Call] = []
    tool_call_id: str = ""


class _Function(msgspec.Struct, omit_defaults=True):
    name: str
    parameters: msgspec.Raw
    description: str = ""


class _Tool(msgspec.Struct):
    function: _Function
    type: str = "function"


class _Format(msgspec.Struct, omit_defaults=True):
    type: str
    json_schema: msgspec.Raw = _EMPTY


class _Thinking(msgspec.Struct, omit_defaults=True):
    type: str
    token_budget: int | None = None


class _Document(msgspec.Struct):
    id: str
    data: dict[str, str]


class _Body(msgspec.Struct, omit_defaults=True):
    model: str
    messages: list[_Message]
    stream: bool = False
    tools: list[_Tool] = []
    strict_tools: bool = False
    tool_choice: str = ""
    documents: list[_Document] = []
    response_format: _Format | None = None
    thinking: _Thinking | None = None
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    temperature: float | None = None
    p: float | None = None
    k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    logprobs: bool = False


class _Parameters(msgspec.Struct):
    required: list[str] | None = None


_PARAMETERS: Final = msgspec.json.Decoder(_Parameters)


def write_request(request: Request, facts: TargetFacts) -> Encoded:
    """The request for this model, with what could not be carried. Never raises."""
    writer = _Writer(request, facts)
    body = writer.body()
    return Encoded(writer.blobs.encode(body), tuple(writer.losses))


class _Writer:
    __slots__ = ("blobs", "documents", "facts", "losses", "request")

    def __init__(self, request: Request, facts: TargetFacts) -> None:
        self.request = request
        self.facts = facts
        self.blobs = BlobWriter()
        self.documents: list[_Document] = []
        self.losses = losses_of_text_only(request, "Cohere", "Cohere knows no such marks")

    def body(self) -> _Body:
        request, sampling, losses = self.request, self.request.sampling, self.losses
        if sampling.logprobs:
            losses.append(Loss("top_logprobs", "changed", f"{sampling.logprobs} -> 0"))
        seed = sampling.seed
        if seed is not None and not 0 <= seed < _SEED:
            losses.append(Loss("seed", note="it is negative or more than 64 bits"))
            seed = None
        messages = self._messages()
        tools = self._tools()
        return _Body(
            model=self.facts.model,
            messages=messages,
            stream=request.stream,
            tools=tools,
            strict_tools=self._strict(),
            tool_choice=self._choice() if tools else "",
            documents=self.documents,
            response_format=self._format(bool(tools)),
            thinking=self._thinking(),
            max_tokens=self._max_tokens(),
            stop_sequences=first_stops(request.stop, _STOPS, losses),
            temperature=clamped("temperature", sampling.temperature, 0.0, 2.0, losses),
            p=clamped("top_p", sampling.top_p, 0.01, 0.99, losses),
            k=self._top_k(sampling.top_k),
            frequency_penalty=clamped("frequency_penalty", sampling.frequency_penalty, 0.0, 1.0, losses),
            presence_penalty=clamped("presence_penalty", sampling.presence_penalty, 0.0, 1.0, losses),
            seed=seed,
            logprobs=sampling.logprobs is not None,
        )

    def _top_k(self, value: int | None) -> int | None:
        kept = clamped("top_k", value, 0, _TOP_K, self.losses)
        return None if kept is None else int(kept)

    def _max_tokens(self) -> int | None:
        wanted, limit = self.request.max_tokens, self.facts.max_output
        if wanted is not None and 0 < limit < wanted:
            self.losses.append(Loss("max_tokens", "changed", f"max_tokens {wanted} -> {limit}"))
            return limit
        return wanted

    def _messages(self) -> list[_Message]:
        request = self.request
        out: list[_Message] = []
        system = self._texts(request.system, "system")
        if system and not request.messages:
            # A request must ask something.
            self.losses.append(Loss("system", "changed", "written as a turn of the user"))
            return [_Message("user", system)]
        if system:
            out.append(_Message("system", system))
        for at, message in enumerate(request.messages):
            place = f"messages[{at}]"
            if message.name:
                self.losses.append(Loss(f"{place}.name"))
            if message.role == "system":
                text = self._texts(message.parts, place)
                if text:
                    out.append(_Message("system", text))
            elif message.role == "assistant":
                said = self._said(message, place)
                if said is not None:
                    out.append(said)
            else:
                out += self._asked(message, place)
        return out

    def _texts(self, parts: tuple[Part, ...], place: str) -> str:
        """What stands where Cohere takes text alone."""
        texts: list[str] = []
        for part in parts:
            if isinstance(part, Text | Refusal) or (isinstance(part, Document) and part.text):
                texts.append(part.text)
            else:
                self.losses.append(Loss(place, "meaning", "only text can stand there"))
        return "\n\n".join(text for text in texts if text)

    def _asked(self, message: Message, place: str) -> list[_Message]:
        """A turn of the user: each tool result is a message of its own, in front of what was said with it."""
        out: list[_Message] = []
        content: list[_Content] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                out.append(self._result(part, place))
            elif isinstance(part, Image):
                self._image(part, place, content)
            elif isinstance(part, Document):
                self._document(part, place, content)
            elif isinstance(part, Audio):
                if part.transcript:
                    content.append(_Content("text", text=part.transcript))
                else:
                    self.losses.append(Loss(f"{place}.audio", "meaning", "Cohere hears nothing"))
            elif isinstance(part, Text | Refusal):
                if part.text:
                    content.append(_Content("text", text=part.text))
            else:
                self.losses.append(Loss(place, "meaning", "a part that Cohere does not have"))
        if len(content) == 1 and content[0].text is not None:
            out.append(_Message("user", content[0].text))
        elif content:
            out.append(_Message("user", content))
        return out

    def _image(self, part: Image, place: str, content: list[_Content]) -> None:
        if part.content is not None:
            url = f"data:{part.media_type or 'image/png'};base64,{self.blobs.place(part.content)}"
        elif part.url:
            url = part.url
        else:
            self.losses.append(Loss(f"{place}.image", "meaning", "it is stored with another provider"))
            return
        content.append(_Content("image_url", image_url=_Url(url, part.detail)))

    def _document(self, part: Document, place: str, content: list[_Content]) -> None:
        if not part.text:
            self.losses.append(Loss(f"{place}.document", "meaning", "Cohere takes documents as text"))
        elif part.citations:
            title = {"title": part.name} if part.name else {}
            self.documents.append(_Document(f"doc_{len(self.documents)}", {**title, "text": part.text}))
        else:
            content.append(_Content("text", text=f"{part.name}\n\n{part.text}" if part.name else part.text))
        if part.context:
            self.losses.append(Loss(f"{place}.document.context"))

    def _result(self, part: ToolResult, place: str) -> _Message:
        if any(isinstance(inner, Image | Audio) or (isinstance(inner, Document) and not inner.text)
               for inner in part.content):  # fmt: skip
            self.losses.append(Loss(f"{place}.content", "meaning", "a tool's result is text with Cohere"))
        if part.error:
            self.losses.append(Loss(f"{place}.is_error", note="only its text says that the tool failed"))
        texts = [plain(part.content)]
        texts += [inner.text for inner in part.content if isinstance(inner, Document) and inner.text]
        return _Message("tool", "\n\n".join(text for text in texts if text), tool_call_id=part.id)

    def _said(self, message: Message, place: str) -> _Message | None:
        """A turn of the model."""
        content: list[_Content] = []
        calls: list[_Call] = []
        for part in message.parts:
            match part:
                case Text(text=text) | Refusal(text=text):
                    if text:
                        content.append(_Content("text", text=text))
                case Thinking():
                    if part.vendor not in ("", "cohere"):
                        self.losses.append(Loss(f"{place}.thinking", note="thoughts of another provider's model"))
                    elif part.text:
                        content.append(_Content("thinking", thinking=part.text))
                case ToolUse():
                    if part.signature:
                        self.losses.append(Loss(f"{place}.signature"))
                    calls.append(_Call(part.id, _Called(part.name, part.arguments or "{}")))
                case Audio(transcript=text) if text:
                    content.append(_Content("text", text=text))
                case _:
                    self.losses.append(Loss(place, "meaning", "a part that no model of Cohere's says"))
        plan = ""
        if calls:
            plan = "".join(one.text for one in content if one.text is not None)
            content = [one for one in content if one.text is None]
        if not content and not calls:
            return None
        only = content[0].text if len(content) == 1 else None
        return _Message("assistant", only if only is not None else content or None, plan, calls)

    def _offered(self) -> list[Tool]:
        """The functions that may be called: Cohere has no other way to say which."""
        functions = [tool for tool in self.request.tools if isinstance(tool, Tool)]
        choice = self.request.tool_choice
        if choice is None:
            return functions
        allowed = (choice.name,) if choice.mode == "tool" else choice.allowed
        named = [tool for tool in functions if tool.name in allowed]
        if not named or len(named) == len(functions):
            return functions
        self.losses.append(Loss("tool_choice", "changed", "the other tools are not offered"))
        return named

    def _tools(self) -> list[_Tool]:
        for at, tool in enumerate(self.request.tools):
            if isinstance(tool, HostedTool):
                self.losses.append(Loss(f"tools[{at}]", "meaning", "Cohere runs no tools in v2 chat"))
        return [
            _Tool(_Function(tool.name, tool.parameters or _NO_PARAMETERS, tool.description)) for tool in self._offered()
        ]

    def _strict(self) -> bool:
        functions = [tool for tool in self.request.tools if isinstance(tool, Tool)]
        if not any(tool.strict for tool in functions):
            return False
        if all(tool.strict and _demands_something(tool) for tool in functions):
            return True
        self.losses.append(Loss("tools.strict", note="all tools are strict and demand a parameter, or none is"))
        return False

    def _choice(self) -> str:
        choice = self.request.tool_choice
        if choice is None:
            return ""
        if choice.parallel is False:
            self.losses.append(Loss("parallel_tool_calls", note="Cohere may call several tools at once"))
        return {"auto": "", "none": "NONE"}.get(choice.mode, "REQUIRED")

    def _format(self, has_tools: bool) -> _Format | None:
        wanted = self.request.format
        if wanted is None:
            return None
        if has_tools or self.documents:
            self.losses.append(Loss("response_format", "meaning", "not beside tools or documents"))
            return None
        if wanted.description:
            self.losses.append(Loss("response_format.description"))
        return _Format("json_object", wanted.schema or _EMPTY)

    def _thinking(self) -> _Thinking | None:
        reasoning = self.request.reasoning
        if reasoning is None:
            return None
        if self.facts.reasoning is False:
            if reasoning.effort != "none":
                self.losses.append(Loss("reasoning", note="the model does not think"))
            return None
        if reasoning.visible is False:
            self.losses.append(Loss("reasoning.visible", note="thoughts are always shown"))
        budget = reasoning.budget
        if budget is not None and (budget > 0 or reasoning.effort is None):
            return _Thinking("enabled", budget if budget > 0 else None)
        if reasoning.effort is None:
            return None
        if reasoning.effort == "none":
            return _Thinking("disabled")
        return _Thinking("enabled", _BUDGETS[reasoning.effort])


def _demands_something(tool: Tool) -> bool:
    try:
        return tool.parameters is not None and bool(_PARAMETERS.decode(tool.parameters).required)
    except (msgspec.MsgspecError, RecursionError):
        return False
