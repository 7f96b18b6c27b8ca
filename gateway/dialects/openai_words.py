"""What OpenAI's two formats of chat have in common: names, and the small questions both ask.

Lives here: data URLs, the names of formats and tools, reasons to stop, and what an error is called. Must not: the shape
of either format's messages or events.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import Final

import msgspec

from gateway.core.errors import GatewayError
from gateway.dialects.blob import Blob, read_blob
from gateway.dialects.canonical import (
    CacheMark,
    Document,
    StopReason,
)

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises."""

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

_DATA_URL: Final = re.compile(rb"data:([^,\\;]*)((?:;[^,\\]*)?),", re.IGNORECASE)
_HEAD: Final = 256


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


def says_error(raw: msgspec.Raw) -> bool:
    """Whether an `error` member is one: some send null, or an empty one, with every reply."""
    return bytes(memoryview(raw)[:8]).strip() not in (b"", b"null", b'""', b"{}", b"false", b"[]")


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
