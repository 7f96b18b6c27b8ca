"""Offsets in bytes and in characters."""

from __future__ import annotations

import pytest

from gateway.dialects.canonical import Citation
from gateway.dialects.gemini import wire
from gateway.dialects.gemini.grounding import Meter, citations_of, metadata_of


@pytest.mark.parametrize("pieces", [["plain"], ["Zü", "rich"], ["plain, ", "Zürich"], ["日本", "語 a"]])
def test_offsets_go_there_and_back(pieces: list[str]) -> None:
    meter = Meter()
    for piece in pieces:
        meter.add(piece)
    text = "".join(pieces)
    for at in range(len(text) + 1):
        offset = len(text[:at].encode())
        assert (meter.characters(offset), meter.bytes(at)) == (at, offset)
    assert meter.characters(10_000) == len(text)


def test_a_text_of_any_length_is_not_kept() -> None:
    meter = Meter()
    for _ in range(70):
        meter.add("ä" * 4096)
    assert meter.characters(2) == -1
    assert meter.bytes(2) == -1
    source = wire.CitationSource(start_index=0, end_index=2, uri="https://a")
    candidate = wire.Candidate(citation_metadata=wire.CitationMetadata(citations=[source]))
    assert citations_of(candidate, meter) == [Citation(url="https://a")]
    assert metadata_of([Citation(url="https://a", start=0, end=1)], meter) == wire.GroundingMetadata(
        grounding_chunks=[wire.GroundingChunk(web=wire.Source("https://a"))]
    )


def test_a_long_plain_text_costs_nothing() -> None:
    meter = Meter()
    for _ in range(70):
        meter.add("a" * 4096)
    assert meter.characters(280_000) == 280_000


def test_each_source_is_written_once() -> None:
    meter = Meter()
    meter.add("abcdef")
    cited = [Citation(url="https://a", start=0, end=2), Citation(url="https://a", start=3, end=4)]
    found = metadata_of(cited, meter)
    assert found is not None
    assert found.grounding_chunks is not None
    assert len(found.grounding_chunks) == 1
    assert metadata_of([], meter) is None
