"""A client's Messages request, read into the canonical form.

Lives here: reading alone. Law: nothing but GatewayError is raised, with the field in `param`; what is not translated is
named in `unread`, or in `lost` where the request means something else without it.
"""

from __future__ import annotations

from typing import Final, Literal, TypeVar

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import Call
from gateway.dialects.anthropic.seal import unsealed
from gateway.dialects.anthropic.words import EMPTY, UNREADABLE, CacheControl, Quote, is_object, read_citation
from gateway.dialects.blob import Blob, read_blob
from gateway.dialects.body import Decoder, Number, read
from gateway.dialects.canonical import (
    CacheMark,
    Document,
    Effort,
    Format,
    HostedTool,
    Image,
    Loss,
    Message,
    Part,
    Reasoning,
    Request,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gateway.dialects.unread import shape_of, unread


class _Source(msgspec.Struct, gc=False):
    type: str | None = None
    media_type: str | None = None
    data: msgspec.Raw = EMPTY
    url: str | None = None
    file_id: str | None = None
    content: msgspec.Raw = EMPTY


class _Citations(msgspec.Struct, gc=False):
    enabled: bool | None = None


class _Block(msgspec.Struct, gc=False):
    """Of a request: any kind. citations: a list on text, an object on documents."""

    type: str | None = None
    cache_control: CacheControl | None = None
    text: str | None = None
    citations: msgspec.Raw = EMPTY
    source: msgspec.Raw = EMPTY
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


class _Turn(msgspec.Struct, gc=False):
    role: str | None = None
    content: str | list[_Block] | None = None


class _Tool(msgspec.Struct, gc=False):
    type: str | None = None
    name: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = EMPTY
    strict: bool | None = None
    cache_control: CacheControl | None = None


class _ToolChoice(msgspec.Struct, gc=False):
    type: str | None = None
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(msgspec.Struct, gc=False):
    type: str | None = None
    budget_tokens: Number = None
    display: str | None = None


class _Format(msgspec.Struct, gc=False):
    type: str | None = None
    schema: msgspec.Raw = EMPTY
    name: str | None = None


class _OutputConfig(msgspec.Struct, gc=False):
    effort: str | None = None
    format: _Format | None = None


class _Metadata(msgspec.Struct, gc=False):
    user_id: str | None = None


class _Body(msgspec.Struct, gc=False):
    model: str | None = None
    messages: list[_Turn] | None = None
    system: str | list[_Block] | None = None
    max_tokens: Number = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: _ToolChoice | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    stop_sequences: list[str] | None = None
    temperature: Number = None
    top_p: Number = None
    top_k: Number = None
    metadata: _Metadata | None = None
    service_tier: str | None = None
    stream: bool | None = None
    cache_control: CacheControl | None = None
    mcp_servers: list[msgspec.Raw] | None = None


_BODY: Final = msgspec.json.Decoder(_Body)
_TOOL: Final = msgspec.json.Decoder(_Tool)
_SOURCE: Final = msgspec.json.Decoder(_Source)
_CONTENT: Final = msgspec.json.Decoder(str | list[_Block])
_QUOTES: Final = msgspec.json.Decoder(list[Quote])
_CITATIONS: Final = msgspec.json.Decoder(_Citations)
_STRING: Final = msgspec.json.Decoder(str)
_SHAPE: Final = shape_of(_Body)
_TOOL_SHAPE: Final = shape_of(_Tool)

_EFFORTS: Final[dict[str, Effort]] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "max", "max": "max"}
_HOSTED: Final = (
    ("web_search_", "web-search"),
    ("code_execution_", "code-execution"),
    ("web_fetch_", "url-context"),
    ("computer_", "computer"),
)
# Without these a request is another one: where it may be computed, what is in the model's container.
_WEIGHTY: Final = ("inference_geo", "container")
# What tools that Anthropic ran have left in the history: the words that follow rest on it, and stand without it.
_TRACES: Final = ("server_tool_use", "mcp_tool_use", "mcp_tool_result", "compaction", "fallback")

T = TypeVar("T")


