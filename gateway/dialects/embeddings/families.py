"""Whose words a model at OpenAI's paths takes: Voyage, Jina and Mistral have their own for some members.

Sources: docs.voyageai.com/reference/embeddings-api and reranker-api; jina.ai/embeddings and api.jina.ai/docs;
docs.mistral.ai/api (embeddings); 2026-11. Names decide, for such a model is asked in the same words wherever it is.
"""

from __future__ import annotations

from typing import Literal

Family = Literal["openai", "voyage", "jina", "mistral"]

_VOYAGE = ("voyage-", "rerank-1", "rerank-2", "rerank-lite-")
_JINA = ("jina-",)
_MISTRAL = ("mistral-embed", "codestral-embed")


def family_of(model: str) -> Family:
    """The family of a bare model name. A name with a slash is an aggregator's, who speaks as OpenAI does."""
    if model.startswith(_VOYAGE):
        return "voyage"
    if model.startswith(_JINA):
        return "jina"
    if model.startswith(_MISTRAL):
        return "mistral"
    return "openai"
