"""What a caller may use: which models and which providers.

Only lists and their meaning live here; who the caller is and what it is told stand in the pipeline. Law: a list
that is there admits nothing that it does not name, a request that names no model included.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec


class Access(msgspec.Struct, frozen=True):
    """The lists of one caller. models: patterns such as `gpt-4o*`, None for every model. providers: names, None for
    every provider. known: the providers that may stand before a model's name, as in `openai/gpt-4o`."""

    models: tuple[str, ...] | None = None
    providers: frozenset[str] | None = None
    known: frozenset[str] = frozenset()

    def admits_model(self, model: str) -> bool:
        """Whether a name, as the client writes it, is on the list: as a whole, or below the provider in front of it."""
        patterns = self.models
        if patterns is None:
            return True
        if any(fnmatchcase(model, pattern) for pattern in patterns):
            return True
        provider, slash, bare = model.partition("/")
        return bool(slash) and provider in self.known and any(fnmatchcase(bare, pattern) for pattern in patterns)

    def admits_provider(self, provider: str) -> bool:
        return self.providers is None or provider in self.providers
