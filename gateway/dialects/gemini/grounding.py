"""What an answer rests on: Gemini's grounding and citation metadata, and the canonical citations.

Gemini counts bytes of UTF-8, the canonical form characters. In ASCII they are the same; other text is kept, up to a
bound, until its citations have come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.dialects.canonical import Citation
from gateway.dialects.gemini import wire

_KEPT: Final = 256 * 1024
"""Characters of one text that are kept to convert offsets; citations of longer ones come without their place."""


class Meter:
    """The text so far, as far as it takes to turn offsets in bytes into those in characters and back."""

    __slots__ = ("_ascii", "_kept", "_pieces", "_size")

    def __init__(self) -> None:
        self._ascii = True
        self._size = 0
        self._pieces: list[str] = []
        self._kept = 0

    def add(self, text: str) -> None:
        if self._ascii and text.isascii():
            self._size += len(text)
            return
        if self._ascii:
            # What came before is as many characters as bytes, whatever they were.
            self._ascii = False
            self._pieces = [" " * self._size] if self._size <= _KEPT else []
            self._kept = self._size
        self._kept += len(text)
        if self._kept <= _KEPT:
            self._pieces.append(text)

    def characters(self, offset: int) -> int:
        """The character at this byte, -1 where it is not known."""
        if self._ascii:
            return min(offset, self._size)
        if self._kept > _KEPT:
            return -1
        return len("".join(self._pieces).encode("utf-8", "replace")[:offset].decode("utf-8", "ignore"))

    def bytes(self, offset: int) -> int:
        """The byte at which this character begins, -1 where it is not known."""
        if self._ascii:
            return min(offset, self._size)
        return -1 if self._kept > _KEPT else len("".join(self._pieces)[:offset].encode("utf-8", "replace"))


def citations_of(candidate: wire.Candidate, meter: Meter) -> list[Citation]:
    """The citations of a candidate, their offsets in characters of its text."""
    found: list[Citation] = []
    grounding = candidate.grounding_metadata
    if grounding is not None:
        found += _grounded(grounding, meter)
    cited = candidate.citation_metadata
    if cited is not None:
        for source in cited.citations or cited.citation_sources or ():
            start, end = _characters(source.start_index, source.end_index, meter)
            found.append(Citation(url=source.uri or "", title=source.title or "", start=start, end=end))
    return found


def _grounded(grounding: wire.GroundingMetadata, meter: Meter) -> Iterable[Citation]:
    chunks = grounding.grounding_chunks or []
    cited: set[int] = set()
    for support in grounding.grounding_supports or ():
        segment = support.segment
        start, end = (-1, -1) if segment is None else _characters(segment.start_index, segment.end_index, meter)
        for number in support.grounding_chunk_indices or ():
            if 0 <= number < len(chunks):
                cited.add(number)
                yield _citation(chunks[number], start, end)
    for number, chunk in enumerate(chunks):
        if number not in cited:
            yield _citation(chunk, -1, -1)


def _citation(chunk: wire.GroundingChunk, start: int, end: int) -> Citation:
    source = chunk.web or chunk.retrieved_context or chunk.maps or wire.Source()
    return Citation(url=source.uri or "", title=source.title or "", quote=source.text or "", start=start, end=end)


def _characters(start: int | None, end: int | None, meter: Meter) -> tuple[int, int]:
    if end is None or end < 0:
        return -1, -1
    first, last = meter.characters(max(start or 0, 0)), meter.characters(end)
    return (first, last) if first >= 0 and last >= 0 else (-1, -1)


def metadata_of(citations: list[Citation], meter: Meter) -> wire.GroundingMetadata | None:
    """The citations as grounding; each source once."""
    if not citations:
        return None
    chunks: list[wire.GroundingChunk] = []
    numbers: dict[tuple[str, str, str], int] = {}
    supports: list[wire.GroundingSupport] = []
    for citation in citations:
        key = (citation.url, citation.title, citation.quote)
        number = numbers.get(key)
        if number is None:
            number = numbers[key] = len(chunks)
            source = wire.Source(citation.url or None, citation.title or None, citation.quote or None)
            chunks.append(
                wire.GroundingChunk(retrieved_context=source) if citation.quote else wire.GroundingChunk(web=source)
            )
        if citation.start >= 0 and citation.end >= 0:
            start, end = meter.bytes(citation.start), meter.bytes(citation.end)
            if start >= 0 and end >= 0:
                supports.append(wire.GroundingSupport(wire.Segment(start_index=start, end_index=end), [number]))
    return wire.GroundingMetadata(chunks, supports or None)
