"""What is read out of a JSON request body, and what is said when it cannot be read.

One decode into a Struct that names only what the gateway acts on: the rest is stepped over, never
materialised, and survives in the bytes. Nothing but GatewayError leaves this module.
"""

from __future__ import annotations

import codecs
import json
from typing import Final, Protocol, TypeVar

import msgspec

from gateway.core.errors import GatewayError

MODEL_LENGTH: Final = 256
_TOKENS_LIMIT: Final = 2**31 - 1
_PIECE: Final = 64 * 1024
_EXPLAINED: Final = 4 * 1024 * 1024

Number = int | float | None


class StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class OpenAIBody(msgspec.Struct, gc=False):
    """Chat, completions, responses, embeddings, images, audio, moderations, rerank; Cohere's as well.

    prompt is looked at for its presence alone: a Responses request with a stored prompt need not
    name a model.
    """

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stream_format: str | None = None
    max_tokens: Number = None
    max_completion_tokens: Number = None
    max_output_tokens: Number = None
    user: str | None = None
    prompt: msgspec.Raw = msgspec.Raw()


class Metadata(msgspec.Struct, gc=False):
    user_id: str | None = None


class AnthropicBody(msgspec.Struct, gc=False):
    model: str | None = None
    stream: bool | None = None
    max_tokens: Number = None
    metadata: Metadata | None = None


class GenerationConfig(msgspec.Struct, gc=False):
    camel: Number = msgspec.field(default=None, name="maxOutputTokens")
    snake: Number = msgspec.field(default=None, name="max_output_tokens")


class GeminiBody(msgspec.Struct, gc=False):
    """google-genai writes some members in snake_case, so both spellings are read."""

    camel: GenerationConfig | None = msgspec.field(default=None, name="generationConfig")
    snake: GenerationConfig | None = msgspec.field(default=None, name="generation_config")


B = TypeVar("B", covariant=True)


class Decoder(Protocol[B]):
    def decode(self, buf: bytes, /) -> B: ...


OPENAI: Final = msgspec.json.Decoder(OpenAIBody)
ANTHROPIC: Final = msgspec.json.Decoder(AnthropicBody)
GEMINI: Final = msgspec.json.Decoder(GeminiBody)


def read(decoder: Decoder[B], body: bytes) -> B:
    """Decode, or raise GatewayError `malformed_body` with the position, or `invalid_request` with
    the field that has the wrong type."""
    try:
        found = decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _explained(error, body) from None
    if not body.isascii():
        _check_utf8(body)
    return found


def tokens(*counts: Number) -> int:
    """The first that is said, as a whole number that arithmetic can rely on; 0 when none is."""
    for count in counts:
        if count is not None:
            return int(min(max(count, 0), _TOKENS_LIMIT))
    return 0


def checked_model(model: str) -> str:
    """The model's name, or GatewayError `invalid_request`."""
    if not model or len(model) > MODEL_LENGTH or not model.isprintable():
        raise GatewayError(
            "invalid_request",
            f"`model` must be a name of 1 to {MODEL_LENGTH} printable characters.",
            param="model",
        )
    return model


def _check_utf8(body: bytes) -> None:
    """Members that are stepped over are not decoded, so bad UTF-8 in them is found here, piece by
    piece, in order not to hold the whole text."""
    reader = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(body), _PIECE):
        pending = len(reader.getstate()[0])
        try:
            reader.decode(body[at : at + _PIECE], at + _PIECE >= len(body))
        except UnicodeDecodeError as error:
            raise _malformed(f"it is not UTF-8 {_where(body, at - pending + error.start)}") from None


def _explained(error: Exception, body: bytes) -> GatewayError:
    if not body.strip():
        return _malformed("it is empty; a JSON object is due")
    if isinstance(error, RecursionError):
        return _malformed("it is nested too deeply")
    if isinstance(error, msgspec.ValidationError):
        return _mistyped(str(error))
    try:
        _check_utf8(body)
    except GatewayError as unreadable:
        return unreadable
    text = str(error)
    _, found, rest = text.partition("(byte ")
    if found:
        return _malformed(f"{text.partition(': ')[2].partition(' (')[0] or text} {_where(body, int(rest.rstrip(')')))}")
    if len(body) <= _EXPLAINED:
        try:
            json.loads(body)
        except json.JSONDecodeError as error_at:
            return _malformed(f"{error_at.msg} at line {error_at.lineno}, column {error_at.colno}")
        except (ValueError, RecursionError):
            return _malformed("it cannot be read")
        return _malformed("a \\u escape in a string is half of a surrogate pair")
    return _malformed(text)


def _mistyped(text: str) -> GatewayError:
    said, _, path = text.partition(" - at `$")
    param = path.rstrip("`").lstrip(".")
    if not param:
        return _malformed(f"a JSON object is due at the top: {said}")
    return GatewayError("invalid_request", f"`{param}`: {said}.", param=param)


def _malformed(why: str) -> GatewayError:
    return GatewayError("malformed_body", f"The request body is not valid JSON: {why}.")


def _where(body: bytes, at: int) -> str:
    line = body.count(b"\n", 0, at) + 1
    column = at - body.rfind(b"\n", 0, at)
    return f"at line {line}, column {column} (byte {at})"
