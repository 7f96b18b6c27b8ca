"""Raw paths: what may be in one, and whose dialect an error should be in before the body is read.

Everything is matched on the bytes that the client sent, undecoded, so that no encoding can name a
place that the plain form could not.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.core.errors import GatewayError
from gateway.core.exchange import Dialect, Headers

_PATH: Final = re.compile(rb"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)+")
_QUERY: Final = re.compile(rb"[\x21\x22\x24-\x7e]*")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# A letter, a digit, `-`, `.` or `_`: an escape of one makes another spelling of the same place, and a call that is
# spelled otherwise would be one that nobody here knows.
_NEEDLESS_ESCAPE: Final = re.compile(rb"%(?:2[DEde]|3[0-9]|4[1-9A-Fa-f]|5[0-9AFaf]|6[1-9A-Fa-f]|7[0-9Aa])")
_CREDENTIALS: Final = (b"key", b"access_token")
LIMIT: Final = 8192
REMEMBERED: Final = 1024
_seen: dict[bytes, str] = {}
"""Good paths of before: nearly every request has one of a few."""


def checked_path(raw: bytes) -> str:
    """A raw path as text, or GatewayError `path_invalid` that says what is wrong with it."""
    text = _seen.get(raw)
    if text is None:
        text = _check(raw)
        if len(_seen) < REMEMBERED and len(raw) <= 256:
            _seen[raw] = text
    return text


def _check(raw: bytes) -> str:
    if len(raw) > LIMIT:
        raise GatewayError("path_invalid", f"The path is longer than {LIMIT} bytes.")
    if not raw:
        raise GatewayError("not_found", "The path ends where an api path such as /chat/completions is due.")
    if not _PATH.fullmatch(raw) or _BAD_ESCAPE.search(raw):
        raise GatewayError("path_invalid", "The path holds characters that a URL path cannot hold unescaped.")
    text = raw.decode("ascii")
    if b"//" in raw:
        raise GatewayError("path_invalid", f"The path {text!r} has an empty segment (`//`).")
    if b"%" in raw or b"/." in raw:
        for segment in raw.split(b"/"):
            plain = unquote_to_bytes(segment)
            # Some servers take what follows `;` for a parameter, and the segment for what is before it.
            if plain.partition(b";")[0] in (b".", b".."):
                raise GatewayError("path_invalid", f"The path {text!r} has a `.` or `..` segment.")
            if b"/" in plain or b"\\" in plain or any(byte < 32 or byte == 127 for byte in plain):
                raise GatewayError("path_invalid", f"The path {text!r} hides a separator or a control character.")
        if _NEEDLESS_ESCAPE.search(raw):
            raise GatewayError("path_invalid", f"The path {text!r} escapes a character that needs no escape.")
    return text


def checked_query(raw: bytes) -> bytes:
    """The query less the credentials that Gemini clients put there."""
    if not raw:
        return raw
    if len(raw) > LIMIT or not _QUERY.fullmatch(raw):
        raise GatewayError(
            "path_invalid", "The query is too long or holds characters that a URL cannot hold unescaped."
        )
    if b"key=" in raw or b"access_token=" in raw or b"%" in raw:
        return b"&".join(part for part in raw.split(b"&") if _name(part) not in _CREDENTIALS)
    return raw


def key_in_query(raw: bytes) -> str:
    """The `key` parameter, or ``."""
    if b"key=" in raw or b"%" in raw:
        for part in raw.split(b"&"):
            if _name(part) == b"key":
                return unquote_to_bytes(part.partition(b"=")[2]).decode("latin-1")
    return ""


def guess_dialect(path: bytes, headers: Headers) -> Dialect:
    """The dialect of a request that could not be read, for its error's sake."""
    if b":generateContent" in path or b":streamGenerateContent" in path:
        return "gemini"
    if b"/v1beta" in path:
        return "openai" if b"/openai/" in path else "gemini"
    if path.endswith((b"/messages", b"/messages/count_tokens")):
        return "anthropic"
    for name, _ in headers:
        if name == b"anthropic-version":
            return "anthropic"
        if name == b"x-goog-api-key":
            return "gemini"
    return "openai"


def _name(part: bytes) -> bytes:
    return unquote_to_bytes(part.partition(b"=")[0])
