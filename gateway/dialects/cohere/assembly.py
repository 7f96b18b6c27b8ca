"""What Cohere says, as canonical events: the same for a stream's events and for a whole reply's members."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Citation,
    Cited,
    Delta,
    Event,
    Finish,
    Part,
    PartEnd,
    PartStart,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)

STOPS: Final[dict[str, StopReason]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop-sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool-use",
    "ERROR": "error",
    "ERROR_LIMIT": "length",
    "ERROR_TOXIC": "content-filter",
    "TIMEOUT": "error",
}
FAILURES: Final = ("ERROR", "TIMEOUT")


class Content(msgspec.Struct, gc=False):
    """type: `text` or `thinking`."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class Called(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class Call(msgspec.Struct, gc=False):
    id: str | None = None
    function: Called | None = None


class _Cited(msgspec.Struct, gc=False):
    """A document as the request gave it: its members are the client's own."""

    title: object = None
    url: object = None
    text: object = None
    snippet: object = None


_CITED: Final = msgspec.json.Decoder(_Cited)


class Source(msgspec.Struct):
    """document, tool_output: undecoded, so that an odd one does not cost the reply."""

    id: str | None = None
    document: msgspec.Raw = msgspec.Raw()
    tool_output: msgspec.Raw = msgspec.Raw()


class CohereCitation(msgspec.Struct):
    """start and end: characters of the content; type: which of the contents is meant."""

    start: int | None = None
    end: int | None = None
    sources: list[Source] | None = None
    content_index: int | None = None
    type: str | None = None


class Logprobs(msgspec.Struct, gc=False):
    text: str | None = None
    logprobs: list[float] | None = None


class Assembly:
    """Parts by what Cohere numbers them: contents and calls are counted apart, and the plan is not counted."""

    __slots__ = ("_calls", "_contents", "_first_text", "_open", "_parts", "_plan", "usage")

    def __init__(self) -> None:
        self._parts = 0
        self._contents: dict[int, int] = {}
        self._calls: dict[int, int] = {}
        self._open: dict[int, type[Part]] = {}
        self._plan = -1
        self._first_text = -1
        self.usage: Usage | None = None

    def content(self, number: int, content: Content, logprobs: tuple[TokenLogprob, ...], out: list[Event]) -> None:
        """More of a content, which begins where it is new."""
        thinks = content.type == "thinking" or (content.type is None and content.thinking is not None)
        at = self._contents.get(number)
        if at is None or at not in self._open:
            self._close_plan(out)
            at = self._contents[number] = self._begin(Thinking(vendor="cohere") if thinks else Text(text=""), out)
            if not thinks and self._first_text < 0:
                self._first_text = at
        text = content.thinking if self._open[at] is Thinking else content.text
        if text:
            out.append(Delta(at, text, logprobs=logprobs))

    def end_content(self, number: int, out: list[Event]) -> None:
        self._end(self._contents.get(number, -1), out)

    def plan(self, text: str, out: list[Event]) -> None:
        """The plan is what the model says before its calls."""
        if not text:
            return
        if self._plan < 0:
            self._plan = self._begin(Text(text=""), out)
        out.append(Delta(self._plan, text))

    def call(self, number: int, call: Call, out: list[Event]) -> None:
        """More of a call, which begins where it is named."""
        called = call.function or Called()
        at = self._calls.get(number)
        if at is None or at not in self._open:
            if not called.name:
                return
            self._close_plan(out)
            identity = call.id or f"call_{number}"
            at = self._calls[number] = self._begin(ToolUse(id=identity, name=called.name, arguments=""), out)
        if called.arguments:
            out.append(Delta(at, called.arguments, "arguments"))

    def end_call(self, number: int, out: list[Event]) -> None:
        self._end(self._calls.get(number, -1), out)

    def cite(self, citation: CohereCitation, out: list[Event]) -> None:
        """Citations of the plan and of thoughts have no place elsewhere."""
        if citation.type not in (None, "TEXT_CONTENT"):
            return
        at = self._first_text
        if citation.content_index is not None:
            at = self._contents.get(citation.content_index, at)
        if at < 0:
            return
        start, end = citation.start, citation.end
        placed = start is not None and end is not None and 0 <= start <= end
        for source in citation.sources or [Source()]:
            url, title, quote = _told(source)
            found = Citation(
                url=url,
                title=title,
                quote=quote,
                start=start if placed and start is not None else -1,
                end=end if placed and end is not None else -1,
            )
            out.append(Cited(at, found))

    def finish(self, reason: str | None, out: list[Event]) -> None:
        for at in list(self._open):
            self._end(at, out)
        out.append(Finish(STOPS.get(reason or "", "other")))

    def _begin(self, part: Part, out: list[Event]) -> int:
        at = self._parts
        self._parts += 1
        self._open[at] = type(part)
        out.append(PartStart(at, part))
        return at

    def _close_plan(self, out: list[Event]) -> None:
        if self._plan >= 0:
            self._end(self._plan, out)
            self._plan = -1

    def _end(self, at: int, out: list[Event]) -> None:
        if self._open.pop(at, None) is not None:
            out.append(PartEnd(at))


def token_logprobs(found: Logprobs | None) -> tuple[TokenLogprob, ...]:
    """One for each piece of text, which may be several tokens."""
    if found is None or not found.text or not found.logprobs:
        return ()
    return (TokenLogprob(found.text, sum(found.logprobs)),)


def _told(source: Source) -> tuple[str, str, str]:
    """Address, title and words of a source. What a tool said seldom has members of these names: then it is told whole,
    under the source's id."""
    raw = source.document or source.tool_output
    try:
        cited = _CITED.decode(raw) if raw else _Cited()
    except (msgspec.MsgspecError, RecursionError):
        cited = _Cited()
    url, title, quote = _text(cited.url), _text(cited.title), _text(cited.text) or _text(cited.snippet)
    if not (url or title or quote):
        return "", source.id or "", str(memoryview(raw), "utf-8", "replace")
    return url, title, quote


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
