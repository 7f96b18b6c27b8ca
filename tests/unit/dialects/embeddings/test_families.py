from __future__ import annotations

import pytest

from gateway.dialects.embeddings.families import family_of


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("text-embedding-3-small", "openai"),
        ("voyage-3.5-lite", "voyage"),
        ("rerank-2.5", "voyage"),
        ("rerank-lite-1", "voyage"),
        ("rerank-v3.5", "openai"),
        ("jina-embeddings-v4", "jina"),
        ("mistral-embed", "mistral"),
        ("codestral-embed-2505", "mistral"),
        ("mistralai/mistral-embed", "openai"),
        ("", "openai"),
    ],
)
def test_a_name_tells_whose_words_are_due(model: str, family: str) -> None:
    assert family_of(model) == family
