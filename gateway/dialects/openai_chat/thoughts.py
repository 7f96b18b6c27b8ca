"""Reasoning in chat completions, for which OpenAI's format has no place and others have made several.

DeepSeek, vLLM and many more: `reasoning_content`, the text alone. OpenRouter: `reasoning` and, where the signature
matters, `reasoning_details`. LiteLLM: `thinking_blocks`, Anthropic's own. All are read; the text is written as
`reasoning_content`, signatures as `reasoning_details`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.dialects.canonical import Thinking
from gateway.dialects.openai_chat import request_body as wire
from gateway.dialects.openai_words import opens

_VENDORS: Final = {
    "anthropic-claude-v1": "anthropic",
    "google-gemini-v1": "gemini",
    "openai-responses-v1": "openai",
    "xai-responses-v1": "xai",
}
_FORMATS: Final = {vendor: name for name, vendor in _VENDORS.items()}


def thoughts_of(
    blocks: list[wire.ThinkingBlock] | None, details: list[wire.Detail] | None, text: str
) -> Iterable[Thinking]:
    """The Thinking parts of a message, from whichever of its members says most."""
    if blocks:
        return [
            Thinking(redacted=block.data or "", vendor="anthropic")
            if block.type == "redacted_thinking"
            else Thinking(text=block.thinking or "", signature=block.signature or "", vendor="anthropic")
            for block in blocks
        ]
    if details:
        return _of_details(details, text)
    return [Thinking(text=text)] if text else ()


def detail_of(part: Thinking, index: int, told: bool = False) -> wire.Detail | None:
    """What the plain text cannot say of a thought. told: its text has been, as `reasoning_content` of a stream."""
    form = _FORMATS.get(part.vendor, part.vendor or "unknown")
    if part.redacted:
        return wire.Detail(type="reasoning.encrypted", data=part.redacted, format=form, id=part.id or None, index=index)
    if part.signature:
        return wire.Detail(
            type="reasoning.text",
            text=None if told else part.text,
            signature=part.signature,
            format=form,
            id=part.id or None,
            index=index,
        )
    return None


def vendor_of(form: str | None) -> str:
    """Whose signature it is."""
    return _VENDORS.get(form or "", "" if form in (None, "unknown") else form or "")


def _of_details(details: list[wire.Detail], text: str) -> list[Thinking]:
    """A client that put a stream together has several entries for one thought, and the text beside them."""
    parts: list[Thinking] = []
    said: list[str] = []
    for detail in details:
        encrypted = detail.type == "reasoning.encrypted"
        if not encrypted:
            said.append(detail.text or detail.summary or "")
        if (encrypted or detail.signature) and any(said):
            parts.append(_thought("".join(said), detail.signature or "", detail))
        elif detail.signature:
            parts.append(_thought("", detail.signature, detail))
        if encrypted or detail.signature:
            said = []
        if encrypted:
            parts.append(Thinking(redacted=detail.data or "", vendor=vendor_of(detail.format), id=detail.id or ""))
    if any(said):
        parts.append(_thought("".join(said), "", details[-1]))
    if text and not any(part.text for part in parts):
        # OpenAI's encrypted reasoning comes with a summary; other vendors' stands alone.
        open_part = next((at for at, part in enumerate(parts) if not part.redacted or part.vendor == "openai"), None)
        if open_part is None:
            return [Thinking(text=text), *parts]
        parts[open_part] = msgspec.structs.replace(parts[open_part], text=text)
    return parts


def _thought(text: str, signature: str, detail: wire.Detail) -> Thinking:
    return Thinking(text=text, signature=signature, vendor=vendor_of(detail.format), id=detail.id or "")


def mistral_thinking(raw: msgspec.Raw) -> str:
    """Mistral's `thinking`: a list of texts, or a string."""
    try:
        found = msgspec.json.decode(raw, type=str | list[wire.Piece] | None)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return found if isinstance(found, str) else "".join(piece.text or "" for piece in found or ())


def plain_thought(*members: msgspec.Raw) -> str:
    """The first of them that is a text; one that is an object is somebody's own."""
    for raw in members:
        if raw and opens(raw, b'"'):
            try:
                return msgspec.json.decode(raw, type=str)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
    return ""
