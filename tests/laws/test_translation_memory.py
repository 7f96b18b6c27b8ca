"""Memory while a stream is translated does not grow with its length.

A client of Responses is the exception that its format demands: the last event repeats the whole answer, so that is
held, and nothing beside it.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from gateway.dialects import anthropic, gemini, openai_chat, openai_responses
from gateway.dialects.canonical import Delta, Echo, End, Event, Finish, PartEnd, PartStart, Start, Text
from gateway.dialects.codec import Codec
from gateway.dialects.translate import StreamTranslation

ECHO = Echo(id="id", model="m", created=1)
CODECS: dict[str, Codec] = {
    codec.name: codec for codec in (openai_chat.CODEC, openai_responses.CODEC, anthropic.CODEC, gemini.CODEC)
}
PAIRS = [(client, provider) for client in CODECS for provider in CODECS if client != provider]
WORD = "word "
FEW, MANY = 500, 8000
SLACK = 64 * 1024
"""Bytes by which a run may differ from another of the same length."""


def chunks(provider: Codec, words: int) -> Iterator[bytes]:
    """The provider's stream of so many pieces, made as it is asked for."""
    writer = provider.stream_writer(ECHO)
    yield writer.write([Start(id="1", model="m"), PartStart(0, Text(text=""))])
    for _ in range(words):
        yield writer.write([Delta(0, WORD)])
    last: list[Event] = [PartEnd(0), Finish(), End()]
    yield writer.write(last)


def held(client: Codec, provider: Codec, words: int) -> int:
    """Bytes that the translation holds just before the stream's end."""
    source = list(chunks(provider, words))
    translation = StreamTranslation("openai", provider.stream_reader([]), client, ECHO)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for chunk in source[:-1]:
            translation.feed(chunk)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    rest = translation.feed(source[-1]) + translation.end()
    assert translation.complete
    assert rest
    return grown


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_what_is_held_does_not_grow_with_the_stream(client: str, provider: str) -> None:
    held(CODECS[client], CODECS[provider], 10)
    few, many = (held(CODECS[client], CODECS[provider], words) for words in (FEW, MANY))
    # An answer that is repeated at the end is held as its pieces, each of which is an object.
    repeated = (MANY - FEW) * 80 if client == "openai-responses" else 0
    assert many - few <= SLACK + repeated
