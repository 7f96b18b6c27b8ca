"""Who takes what beside OpenAI's own members, by the provider's name in the catalog.

Facts of November 2026, from the providers' references. A provider that is not named takes what OpenAI takes.
"""

from __future__ import annotations

from typing import Final

OPENAI: Final = frozenset(("", "openai", "azure"))
"""OpenAI's own endpoint, or one that is not known to differ."""

KEEPS_CACHE_MARKS: Final = frozenset(("openrouter",))
"""Those that pass `cache_control` on to Anthropic's models; OpenAI refuses the member."""

TAKES_TOP_K: Final = frozenset(
    ("openrouter", "vllm", "together", "fireworks", "deepinfra", "novita", "nebius", "hyperbolic", "lmstudio", "ollama")
)

MAKES_IMAGES: Final = frozenset(("openrouter",))

WANTS_THOUGHTS: Final = frozenset(("deepseek", "moonshot", "zhipu", "minimax", "qwen", "vllm"))
"""Those that want `reasoning_content` back in a turn that called tools, and go on thinking from there."""

WANTS_DETAILS: Final = frozenset(("openrouter",))
"""Those that want `reasoning_details` back."""
