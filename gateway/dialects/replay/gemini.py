"""Gemini: every piece of a stream has the shape of a whole reply, so a whole reply is a stream of one piece."""

from __future__ import annotations

from gateway.dialects.replay.pieces import (
    Members,
    Unfoldable,
    add,
    encode,
    object_of,
    objects,
    read_events,
    read_list,
    read_object,
)

_TEXT_ONLY = frozenset(("text", "thought"))


def fold(body: bytes, *, array: bool) -> bytes:
    """The whole reply of a stream of events, or of a JSON array."""
    whole: Members = {}
    candidates: dict[object, Members] = {}
    for chunk in read_list(body) if array else read_events(body):
        for candidate in objects(chunk.pop("candidates", None)):
            _add_candidate(candidates.setdefault(candidate.get("index", 0), {}), candidate)
        # Counts are cumulative: the last ones are those of the whole.
        whole.update({name: value for name, value in chunk.items() if value is not None})
    if not whole.get("promptFeedback") and not candidates:
        raise Unfoldable("there is nothing in the stream")
    if any("finishReason" not in candidate for candidate in candidates.values()):
        raise Unfoldable("a candidate has no end")
    return encode({"candidates": list(candidates.values()), **whole} if candidates else whole)


def _add_candidate(whole: Members, piece: Members) -> None:
    content = object_of(piece.pop("content", None))
    kept = object_of(whole.setdefault("content", {}))
    parts = kept.setdefault("parts", [])
    assert isinstance(parts, list)
    for part in objects(content.pop("parts", None)):
        last = parts[-1] if parts else None
        if last is not None and _continues(last, part):
            last["text"] += part["text"]
        else:
            parts.append(part)
    kept.update(content)
    metadata = object_of(piece.pop("citationMetadata", None))
    if metadata:
        add(whole, {"citationMetadata": metadata})
    whole.update({name: value for name, value in piece.items() if value is not None})


def _continues(last: Members, part: Members) -> bool:
    """Whether a part is more of the text before it. One that says anything else is a part of its own."""
    return (
        isinstance(part.get("text"), str)
        and isinstance(last.get("text"), str)
        and last.keys() <= _TEXT_ONLY
        and part.keys() <= _TEXT_ONLY
        and last.get("thought") == part.get("thought")
    )


def unfold(body: bytes, *, array: bool) -> bytes:
    """The stream of a whole reply."""
    whole = encode(read_object(body))
    return b"[" + whole + b"]" if array else b"data: " + whole + b"\r\n\r\n"


def events_of_array(body: bytes) -> bytes:
    """The same pieces as events."""
    return b"".join(b"data: " + encode(chunk) + b"\r\n\r\n" for chunk in read_list(body))


def array_of_events(body: bytes) -> bytes:
    """The same pieces as one JSON array."""
    return b"[" + b",\r\n".join(encode(chunk) for chunk in read_events(body)) + b"]"
