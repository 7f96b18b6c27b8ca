"""What rules ask of a prompt: read off a request's body by the dialects, judged by policy.

Pure data. Law: it is read of the client's original, and what cannot be read is as if it were not there.
"""

from __future__ import annotations

from typing import Final

import msgspec

LONGEST: Final = 64 * 1024
"""Characters of a text that rules look at: of a longer one the first half of so many, and the last."""


class Prompt(msgspec.Struct, frozen=True, gc=False):
    """text: of the last message of the user that has any, at most LONGEST. turns: messages of the user, results of
    tools not counted. tools: that the model may call. images: pictures in the whole conversation. json: the answer is
    to be JSON."""

    text: str = ""
    turns: int = 0
    tools: int = 0
    images: int = 0
    json: bool = False


def bounded(text: str) -> str:
    """The text, or the two ends of one that is too long."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]}\n{text[-half:]}"
