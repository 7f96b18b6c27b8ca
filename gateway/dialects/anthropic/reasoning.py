"""How much a model is to think, in the words of the Claude model that is asked.

Lives here: from effort or budget to `thinking` and `output_config.effort`, and what thinking forbids beside it. Which
model takes what stands in models.py.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.anthropic.models import Traits
from gateway.dialects.anthropic.seal import OWN
from gateway.dialects.canonical import Effort, Loss, Message, Reasoning, Thinking, ToolResult, ToolUse

DEFAULT_MAX_TOKENS: Final = 8192
"""Written where the client said nothing and nothing is known of the model: Anthropic demands a number."""

_LEAST_BUDGET: Final = 1024
_ANSWER: Final = 4096
"""Tokens left for the answer where both numbers are chosen here."""

BUDGETS: Final[dict[Effort, int]] = {
    "none": 0,
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "max": 32768,
}
_LEVELS: Final[dict[Effort, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "max",
}


class Thought(msgspec.Struct, kw_only=True):
    """What is written. thinking: the object, None to leave it out. on: the model will think as the request says."""

    thinking: dict[str, object] | None = None
    effort: str = ""
    max_tokens: int = 0
    on: bool = False


def effort_of(budget: int) -> Effort:
    """The level that a number of tokens comes to."""
    if budget == 0:
        return "none"
    return next((level for level, tokens in BUDGETS.items() if tokens and budget <= tokens), "max")


def lacks_thoughts(messages: tuple[Message, ...]) -> bool:
    """Whether the model stands in a round of tools whose first turn has lost its thoughts. A model that is given a
    number of tokens for thinking refuses that."""
    for message in reversed(messages):
        if message.role == "assistant":
            first = message.parts[0] if message.parts else None
            thought = isinstance(first, Thinking) and first.vendor == OWN and bool(first.signature or first.redacted)
            return not thought and any(isinstance(part, ToolUse) for part in message.parts)
        if not any(isinstance(part, ToolResult) for part in message.parts):
            return False
    return False


def think(
    reasoning: Reasoning | None, traits: Traits, max_tokens: int | None, limit: int, losses: list[Loss]
) -> Thought:
    """max_tokens: what the client asked for. limit: what the model can give, 0 where not known."""
    default = limit or DEFAULT_MAX_TOKENS
    plain = Thought(max_tokens=default if max_tokens is None else max_tokens)
    if reasoning is None:
        return plain
    if traits.thinking == "none":
        if reasoning.effort != "none" and reasoning.budget != 0:
            losses.append(Loss("reasoning", "hint", "the model does not think"))
        return plain
    if reasoning.effort == "none" or reasoning.budget == 0:
        if traits.always_thinking:
            losses.append(Loss("reasoning", "changed", "this model always thinks"))
        elif traits.thinking == "adaptive":
            plain.thinking = {"type": "disabled"}
        return plain
    if traits.thinking == "budget":
        return _by_budget(reasoning, traits, max_tokens, limit, losses, plain)
    if traits.thinking == "both" and reasoning.budget is not None and reasoning.budget > 0:
        return _by_budget(reasoning, traits, max_tokens, limit, losses, plain)
    return _adaptive(reasoning, traits, losses, plain)


def _adaptive(reasoning: Reasoning, traits: Traits, losses: list[Loss], plain: Thought) -> Thought:
    effort, budget = reasoning.effort, reasoning.budget
    if effort is not None:
        plain.effort = _level(effort, traits, losses)
    elif budget is not None and budget > 0:
        plain.effort = _level(effort_of(budget), traits, losses)
        losses.append(Loss("reasoning.budget", "changed", f"{budget} tokens of thinking -> effort {plain.effort}"))
    plain.thinking = {"type": "adaptive", **_display(reasoning, traits)}
    plain.on = True
    return plain


def _by_budget(
    reasoning: Reasoning, traits: Traits, max_tokens: int | None, limit: int, losses: list[Loss], plain: Thought
) -> Thought:
    asked = reasoning.budget if reasoning.budget is not None and reasoning.budget > 0 else None
    budget = asked if asked is not None else BUDGETS[reasoning.effort or "medium"]
    if asked is None and reasoning.budget == -1:
        losses.append(Loss("reasoning", "changed", f"the model's own choice -> {budget} tokens of thinking"))
    room = max_tokens if max_tokens is not None else limit or max(DEFAULT_MAX_TOKENS, budget + _ANSWER)
    kept = max(budget, _LEAST_BUDGET)
    if kept >= room:
        # Thinking counts against max_tokens: half is left for the answer.
        kept = room // 2
    if kept < _LEAST_BUDGET:
        losses.append(Loss("reasoning", "changed", f"max_tokens {room} leaves no room for thinking"))
        return plain
    if asked is not None and kept != asked:
        losses.append(Loss("reasoning.budget", "changed", f"{asked} -> {kept}"))
    plain.thinking = {"type": "enabled", "budget_tokens": kept, **_display(reasoning, traits)}
    plain.max_tokens = room
    plain.on = True
    if traits.efforts and reasoning.effort is not None:
        plain.effort = _level(reasoning.effort, traits, losses)
    return plain


def _display(reasoning: Reasoning, traits: Traits) -> dict[str, object]:
    if reasoning.visible is None or not traits.display:
        return {}
    return {"display": "summarized" if reasoning.visible else "omitted"}


def _level(effort: Effort, traits: Traits, losses: list[Loss]) -> str:
    level = _LEVELS[effort]
    if level in traits.efforts:
        return level
    losses.append(Loss("reasoning.effort", "changed", f"{level} -> {traits.efforts[-1]}"))
    return traits.efforts[-1]
