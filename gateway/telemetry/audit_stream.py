"""What the events of a stream spell out in pieces: the texts that a client would put together from them.

Pure. For whoever has to find in them what no event has whole. What is no stream of JSON events has no such texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

_SPELT: Final = frozenset((
    "content", "text", "delta", "arguments", "partial_json", "thinking", "reasoning", "reasoning_content", "refusal",
    "input", "partialJson",
))  # fmt: skip
"""Members that come in pieces, in the dialects that clients speak."""
_PLACES: Final = ("index", "output_index", "content_index")
"""Which of several texts a piece belongs to."""
_DEEPEST: Final = 24

Name = tuple[str, ...]


def spelt_out(stream: str) -> list[str]:
    """Of server-sent events, or of a JSON array as Gemini sends it. An event that is not whole is left out."""
    found: dict[Name, list[str]] = {}
    for event in _events(stream):
        for name, piece in _pieces(event, (), 0):
            found.setdefault(name, []).append(piece)
    return ["".join(pieces) for pieces in found.values()]


def _events(stream: str) -> Iterator[object]:
    if stream.lstrip().startswith("["):
        yield from _decoded(stream)
        return
    for line in stream.splitlines():
        if line.startswith("data:"):
            yield from _decoded(line[5:])


def _decoded(text: str) -> Iterator[object]:
    try:
        yield msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return


def _pieces(value: object, place: Name, depth: int) -> Iterator[tuple[Name, str]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        own = place + tuple(f"{name} {value[name]}" for name in _PLACES if isinstance(value.get(name), int))
        for name, member in value.items():
            if isinstance(member, str):
                if name in _SPELT:
                    yield (*own, name), member
            else:
                yield from _pieces(member, own, depth + 1)
    elif isinstance(value, list):
        for member in value:
            yield from _pieces(member, place, depth + 1)
