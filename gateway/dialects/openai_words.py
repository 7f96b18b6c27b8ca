"""What OpenAI's two formats of chat have in common: names, numbers and the small objects inside both.

Lives here: data URLs, audio formats, effort levels, the kinds of hosted tools, log probabilities, citations, usage as
written, and which models take which parameters. Must not: the shape of either format's messages or events.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.usage import Usage
from gateway.dialects.blob import Blob, read_blob
from gateway.dialects.canonical import (
    CacheMark,
    Citation,
    Document,
    Effort,
    Loss,
    Reasoning,
    Sampling,
    StopReason,
    TargetFacts,
    TokenLogprob,
)
from gateway.dialects.fitting import clamped
from gateway.dialects.tokens import OpenAIUsage, of_openai

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises."""

_USAGE: Final = msgspec.json.Decoder(OpenAIUsage)

EFFORTS: Final[dict[str, Effort]] = {
    "none": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}
"""OpenAI's levels. `xhigh` is the highest that most of its models know."""

_WRITTEN_EFFORT: Final[dict[Effort, str]] = {"max": "xhigh"}

AUDIO_TYPES: Final = {
    "wav": "audio/wav",
    "mp3": "audio/mp3",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "opus": "audio/opus",
    "pcm16": "audio/pcm",
    "ogg": "audio/ogg",
    "m4a": "audio/m4a",
}
_AUDIO_FORMATS: Final = {
    **{media_type: name for name, media_type in AUDIO_TYPES.items()},
    "audio/mpeg": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
}
_FILE_TYPES: Final = {
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "html": "text/html",
    "json": "application/json",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip

_TEXT_TYPES: Final = ("text/", "application/json")

_HOSTED: Final = (
    ("web_search", "web-search"),
    ("code_interpreter", "code-execution"),
    ("file_search", "file-search"),
    ("computer", "computer"),
)

# OpenAI's own models that think before they answer: they take no sampling parameters, and count their thoughts in
# `max_completion_tokens` alone.
_THINKS: Final = re.compile(r"(?:^|/)(?:o[1-9](?:-|$)|gpt-(?:[5-9]|[1-9][0-9])(?!.*chat))")
_DATA_URL: Final = re.compile(rb"data:([^,\\;]*)((?:;[^,\\]*)?),", re.IGNORECASE)
_HEAD: Final = 256

TOP_LOGPROBS: Final = 20


def address(raw: msgspec.Raw, at: str) -> tuple[str, str, Blob | None]:
    """URL, media type and content of a string that is a URL or a `data:` URL with base64: either the first or the other
    two. Raises GatewayError `invalid_request` for `at`."""
    head = bytes(memoryview(raw)[1:_HEAD])
    if head[:5].lower() == b"data:" and b"\\" in head.partition(b",")[0]:
        raw = msgspec.Raw(msgspec.json.encode(text_of(raw, at)))
        head = bytes(memoryview(raw)[1:_HEAD])
    match = _DATA_URL.match(head)
    if match is None or not match[2].lower().endswith(b";base64"):
        return text_of(raw, at), "", None
    return "", match[1].decode("ascii", "replace").lower(), base64(raw, at, match.end())


def base64(raw: msgspec.Raw, at: str, start: int = 0) -> Blob:
    """The base64 that a string is. Raises GatewayError `invalid_request` for `at`."""
    blob = read_blob(raw, start)
    if blob is None:
        raise invalid(at, "a string of base64 is due")
    return blob


def text_of(raw: msgspec.Raw, at: str) -> str:
    """A string that was not decoded. Raises GatewayError `invalid_request` for `at`."""
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise invalid(at, "a string is due") from None


def opens(raw: msgspec.Raw, bracket: bytes) -> bool:
    """Whether a value that was not decoded begins so. One that was not sent begins with nothing."""
    return bytes(memoryview(raw)[:1]) == bracket


def invalid(at: str, why: str) -> GatewayError:
    return GatewayError("invalid_request", f"`{at}`: {why}.", param=at)


def data_url(media_type: str, base64_text: str) -> str:
    return f"data:{media_type};base64,{base64_text}"


def file_type(name: str) -> str:
    """The media type that a file's name tells; `application/pdf`, which nearly all of them are, where it does not."""
    return _FILE_TYPES.get(name.rpartition(".")[2].lower(), "application/pdf")


def decoded_text(part: Document) -> str:
    """The text of a document whose base64 is text. `` where it is something else."""
    if part.content is None or not part.media_type.startswith(_TEXT_TYPES):
        return ""
    try:
        return b64decode(part.content.view, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def audio_format(media_type: str) -> str:
    """OpenAI's name of an audio format, `` where it has none."""
    return _AUDIO_FORMATS.get(media_type.partition(";")[0].strip().lower(), "")


def hosted_kind(name: str) -> str:
    """The kind of a tool that OpenAI runs, whichever dated name it has."""
    for prefix, kind in _HOSTED:
        if name.startswith(prefix):
            return kind
    return name


def cache_mark(long: bool) -> CacheMark:
    return "1h" if long else "5m"


def takes_no_sampling(facts: TargetFacts) -> bool:
    """Whether the model is one of OpenAI's that think, which refuse sampling parameters."""
    return facts.reasoning is not False and _THINKS.search(facts.model) is not None


def effort_of(reasoning: Reasoning, facts: TargetFacts, losses: list[Loss]) -> str:
    """The level to write, `` for none; a number of tokens is told as the level it comes to."""
    effort, budget = reasoning.effort, reasoning.budget
    if effort is None and budget is not None and budget >= 0:
        effort = "none" if budget == 0 else "low" if budget <= 2048 else "medium" if budget <= 8192 else "high"
        if budget and facts.reasoning is not False:
            losses.append(Loss("reasoning.budget", "changed", f"{budget} tokens of thinking -> effort {effort}"))
    if effort is None:
        return ""
    if facts.reasoning is False:
        if effort != "none":
            losses.append(Loss("reasoning", "hint", "the model does not think"))
        return ""
    return _WRITTEN_EFFORT.get(effort, effort)


def settle_sampling(sampling: Sampling, facts: TargetFacts, losses: list[Loss]) -> Sampling:
    """What is left of the sampling parameters for an OpenAI model: clamped, or dropped where it refuses them."""
    if takes_no_sampling(facts):
        return _without_sampling(sampling, losses)
    return Sampling(
        temperature=clamped("temperature", sampling.temperature, 0.0, 2.0, losses),
        top_p=clamped("top_p", sampling.top_p, 0.0, 1.0, losses),
        top_k=sampling.top_k,
        frequency_penalty=clamped("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0, losses),
        presence_penalty=clamped("presence_penalty", sampling.presence_penalty, -2.0, 2.0, losses),
        seed=sampling.seed,
        logprobs=_logprobs(sampling.logprobs, losses),
    )


def _logprobs(wanted: int | None, losses: list[Loss]) -> int | None:
    if wanted is None or 0 <= wanted <= TOP_LOGPROBS:
        return wanted
    kept = min(max(wanted, 0), TOP_LOGPROBS)
    losses.append(Loss("top_logprobs", "changed", f"{wanted} -> {kept}"))
    return kept


def _without_sampling(sampling: Sampling, losses: list[Loss]) -> Sampling:
    for name, value, usual in (
        ("temperature", sampling.temperature, 1.0),
        ("top_p", sampling.top_p, 1.0),
        ("frequency_penalty", sampling.frequency_penalty, 0.0),
        ("presence_penalty", sampling.presence_penalty, 0.0),
    ):
        if value is not None and value != usual:
            losses.append(Loss(name, "changed", f"{name} {value:g} -> {usual:g}: the model takes no other"))
    if sampling.logprobs is not None:
        losses.append(Loss("logprobs", "hint", "the model has none"))
    return Sampling(top_k=sampling.top_k, seed=sampling.seed)


class TopLogprob(msgspec.Struct, gc=False):
    """bytes: the token's, as a list of numbers."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(msgspec.Struct, gc=False):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


def read_logprobs(found: list[Logprob] | None) -> tuple[TokenLogprob, ...]:
    if not found:
        return ()
    return tuple(
        TokenLogprob(one.token, one.logprob, tuple((top.token, top.logprob) for top in one.top_logprobs or ()))
        for one in found
    )


def write_logprobs(known: Iterable[TokenLogprob]) -> list[Logprob]:
    return [
        Logprob(
            one.token,
            one.logprob,
            list(one.token.encode("utf-8", "replace")),
            [TopLogprob(token, value, list(token.encode("utf-8", "replace"))) for token, value in one.top],
        )
        for one in known
    ]


class UrlCitation(msgspec.Struct, gc=False):
    """start_index and end_index: characters of the message's whole text."""

    start_index: int | None = None
    end_index: int | None = None
    title: str | None = None
    url: str | None = None


def read_citation(found: UrlCitation) -> Citation:
    return Citation(
        url=found.url or "",
        title=found.title or "",
        start=-1 if found.start_index is None else found.start_index,
        end=-1 if found.end_index is None else found.end_index,
    )


def write_citation(citation: Citation, start: int, end: int) -> UrlCitation:
    """start, end: the stretch it stands for where the citation itself does not say."""
    if citation.start >= 0:
        end = start + max(citation.end, citation.start)
        start += citation.start
    return UrlCitation(start, end, citation.title or citation.quote[:80], citation.url)


class _CacheWrites(msgspec.Struct, gc=False):
    ttl_30m_tokens: int
    ttl_12h_tokens: int


class _Taken(msgspec.Struct, gc=False, omit_defaults=True):
    cached_tokens: int
    cache_write_tokens: int
    audio_tokens: int | msgspec.UnsetType = msgspec.UNSET
    cache_write_tokens_details: _CacheWrites | msgspec.UnsetType = msgspec.UNSET


class _Given(msgspec.Struct, gc=False):
    reasoning_tokens: int
    audio_tokens: int
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class ChatUsage(msgspec.Struct, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _Taken
    completion_tokens_details: _Given


class _Thought(msgspec.Struct, gc=False):
    reasoning_tokens: int


class ResponsesUsage(msgspec.Struct, gc=False):
    input_tokens: int
    input_tokens_details: _Taken
    output_tokens: int
    output_tokens_details: _Thought
    total_tokens: int


def chat_usage(usage: Usage) -> ChatUsage:
    return ChatUsage(
        usage.input,
        usage.output,
        usage.total,
        _Taken(usage.cached, _written(usage), usage.audio_input, _write_details(usage)),
        _Given(usage.reasoning, usage.audio_output),
    )


def responses_usage(usage: Usage) -> ResponsesUsage:
    return ResponsesUsage(
        usage.input,
        _Taken(usage.cached, _written(usage), cache_write_tokens_details=_write_details(usage)),
        usage.output,
        _Thought(usage.reasoning),
        usage.total,
    )


def _written(usage: Usage) -> int:
    return usage.cache_write_5m + usage.cache_write_1h


def _write_details(usage: Usage) -> _CacheWrites | msgspec.UnsetType:
    return _CacheWrites(usage.cache_write_5m, usage.cache_write_1h) if usage.cache_write_1h else msgspec.UNSET


def says_error(raw: msgspec.Raw) -> bool:
    """Whether an `error` member is one: some send null, or an empty one, with every reply."""
    return bytes(memoryview(raw)[:8]).strip() not in (b"", b"null", b'""', b"{}", b"false", b"[]")


def usage_of(raw: msgspec.Raw) -> Usage | None:
    """Usage that was left undecoded, for what is wrong in it must not cost the reply."""
    if not opens(raw, b"{"):
        return None
    try:
        return of_openai(_USAGE.decode(raw))
    except UNREADABLE:
        return None


def plain_base64(base64_text: str) -> Blob:
    """A provider's base64. What is none is left out, for it is put into JSON as it is."""
    plain = base64_text.isascii() and base64_text.isprintable() and not {'"', "\\"} & set(base64_text)
    return Blob(memoryview(base64_text.encode() if plain else b""))


FINISHES: Final[dict[str, StopReason]] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "tool_calls": "tool-use",
    "function_call": "tool-use",
    "content_filter": "content-filter",
    "error": "error",
    "insufficient_system_resource": "error",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop-sequence",
}
"""Chat's `finish_reason`, and what others that speak its format put there."""


class _Blame(msgspec.Struct):
    type: str | int | None = None
    code: str | int | None = None


class _Blaming(msgspec.Struct):
    error: _Blame | str | None = None


class _Blamed(msgspec.Struct):
    error: _Blame | str | None = None
    response: _Blaming | None = None
    type: str | int | None = None
    code: str | int | None = None


_BLAMED: Final = msgspec.json.Decoder(_Blamed)


def kind_hint(payload: bytes) -> str:
    """The provider's own code, else type, in the data of an error event."""
    try:
        blamed = _BLAMED.decode(payload)
    except UNREADABLE:
        return ""
    inner = blamed.error or (blamed.response.error if blamed.response is not None else None)
    if isinstance(inner, _Blame):
        return str(inner.code or inner.type or "")
    # The type of an event that is itself the error says no more than that.
    return str(blamed.code or "") or ("" if blamed.type in (None, "error", "response.failed") else str(blamed.type))
