"""Messages of `application/vnd.amazon.eventstream`, as a provider of AWS sends them.

Written from the format's description (two big-endian lengths and a CRC-32 of them, headers, payload, a CRC-32 of
everything before it), and from nothing of the gateway's own reader.
"""

from __future__ import annotations

import struct
from binascii import crc32


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """One message. Header values are of type 7: text."""
    head = b"".join(
        struct.pack(">B", len(name)) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    body = prelude + struct.pack(">I", crc32(prelude)) + head + payload
    return body + struct.pack(">I", crc32(body))


def frame(event: str, payload: bytes, exception: str = "") -> bytes:
    """An event, or the exception that ended the stream."""
    kind = {":exception-type": exception} if exception else {":event-type": event}
    told = "exception" if exception else "event"
    return message({**kind, ":content-type": "application/json", ":message-type": told}, payload)
