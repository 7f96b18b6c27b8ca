"""A stream of Converse, read into the canonical grammar.

Text and thoughts begin with their first delta: only calls of tools have a start of their own. The counts come after
`messageStop`, in `metadata`, which is the last there is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Headers
from gateway.dialects.bedrock.reply import THINKER, request_id
from gateway.dialects.bedrock.words import STATUSES, STOPS, UNREADABLE, Quote, read_citation
from gateway.dialects.canonical import (
    Cited,
    Delta,
    End,
    Event,
    Failed,
    Finish,
    Part,
    PartEnd,
    PartStart,
    Start,
    Text,
    Thinking,
    ToolUse,
)
from gateway.dialects.eventstream import EventStream, Framed
from gateway.dialects.tokens import BedrockUsage, of_bedrock


class _ToolStart(msgspec.Struct, gc=False, rename="camel"):
    tool_use_id: str | None = None
    name: str | None = None
    type: str | None = None


class _Begun(msgspec.Struct, rename="camel"):
    tool_use: _ToolStart | None = None
    tool_result: object = None
    image: object = None


class _ToolDelta(msgspec.Struct, gc=False):
    input: str | None = None


class _ReasoningDelta(msgspec.Struct, gc=False, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(msgspec.Struct, gc=False, rename="camel"):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _ReasoningDelta | None = None
    citation: Quote | None = None


class _Sent(msgspec.Struct, gc=False, rename="camel"):
    content_block_index: int = 0
    delta: _Delta | None = None
    start: _Begun | None = None
    stop_reason: str | None = None
    usage: BedrockUsage | None = None
    message: str | None = None
    original_status_code: int | None = None
    original_message: str | None = None


_SENT: Final = msgspec.json.Decoder(_Sent)


class ConverseReader:
    """Fed with the chunks of one reply."""

    __slots__ = ("_finished", "_frames", "_id", "_kinds", "_next", "_over", "_parts", "_silent", "_started")

    def __init__(self, headers: Headers) -> None:
        self._frames = EventStream()
        self._id = request_id(headers)
        self._parts: dict[int, int] = {}
        """The part that each open block is; -1 for one that is no part."""
        self._kinds: dict[int, type[Part]] = {}
        self._silent: set[int] = set()
        """Parts that are calls whose arguments have not begun."""
        self._next = 0
        self._started = self._finished = self._over = False

    def feed(self, chunk: bytes) -> list[Event]:
        out: list[Event] = []
        for framed in self._frames.feed(chunk):
            if not self._over:
                self._read(framed, out)
        return out

    def end(self) -> list[Event]:
        # What counts is messageStop: metadata only adds the counts.
        if not self._finished or self._over or self._frames.cut:
            return []
        self._over = True
        return [End()]

    def _read(self, framed: Framed, out: list[Event]) -> None:
        try:
            sent = _SENT.decode(framed.payload)
        except UNREADABLE:
            if framed.kind != "event":
                self._fail(framed, _Sent(), out)
            return
        if framed.kind != "event":
            self._fail(framed, sent, out)
            return
        match framed.name:
            case "contentBlockDelta":
                if sent.delta is not None and not self._finished:
                    self._more(sent.content_block_index, sent.delta, out)
            case "contentBlockStart":
                if sent.start is not None and not self._finished:
                    self._begin_call(sent.content_block_index, sent.start, out)
            case "contentBlockStop":
                self._stop(sent.content_block_index, out)
            case "messageStart":
                self._start(out)
            case "messageStop":
                self._finish(sent.stop_reason or "", out)
            case "metadata":
                self._finish("", out)
                self._over = True
                out.append(End(of_bedrock(sent.usage)))
            case _:
                pass

    def _start(self, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            out.append(Start(id=self._id))

    def _begin(self, block: int, part: Part, out: list[Event]) -> int:
        self._start(out)
        self._stop(block, out)
        index = self._parts[block] = self._next
        self._next += 1
        self._kinds[index] = type(part)
        out.append(PartStart(index, part))
        return index

    def _begin_call(self, block: int, begun: _Begun, out: list[Event]) -> None:
        call = begun.tool_use
        if call is None and begun.tool_result is None and begun.image is None:
            # Some servers announce text and thoughts too: their first delta says what they are.
            return
        if call is None or call.type == "server_tool_use":
            self._stop(block, out)
            self._parts[block] = -1
            return
        index = self._begin(block, ToolUse(id=call.tool_use_id or "", name=call.name or "", arguments=""), out)
        self._silent.add(index)

    def _more(self, block: int, delta: _Delta, out: list[Event]) -> None:
        index = self._parts.get(block)
        if index == -1:
            return
        if delta.text is not None or delta.citation is not None:
            self._text(block, index, delta, out)
        elif delta.tool_use is not None:
            if index is not None and delta.tool_use.input and self._kinds[index] is ToolUse:
                self._silent.discard(index)
                out.append(Delta(index, delta.tool_use.input, "arguments"))
        elif delta.reasoning_content is not None:
            self._thought(block, index, delta.reasoning_content, out)

    def _text(self, block: int, index: int | None, delta: _Delta, out: list[Event]) -> None:
        if index is None:
            index = self._begin(block, Text(text=""), out)
        elif self._kinds[index] is not Text:
            return
        if delta.text:
            out.append(Delta(index, delta.text))
        if delta.citation is not None:
            out.append(Cited(index, read_citation(delta.citation)))

    def _thought(self, block: int, index: int | None, delta: _ReasoningDelta, out: list[Event]) -> None:
        if index is None:
            index = self._begin(block, Thinking(vendor=THINKER), out)
        elif self._kinds[index] is not Thinking:
            return
        if delta.text:
            out.append(Delta(index, delta.text))
        if delta.signature:
            out.append(Delta(index, delta.signature, "signature"))
        if delta.redacted_content:
            out.append(Delta(index, delta.redacted_content, "redacted"))

    def _stop(self, block: int, out: list[Event]) -> None:
        index = self._parts.pop(block, -1)
        if index < 0:
            return
        if index in self._silent:
            # A call without arguments is `{}` in a whole reply, and so it is here.
            self._silent.discard(index)
            out.append(Delta(index, "{}", "arguments"))
        out.append(PartEnd(index))

    def _finish(self, reason: str, out: list[Event]) -> None:
        if self._finished:
            return
        self._start(out)
        for block in list(self._parts):
            self._stop(block, out)
        self._finished = True
        out.append(Finish(STOPS.get(reason, "other")))

    def _fail(self, framed: Framed, sent: _Sent, out: list[Event]) -> None:
        self._over = True
        name = framed.name
        message = sent.original_message or sent.message or framed.said or f"The provider ended the stream: {name}."
        status = sent.original_status_code or 0
        if not 400 <= status < 600:
            status = STATUSES.get(name[:1].lower() + name[1:], 500)
        out.append(Failed(message, status, name))
