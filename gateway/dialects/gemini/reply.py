"""Whole replies of generateContent, read and written; and what the stream's chunks have in common with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.core.errors import UpstreamFault
from gateway.core.exchange import Headers
from gateway.core.usage import Usage
from gateway.dialects.blob import BlobWriter
from gateway.dialects.canonical import (
    Answer,
    Audio,
    Choice,
    Citation,
    Document,
    Echo,
    Failed,
    Image,
    Part,
    Refusal,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolUse,
)
from gateway.dialects.faults import is_json_reply
from gateway.dialects.fold import fold
from gateway.dialects.gemini import wire
from gateway.dialects.gemini.assembly import Assembly
from gateway.dialects.gemini.grounding import Meter, metadata_of
from gateway.dialects.gemini.media import write_media
from gateway.dialects.gemini.thoughts import signature_of
from gateway.dialects.tool_calls import arguments_of

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

MALFORMED: Final = "MALFORMED_FUNCTION_CALL"
"""What Gemini says of its own model's calls whose arguments are no object; of another's it is said as well."""

_FINISHES: Final[dict[StopReason, str]] = {
    "stop": "STOP",
    "tool-use": "STOP",
    "stop-sequence": "STOP",
    "length": "MAX_TOKENS",
    "content-filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "OTHER",
    "error": "OTHER",
    "other": "OTHER",
}


def read_reply(body: bytes, headers: Headers) -> Answer:
    """The answer. Raises UpstreamFault("malformed") for what is no GenerateContentResponse."""
    if not is_json_reply(headers, body):
        raise UpstreamFault("malformed", "The provider sent something else than a GenerateContentResponse.")
    try:
        response = wire.RESPONSE.decode(body)
    except _UNREADABLE as error:
        raise UpstreamFault("malformed", f"The provider's reply cannot be read: {error}") from None
    if response.error is not None:
        raise UpstreamFault("malformed", response.error.message or "The provider sent an error as a reply.")
    assembly = Assembly()
    events = assembly.add(response)
    for event in events:
        if isinstance(event, Failed):
            raise UpstreamFault("malformed", event.message)
    if not assembly.complete and not response.candidates:
        raise UpstreamFault("malformed", "The provider's reply has no candidates.")
    return fold(events + assembly.end())


def write_reply(answer: Answer, echo: Echo) -> bytes:
    blobs = BlobWriter()
    response = wire.ResponseOut(
        candidates=[_candidate(choice, blobs) for choice in answer.choices],
        usage_metadata=usage_out(answer.usage) if answer.usage is not None else None,
        model_version=echo.model,
        response_id=answer.id or echo.id,
    )
    return blobs.encode(response)


def _candidate(choice: Choice, blobs: BlobWriter) -> wire.Candidate:
    meter = Meter()
    parts: list[wire.Part] = []
    citations: list[Citation] = []
    malformed = ""
    for part in choice.parts:
        if isinstance(part, ToolUse):
            arguments = arguments_of(part.arguments)
            if arguments is None:
                malformed = malformed or malformed_message(part.name, part.arguments)
                continue
            call = wire.FunctionCall(part.id or None, part.name, arguments)
            parts.append(wire.Part(function_call=call, thought_signature=part.signature or None))
            continue
        if isinstance(part, Text) and part.citations and not citations:
            meter.add(part.text)
            citations = list(part.citations)
        parts += parts_of(part, parts, blobs)
    return wire.Candidate(
        # An empty text is what Gemini itself sends where there is nothing to say.
        content=wire.Content("model", parts or [wire.Part(text="")]),
        finish_reason=MALFORMED if malformed else finish_of(choice.stop),
        finish_message=malformed or None,
        index=choice.index,
        grounding_metadata=metadata_of(citations, meter),
        logprobs_result=logprobs_of(choice.logprobs),
    )


def parts_of(part: Part, before: list[wire.Part], blobs: BlobWriter) -> Iterable[wire.Part]:
    """The parts that a part of an answer becomes. before: a thought without words proves the last of these."""
    match part:
        case Text(text=text) | Refusal(text=text):
            return [wire.Part(text=text)] if text else []
        case Thinking():
            signature = signature_of(part)
            if part.text or (signature and part.vendor != "gemini"):
                return [wire.Part(text=part.text, thought=True, thought_signature=signature or None)]
            if not signature:
                return []
            last = before[-1] if before else None
            if last is not None and last.text and not last.thought and last.thought_signature is None:
                last.thought_signature = signature
                return []
            return [wire.Part(text="", thought_signature=signature)]
        case Image() | Audio() | Document():
            written = write_media(part, blobs)
            if written is not None:
                return [written]
            said = part.transcript if isinstance(part, Audio) else part.text if isinstance(part, Document) else ""
            return [wire.Part(text=said)] if said else []
        case _:
            return []


def finish_of(stop: StopReason) -> str:
    return _FINISHES[stop]


def malformed_message(name: str, arguments: str) -> str:
    """finishMessage, as Gemini words it."""
    return f"Malformed function call: {name}({arguments[:1000]})"


def logprobs_of(logprobs: tuple[TokenLogprob, ...]) -> wire.LogprobsResult | None:
    if not logprobs:
        return None
    return wire.LogprobsResult(
        top_candidates=[
            wire.TopCandidates([wire.Chosen(token, value) for token, value in one.top]) for one in logprobs
        ],
        chosen_candidates=[wire.Chosen(one.token, one.logprob) for one in logprobs],
    )


def usage_out(usage: Usage) -> wire.UsageOut:
    """Gemini counts thoughts beside the candidates."""
    said = max(usage.output - usage.reasoning, 0)
    return wire.UsageOut(
        prompt_token_count=usage.input,
        candidates_token_count=said,
        total_token_count=usage.total,
        cached_content_token_count=usage.cached,
        thoughts_token_count=usage.reasoning,
        prompt_tokens_details=_modalities(usage.input, usage.audio_input),
        candidates_tokens_details=_modalities(said, usage.audio_output),
    )


def _modalities(total: int, audio: int) -> list[wire.ModalityCount] | None:
    if not audio:
        return None
    return [wire.ModalityCount("TEXT", max(total - audio, 0)), wire.ModalityCount("AUDIO", audio)]
