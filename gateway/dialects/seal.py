"""One vendor's proof of its thoughts, in a member of another's format that comes back unread.

How such a seal is written and read: `<vendor>:<kind>:<id>:<proof>`, base64 having no colon. Which proofs are sealed and
which go unmarked, each format says for itself.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

LONGEST_ID: Final = 200
_SEAL: Final = re.compile(rf"([a-z][a-z0-9-]{{0,30}}):([src]):([^:]{{0,{LONGEST_ID}}}):(.*)", re.DOTALL)


class Seal(NamedTuple):
    """kind: the proof is a signature, encrypted (redacted) reasoning, or the signature of a call. identity: of the
    thought or the call, `` where it has none that a seal can hold."""

    vendor: str
    kind: Literal["s", "r", "c"]
    identity: str
    proof: str


def can_hold(identity: str) -> bool:
    """Whether an id comes back as it was."""
    return len(identity) <= LONGEST_ID and ":" not in identity


def written(vendor: str, kind: Literal["s", "r", "c"], identity: str, proof: str) -> str:
    """The seal as text. An id that it cannot hold is left out: a part of one is another's."""
    return f"{vendor}:{kind}:{identity if can_hold(identity) else ''}:{proof}"


def read(text: str) -> Seal | None:
    """The seal that a text is; None for a proof that goes unmarked."""
    match = _SEAL.fullmatch(text)
    return None if match is None else Seal(*match.groups())  # type: ignore[arg-type]  # the pattern has the kinds
