"""Another vendor's proof of its thoughts, in the one member that a Responses client sends back unread.

`encrypted_content` is OpenAI's own. What another vendor signed travels in it under that vendor's name,
`anthropic:s:<id>:<signature>`: base64 has no colon, so OpenAI's own go unmarked.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.dialects.canonical import Thinking

_SEAL: Final = re.compile(r"([a-z][a-z0-9-]{0,30}):([sr]):([^:]{0,200}):(.*)", re.DOTALL)
OWN: Final = "openai"


def sealed(part: Thinking, proof: str, redacted: bool) -> str:
    """The proof as a Responses client is given it. redacted: it is encrypted reasoning, not a signature."""
    if not proof or (redacted and part.vendor in ("", OWN)):
        return proof
    return f"{part.vendor or 'unknown'}:{'r' if redacted else 's'}:{part.id.replace(':', '')}:{proof}"


def unsealed(text: str, proof: str, identity: str) -> Thinking:
    """The thought that a client sent back. Without a proof it is nobody's."""
    match = _SEAL.fullmatch(proof)
    if match is None:
        return Thinking(text=text, redacted=proof, vendor=OWN if proof else "", id=identity)
    vendor, kind, identity, inner = match.groups()
    if kind == "r":
        return Thinking(text=text, redacted=inner, vendor=vendor, id=identity)
    return Thinking(text=text, signature=inner, vendor=vendor, id=identity)
