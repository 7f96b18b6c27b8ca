"""A stream of Responses events becomes canonical ones.

Events say their type and the place that they are about: output item, and content within it. A provider that leaves out
the events in between (no deltas, no parts, all in the last event) is read as well: what was not told before is told
when an item, or the response, is done. `response.completed` and `response.incomplete` alone complete a stream.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.exchange import Headers
from gateway.dialects.canonical import (
    Cited,
    Delta,
    End,
    Event,
    Failed,
    Finish,
    PartEnd,
    PartStart,
    Refusal,
    Start,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.faults import fault_of_event
from gateway.dialects.framed import FramedReader
from gateway.dialects.openai_figures import Logprob, read_citation, read_logprobs, usage_of
from gateway.dialects.openai_responses.reply import (
    RESPONSE,
    AnnotationIn,
    ItemIn,
    Piece,
    ResponseIn,
    call_of,
    image_of,
    item_of,
    stop_of,
    thought_of,
)
from gateway.dialects.openai_responses.request_body import NO_JSON
from gateway.dialects.openai_responses.seal import OWN
from gateway.dialects.openai_words import UNREADABLE, kind_hint, says_error


class _Event(msgspec.Struct):
    """Any event. delta: what is more; text, refusal, arguments: the whole of it, in the event that ends it."""

    type: str | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    logprobs: list[Logprob] | None = None
    part: Piece | None = None
    annotation: AnnotationIn | None = None
    item: msgspec.Raw = NO_JSON
    response: msgspec.Raw = NO_JSON
    error: msgspec.Raw = NO_JSON


_EVENT: Final = msgspec.json.Decoder(_Event)
_WHOLE: Final = -1


class _Open:
    """A part that has begun. piece: of a thought, which of its summaries or texts was told last."""

    __slots__ = ("ended", "index", "piece", "said")

    def __init__(self, index: int) -> None:
        self.index = index
        self.said = False
        self.ended = False
        self.piece = ("", 0)


class ResponsesReader(FramedReader):
    """Reads one reply."""

    __slots__ = (
        "_calls",
        "_done",
        "_ids",
        "_last",
        "_parts",
        "_places",
        "_refused",
        "_started",
        "_used",
    )

    def __init__(self, headers: Headers) -> None:
        super().__init__()
        self._started = False
        self._calls = False
        self._refused = False
        self._used = 0
        # By output item and content; a call or a thought is the whole of its item.
        self._parts: dict[tuple[int, int], _Open] = {}
        self._done: set[int] = set()
        self._ids: dict[int, str] = {}
        self._places: dict[str, int] = {}
        self._last = -1

    def _read(self, payload: bytes, name: bytes, found: list[Event]) -> None:
        try:
            event = _EVENT.decode(payload)
        except UNREADABLE:
            if name == b"error":
                self._fail(payload, found)
            return
        kind = event.type or name.decode("utf-8", "replace")
        if kind == "response.output_text.delta":
            self._say(event, Text(text=""), found)
            return
        if kind in ("error", "response.failed") or says_error(event.error):
            self._fail(payload, found)
            return
        self._take(kind, event, found)

    def _take(self, kind: str, event: _Event, found: list[Event]) -> None:
        match kind:
            case "response.function_call_arguments.delta":
                self._argue(event, event.delta, found)
            case "response.function_call_arguments.done":
                self._argue(event, event.arguments, found, whole=True)
            case "response.reasoning_summary_text.delta":
                self._think(event, ("summary", event.summary_index or 0), found)
            case "response.reasoning_text.delta":
                self._think(event, ("content", event.content_index or 0), found)
            case "response.refusal.delta":
                self._say(event, Refusal(text=""), found)
            case "response.content_part.added":
                self._open_piece(event, found)
            case "response.content_part.done":
                self._close((self._at(event), event.content_index or 0), found)
            case "response.output_text.done" | "response.refusal.done":
                self._complete(event, found)
            case "response.output_text.annotation.added":
                self._cite(event, found)
            case "response.output_item.added":
                self._add(event, found)
            case "response.output_item.done":
                if (item := item_of(event.item)) is not None:
                    self._finish_item(item, self._at(event, item), found)
            case "response.completed" | "response.incomplete":
                self._conclude(event, kind, found)
            case "response.created" | "response.in_progress" | "response.queued":
                self._begin(self._response(event), found)
            case _:
                pass

    def _response(self, event: _Event) -> ResponseIn:
        try:
            return RESPONSE.decode(event.response)
        except UNREADABLE:
            return ResponseIn()

    def _begin(self, response: ResponseIn, found: list[Event]) -> None:
        if not self._started:
            self._started = True
            found.append(Start(id=response.id or "", model=response.model or "", created=int(response.created_at or 0)))

    def _open(self, place: tuple[int, int], part: Text | Refusal | Thinking | ToolUse, found: list[Event]) -> _Open:
        if not self._started:
            self._begin(ResponseIn(), found)
        opened = self._parts[place] = _Open(self._used)
        self._used += 1
        self._calls = self._calls or isinstance(part, ToolUse)
        self._refused = self._refused or isinstance(part, Refusal)
        found.append(PartStart(opened.index, part))
        return opened

    def _close(self, place: tuple[int, int], found: list[Event]) -> None:
        opened = self._parts.get(place)
        if opened is not None and not opened.ended:
            opened.ended = True
            found.append(PartEnd(opened.index))

    def _say(self, event: _Event, part: Text | Refusal, found: list[Event]) -> None:
        place = (self._at(event), event.content_index or 0)
        opened = self._parts.get(place)
        if opened is None:
            opened = self._open(place, part, found)
        if event.delta and not opened.ended:
            opened.said = True
            found.append(Delta(opened.index, event.delta, "text", 0, read_logprobs(event.logprobs)))

    def _open_piece(self, event: _Event, found: list[Event]) -> None:
        place = (self._at(event), event.content_index or 0)
        if event.part is not None and place not in self._parts:
            if event.part.type == "output_text":
                self._open(place, Text(text=""), found)
            elif event.part.type == "refusal":
                self._open(place, Refusal(text=""), found)

    def _complete(self, event: _Event, found: list[Event]) -> None:
        """The whole text, which is news only where there were no deltas."""
        opened = self._parts.get((self._at(event), event.content_index or 0))
        if opened is None or not opened.said:
            event.delta = event.text or event.refusal
            self._say(event, Refusal(text="") if event.refusal else Text(text=""), found)

    def _cite(self, event: _Event, found: list[Event]) -> None:
        opened = self._parts.get((self._at(event), event.content_index or 0))
        note = event.annotation
        if opened is not None and note is not None and note.type == "url_citation":
            found.append(Cited(opened.index, read_citation(note)))

    def _at(self, event: _Event, item: ItemIn | None = None) -> int:
        """Which output item an event is about: some leave its index out, and say its id or nothing."""
        if event.output_index is not None:
            return event.output_index
        identity = (item.id or item.call_id if item is not None else event.item_id) or ""
        return self._places.get(identity, max(self._last, 0))

    def _add(self, event: _Event, found: list[Event]) -> None:
        item = item_of(event.item)
        if item is None:
            return
        at = self._last = self._last + 1 if event.output_index is None else event.output_index
        for identity in (item.id, item.call_id):
            if identity:
                self._places[identity] = at
        if item.type == "reasoning" and item.id:
            self._ids[at] = item.id
        elif item.type in ("function_call", "custom_tool_call") and (at, _WHOLE) not in self._parts:
            call = call_of(item)
            start = ToolUse(id=call.id, name=call.name, arguments="", signature=call.signature)
            self._open((at, _WHOLE), start, found)

    def _argue(self, event: _Event, text: str | None, found: list[Event], whole: bool = False) -> None:
        opened = self._parts.get((self._at(event), _WHOLE))
        if opened is not None and text and not opened.ended and not (whole and opened.said):
            opened.said = True
            found.append(Delta(opened.index, text, "arguments"))

    def _think(self, event: _Event, piece: tuple[str, int], found: list[Event]) -> None:
        text = event.delta
        place = (self._at(event), _WHOLE)
        opened = self._parts.get(place)
        if not text or (opened is not None and opened.ended):
            return
        if opened is None:
            opened = self._open(place, Thinking(vendor=OWN, id=self._ids.get(place[0], "")), found)
        elif opened.said and opened.piece != piece:
            text = "\n\n" + text
        opened.said, opened.piece = True, piece
        found.append(Delta(opened.index, text))

    def _finish_item(self, item: ItemIn, at: int, found: list[Event]) -> None:
        """What of the item was not told before, and its end."""
        if at in self._done:
            return
        self._done.add(at)
        match item.type:
            case "message":
                for index, piece in enumerate(item.content or ()):
                    self._finish_piece(piece, (at, index), found)
            case "reasoning":
                self._finish_thought(item, (at, _WHOLE), found)
            case "function_call" | "custom_tool_call":
                call = call_of(item)
                opened = self._parts.get((at, _WHOLE))
                if opened is None:
                    start = ToolUse(id=call.id, name=call.name, arguments="", signature=call.signature)
                    opened = self._open((at, _WHOLE), start, found)
                if call.arguments and not opened.said:
                    found.append(Delta(opened.index, call.arguments, "arguments"))
            case "image_generation_call" if item.result:
                self._begin(ResponseIn(), found)
                found += (PartStart(self._used, image_of(item)), PartEnd(self._used))
                self._used += 1
            case _:
                pass
        for place in [place for place in self._parts if place[0] == at]:
            self._close(place, found)

    def _finish_piece(self, piece: Piece, place: tuple[int, int], found: list[Event]) -> None:
        opened = self._parts.get(place)
        text = piece.text or piece.refusal or ""
        if opened is None:
            refused = piece.type == "refusal"
            opened = self._open(place, Refusal(text="") if refused else Text(text=""), found)
            found += [
                Cited(opened.index, read_citation(note))
                for note in piece.annotations or ()
                if note.type == "url_citation"
            ]
        if text and not opened.said and not opened.ended:
            logprobs: tuple[TokenLogprob, ...] = read_logprobs(piece.logprobs)
            found.append(Delta(opened.index, text, "text", 0, logprobs))

    def _finish_thought(self, item: ItemIn, place: tuple[int, int], found: list[Event]) -> None:
        thought = thought_of(item)
        opened = self._parts.get(place)
        if opened is None:
            if not (thought.text or thought.redacted):
                return
            opened = self._open(place, Thinking(vendor=thought.vendor, id=thought.id), found)
            if thought.text:
                found.append(Delta(opened.index, thought.text))
        if opened.ended:
            return
        if thought.redacted:
            found.append(Delta(opened.index, thought.redacted, "redacted"))

    def _conclude(self, event: _Event, kind: str, found: list[Event]) -> None:
        response = self._response(event)
        self._begin(response, found)
        for at, raw in enumerate(response.output or ()):
            if at not in self._done and (item := item_of(raw)) is not None:
                self._finish_item(item, at, found)
        for place in self._parts:
            self._close(place, found)
        if response.status is None:
            response.status = kind.removeprefix("response.")
        found.append(Finish(stop_of(response, self._calls, self._refused)))
        found.append(End(usage_of(response.usage)))
        self._over = True

    def _fail(self, payload: bytes, found: list[Event]) -> None:
        fault = fault_of_event("openai", payload)
        found.append(Failed(fault.message, fault.status, kind_hint(payload)))
        self._over = True
