"""OpenAI's Responses: the last event of a stream holds the whole reply, so folding is taking it out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.dialects.replay.pieces import (
    Members,
    Unfoldable,
    encode,
    object_of,
    objects,
    read_events,
    read_object,
    write_event,
)

_ENDS: Final = ("response.completed", "response.incomplete")
_Event = tuple[str, Members]


def fold(body: bytes) -> bytes:
    """The whole reply of a stream."""
    items: list[Members] = []
    for event in read_events(body):
        kind = event.get("type")
        if kind == "response.output_item.done":
            items.append(object_of(event.get("item")))
        elif kind in _ENDS:
            response = object_of(event.get("response"))
            if not response:
                break
            # Some servers leave out of the last event what they have said item by item.
            if items and not response.get("output"):
                response["output"] = items
            return encode(response)
    raise Unfoldable("the stream has no end")


def unfold(body: bytes) -> bytes:
    """The stream of a whole reply."""
    response = read_object(body)
    status = response.get("status", "completed")
    if status not in ("completed", "incomplete"):
        raise Unfoldable("the reply is not over")
    begun: Members = {**response, "status": "in_progress", "output": [], "usage": None, "completed_at": None}
    told: list[_Event] = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
    for index, item in enumerate(objects(response.get("output"))):
        told.extend(_item(index, item))
    told.append((f"response.{status}", {"response": response}))
    return b"".join(
        write_event({"type": kind, "sequence_number": number, **members}, kind)
        for number, (kind, members) in enumerate(told)
    )


def _item(index: int, item: Members) -> Iterator[_Event]:
    at: Members = {"item_id": item.get("id"), "output_index": index}
    begun: Members = {**item}
    if "status" in item:
        begun["status"] = "in_progress"
    for name in ("content", "summary"):
        if isinstance(item.get(name), list):
            begun[name] = []
    if isinstance(item.get("arguments"), str):
        begun["arguments"] = ""
    yield "response.output_item.added", {"output_index": index, "item": begun}
    match item.get("type"):
        case "message":
            for number, part in enumerate(objects(item.get("content"))):
                yield from _part({**at, "content_index": number}, part)
        case "reasoning":
            for number, part in enumerate(objects(item.get("summary"))):
                yield from _summary({**at, "summary_index": number}, part)
            for number, part in enumerate(objects(item.get("content"))):
                yield from _said({**at, "content_index": number}, "response.reasoning_text", "text", part.get("text"))
        case "function_call":
            arguments = item.get("arguments")
            yield from _said(at, "response.function_call_arguments", "arguments", arguments)
        case _:
            pass
    yield "response.output_item.done", {"output_index": index, "item": item}


def _part(at: Members, part: Members) -> Iterator[_Event]:
    name = "refusal" if part.get("type") == "refusal" else "text"
    begun = {**part, name: ""} if name in part else part
    yield "response.content_part.added", {**at, "part": begun}
    kind = "response.refusal" if name == "refusal" else "response.output_text"
    more: Members = {"logprobs": part.get("logprobs") or []} if name == "text" else {}
    yield from _said({**at, **more}, kind, name, part.get(name))
    yield "response.content_part.done", {**at, "part": part}


def _summary(at: Members, part: Members) -> Iterator[_Event]:
    yield "response.reasoning_summary_part.added", {**at, "part": {**part, "text": ""}}
    yield from _said(at, "response.reasoning_summary_text", "text", part.get("text"))
    yield "response.reasoning_summary_part.done", {**at, "part": part}


def _said(at: Members, kind: str, name: str, text: object) -> Iterator[_Event]:
    if isinstance(text, str):
        yield f"{kind}.delta", {**at, "delta": text}
        yield f"{kind}.done", {**at, name: text}
