"""A provider's stream of Anthropic's events, read into the canonical grammar.

Lives here: one decode for each event into one flat Struct, and which block is which part. Law: nothing but
UpstreamFault is raised, parts end before Finish does, and End comes with message_stop alone.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Headers
from gateway.dialects.anthropic.reply import StopDetails, read_block
from gateway.dialects.anthropic.seal import OWN
from gateway.dialects.anthropic.words import STOPS, UNREADABLE, Block, Quote, is_object, read_citation
from gateway.dialects.canonical import (
    Cited,
    Delta,
    End,
    Event,
    Failed,
    Finish,
    PartEnd,
    PartStart,
    Ping,
    Refusal,
    Start,
    Text,
    Thinking,
    ToolUse,
)
from gateway.dialects.faults import fault_of_event
from gateway.dialects.framed import FramedReader
from gateway.dialects.tokens import AnthropicUsage, merge_anthropic, of_anthropic


class _Message(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: AnthropicUsage | None = None


class _Delta(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: Quote | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class _Error(msgspec.Struct, gc=False):
    type: str | None = None


class _Sent(msgspec.Struct, gc=False):
    type: str | None = None
    index: int = 0
    delta: _Delta | None = None
    content_block: Block | None = None
    message: _Message | None = None
    usage: AnthropicUsage | None = None
    error: _Error | None = None


_SENT: Final = msgspec.json.Decoder(_Sent)
_PING: Final = Ping()


class MessagesReader(FramedReader):
    """Fed with the chunks of one reply."""

    __slots__ = ("_counted", "_finished", "_next", "_parts", "_silent", "_started")

    def __init__(self, headers: Headers) -> None:
        super().__init__()
        self._parts: dict[int, int] = {}
        """The part that each open block is; a block that is no part is not in here."""
        self._silent: set[int] = set()
        """Parts that are calls whose arguments have not begun."""
        self._next = 0
        self._started = self._finished = False
        self._counted: AnthropicUsage | None = None

    def _read(self, payload: bytes, name: bytes, out: list[Event]) -> None:
        try:
            event = _SENT.decode(payload)
        except UNREADABLE:
            if name == b"error":
                self._fail(payload, "", out)
            return
        kind = event.type or name.decode("utf-8", "replace")
        if kind == "content_block_delta":
            if event.delta is not None and (index := self._parts.get(event.index)) is not None:
                self._more(index, event.delta, out)
        elif kind == "content_block_start":
            if event.content_block is not None:
                self._begin(event.index, event.content_block, out)
        elif kind == "content_block_stop":
            self._stop(event.index, out)
        elif kind == "ping":
            out.append(_PING)
        elif kind == "error":
            self._fail(payload, (event.error.type or "") if event.error is not None else "", out)
        else:
            self._frame(kind, event, out)

    def _frame(self, kind: str, event: _Sent, out: list[Event]) -> None:
        """The events around the blocks."""
        if kind == "message_start":
            message = event.message
            if message is not None and not self._started:
                if message.usage is not None:
                    self._counted = message.usage
                self._started = True
                out.append(Start(id=message.id or "", model=message.model or "", usage=of_anthropic(self._counted)))
        elif kind == "message_delta":
            if event.usage is not None:
                self._counted = merge_anthropic(self._counted, event.usage)
            if event.delta is not None and event.delta.stop_reason is not None:
                self._explain(event.delta.stop_details, out)
                self._finish(event.delta.stop_reason, event.delta.stop_sequence or "", out)
        elif kind == "message_stop":
            self._finish("", "", out)
            self._over = True
            out.append(End(of_anthropic(self._counted)))

    def _begin(self, number: int, block: Block, out: list[Event]) -> None:
        if self._finished:
            return
        self._ensure_start(out)
        self._stop(number, out)
        part = read_block(block)
        if part is None:
            return
        index = self._parts[number] = self._next
        self._next += 1
        match part:
            case Text(text=text):
                out.append(PartStart(index, Text(text="")))
                if text:
                    out.append(Delta(index, text))
                out.extend(Cited(index, citation) for citation in part.citations)
            case Thinking(text=text, signature=signature):
                out.append(PartStart(index, Thinking(redacted=part.redacted, vendor=OWN)))
                if text:
                    out.append(Delta(index, text))
                if signature:
                    out.append(Delta(index, signature, "signature"))
            case ToolUse(id=identity, name=name):
                out.append(PartStart(index, ToolUse(id=identity, name=name, arguments="")))
                # Some who speak this format send the whole input at once.
                if is_object(block.input) and part.arguments not in ("{}", "{ }"):
                    out.append(Delta(index, part.arguments, "arguments"))
                else:
                    self._silent.add(index)
            case _:
                pass

    def _more(self, index: int, delta: _Delta, out: list[Event]) -> None:
        kind = delta.type
        if kind == "text_delta":
            if delta.text:
                out.append(Delta(index, delta.text))
        elif kind == "input_json_delta":
            if delta.partial_json:
                self._silent.discard(index)
                out.append(Delta(index, delta.partial_json, "arguments"))
        elif kind == "thinking_delta":
            if delta.thinking:
                out.append(Delta(index, delta.thinking))
        elif kind == "signature_delta":
            if delta.signature:
                out.append(Delta(index, delta.signature, "signature"))
        elif kind == "citations_delta" and delta.citation is not None:
            out.append(Cited(index, read_citation(delta.citation)))

    def _stop(self, number: int, out: list[Event]) -> None:
        index = self._parts.pop(number, None)
        if index is None:
            return
        if index in self._silent:
            # A call without arguments is `{}` in a whole reply, and so it is here.
            self._silent.discard(index)
            out.append(Delta(index, "{}", "arguments"))
        out.append(PartEnd(index))

    def _finish(self, reason: str, sequence: str, out: list[Event]) -> None:
        if self._finished:
            return
        self._ensure_start(out)
        for number in list(self._parts):
            self._stop(number, out)
        self._finished = True
        out.append(Finish(STOPS.get(reason, "other"), sequence))

    def _explain(self, details: StopDetails | None, out: list[Event]) -> None:
        """Why the model refuses, as a part of its own."""
        if details is not None and details.explanation and not self._finished:
            self._ensure_start(out)
            index = self._next
            self._next += 1
            out += (PartStart(index, Refusal(text="")), Delta(index, details.explanation), PartEnd(index))

    def _ensure_start(self, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            out.append(Start())

    def _fail(self, payload: bytes, kind: str, out: list[Event]) -> None:
        self._over = True
        fault = fault_of_event("anthropic", payload)
        out.append(Failed(fault.message, fault.status, kind))
