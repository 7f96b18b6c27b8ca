"""Another vendor's proof of its thoughts, carried by a client that knows Anthropic's alone.

A client sends thinking back as it came, and a signature that its target did not make is refused. So what another vendor
signed travels under its name, `gemini:s::<signature>`, and Anthropic's own signatures go unmarked.
A signature on a call (Gemini's) has no place in Anthropic's format: it travels as a thought without words,
`gemini:c:<id of the call>:<signature>`, and goes back to its call when it returns.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.canonical import Part, Thinking, ToolUse
from gateway.dialects.seal import can_hold, read, written

OWN: Final = "anthropic"
CALL: Final = "call"
"""Stands for the vendor of a thought that only carries a call's signature, until it is back on its call."""


def sealed(part: Thinking) -> str:
    """What an Anthropic client is given as the signature of a thought with words."""
    if part.redacted:
        return written(part.vendor or OWN, "r", part.id, part.redacted)
    if part.vendor in ("", OWN):
        return part.signature
    return written(part.vendor, "s", part.id, part.signature) if part.signature else ""


def sealed_redacted(part: Thinking, redacted: str) -> str:
    """What it is given as the data of an encrypted thought."""
    return redacted if part.vendor in ("", OWN) else written(part.vendor, "r", part.id, redacted)


def sealed_call(call: ToolUse) -> str:
    """The proof of a thought without words that carries a call's signature; `` where there is none to carry."""
    return written("gemini", "c", call.id, call.signature) if call.signature and can_hold(call.id) else ""


def with_signatures(parts: list[Part]) -> list[Part]:
    """The parts with each signature of a call back on its call."""
    signatures = {part.id: part.signature for part in parts if isinstance(part, Thinking) and part.vendor == CALL}
    if not signatures:
        return parts
    return [
        msgspec.structs.replace(part, signature=signatures.get(part.id, "")) if isinstance(part, ToolUse) else part
        for part in parts
        if not (isinstance(part, Thinking) and part.vendor == CALL)
    ]


def unsealed(text: str, proof: str, redacted: bool) -> Thinking:
    """The thought that a client sent back. redacted: it came as redacted_thinking. Without a proof it is nobody's."""
    seal = read(proof)
    if seal is not None:
        if seal.kind == "c":
            return Thinking(signature=seal.proof, vendor=CALL, id=seal.identity)
        if seal.kind == "r":
            return Thinking(text=text, redacted=seal.proof, vendor=seal.vendor, id=seal.identity)
        return Thinking(text=text, signature=seal.proof, vendor=seal.vendor, id=seal.identity)
    if redacted:
        return Thinking(redacted=proof, vendor=OWN)
    return Thinking(text=text, signature=proof, vendor=OWN if proof else "")
