"""Canonical events become a stream of Responses events.

Every event has a sequence number and its place: output item, and content within it. Parts of text that follow one
another are contents of one message, so a message ends when something else begins. The last event holds the whole
response, so that what was said is kept until then.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.canonical import (
    Audio,
    Cited,
    Delta,
    Echo,
    End,
    Event,
    Finish,
    Image,
    PartEnd,
    PartStart,
    Ping,
    Refusal,
    Start,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.openai_figures import write_logprobs
from gateway.dialects.openai_responses.items import (
    Annotation,
    Content,
    CustomItem,
    ImageItem,
    Item,
    MessageItem,
    OutputRefusal,
    OutputText,
    Response,
    Summary,
    annotation,
    call_item,
    conclude,
    free_text,
    is_incomplete,
    item_id,
    output_text,
    response,
    thought_item,
)

_encode: Final = msgspec.json.encode


class _Part:
    """A part under way. number: of its output item. content: its place in a message. lead: the bytes of a delta
    between its sequence number and its text. shown: the content object that the last event will hold."""

    __slots__ = (
        "citations",
        "content",
        "id",
        "lead",
        "logprobs",
        "number",
        "part",
        "proof",
        "redacted",
        "said",
        "shown",
        "tail",
    )

    def __init__(self, part: object, number: int, identity: str) -> None:
        self.part = part
        self.number = number
        self.id = identity
        self.content = 0
        self.lead = b""
        self.tail = b"}\n\n"
        self.said: list[str] = []
        self.proof: list[str] = []
        self.redacted = False
        self.citations: list[Annotation] = []
        self.logprobs: list[TokenLogprob] = []
        self.shown: Content | None = None


class ResponsesWriter:
    """Writes one reply. Of several choices the first is written."""

    __slots__ = (
        "_echo", "_items", "_message", "_open", "_refused", "_reply", "_response", "_sequence", "_stop",
    )  # fmt: skip

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._sequence = 0
        self._reply = ""
        self._response: Response | None = None
        self._items: list[Item] = []
        self._open: dict[int, _Part] = {}
        self._message: tuple[int, MessageItem] | None = None
        self._stop: StopReason = "stop"
        self._refused = False

    def write(self, events: list[Event]) -> bytes:
        if len(events) == 1:
            event = events[0]
            # Nearly all of a stream is one more word of a part that is open.
            if type(event) is Delta and event.kind == "text" and not event.logprobs and not event.choice:
                part = self._open.get(event.index)
                if part is not None and part.lead:
                    part.said.append(event.text)
                    return part.lead % self._next() + _encode(event.text) + part.tail
        out: list[bytes] = []
        for event in events:
            self._write(event, out)
        return b"".join(out)

    def _write(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Start():
                self._begin(event, out)
            case End():
                self._end(event.usage, out)
            case Ping():
                out.append(b": ping\n\n")
            case Delta() | PartStart() | PartEnd() | Cited() | Finish():
                if event.choice:
                    return
                if self._response is None:
                    self._begin(Start(), out)
                self._progress(event, out)
            case _:
                pass

    def _progress(self, event: Delta | PartStart | PartEnd | Cited | Finish, out: list[bytes]) -> None:
        match event:
            case PartStart():
                self._start(event, out)
            case Delta():
                self._delta(event, out)
            case Cited():
                self._cite(event, out)
            case PartEnd():
                part = self._open.pop(event.index, None)
                if part is not None:
                    self._finish(part, out)
            case Finish():
                self._stop = event.stop
                self._settle(out)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1

    def _tell(self, kind: str, members: dict[str, object], out: list[bytes]) -> None:
        told = {"type": kind, "sequence_number": self._next(), **members}
        out.append(b"event: " + kind.encode() + b"\ndata: " + _encode(told) + b"\n\n")

    def _begin(self, start: Start, out: list[bytes]) -> None:
        if self._response is not None:
            return
        echo = self._echo
        self._reply = start.id or echo.id
        self._response = response(self._reply, start.created or echo.created, echo.model)
        self._tell("response.created", {"response": self._response}, out)
        self._tell("response.in_progress", {"response": self._response}, out)

    def _add(self, item: Item, out: list[bytes]) -> int:
        number = len(self._items)
        self._items.append(item)
        self._tell("response.output_item.added", {"output_index": number, "item": item}, out)
        return number

    def _done(self, number: int, item: Item, out: list[bytes]) -> None:
        self._items[number] = item
        self._tell("response.output_item.done", {"output_index": number, "item": item}, out)

    def _start(self, event: PartStart, out: list[bytes]) -> None:
        part = event.part
        number = len(self._items)
        match part:
            case Text() | Refusal() | Audio():
                self._open[event.index] = self._start_content(part, out)
                begun = part.transcript if isinstance(part, Audio) else part.text
                if begun:
                    self._delta(Delta(event.index, begun), out)
                for citation in part.citations if isinstance(part, Text) else ():
                    self._cite(Cited(event.index, citation), out)
            case Thinking():
                self._end_message(out)
                identity = part.id or item_id("rs", self._reply, number)
                opened = _Part(
                    part, self._add(thought_item(Thinking(id=identity), identity, "in_progress"), out), identity
                )
                opened.proof.append(part.redacted or part.signature)
                opened.redacted = bool(part.redacted)
                self._open[event.index] = opened
                if part.text:
                    self._delta(Delta(event.index, part.text), out)
            case ToolUse() if part.name in self._echo.custom_tools:
                self._end_message(out)
                identity = item_id("ctc", self._reply, number)
                item = CustomItem(identity, part.id, part.name, "")
                self._open[event.index] = custom = _Part(part, self._add(item, out), identity)
                custom.said.append(part.arguments)
            case ToolUse():
                self._end_message(out)
                identity = item_id("fc", self._reply, number)
                opened = _Part(part, self._add(call_item(part, identity, "", "in_progress"), out), identity)
                self._lead(opened, "response.function_call_arguments.delta", {})
                self._open[event.index] = opened
                if part.arguments:
                    self._delta(Delta(event.index, part.arguments, "arguments"), out)
            case Image():
                self._end_message(out)
                identity = item_id("ig", self._reply, number)
                self._add(ImageItem(identity, "in_progress", None), out)
                result = part.content.text() if part.content is not None else None
                self._done(number, ImageItem(identity, "completed", result), out)
            case _:
                pass

    def _start_content(self, part: Text | Refusal | Audio, out: list[bytes]) -> _Part:
        if self._message is None:
            identity = item_id("msg", self._reply, len(self._items))
            message = MessageItem(identity, "in_progress", "assistant", [])
            self._message = (self._add(message, out), message)
        number, message = self._message
        opened = _Part(part, number, message.id)
        opened.content = len(message.content)
        refused = isinstance(part, Refusal)
        self._refused = self._refused or refused
        opened.shown = OutputRefusal("") if refused else output_text("")
        place = {"item_id": message.id, "output_index": number, "content_index": opened.content}
        self._tell("response.content_part.added", {**place, "part": opened.shown}, out)
        message.content.append(opened.shown)
        if refused:
            self._lead(opened, "response.refusal.delta", {"content_index": opened.content})
        else:
            self._lead(opened, "response.output_text.delta", {"content_index": opened.content})
            opened.tail = b',"logprobs":[]}\n\n'
        return opened

    def _lead(self, opened: _Part, kind: str, members: dict[str, object]) -> None:
        place = _encode({"item_id": opened.id, "output_index": opened.number, **members}).replace(b"%", b"%%")
        opened.lead = (
            b"event: "
            + kind.encode()
            + b'\ndata: {"type":"'
            + kind.encode()
            + b'","sequence_number":%d,'
            + place[1:-1]
            + b',"delta":'
        )

    def _delta(self, event: Delta, out: list[bytes]) -> None:
        opened = self._open.get(event.index)
        if opened is None:
            return
        match event.kind:
            case "text" | "transcript" | "arguments":
                self._say(opened, event, out)
            case "signature" | "redacted":
                opened.proof.append(event.text)
                opened.redacted = opened.redacted or event.kind == "redacted"
            case "audio":
                pass

    def _say(self, opened: _Part, event: Delta, out: list[bytes]) -> None:
        if not opened.lead and isinstance(opened.part, ToolUse):
            # The text of a custom tool is inside its arguments, and is known when they are whole.
            opened.said.append(event.text)
            return
        if not opened.lead:
            # A summary begins with its first word: a thought may have none.
            place = {"item_id": opened.id, "output_index": opened.number, "summary_index": 0}
            self._tell("response.reasoning_summary_part.added", {**place, "part": Summary("")}, out)
            self._lead(opened, "response.reasoning_summary_text.delta", {"summary_index": 0})
        opened.said.append(event.text)
        tail = opened.tail
        if event.logprobs and isinstance(opened.shown, OutputText):
            opened.logprobs += event.logprobs
            tail = b',"logprobs":' + _encode(write_logprobs(event.logprobs)) + b"}\n\n"
        out.append(opened.lead % self._next() + _encode(event.text) + tail)

    def _cite(self, event: Cited, out: list[bytes]) -> None:
        opened = self._open.get(event.index)
        if opened is None or not isinstance(opened.shown, OutputText):
            return
        note = annotation(event.citation, sum(map(len, opened.said)))
        place = {"item_id": opened.id, "output_index": opened.number, "content_index": opened.content}
        number = len(opened.citations)
        opened.citations.append(note)
        told = {**place, "annotation_index": number, "annotation": note}
        self._tell("response.output_text.annotation.added", told, out)

    def _finish(self, opened: _Part, out: list[bytes]) -> None:
        said = "".join(opened.said)
        place: dict[str, object] = {"item_id": opened.id, "output_index": opened.number}
        match opened.part:
            case ToolUse() if not opened.lead:
                text = free_text(said)
                self._tell("response.custom_tool_call_input.delta", {**place, "delta": text}, out)
                self._tell("response.custom_tool_call_input.done", {**place, "input": text}, out)
                self._done(opened.number, CustomItem(opened.id, opened.part.id, opened.part.name, text), out)
            case ToolUse():
                # Clients parse it, and nothing is no JSON.
                said = said or "{}"
                self._tell("response.function_call_arguments.done", {**place, "arguments": said}, out)
                part = opened.part
                if opened.proof:
                    part = msgspec.structs.replace(part, signature="".join(opened.proof))
                self._done(opened.number, call_item(part, opened.id, said, "completed"), out)
            case Thinking():
                self._finish_thought(opened.part, opened, said, place, out)
            case _:
                self._finish_content(opened, said, {**place, "content_index": opened.content}, out)

    def _finish_thought(
        self, part: Thinking, opened: _Part, said: str, place: dict[str, object], out: list[bytes]
    ) -> None:
        if said:
            at = {**place, "summary_index": 0}
            self._tell("response.reasoning_summary_text.done", {**at, "text": said}, out)
            self._tell("response.reasoning_summary_part.done", {**at, "part": Summary(said)}, out)
        proof = "".join(opened.proof)
        whole = Thinking(
            text=said,
            redacted=proof if opened.redacted else "",
            signature="" if opened.redacted else proof,
            vendor=part.vendor,
            id=opened.id,
        )
        self._done(opened.number, thought_item(whole, opened.id, "completed"), out)

    def _finish_content(self, opened: _Part, said: str, place: dict[str, object], out: list[bytes]) -> None:
        shown = opened.shown
        if isinstance(shown, OutputRefusal):
            shown.refusal = said
            self._tell("response.refusal.done", {**place, "refusal": said}, out)
        elif shown is not None:
            shown.text = said
            shown.annotations = opened.citations
            shown.logprobs = write_logprobs(opened.logprobs)
            self._tell("response.output_text.done", {**place, "text": said, "logprobs": shown.logprobs}, out)
        self._tell("response.content_part.done", {**place, "part": shown}, out)

    def _end_message(self, out: list[bytes], last: bool = False) -> None:
        """What follows is no text: the message is over, unless one of its texts still goes on beside it."""
        if self._message is None or any(part.shown is not None for part in self._open.values()):
            return
        number, message = self._message
        self._message = None
        message.status = "incomplete" if last and is_incomplete(self._stop, self._refused) else "completed"
        self._done(number, message, out)

    def _settle(self, out: list[bytes]) -> None:
        for index in list(self._open):
            self._finish(self._open.pop(index), out)
        self._end_message(out, last=True)

    def _end(self, usage: Usage | None, out: list[bytes]) -> None:
        if self._response is None:
            self._begin(Start(), out)
        self._settle(out)
        whole = self._response
        assert whole is not None
        conclude(whole, self._stop, self._refused, usage, self._echo)
        whole.output = self._items
        self._tell(f"response.{whole.status}", {"response": whole}, out)
