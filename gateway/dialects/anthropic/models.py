"""What a Claude model takes, by its name: facts that change from one version to the next.

Lives here: facts alone. A name that is not Claude's belongs to somebody who speaks Anthropic's format for a model of
his own: of him the least is expected, of an unknown name at Anthropic itself the newest.

Sources: platform.claude.com/docs (extended thinking, adaptive thinking, effort, structured outputs, mid-conversation
system messages, migration guides), release notes of langchain-anthropic 1.5.13; 2026-11.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

import msgspec

_NAME: Final = re.compile(r"claude-(?:(?P<family>[a-z]+)-)?(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2})(?!\d))?")
_NEWEST: Final = (5, 5)
_OLDEST: Final = (3, 0)
_ALWAYS_THINKING: Final = frozenset(("fable", "mythos"))


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """thinking: `budget` wants a number of tokens, `both` takes a number or decides itself, `adaptive` only decides
    itself, `none` has none. always_thinking: it cannot be switched off. efforts: the levels it knows, () where it
    knows none. sampling: it takes temperature, top_p, top_k; one_of_sampling: not temperature and top_p together.
    structured: it has `output_config.format` and strict tools. system_turns: it takes `system` after a user turn.
    prefill: a conversation may end with the assistant's words. display: `thinking.display` is known."""

    thinking: Literal["none", "budget", "both", "adaptive"]
    always_thinking: bool = False
    efforts: tuple[str, ...] = ()
    sampling: bool = True
    one_of_sampling: bool = False
    structured: bool = False
    system_turns: bool = False
    prefill: bool = True
    display: bool = False


@lru_cache(maxsize=512)
def traits_of(model: str, provider: str) -> Traits:
    """model: as the provider is asked for it (`claude-opus-4-8`, `eu.anthropic.claude-sonnet-4-5-20250929-v1:0`)."""
    match = _NAME.search(model.lower())
    if match is None:
        own = provider in ("", "anthropic") or "claude" in model.lower()
        return _of("", _NEWEST) if own else _of("", _OLDEST)
    return _of(match["family"] or "", (int(match["major"]), int(match["minor"] or 0)))


def _of(family: str, version: tuple[int, int]) -> Traits:
    newest = version >= (4, 7)
    thinking: Literal["none", "budget", "both", "adaptive"] = "none"
    if newest:
        thinking = "adaptive"
    elif version >= (4, 6):
        thinking = "both"
    elif version >= (3, 7):
        thinking = "budget"
    efforts: tuple[str, ...] = ()
    if newest:
        efforts = ("low", "medium", "high", "xhigh", "max")
    elif version >= (4, 6):
        efforts = ("low", "medium", "high", "max")
    elif version >= (4, 5) and family == "opus":
        efforts = ("low", "medium", "high")
    return Traits(
        thinking=thinking,
        always_thinking=family in _ALWAYS_THINKING,
        efforts=efforts,
        sampling=not newest,
        one_of_sampling=version >= (4, 1),
        structured=version >= (4, 5) or (family == "opus" and version >= (4, 1)),
        system_turns=version >= (4, 8),
        prefill=version < (4, 6),
        display=version >= (4, 6),
    )
