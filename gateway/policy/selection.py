"""Why there is no target to choose.

Lives here: the reason for which each target was passed over, and the sentence that tells them to a client. Must not:
name a key or an address. Law: the sentence is short whatever the length of the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final, Literal, assert_never

import msgspec

Reason = Literal[
    "breaker-open", "no-key", "keys-cooling", "keys-limited", "cannot-serve-operation", "cannot-serve-model", "dialect",
    "disabled", "already-tried", "context-too-small", "cannot-carry", "not-allowed",
]  # fmt: skip

_MOST: Final = 8


class Refusal(msgspec.Struct, frozen=True):
    """A target that was passed over. model: `` where none is named. retry_in: seconds until it may be otherwise, None
    where time changes nothing. keys: how many keys its pool has, 0 for not said. feature: what of the request
    it cannot carry, or ``."""

    provider: str
    model: str
    reason: Reason
    retry_in: float | None = None
    keys: int = 0
    feature: str = ""


def explain(refusals: Sequence[Refusal]) -> str:
    """`openai: all 2 keys cooling, next in 12 s; anthropic: breaker open, probe in 8 s`. Seconds are rounded up; a
    target is named with its model where its provider is there with several. In a long list, those that do not serve
    the model are only counted: where every provider is listed, they hide the one that matters."""
    if not refusals:
        return "no target is configured"
    others = 0
    if len(refusals) > _MOST:
        said = [refusal for refusal in refusals if refusal.reason != "cannot-serve-model"]
        others = len(refusals) - len(said) if said else 0
        refusals = said or refusals
    models: dict[str, set[str]] = {}
    for refusal in refusals:
        models.setdefault(refusal.provider, set()).add(refusal.model)
    parts = dict.fromkeys(
        f"{_label(refusal, len(models[refusal.provider]) > 1)}: {in_words(refusal)}" for refusal in refusals
    )
    listed = list(parts)[:_MOST]
    if len(parts) > _MOST:
        listed.append(f"and {len(parts) - _MOST} more")
    if others:
        listed.append(f"{others} {'others do' if others > 1 else 'other does'} not serve this model")
    return "; ".join(listed)


def soonest(refusals: Sequence[Refusal]) -> float | None:
    """Seconds until the first of them may be otherwise, or None if time changes nothing."""
    return min((refusal.retry_in for refusal in refusals if refusal.retry_in is not None), default=None)


def _label(refusal: Refusal, with_model: bool) -> str:
    return f"{refusal.provider}/{refusal.model}" if with_model and refusal.model else refusal.provider


def in_words(refusal: Refusal) -> str:
    """Why this one was passed over: `breaker open, probe in 8 s`."""
    match refusal.reason:
        case "breaker-open":
            if refusal.retry_in is None:
                return "breaker open"
            return f"breaker open, probe in {_seconds(refusal.retry_in)}" if refusal.retry_in > 0 else "probe under way"
        case "keys-cooling":
            return _of_keys(refusal, "cooling")
        case "keys-limited":
            return _of_keys(refusal, "at its limit" if refusal.keys == 1 else "at their limits")
        case "no-key":
            return "no key"
        case "cannot-serve-operation":
            return "does not serve this operation"
        case "cannot-serve-model":
            return "does not serve this model"
        case "dialect":
            return "speaks another dialect"
        case "disabled":
            return "disabled"
        case "not-allowed":
            return "not among the caller's providers"
        case "already-tried":
            return "already tried"
        case "context-too-small":
            return "context too small"
        case "cannot-carry":
            return f"cannot carry {refusal.feature}" if refusal.feature else "cannot carry this request"
        case _:
            assert_never(refusal.reason)


def _of_keys(refusal: Refusal, what: str) -> str:
    keys = {0: "all keys", 1: "its key"}.get(refusal.keys, f"all {refusal.keys} keys")
    return f"{keys} {what}" if refusal.retry_in is None else f"{keys} {what}, next in {_seconds(refusal.retry_in)}"


def _seconds(seconds: float) -> str:
    # To the millisecond first: the difference of two clock times is rarely a round number.
    return f"{max(ceil(round(seconds, 3)), 0)} s"
