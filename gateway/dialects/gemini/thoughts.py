"""Proofs of reasoning, and how those of other providers travel through a client that knows Gemini's alone.

A Gemini client keeps `thoughtSignature` and sends it back unread. Another provider's proof is put into one with its
vendor and id, and taken out again when it returns; without that, Anthropic would refuse the next turn of a tool loop.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from gateway.dialects.canonical import Thinking

_MARK: Final = b"gw1"
_MARK_BASE64: Final = base64.b64encode(_MARK).decode()
_URL_SAFE: Final = str.maketrans("-_", "+/")

SKIP: Final = "skip_thought_signature_validator"
"""What Google takes in place of a signature for calls that another model made (ai.google.dev, thought signatures)."""


class _Proof(msgspec.Struct, array_like=True):
    vendor: str
    signature: str = ""
    redacted: str = ""
    id: str = ""


_PROOF: Final = msgspec.json.Decoder(_Proof)


def signature_of(thinking: Thinking) -> str:
    """The thoughtSignature that carries a thought's proof, `` where it has none."""
    if thinking.vendor == "gemini":
        return thinking.signature
    if not thinking.vendor or not (thinking.signature or thinking.redacted):
        return ""
    proof = _Proof(thinking.vendor, thinking.signature, thinking.redacted, thinking.id)
    return base64.b64encode(_MARK + msgspec.json.encode(proof)).decode()


def thinking_of(text: str, signature: str) -> Thinking:
    """The thought with whose proof it is."""
    if signature.startswith(_MARK_BASE64):
        try:
            # google-genai decodes signatures and encodes them again, in the other alphabet.
            proof = _PROOF.decode(base64.b64decode(signature.translate(_URL_SAFE))[len(_MARK) :])
        except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error):
            pass
        else:
            return Thinking(
                text=text, signature=proof.signature, redacted=proof.redacted, vendor=proof.vendor, id=proof.id
            )
    return Thinking(text=text, signature=signature, vendor="gemini")
