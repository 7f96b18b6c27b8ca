"""Another vendor's proof of its thoughts, carried by a client that knows Anthropic's alone.

A client sends thinking back as it came, and a signature that its target did not make is refused. So what another vendor
signed travels under its name, `gemini:s::<signature>`: base64 has no colon, and Anthropic's own signatures go unmarked.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.dialects.canonical import Thinking

_SEAL: Final = re.compile(r"([a-z][a-z0-9-]{0,30}):([sr]):([^:]{0,200}):(.*)", re.DOTALL)
OWN: Final = "anthropic"


def sealed(part: Thinking, proof: str, redacted: bool) -> str:
    """The proof as an Anthropic client is given it. redacted: it is encrypted reasoning, not a signature."""
    if not proof or part.vendor in ("", OWN):
        return proof
    return f"{part.vendor}:{'r' if redacted else 's'}:{part.id}:{proof}"


def unsealed(text: str, proof: str, redacted: bool) -> Thinking:
    """The thought that a client sent back. redacted: it came as redacted_thinking. Without a proof it is nobody's."""
    match = _SEAL.fullmatch(proof)
    if match is not None:
        vendor, kind, identity, inner = match.groups()
        if kind == "r":
            return Thinking(text=text, redacted=inner, vendor=vendor, id=identity)
        return Thinking(text=text, signature=inner, vendor=vendor, id=identity)
    if redacted:
        return Thinking(redacted=proof, vendor=OWN)
    return Thinking(text=text, signature=proof, vendor=OWN if proof else "")
