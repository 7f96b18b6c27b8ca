"""Streams of Cohere's v2 chat: typed server-sent events, ended by message-end, which also tells of a failure."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.dialects.canonical import End, Event, Failed, Start
from gateway.dialects.cohere.assembly import (
    FAILURES,
    Assembly,
    Call,
    CohereCitation,
    Content,
    Logprobs,
    token_logprobs,
)
from gateway.dialects.framed import FramedReader
from gateway.dialects.tokens import CohereUsage, of_cohere

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Message(msgspec.Struct):
    """message-start has arrays where the events after it have one object each."""

    content: Content | list[Content] | None = None
    tool_plan: str | None = None
    tool_calls: Call | list[Call] | None = None
    citations: CohereCitation | list[CohereCitation] | None = None


class _Delta(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: CohereUsage | None = None
    error: str | None = None


class _Chunk(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    index: int | None = None
    delta: _Delta | None = None
    logprobs: Logprobs | None = None
    error: object = None
    message: object = None


One = TypeVar("One")

_CHUNK: Final = msgspec.json.Decoder(_Chunk)


class Reader(FramedReader):
    """Reads a provider's stream."""

    __slots__ = ("_assembly", "_html", "_started")

    def __init__(self, headers: Headers) -> None:
        super().__init__()
        self._assembly = Assembly()
        self._started = False
        self._html = any(name == b"content-type" and b"html" in value[:64].lower() for name, value in headers)

    def feed(self, chunk: bytes) -> list[Event]:
        if self._html:
            raise UpstreamFault("malformed", "The provider sent HTML where a stream was due.")
        return super().feed(chunk)

    def _read(self, payload: bytes, name: bytes, out: list[Event]) -> None:
        try:
            chunk = _CHUNK.decode(payload)
        except _UNREADABLE:
            return
        kind = chunk.type or name.decode("utf-8", "replace")
        delta = chunk.delta or _Delta()
        message = delta.message or _Message()
        if kind == "error" or chunk.error is not None or (not kind and chunk.message is not None):
            self._fail(_words(chunk), "", out)
            return
        if not self._started and kind != "debug":
            self._started = True
            out.append(Start(id=chunk.id or ""))
        assembly, number = self._assembly, chunk.index or 0
        match kind:
            case "content-delta" | "content-start":
                for content in _each(message.content):
                    assembly.content(number, content, token_logprobs(chunk.logprobs), out)
            case "tool-call-delta" | "tool-call-start":
                for call in _each(message.tool_calls):
                    assembly.call(number, call, out)
            case "tool-plan-delta":
                assembly.plan(message.tool_plan or "", out)
            case "content-end":
                assembly.end_content(number, out)
            case "tool-call-end":
                assembly.end_call(number, out)
            case "citation-start":
                for citation in _each(message.citations):
                    assembly.cite(citation, out)
            case "message-end":
                if delta.error or delta.finish_reason in FAILURES:
                    self._fail(delta.error or "", delta.finish_reason or "", out)
                    return
                self._over = True
                assembly.finish(delta.finish_reason, out)
                out.append(End(of_cohere(delta.usage)))
            case _:
                pass

    def _fail(self, message: str, kind: str, out: list[Event]) -> None:
        self._over = True
        out.append(Failed(message, 0, kind))


def _each(found: One | list[One] | None) -> list[One]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _words(chunk: _Chunk) -> str:
    if isinstance(chunk.message, str):
        return chunk.message
    return chunk.error if isinstance(chunk.error, str) else ""
