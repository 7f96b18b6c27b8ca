"""Change one member of a request body and leave every other byte as it came.

The common case is a cut and a paste at a place that is certain. Where it is not certain (the key
occurs twice, or is written with escapes) the object is put together again from its members, each
value verbatim. Values inside other values are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.dialects.body import read
from gateway.dialects.multipart import boundary_of, fields

_Members = dict[str, msgspec.Raw]
_MEMBERS: Final = msgspec.json.Decoder(_Members)
_OPTIONS: Final = msgspec.json.Decoder(_Members | None)
_encode: Final = msgspec.json.encode
_WHITE: Final = b" \t\r\n"

# A key written with escapes must escape a letter or the underscore; all of these begin so.
_ESCAPED_LETTERS: Final = (b"\\u005", b"\\u006", b"\\u007")


def with_model(body: bytes, old: str, new: str) -> bytes:
    """The body with its top-level `model`, now `old`, set to `new`; put in front when there is none.

    GatewayError("malformed_body") when the body is not a JSON object.
    """
    if old and body.count(b'"model"') == 1 and not _may_hide_a_key(body):
        # `old` was read from the top level, so the only place there is must be that one.
        start, end = _value_after(body, body.find(b'"model"') + 7)
        if end and body[start + 1 : end - 1] == old.encode("utf-8", "replace"):
            return body[:start] + _encode(new) + body[end:]
    members = read(_MEMBERS, body)
    if "model" in members:
        members["model"] = msgspec.Raw(_encode(new))
        return _encode(members)
    return _encode({"model": msgspec.Raw(_encode(new)), **members})


def without_model(body: bytes, members: Mapping[str, str]) -> bytes:
    """The body without its top-level `model`, and with these members where it has none of the name.

    GatewayError("malformed_body") when the body is not a JSON object.
    """
    found = read(_MEMBERS, body)
    found.pop("model", None)
    said = {name: msgspec.Raw(_encode(value)) for name, value in members.items()}
    return _encode({**said, **found})


def without_text(body: bytes, name: str) -> tuple[bytes, str | None]:
    """The body without a top-level member, and the member's value: `` where that is no string, None where there is no
    such member.

    GatewayError("malformed_body") when the body is not a JSON object.
    """
    found = read(_MEMBERS, body)
    value = found.pop(name, None)
    if value is None:
        return body, None
    said = msgspec.json.decode(value)
    return _encode(found), said if isinstance(said, str) else ""


def with_multipart_model(body: bytes, content_type: bytes, new: str) -> bytes:
    """The form with its field `model` set to `new`; put in front when there is none.

    GatewayError("malformed_body") when the body is not the form that its content type says.
    """
    spans = [(start, end) for name, start, end in fields(body, content_type) if name == "model"]
    value = new.encode()
    for start, end in reversed(spans):
        body = body[:start] + value + body[end:]
    if spans:
        return body
    head = b"--" + boundary_of(content_type) + b'\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
    return head + value + b"\r\n" + body


def asking_for_usage(body: bytes) -> bytes:
    """The body, which has been read before, with `stream_options.include_usage` true.

    GatewayError when it is not a JSON object, or its stream_options are none.
    """
    if b'"stream_options"' not in body and body.lstrip(_WHITE)[:1] == b"{" and not _may_hide_a_key(body):
        opening = body.find(b"{") + 1
        rest = body[opening:]
        comma = b"" if rest.lstrip(_WHITE)[:1] == b"}" else b","
        return body[:opening] + b'"stream_options":{"include_usage":true}' + comma + rest
    members = read(_MEMBERS, body)
    options = read(_OPTIONS, bytes(members["stream_options"])) if "stream_options" in members else None
    options = options or {}
    options["include_usage"] = msgspec.Raw(b"true")
    members["stream_options"] = msgspec.Raw(_encode(options))
    return _encode(members)


def _may_hide_a_key(body: bytes) -> bool:
    return b"\\u00" in body and any(escape in body for escape in _ESCAPED_LETTERS)


def _value_after(body: bytes, at: int) -> tuple[int, int]:
    """Start and end of the string that is the value of the key that ends at `at`; end 0 when what follows
    is not a colon and a string."""
    size = len(body)
    while at < size and body[at] in _WHITE:
        at += 1
    if at >= size or body[at] != 0x3A:
        return 0, 0
    at += 1
    while at < size and body[at] in _WHITE:
        at += 1
    if at >= size or body[at] != 0x22:
        return 0, 0
    return at, body.find(b'"', at + 1) + 1
