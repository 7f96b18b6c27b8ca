"""A client's stream of Anthropic's events.

Lives here: one block after the other, numbered without gaps: parts that begin while another is open are held until it
has ended. A signature goes out in one piece, at the end of its block, for clients replace it and do not add to it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.core.usage import Usage
from gateway.dialects.anthropic.reply import stop_details
from gateway.dialects.anthropic.seal import sealed, sealed_call, sealed_redacted
from gateway.dialects.anthropic.words import WRITTEN_STOPS, write_citation, write_delta_usage, write_usage
from gateway.dialects.canonical import (
    Audio,
    Cited,
    Delta,
    Echo,
    End,
    Event,
    Finish,
    Image,
    Part,
    PartEnd,
    PartStart,
    Ping,
    Refusal,
    Start,
    StopReason,
    Text,
    Thinking,
    ToolUse,
)

_encode: Final = msgspec.json.encode
_EMPTY_THOUGHT: Final[dict[str, object]] = {"type": "thinking", "thinking": "", "signature": ""}
_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_BLOCK_STOP: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b}}\n\n'
_TEXT: Final = b'{"type":"text_delta","text":'
_THOUGHT: Final = b'{"type":"thinking_delta","thinking":'
_JSON: Final = b'{"type":"input_json_delta","partial_json":'
_SIGNATURE: Final = b'{"type":"signature_delta","signature":'
_CITATION: Final = b'{"type":"citations_delta","citation":'


class _Open:
    """The block that is being written. lead: how its deltas begin. signature, redacted: what was gathered of them.
    begun: the start of the block is written; that of a thought waits until it is known whether it has words."""

    __slots__ = ("begun", "index", "lead", "number", "part", "redacted", "signature")

    def __init__(self, index: int, number: int, part: Part, lead: bytes) -> None:
        self.index = index
        self.number = number
        self.part = part
        self.lead = lead
        self.signature = ""
        self.redacted = ""
        self.begun = False


class MessagesWriter:
    """Writes one reply. Of several choices the first is told: the format has no room for others."""

    __slots__ = ("_echo", "_held", "_number", "_open", "_refused", "_sequence", "_started", "_stop")

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._started = False
        self._open: _Open | None = None
        self._held: dict[int, list[PartStart | Delta | Cited | PartEnd]] = {}
        self._number = 0
        self._stop: StopReason = "other"
        self._sequence = ""
        self._refused = False

    def write(self, events: list[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            match event:
                case Delta() | PartStart() | PartEnd() | Cited():
                    if event.choice == 0:
                        self._take(event, out)
                case Start():
                    self._begin(event.id, event.usage, out)
                case Finish():
                    if event.choice == 0:
                        self._settle(out)
                        self._stop, self._sequence = event.stop, event.stop_sequence
                case End():
                    self._end(event.usage, out)
                case Ping():
                    if self._started:
                        out.append(_PING)
                case _:
                    pass
        return b"".join(out)

    def _begin(self, identity: str, usage: Usage | None, out: list[bytes]) -> None:
        if self._started:
            return
        self._started = True
        message: dict[str, object] = {
            "id": identity or self._echo.id,
            "type": "message",
            "role": "assistant",
            "model": self._echo.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "container": None,
            "usage": write_usage(usage),
        }
        out.append(_event("message_start", {"type": "message_start", "message": message}))

    def _end(self, usage: Usage | None, out: list[bytes]) -> None:
        self._begin("", None, out)
        self._settle(out)
        stop = "refusal" if self._refused else WRITTEN_STOPS[self._stop]
        delta = {
            "stop_reason": stop,
            "stop_sequence": self._sequence or None if stop == "stop_sequence" else None,
            "stop_details": stop_details(stop),
            "container": None,
        }
        body = {"type": "message_delta", "delta": delta, "usage": write_delta_usage(usage)}
        out += (_event("message_delta", body), _STOP)

    def _take(self, event: PartStart | Delta | Cited | PartEnd, out: list[bytes]) -> None:
        block = self._open
        if block is not None and event.index == block.index:
            self._tell(block, event, out)
        elif event.index in self._held:
            self._held[event.index].append(event)
        elif isinstance(event, PartStart):
            if isinstance(event.part, Image):
                # A picture has no place in an answer, and what belongs to a part that never began is passed over.
                return
            if block is None:
                self._begin("", None, out)
                self._start(event, out)
            else:
                self._held[event.index] = [event]

    def _tell(self, block: _Open, event: PartStart | Delta | Cited | PartEnd, out: list[bytes]) -> None:
        match event:
            case Delta(kind="signature"):
                block.signature += event.text
            case Delta(kind="redacted"):
                block.redacted += event.text
            case Delta(kind="audio"):
                pass
            case Delta(text=text):
                if text:
                    if not block.begun:
                        block.begun = True
                        out.append(_block_start(block.number, _EMPTY_THOUGHT))
                    out.append(_DELTA % (block.number, block.lead + _encode(text)))
            case Cited(citation=citation):
                if isinstance(block.part, Text):
                    out.append(_DELTA % (block.number, _CITATION + _encode(write_citation(citation))))
            case PartEnd():
                self._close(out)
                self._release(out)
            case PartStart():
                pass

    def _start(self, event: PartStart, out: list[bytes]) -> None:
        part = event.part
        block = self._open = _Open(event.index, self._number, part, _TEXT)
        self._number += 1
        shown: dict[str, object] = {"type": "text", "text": "", "citations": None}
        first = ""
        match part:
            case Thinking(text=first):
                block.lead = _THOUGHT
                block.signature, block.redacted = part.signature, part.redacted
            case ToolUse(arguments=first):
                block.lead = _JSON
                block.signature = part.signature
                shown = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
            case Text(text=first) | Refusal(text=first) | Audio(transcript=first):
                self._refused = self._refused or isinstance(part, Refusal)
            case _:
                pass
        if not isinstance(part, Thinking):
            block.begun = True
            out.append(_block_start(block.number, shown))
        if first:
            self._tell(block, Delta(event.index, first), out)
        if isinstance(part, Text):
            out.extend(_DELTA % (block.number, _CITATION + _encode(write_citation(one))) for one in part.citations)

    def _close(self, out: list[bytes]) -> None:
        block = self._open
        if block is None:
            return
        self._open = None
        if isinstance(block.part, Thinking):
            self._prove(block, block.part, out)
        out.append(_BLOCK_STOP % block.number)
        if isinstance(block.part, ToolUse) and block.signature:
            signed = msgspec.structs.replace(block.part, signature=block.signature)
            self._carry(sealed_call(signed), out)

    def _prove(self, block: _Open, part: Thinking, out: list[bytes]) -> None:
        """What comes last of a thought; all of it, where it had no words."""
        if not block.begun:
            if block.redacted:
                data = sealed_redacted(part, block.redacted)
                out.append(_block_start(block.number, {"type": "redacted_thinking", "data": data}))
                return
            out.append(_block_start(block.number, _EMPTY_THOUGHT))
        proof = sealed(msgspec.structs.replace(part, signature=block.signature, redacted=block.redacted))
        if proof:
            out.append(_DELTA % (block.number, _SIGNATURE + _encode(proof)))

    def _carry(self, proof: str, out: list[bytes]) -> None:
        """A thought without words, for a call's signature."""
        if proof:
            number = self._number
            self._number += 1
            out += (
                _block_start(number, _EMPTY_THOUGHT),
                _DELTA % (number, _SIGNATURE + _encode(proof)),
                _BLOCK_STOP % number,
            )

    def _release(self, out: list[bytes]) -> None:
        """The blocks that waited, until one of them is still going on."""
        while self._open is None and self._held:
            index = next(iter(self._held))
            for event in self._held.pop(index):
                self._replay(event, out)

    def _replay(self, event: PartStart | Delta | Cited | PartEnd, out: list[bytes]) -> None:
        block = self._open
        if isinstance(event, PartStart):
            self._start(event, out)
        elif isinstance(event, PartEnd):
            self._close(out)
        elif block is not None:
            self._tell(block, event, out)

    def _settle(self, out: list[bytes]) -> None:
        """Ends what is open and lets out what is held."""
        self._close(out)
        while self._held:
            self._release(out)
            self._close(out)


def _block_start(number: int, block: dict[str, object]) -> bytes:
    return _event("content_block_start", {"type": "content_block_start", "index": number, "content_block": block})


def _event(name: str, body: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(body))