def read_request(body: bytes, call: Call) -> Request:
    """Raises GatewayError: malformed_body, invalid_request."""
    asked = read(_BODY, body)
    if asked.messages is None:
        raise _invalid("messages", "a list of messages is due")
    reader = _Reader()
    reader.unread += unread(body, _SHAPE)
    system = reader.system(asked.system)
    messages: list[Message] = []
    for at, turn in enumerate(asked.messages):
        message = reader.turn(turn, f"messages[{at}]")
        if message.role == "system" and not messages:
            system += message.parts
        else:
            messages.append(message)
    if asked.cache_control is not None:
        _mark_last(messages, _mark(asked.cache_control))
    tools = reader.tools(asked.tools or [], asked.mcp_servers or [])
    sampling = Sampling(temperature=_float(asked.temperature), top_p=_float(asked.top_p), top_k=_whole(asked.top_k))
    reasoning = reader.reasoning(asked.thinking, asked.output_config)
    shaped = reader.format(asked)
    names, weighty = _weigh(reader.unread)
    return Request(
        model=asked.model or call.model,
        messages=tuple(messages),
        system=system,
        tools=tools,
        tool_choice=_tool_choice(asked.tool_choice),
        format=shaped,
        reasoning=reasoning,
        sampling=sampling,
        max_tokens=_whole(asked.max_tokens),
        stop=tuple(asked.stop_sequences or ()),
        stream=asked.stream is True,
        wants_usage=True,
        user=(asked.metadata.user_id or "") if asked.metadata is not None else "",
        service_tier=asked.service_tier or "",
        unread=names,
        lost=(*weighty, *reader.lost),
    )


