"""Form fields of a multipart body, found by position and never copied with their files.

Only what routing needs: where the value of a plain field stands. Parts with a file name are stepped
over. The walk is bounded in parts and in header bytes, so that a hostile body costs no more than one
search of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.core.errors import GatewayError

_PARTS: Final = 256
_HEADER_BYTES: Final = 8 * 1024
_VALUE_BYTES: Final = 4 * 1024


def is_multipart(content_type: bytes) -> bool:
    return content_type[:19].lower() == b"multipart/form-data"


def boundary_of(content_type: bytes) -> bytes:
    """The boundary parameter. GatewayError("malformed_body") when there is none that RFC 2046 allows."""
    for parameter in content_type.split(b";")[1:]:
        name, _, value = parameter.strip().partition(b"=")
        if name.strip().lower() == b"boundary":
            value = value.strip().strip(b'"')
            if 0 < len(value) <= 200:
                return value
    raise GatewayError("malformed_body", "The content-type multipart/form-data has no usable boundary.")


def fields(body: bytes, content_type: bytes) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of the value of each plain field that is short enough to be one.

    Raises GatewayError("malformed_body") when the body does not begin with its boundary or a part has no end.
    """
    delimiter = b"--" + boundary_of(content_type)
    at = 0 if body.startswith(delimiter) else body.find(b"\r\n" + delimiter) + 2
    if at == 1:
        raise GatewayError(
            "malformed_body", "The multipart body does not hold the boundary that its content-type names."
        )
    for _ in range(_PARTS):
        at += len(delimiter)
        if body.startswith(b"--", at):
            return
        header_end = body.find(b"\r\n\r\n", at, at + _HEADER_BYTES)
        start = header_end + 4
        end = body.find(b"\r\n" + delimiter, start - 2) if header_end >= 0 else -1
        if end < 0:
            raise GatewayError("malformed_body", f"The multipart part at byte {at} is cut off or has no header.")
        end = max(end, start)
        name = _field_name(body[at:header_end])
        if name and end - start <= _VALUE_BYTES:
            yield name, start, end
        at = body.find(delimiter, end)
    raise GatewayError("malformed_body", f"The multipart body has more than {_PARTS} parts.")


def _field_name(head: bytes) -> str:
    """The name in a part's content-disposition, or `` for a file and for a part without a name."""
    for line in head.split(b"\r\n"):
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"content-disposition":
            name = ""
            for parameter in value.split(b";")[1:]:
                key, _, text = parameter.strip().partition(b"=")
                key = key.strip().lower()
                if key in (b"filename", b"filename*"):
                    return ""
                if key == b"name":
                    name = text.strip().strip(b'"').decode("utf-8", "replace")
            return name
    return ""
