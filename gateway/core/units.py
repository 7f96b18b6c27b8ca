"""Durations and sizes as people write them: `250ms`, `1s`, `5m`, `1h`, `30d`; `64KiB`, `32MiB`."""

from __future__ import annotations

import re
from typing import Final

DURATION: Final = r"^(?:0|[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))$"
SIZE: Final = r"^[0-9]+(?:B|KB|MB|GB|KiB|MiB|GiB)?$"

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip
_DURATION_PARTS: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SIZE_PARTS: Final = re.compile(r"([0-9]+)([A-Za-z]*)")


def seconds(text: str) -> float:
    """`250ms` -> 0.25. ValueError on anything that DURATION does not match."""
    if text == "0":
        return 0.0
    match = _DURATION_PARTS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 250ms, 1s, 5m, 1h or 30d")
    number, unit = match.groups()
    return float(number) * _SECONDS[unit] if unit != "ms" else float(number) / 1000


def size_in_bytes(text: str) -> int:
    """`32MiB` -> 33554432. ValueError on anything that SIZE does not match."""
    match = _SIZE_PARTS.fullmatch(text)
    if match is None or match[2] not in _BYTES:
        raise ValueError(f"{text!r} is not a size such as 64KiB or 32MiB")
    return int(match[1]) * _BYTES[match[2]]