class _Reader:
    """Gathers, on the way through a request, what it has no place for. names: of the tools that were called, by the
    call's id."""

    __slots__ = ("lost", "names", "unread")

    def __init__(self) -> None:
        self.unread: list[str] = []
        self.lost: list[Loss] = []
        self.names: dict[str, str] = {}

    def system(self, system: str | list[_Block] | None) -> tuple[Part, ...]:
        if isinstance(system, str):
            return (Text(text=system),) if system else ()
        return tuple(self.parts(system or [], "system"))

    def turn(self, turn: _Turn, at: str) -> Message:
        role: Literal["system", "user", "assistant"]
        if turn.role == "user":
            role = "user"
        elif turn.role == "assistant":
            role = "assistant"
        elif turn.role in ("system", "developer"):
            role = "system"
        else:
            raise _invalid(f"{at}.role", "`user`, `assistant` or `system` is due")
        content = turn.content
        if content is None:
            raise _invalid(f"{at}.content", "a string or a list of content blocks is due")
        if isinstance(content, str):
            return Message(role, (Text(text=content),))
        return Message(role, tuple(self.parts(content, f"{at}.content")))

    def parts(self, blocks: list[_Block], at: str) -> list[Part]:
        found: list[Part] = []
        for number, block in enumerate(blocks):
            part = self.part(block, f"{at}[{number}]")
            if part is not None:
                found.append(part)
        return found

    def part(self, block: _Block, at: str) -> Part | None:
        cache = _mark(block.cache_control)
        match block.type:
            case "text":
                if block.text is None:
                    raise _invalid(f"{at}.text", "a string is due")
                quotes = _inner(_QUOTES, block.citations, f"{at}.citations") or []
                return Text(text=block.text, citations=tuple(map(read_citation, quotes)), cache=cache)
            case "image":
                return self.image(block, cache, at)
            case "document":
                return self.document(block, cache, at)
            case "search_result":
                return self.search_result(block, cache, at)
            case "tool_use":
                if not block.id or not block.name:
                    raise _invalid(at, "a tool_use block has an `id` and a `name`")
                self.names[block.id] = block.name
                arguments = bytes(block.input).decode("utf-8", "replace") if block.input != EMPTY else "{}"
                return ToolUse(id=block.id, name=block.name, arguments=arguments, cache=cache)
            case "tool_result":
                return self.tool_result(block, cache, at)
            case "thinking":
                return unsealed(block.thinking or "", block.signature or "", False)
            case "redacted_thinking":
                return unsealed("", block.data or "", True) if block.data else None
            case None:
                raise _invalid(f"{at}.type", "every content block has a `type`")
            case kind if kind in _TRACES or kind.endswith("_tool_result"):
                self.unread.append(at)
                return None
            case kind:
                self.lost.append(Loss(at, "meaning", f"a `{kind[:60]}` block has no counterpart"))
                return None

    def image(self, block: _Block, cache: CacheMark | None, at: str) -> Image:
        source = self.source(block, at)
        match source.type:
            case "base64":
                content = _blob(source.data, f"{at}.source.data")
                return Image(content=content, media_type=source.media_type or "", cache=cache)
            case "url":
                return Image(url=source.url or "", cache=cache)
            case "file":
                return Image(file=source.file_id or "", cache=cache)
            case _:
                raise _invalid(f"{at}.source.type", "`base64`, `url` or `file` is due")

    def document(self, block: _Block, cache: CacheMark | None, at: str) -> Document:
        source = self.source(block, at)
        cited = _inner(_CITATIONS, block.citations, f"{at}.citations")
        text = url = file = media_type = ""
        content: Blob | None = None
        match source.type:
            case "base64":
                content = _blob(source.data, f"{at}.source.data")
                media_type = source.media_type or "application/pdf"
            case "text":
                text = _inner(_STRING, source.data, f"{at}.source.data") or ""
                media_type = source.media_type or "text/plain"
            case "content":
                text = self.joined(source.content, f"{at}.source.content")
                media_type = "text/plain"
            case "url":
                url, media_type = source.url or "", "application/pdf"
            case "file":
                file = source.file_id or ""
            case _:
                raise _invalid(f"{at}.source.type", "`base64`, `text`, `content`, `url` or `file` is due")
        return Document(
            content=content,
            text=text,
            url=url,
            file=file,
            media_type=media_type,
            name=block.title or "",
            context=block.context or "",
            citations=cited is not None and cited.enabled is True,
            cache=cache,
        )

    def search_result(self, block: _Block, cache: CacheMark | None, at: str) -> Document:
        source = _inner(_STRING, block.source, f"{at}.source") or ""
        cited = _inner(_CITATIONS, block.citations, f"{at}.citations")
        return Document(
            text=self.joined(block.content, f"{at}.content"),
            media_type="text/plain",
            name=block.title or "",
            context=f"source: {source}" if source else "",
            citations=cited is not None and cited.enabled is True,
            cache=cache,
        )

    def joined(self, content: msgspec.Raw, at: str) -> str:
        """The texts of nested content."""
        found = _inner(_CONTENT, content, at) or ""
        if isinstance(found, str):
            return found
        texts: list[str] = []
        for number, block in enumerate(found):
            if block.type == "text" and block.text is not None:
                texts.append(block.text)
            else:
                self.lost.append(Loss(f"{at}[{number}]", "meaning", "only text can stand here elsewhere"))
        return "\n".join(texts)

    def tool_result(self, block: _Block, cache: CacheMark | None, at: str) -> ToolResult:
        if not block.tool_use_id:
            raise _invalid(f"{at}.tool_use_id", "the id of the call that this answers is due")
        found = _inner(_CONTENT, block.content, f"{at}.content")
        if isinstance(found, str):
            content: tuple[Part, ...] = (Text(text=found),)
        else:
            content = tuple(self.parts(found or [], f"{at}.content"))
        return ToolResult(
            id=block.tool_use_id,
            name=self.names.get(block.tool_use_id, ""),
            content=content,
            error=block.is_error is True,
            cache=cache,
        )

    def source(self, block: _Block, at: str) -> _Source:
        source = _inner(_SOURCE, block.source, f"{at}.source")
        if source is None:
            raise _invalid(f"{at}.source", "a source is due")
        return source

    def tools(self, tools: list[msgspec.Raw], servers: list[msgspec.Raw]) -> tuple[Tool | HostedTool, ...]:
        found: list[Tool | HostedTool] = []
        for number, raw in enumerate(tools):
            at = f"tools[{number}]"
            tool = _inner(_TOOL, raw, at)
            if tool is None:
                raise _invalid(at, "an object is due")
            if tool.type not in (None, "custom"):
                found.append(HostedTool(kind=_hosted_kind(tool.type), vendor="anthropic", body=raw))
                continue
            if not tool.name:
                raise _invalid(f"{at}.name", "a tool has a name")
            self.unread += unread(raw, _TOOL_SHAPE, f"{at}.")
            schema = None if tool.input_schema in (EMPTY, b"null") else tool.input_schema
            found.append(
                Tool(
                    name=tool.name,
                    description=tool.description or "",
                    parameters=schema,
                    strict=tool.strict,
                    cache=_mark(tool.cache_control),
                )
            )
        found.extend(HostedTool(kind="mcp", vendor="anthropic", body=raw) for raw in servers)
        return tuple(found)

    def reasoning(self, thinking: _Thinking | None, output: _OutputConfig | None) -> Reasoning | None:
        effort = _EFFORTS.get(output.effort or "") if output is not None else None
        if output is not None and output.effort is not None and effort is None:
            self.unread.append("output_config.effort")
        if thinking is None:
            return Reasoning(effort=effort) if effort is not None else None
        visible = None if thinking.display is None else thinking.display != "omitted"
        match thinking.type:
            case "enabled":
                budget = _whole(thinking.budget_tokens)
                if budget is None:
                    raise _invalid("thinking.budget_tokens", "a number of tokens is due")
                return Reasoning(effort=effort, budget=max(budget, 0), visible=visible)
            case "adaptive":
                return Reasoning(effort=effort, budget=-1, visible=visible)
            case "disabled" | "between_tools":
                return Reasoning(effort="none")
            case _:
                raise _invalid("thinking.type", "`enabled`, `adaptive` or `disabled` is due")

    def format(self, asked: _Body) -> Format | None:
        shaped = asked.output_config.format if asked.output_config is not None else None
        shaped = shaped or asked.output_format
        if shaped is None:
            return None
        if shaped.type != "json_schema" or not is_object(shaped.schema):
            raise _invalid("output_config.format", "`json_schema` with an object as its `schema` is due")
        return Format(kind="schema", name=shaped.name or "", schema=shaped.schema, strict=True)


