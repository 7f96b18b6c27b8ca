"""What Ollama says, as canonical events: a whole reply is the only chunk of a stream."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Delta,
    End,
    Event,
    Finish,
    Part,
    PartEnd,
    PartStart,
    Start,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.tokens import ABSURD, Count
from gateway.dialects.tool_calls import made_call_id

_STOPS: Final[dict[str, StopReason]] = {"stop": "stop", "length": "length", "load": "other", "unload": "other"}


class _Called(msgspec.Struct):
    """arguments: an object; of some servers its text."""

    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw()


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Called | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Alternative(msgspec.Struct):
    token: str | None = None
    logprob: float | None = None


class _Logprob(msgspec.Struct):
    token: str | None = None
    logprob: float | None = None
    top_logprobs: list[_Alternative] | None = None


class Chunk(msgspec.Struct):
    model: str | None = None
    created_at: str | None = None
    message: _Message | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: Count = None
    eval_count: Count = None
    logprobs: list[_Logprob] | None = None
    error: object = None


CHUNK: Final = msgspec.json.Decoder(Chunk)


class Assembly:
    """Chunks in, events out. done: the last chunk was seen."""

    __slots__ = ("_called", "_open", "_open_at", "_parts", "_started", "done")

    def __init__(self) -> None:
        self.done = False
        self._started = False
        self._parts = 0
        self._called = 0
        self._open: type[Part] | None = None
        self._open_at = 0

    def add(self, chunk: Chunk, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            out.append(Start(model=chunk.model or ""))
        message = chunk.message
        if message is not None:
            self._grow(Thinking(vendor="ollama"), message.thinking, (), out)
            self._grow(Text(text=""), message.content, _logprobs(chunk.logprobs), out)
            for call in message.tool_calls or ():
                self._call(call, chunk.created_at or "", out)
        if chunk.done:
            self.done = True
            self._close(out)
            stop = _STOPS.get(chunk.done_reason or "stop", "other")
            out.append(Finish("tool-use" if stop == "stop" and self._called else stop))
            out.append(End(_usage(chunk)))

    def _grow(self, part: Part, text: str | None, logprobs: tuple[TokenLogprob, ...], out: list[Event]) -> None:
        if not text:
            return
        if self._open is not type(part):
            self._close(out)
            self._begin(part, out)
            self._open = type(part)
        out.append(Delta(self._open_at, text, logprobs=logprobs))

    def _call(self, call: _Call, created: str, out: list[Event]) -> None:
        called = call.function
        if called is None or not called.name:
            return
        self._close(out)
        arguments = bytes(called.arguments)
        if not arguments or arguments == b"null":
            arguments = b"{}"
        elif arguments[:1] == b'"':
            # As older servers and others behind the same API write them.
            arguments = msgspec.json.decode(arguments, type=str).encode()
        identity = call.id or made_call_id(created, called.name, arguments, self._called)
        self._called += 1
        self._begin(ToolUse(id=identity, name=called.name, arguments=""), out)
        out.append(Delta(self._open_at, arguments.decode("utf-8", "replace"), "arguments"))
        out.append(PartEnd(self._open_at))

    def _begin(self, part: Part, out: list[Event]) -> None:
        self._open_at = self._parts
        self._parts += 1
        out.append(PartStart(self._open_at, part))

    def _close(self, out: list[Event]) -> None:
        if self._open is not None:
            out.append(PartEnd(self._open_at))
            self._open = None


def _usage(chunk: Chunk) -> Usage | None:
    """Ollama leaves a count out where it is 0."""
    given, taken = chunk.prompt_eval_count, chunk.eval_count
    if given is None and taken is None:
        return None
    counts = (given or 0, taken or 0)
    return Usage(*[int(count) for count in counts]) if all(0 <= count <= ABSURD for count in counts) else None


def _logprobs(found: list[_Logprob] | None) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(
            one.token or "",
            one.logprob or 0.0,
            tuple((top.token or "", top.logprob or 0.0) for top in one.top_logprobs or ()),
        )
        for one in found or ()
    )
