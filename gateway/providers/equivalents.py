"""Which models of other vendors may stand in for one, unless routers.yaml says otherwise.

Lives here: a table and the question asked of it. Models are of one class when their vendors sell them for about the
same (dollars per million output tokens, list prices of PyPI genai-prices 0.2.3) and for the same work: chat, with
tools. Nothing that answers in embeddings, images or sound is in it, for nothing can stand in for those. Reviewed
2026-11-21; a name that leaves the catalog must leave this table (a test says so).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from gateway.providers.catalog import CATALOG, detect, find_model

Class = Mapping[str, tuple[str, ...]]
"""Provider -> its models of this class. The first stands in for models of other vendors."""

LARGEST: Final[Class] = {
    "openai": ("gpt-5.6-sol", "gpt-5.6", "gpt-6-astra", "gpt-5.5", "chat-latest"),
    "anthropic": (
        "claude-opus-5-5", "claude-opus-5", "claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6",
        "claude-opus-4-5", "claude-fable-5-2", "claude-fable-5-1", "claude-fable-5",
    ),
    "gemini": ("gemini-4-argon",),
    "moonshot": ("kimi-k3.1-pro-highspeed",),
}  # fmt: skip
"""20 to 50."""

LARGE: Final[Class] = {
    "openai": (
        "gpt-6.1-sol", "gpt-6-sol", "gpt-5.6-terra", "gpt-5.4", "gpt-5.3-codex", "gpt-5.2", "gpt-5.1", "gpt-5",
        "gpt-4.1", "gpt-4o", "o3",
    ),
    "anthropic": ("claude-sonnet-5-5", "claude-sonnet-5", "claude-sonnet-4-6", "claude-sonnet-4-5"),
    "gemini": (
        "gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.6-flash", "gemini-3.5-flash", "gemini-flash-latest",
        "gemini-3.1-pro-preview", "gemini-pro-latest", "gemini-2.5-pro",
    ),
    "mistral": ("mistral-medium-latest", "mistral-medium-3-5", "mistral-large-latest"),
    "xai": ("grok-4.7", "grok-4.6", "grok-4.5"),
    "moonshot": ("kimi-k3.1-pro", "kimi-k3"),
    "cohere": ("command-a-plus-05-2026", "command-a-03-2025", "command-r-plus-08-2024"),
}  # fmt: skip
"""6 to 15."""

SMALL: Final[Class] = {
    "openai": ("gpt-6.1-terra", "gpt-5.4-mini", "gpt-5-mini", "gpt-4.1-mini"),
    "anthropic": ("claude-haiku-4-5",),
    "gemini": ("gemini-3.5-flash-lite", "gemini-flash-lite-latest", "gemini-3-flash-preview", "gemini-2.5-flash"),
    "mistral": ("mistral-large-4", "mistral-large-4-0"),
    "xai": ("grok-4.3", "grok-4.20"),
    "moonshot": ("kimi-k2.6", "kimi-k2.7-code"),
    "deepseek": ("deepseek-v4-pro",),
}
"""1.5 to 5."""

SMALLEST: Final[Class] = {
    "openai": ("gpt-6-luna", "gpt-5.6-luna", "gpt-5.4-nano", "gpt-5-nano", "gpt-4o-mini"),
    "anthropic": ("claude-haiku-5-5",),
    "gemini": ("gemini-2.5-flash-lite", "gemini-3.1-flash-lite"),
    "mistral": ("mistral-small-latest", "mistral-small-2603"),
    "deepseek": ("deepseek-flash", "deepseek-v4-flash"),
    "cohere": ("command-r-08-2024", "command-r7b-12-2024"),
}
"""Less."""

CLASSES: Final = (LARGEST, LARGE, SMALL, SMALLEST)

_CLASS_OF: Final = {name: class_ for class_ in CLASSES for names in class_.values() for name in names}


@lru_cache(2048)
def equivalents(model: str) -> tuple[str, ...]:
    """What may stand in for a model elsewhere, one model of each vendor's. A dated pin is as the name it is of; () for
    a name that is in no class."""
    class_ = _CLASS_OF.get(model)
    if class_ is None:
        known = next((found for owner in detect(model) if (found := find_model(CATALOG[owner], model))), None)
        class_ = _CLASS_OF.get(known.name) if known is not None else None
    if class_ is None:
        return ()
    return tuple(names[0] for names in class_.values())
