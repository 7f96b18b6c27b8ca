"""Gemini's chunks as canonical events: one reading for streams and for whole replies, which are streams of one chunk.

A chunk has complete parts: calls of functions come in one piece, and text in pieces that follow each other make one
part. There is no terminal event: a reply is complete when a finishReason was seen and it ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.gemini import wire
from gateway.dialects.gemini.conversation import fenced
from gateway.dialects.gemini.grounding import Meter, citations_of
from gateway.dialects.gemini.media import read_file, read_inline
from gateway.dialects.tokens import GeminiUsage, of_gemini
from gateway.dialects.tool_calls import made_call_id

STOPS: Final[dict[str, StopReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content-filter",
    "RECITATION": "content-filter",
    "BLOCKLIST": "content-filter",
    "PROHIBITED_CONTENT": "content-filter",
    "SPII": "content-filter",
    "IMAGE_SAFETY": "content-filter",
    "IMAGE_PROHIBITED_CONTENT": "content-filter",
    "IMAGE_RECITATION": "content-filter",
    "MODEL_ARMOR": "content-filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "MALFORMED_RESPONSE": "error",
    "CONTINUATION": "pause",
    "LANGUAGE": "other",
    "OTHER": "other",
    "IMAGE_OTHER": "other",
    "NO_IMAGE": "other",
    "ESCALATION": "other",
    "PUP_LIMITED_DISABLED": "other",
}
"""finishReason, as Google has it."""


class _Choice:
    """What one candidate has said so far."""

    __slots__ = ("called", "finished", "index", "meter", "open", "open_at", "parts", "proofs", "sealed", "text_at")

    def __init__(self, index: int) -> None:
        self.index = index
        self.parts = 0
        self.open: type[Text | Thinking] | None = None
        self.open_at = 0
        self.text_at = -1
        self.sealed = False
        self.proofs: list[str] = []
        self.called = 0
        self.finished = False
        self.meter = Meter()


class Assembly:
    """Chunks in, events out. A whole reply is a stream of one chunk, so both are read here."""

    __slots__ = ("_choices", "_counted", "_events", "_id", "_started", "complete")

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self._events: list[Event] = []
        self._id = ""
        self._started = False
        self.complete = False
        self._counted: GeminiUsage | None = None

    def add(self, chunk: wire.Response) -> list[Event]:
        """The events of the next chunk."""
        events: list[Event] = []
        self._events = events
        if chunk.usage_metadata is not None:
            # Cumulative in every chunk: only the last one is worth converting.
            self._counted = chunk.usage_metadata
        if not self._started:
            self._started = True
            self._id = chunk.response_id or ""
            events.append(Start(id=self._id, model=chunk.model_version or "", usage=of_gemini(self._counted)))
        candidates = chunk.candidates
        if candidates:
            for place, candidate in enumerate(candidates):
                index = place if candidate.index is None or candidate.index < 0 else candidate.index
                choice = self._choices.get(index)
                if choice is None:
                    choice = self._choices[index] = _Choice(index)
                if not choice.finished:
                    self._candidate(choice, candidate)
        elif chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            self._block()
        return events

    def end(self) -> list[Event]:
        """The end of the stream. A candidate that others have outlived without a finishReason is `other`."""
        if not self.complete:
            return []
        events: list[Event] = []
        self._events = events
        for choice in self._choices.values():
            if not choice.finished:
                self._finish(choice, "other")
        events.append(End(of_gemini(self._counted)))
        return events

    def _block(self) -> None:
        """The prompt was refused, at once or, by a filter that lags behind, in the middle of the answer."""
        self.complete = True
        for choice in list(self._choices.values()) or [self._choices.setdefault(0, _Choice(0))]:
            if not choice.finished:
                self._finish(choice, "content-filter")

    def _candidate(self, choice: _Choice, candidate: wire.Candidate) -> None:
        logprobs = _logprobs(candidate.logprobs_result) if candidate.logprobs_result is not None else ()
        content = candidate.content
        if content is not None and content.parts:
            for part in content.parts:
                text = part.text
                if text is not None and part.function_call is None:
                    if part.thought:
                        self._thought(choice, text, part.thought_signature)
                    else:
                        self._text(choice, text, logprobs)
                        logprobs = () if text else logprobs
                        if part.thought_signature:
                            self._prove(choice, part.thought_signature)
                else:
                    self._other(choice, part)
        if candidate.grounding_metadata is not None or candidate.citation_metadata is not None:
            self._cite(choice, candidate)
        reason = candidate.finish_reason
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            known = STOPS.get(reason)
            stop = known or "other"
            if stop == "error" and not choice.parts and len(self._choices) == 1:
                # Google could not use what its own model wrote: there is nothing to give, and another try may do.
                message = candidate.finish_message or f"The model's answer ended with {reason}."
                self._events.append(Failed(message, 500, reason))
                return
            self.complete = True
            # Some servers have a reason of their own for a call; Gemini says STOP.
            self._finish(choice, "tool-use" if known in (None, "stop") and choice.called else stop)

    def _finish(self, choice: _Choice, stop: StopReason) -> None:
        self._close(choice)
        choice.finished = True
        self._events.append(Finish(stop, choice=choice.index))

    def _text(self, choice: _Choice, text: str, logprobs: tuple[TokenLogprob, ...]) -> None:
        if not text:
            return
        if choice.open is not Text:
            self._close(choice)
            self._begin(choice, Text(text=""))
            choice.open = Text
            if choice.text_at < 0:
                choice.text_at = choice.open_at
        if choice.open_at == choice.text_at:
            choice.meter.add(text)
        self._events.append(Delta(choice.open_at, text, "text", choice.index, logprobs))

    def _thought(self, choice: _Choice, text: str, signature: str | None) -> None:
        if not text and not signature:
            return
        if choice.open is not Thinking or choice.sealed:
            self._close(choice)
            self._begin(choice, Thinking(vendor="gemini"))
            choice.open = Thinking
            choice.sealed = False
        if text:
            self._events.append(Delta(choice.open_at, text, "text", choice.index))
        if signature:
            # Two proofs that ran into each other would be none: what follows is another thought.
            choice.sealed = True
            self._events.append(Delta(choice.open_at, signature, "signature", choice.index))

    def _prove(self, choice: _Choice, signature: str) -> None:
        """A signature on text is a thought without words, behind the text that it came with."""
        choice.proofs.append(signature)
        if choice.open is not Text:
            self._close(choice)

    def _other(self, choice: _Choice, part: wire.Part) -> None:
        call = part.function_call
        if call is not None:
            if call.name:
                self._close(choice)
                self._call(choice, call, part.thought_signature or "")
            return
        code, outcome = part.executable_code, part.code_execution_result
        if code is not None:
            self._text(choice, fenced(code.code or "", (code.language or "").lower()), ())
        elif outcome is not None:
            self._text(choice, fenced(outcome.output or "", ""), ())
        else:
            data, file = part.inline_data, part.file_data
            found = None
            if data is not None:
                found = read_inline(data.mime_type or "", data.data)
            elif file is not None and file.file_uri:
                found = read_file(file.file_uri, file.mime_type or "")
            if found is not None:
                self._close(choice)
                self._begin(choice, found)
                self._events.append(PartEnd(choice.open_at, choice.index))
        if part.thought_signature:
            self._prove(choice, part.thought_signature)

    def _call(self, choice: _Choice, call: wire.FunctionCall, signature: str) -> None:
        arguments = bytes(call.args)
        if not arguments or arguments == b"null":
            arguments = b"{}"
        name = call.name or ""
        number = sum(other.called for other in self._choices.values())
        identity = call.id or made_call_id(self._id, name, arguments, number)
        choice.called += 1
        self._begin(choice, ToolUse(id=identity, name=name, arguments="", signature=signature))
        at = choice.open_at
        self._events.append(Delta(at, arguments.decode("utf-8", "replace"), "arguments", choice.index))
        self._events.append(PartEnd(at, choice.index))

    def _cite(self, choice: _Choice, candidate: wire.Candidate) -> None:
        if choice.text_at >= 0:
            for citation in citations_of(candidate, choice.meter):
                self._events.append(Cited(choice.text_at, citation, choice.index))

    def _begin(self, choice: _Choice, part: Part) -> None:
        choice.open_at = choice.parts
        choice.parts += 1
        self._events.append(PartStart(choice.open_at, part, choice.index))

    def _close(self, choice: _Choice) -> None:
        if choice.open is not None:
            self._events.append(PartEnd(choice.open_at, choice.index))
            choice.open = None
        proofs, choice.proofs = choice.proofs, []
        for proof in proofs:
            self._begin(choice, Thinking(vendor="gemini"))
            self._events.append(Delta(choice.open_at, proof, "signature", choice.index))
            self._events.append(PartEnd(choice.open_at, choice.index))


def _logprobs(result: wire.LogprobsResult) -> tuple[TokenLogprob, ...]:
    tops: Iterable[wire.TopCandidates] = result.top_candidates or ()
    alternatives = [
        tuple((one.token or "", one.log_probability or 0.0) for one in top.candidates or ()) for top in tops
    ]
    return tuple(
        TokenLogprob(one.token or "", one.log_probability or 0.0, alternatives[at] if at < len(alternatives) else ())
        for at, one in enumerate(result.chosen_candidates or ())
    )