def _inner(decoder: Decoder[T], raw: msgspec.Raw, at: str) -> T | None:
    """What was left undecoded; None where there is none."""
    if raw == EMPTY or raw == b"null":
        return None
    try:
        return decoder.decode(raw)
    except UNREADABLE as error:
        said, _, inside = str(error).partition(" - at `$")
        raise _invalid(at + inside.rstrip("`"), said or "it cannot be read") from None


def _blob(raw: msgspec.Raw, at: str) -> Blob:
    blob = read_blob(raw) if raw != EMPTY else None
    if blob is None:
        raise _invalid(at, "a string of base64 is due")
    return blob


def _mark(control: CacheControl | None) -> CacheMark | None:
    if control is None:
        return None
    return "1h" if control.ttl == "1h" else "5m"


def _mark_last(messages: list[Message], mark: CacheMark | None) -> None:
    """`cache_control` of the request itself stands for a mark on its last block."""
    if messages and messages[-1].parts:
        last = messages[-1]
        part = last.parts[-1]
        if part.cache is None and not isinstance(part, Thinking):
            marked = msgspec.structs.replace(part, cache=mark)
            messages[-1] = Message(last.role, (*last.parts[:-1], marked), last.name)


def _hosted_kind(kind: str | None) -> str:
    name = kind or ""
    for prefix, known in _HOSTED:
        if name.startswith(prefix):
            return known
    return name


def _tool_choice(choice: _ToolChoice | None) -> ToolChoice | None:
    if choice is None:
        return None
    parallel = None if choice.disable_parallel_tool_use is None else not choice.disable_parallel_tool_use
    match choice.type:
        case "auto":
            return ToolChoice(mode="auto", parallel=parallel)
        case "any":
            return ToolChoice(mode="any", parallel=parallel)
        case "none":
            return ToolChoice(mode="none", parallel=parallel)
        case "tool" if choice.name:
            return ToolChoice(mode="tool", name=choice.name, parallel=parallel)
        case _:
            raise _invalid("tool_choice", "`auto`, `any`, `none`, or `tool` with a name is due")


def _weigh(names: list[str]) -> tuple[tuple[str, ...], tuple[Loss, ...]]:
    """The unread members, and those of them that matter."""
    weighty = tuple(Loss(name, "meaning", "no other provider has it") for name in names if name in _WEIGHTY)
    return tuple(name for name in names if name not in _WEIGHTY), weighty


def _whole(value: Number) -> int | None:
    return None if value is None else int(min(max(value, -(2**31)), 2**31 - 1))


def _float(value: Number) -> float | None:
    return None if value is None else float(min(max(value, -1e9), 1e9))


def _invalid(at: str, why: str) -> GatewayError:
    return GatewayError("invalid_request", f"`{at}`: {why}.", param=at)
