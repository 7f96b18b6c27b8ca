"""How much an OpenAI model is to think, and how it chooses the next token: what its two formats of chat share.

Lives here: effort levels, limits, and which models take no sampling parameters at all. What is clamped or dropped is
in the losses.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.dialects.canonical import (
    Effort,
    Loss,
    Reasoning,
    Sampling,
    TargetFacts,
)
from gateway.dialects.fitting import clamped

EFFORTS: Final[dict[str, Effort]] = {
    "none": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}
"""OpenAI's levels. `xhigh` is the highest that most of its models know."""

_WRITTEN_EFFORT: Final[dict[Effort, str]] = {"max": "xhigh"}

# OpenAI's own models that think before they answer: they take no sampling parameters, and count their thoughts in
# `max_completion_tokens` alone.
_THINKS: Final = re.compile(r"(?:^|/)(?:o[1-9](?:-|$)|gpt-(?:[5-9]|[1-9][0-9])(?!.*chat))")

TOP_LOGPROBS: Final = 20


def takes_no_sampling(facts: TargetFacts) -> bool:
    """Whether the model is one of OpenAI's that think, which refuse sampling parameters."""
    return facts.reasoning is not False and _THINKS.search(facts.model) is not None


def effort_of(reasoning: Reasoning, facts: TargetFacts, losses: list[Loss]) -> str:
    """The level to write, `` for none; a number of tokens is told as the level it comes to."""
    effort, budget = reasoning.effort, reasoning.budget
    if effort is None and budget is not None and budget >= 0:
        effort = "none" if budget == 0 else "low" if budget <= 2048 else "medium" if budget <= 8192 else "high"
        if budget and facts.reasoning is not False:
            losses.append(Loss("reasoning.budget", "changed", f"{budget} tokens of thinking -> effort {effort}"))
    if effort is None:
        return ""
    if facts.reasoning is False:
        if effort != "none":
            losses.append(Loss("reasoning", "hint", "the model does not think"))
        return ""
    return _WRITTEN_EFFORT.get(effort, effort)


def settle_sampling(sampling: Sampling, facts: TargetFacts, losses: list[Loss]) -> Sampling:
    """What is left of the sampling parameters for an OpenAI model: clamped, or dropped where it refuses them."""
    if takes_no_sampling(facts):
        return _without_sampling(sampling, losses)
    return Sampling(
        temperature=clamped("temperature", sampling.temperature, 0.0, 2.0, losses),
        top_p=clamped("top_p", sampling.top_p, 0.0, 1.0, losses),
        top_k=sampling.top_k,
        frequency_penalty=clamped("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0, losses),
        presence_penalty=clamped("presence_penalty", sampling.presence_penalty, -2.0, 2.0, losses),
        seed=sampling.seed,
        logprobs=_logprobs(sampling.logprobs, losses),
    )


def _logprobs(wanted: int | None, losses: list[Loss]) -> int | None:
    if wanted is None or 0 <= wanted <= TOP_LOGPROBS:
        return wanted
    kept = min(max(wanted, 0), TOP_LOGPROBS)
    losses.append(Loss("top_logprobs", "changed", f"{wanted} -> {kept}"))
    return kept


def _without_sampling(sampling: Sampling, losses: list[Loss]) -> Sampling:
    for name, value, usual in (
        ("temperature", sampling.temperature, 1.0),
        ("top_p", sampling.top_p, 1.0),
        ("frequency_penalty", sampling.frequency_penalty, 0.0),
        ("presence_penalty", sampling.presence_penalty, 0.0),
    ):
        if value is not None and value != usual:
            losses.append(Loss(name, "changed", f"{name} {value:g} -> {usual:g}: the model takes no other"))
    if sampling.logprobs is not None:
        losses.append(Loss("logprobs", "hint", "the model has none"))
    return Sampling(top_k=sampling.top_k, seed=sampling.seed)
