"""Another vendor's proof of its thoughts, in the one member that a Responses client sends back unread.

`encrypted_content` is OpenAI's own and goes unmarked. What another vendor signed travels in it under that vendor's
name, `anthropic:s:<id>:<signature>`.
"""

from __future__ import annotations

from typing import Final

from gateway.dialects.canonical import Thinking
from gateway.dialects.seal import read, written

OWN: Final = "openai"


def sealed(part: Thinking, proof: str, redacted: bool) -> str:
    """The proof as a Responses client is given it. redacted: it is encrypted reasoning, not a signature."""
    if not proof or (redacted and part.vendor in ("", OWN)):
        return proof
    return written(part.vendor or "unknown", "r" if redacted else "s", part.id, proof)


def unsealed(text: str, proof: str, identity: str) -> Thinking:
    """The thought that a client sent back. Without a proof it is nobody's."""
    seal = read(proof)
    if seal is None or seal.kind == "c":
        return Thinking(text=text, redacted=proof, vendor=OWN if proof else "", id=identity)
    if seal.kind == "r":
        return Thinking(text=text, redacted=seal.proof, vendor=seal.vendor, id=seal.identity)
    return Thinking(text=text, signature=seal.proof, vendor=seal.vendor, id=seal.identity)
