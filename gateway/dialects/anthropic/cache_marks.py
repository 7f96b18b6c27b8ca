"""Cache marks in a request that is Anthropic's already: as prompt_cache.py sets them, and every other byte as it is.

Lives here: where in the JSON a mark goes. Only the values that get one are written anew.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.body import read
from gateway.dialects.prompt_cache import WORTH_IT

_Raw = msgspec.Raw
_MARK: Final = _Raw(b'{"type":"ephemeral"}')
_MEMBERS: Final = msgspec.json.Decoder(dict[str, _Raw])
_encode: Final = msgspec.json.encode


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""


class _Turn(msgspec.Struct, gc=False):
    role: str = ""
    content: _Raw = _Raw()


_BLOCK: Final = msgspec.json.Decoder(_Block)
_TURN: Final = msgspec.json.Decoder(_Turn)
_LIST: Final = msgspec.json.Decoder(list[_Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_MARKABLE: Final = frozenset(("image", "document", "tool_result"))


def marked_body(body: bytes) -> bytes:
    """The body with marks behind its tools, its system prompt and the last but one turn of the user, where what stands
    before them is long enough. As it is where the client has set any, and where its shape is not the one expected:
    then it is the provider that says so.

    GatewayError("malformed_body") when the body is not a JSON object.
    """
    if len(body) < WORTH_IT or b'"cache_control"' in body:
        return body
    members = read(_MEMBERS, body)
    try:
        changed = _mark(members)
    except msgspec.ValidationError:
        return body
    return _encode(members) if changed else body


def _mark(members: dict[str, _Raw]) -> bool:
    length = 0
    changed = False
    tools = _LIST.decode(members["tools"]) if "tools" in members else []
    length += sum(map(_size, tools))
    if tools and length >= WORTH_IT:
        tools[-1] = _with_mark(tools[-1])
        members["tools"] = _Raw(_encode(tools))
        changed = True
    if "system" in members:
        length += _size(members["system"])
        marked = _marked_content(members["system"]) if length >= WORTH_IT else None
        if marked is not None:
            members["system"] = marked
            changed = True
    turns = _LIST.decode(members["messages"]) if "messages" in members else []
    roles = [_TURN.decode(turn).role for turn in turns]
    if roles.count("user") > 1:
        at = [place for place, role in enumerate(roles) if role == "user"][-2]
        length += sum(map(_size, turns[: at + 1]))
        marked = _marked_content(_TURN.decode(turns[at]).content) if length >= WORTH_IT else None
        if marked is not None:
            turn = _MEMBERS.decode(turns[at])
            turn["content"] = marked
            turns[at] = _Raw(_encode(turn))
            members["messages"] = _Raw(_encode(turns))
            changed = True
    return changed


def _marked_content(content: _Raw) -> _Raw | None:
    """With a mark on the last block that may have one; None where there is none."""
    raw = bytes(content)
    if raw[:1] == b'"':
        if not _TEXT.decode(raw).strip():
            return None
        return _Raw(_encode([{"type": "text", "text": content, "cache_control": _MARK}]))
    blocks = _LIST.decode(raw)
    for at in range(len(blocks) - 1, -1, -1):
        block = _BLOCK.decode(blocks[at])
        if block.type in _MARKABLE or (block.type == "text" and block.text.strip()):
            blocks[at] = _with_mark(blocks[at])
            return _Raw(_encode(blocks))
    return None


def _with_mark(value: _Raw) -> _Raw:
    """An object, one member longer."""
    members = _MEMBERS.decode(value)
    members["cache_control"] = _MARK
    return _Raw(_encode(members))


def _size(value: _Raw) -> int:
    return len(bytes(value))
