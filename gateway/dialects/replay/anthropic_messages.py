"""Anthropic's messages: blocks that are opened, grow and are closed."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.replay.pieces import (
    Members,
    Unfoldable,
    add,
    encode,
    object_of,
    objects,
    read_events,
    read_object,
    write_event,
)

_GROWS: Final = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
}
_STOPS: Final = ("stop_reason", "stop_sequence", "stop_details", "container")


def fold(body: bytes) -> bytes:
    """The whole reply of a stream."""
    message: Members = {}
    blocks: dict[object, Members] = {}
    inputs: dict[object, str] = {}
    usage: Members = {}
    for event in read_events(body):
        index = event.get("index")
        match event.get("type"):
            case "message_start":
                message = object_of(event.get("message"))
                usage.update(object_of(message.get("usage")))
            case "content_block_start":
                blocks[index] = object_of(event.get("content_block"))
            case "content_block_delta" if index in blocks:
                delta = object_of(event.get("delta"))
                piece = delta.get("partial_json")
                if isinstance(piece, str):
                    inputs[index] = inputs.get(index, "") + piece
                elif "citation" in delta:
                    add(blocks[index], {"citations": [delta["citation"]]})
                else:
                    add(blocks[index], {name: value for name, value in delta.items() if name != "type"})
            case "message_delta":
                message.update(object_of(event.get("delta")))
                more = object_of(event.get("usage"))
                usage.update({name: value for name, value in more.items() if value is not None})
            case "message_stop":
                for at, text in inputs.items():
                    blocks[at]["input"] = _input(text)
                message["content"] = list(blocks.values())
                message["usage"] = usage
                return encode(message)
            case _:
                pass
    raise Unfoldable("the stream has no end")


def _input(text: str) -> object:
    try:
        return msgspec.json.decode(text) if text else {}
    except (msgspec.MsgspecError, RecursionError):
        raise Unfoldable("the input of a tool is not JSON") from None


def unfold(body: bytes) -> bytes:
    """The stream of a whole reply."""
    message = read_object(body)
    if message.get("stop_reason") is None:
        raise Unfoldable("the reply is not over")
    usage = object_of(message.get("usage"))
    begun: Members = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 0},
    }
    told: list[Members] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(objects(message.get("content"))):
        opened, deltas = _opened(block)
        told.append({"type": "content_block_start", "index": index, "content_block": opened})
        told.extend({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        told.append({"type": "content_block_stop", "index": index})
    stop: Members = {name: message[name] for name in _STOPS if name in message}
    told.append({"type": "message_delta", "delta": stop, "usage": usage})
    told.append({"type": "message_stop"})
    return b"".join(write_event(event, str(event["type"])) for event in told)


def _opened(block: Members) -> tuple[Members, list[Members]]:
    """A block as it is opened, and what it grows by."""
    kind = block.get("type")
    opened = {**block}
    deltas: list[Members] = []
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        opened["input"] = {}
        text = encode(block.get("input") or {}).decode()
        deltas.append({"type": "input_json_delta", "partial_json": text})
    elif isinstance(kind, str) and kind in _GROWS:
        delta, name = _GROWS[kind]
        opened[name] = ""
        if isinstance(block.get("citations"), list):
            opened["citations"] = []
            deltas.extend({"type": "citations_delta", "citation": citation} for citation in objects(block["citations"]))
        if block.get(name):
            deltas.append({"type": delta, name: block[name]})
        if isinstance(block.get("signature"), str):
            opened["signature"] = ""
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return opened, deltas
