from __future__ import annotations

import msgspec
import pytest

from gateway.core.usage import Usage
from gateway.dialects.canonical import Citation
from gateway.dialects.openai_figures import chat_usage, responses_usage, usage_of, write_citation
from gateway.dialects.tokens import OpenAIUsage, of_openai


@pytest.mark.parametrize("raw", [b"", b"null", b"7", b'{"prompt_tokens":"x"}', b'{"prompt_tokens":-1}'])
def test_usage_that_cannot_be_read_is_not_known(raw: bytes) -> None:
    assert usage_of(msgspec.Raw(raw)) is None


def test_usage_is_read_as_it_was_written() -> None:
    usage = Usage(100, 50, cached=20, cache_write_5m=5, cache_write_1h=7, reasoning=30)
    for written in (chat_usage(usage), responses_usage(usage)):
        assert of_openai(msgspec.convert(msgspec.to_builtins(written), OpenAIUsage)) == usage


@pytest.mark.parametrize(
    ("citation", "span"),
    [
        (Citation(url="u"), (10, 20)),
        (Citation(url="u", start=2, end=5), (12, 15)),
        (Citation(url="u", start=5, end=-1), (15, 15)),
    ],
)
def test_where_a_citation_stands(citation: Citation, span: tuple[int, int]) -> None:
    written = write_citation(citation, 10, 20)
    assert (written.start_index, written.end_index) == span
