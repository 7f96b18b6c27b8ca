"""Laws of a stream that is translated, for every client before every provider of another dialect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from gateway.core.errors import UpstreamFault
from gateway.dialects.canonical import Echo, TargetFacts
from gateway.dialects.formats import ROWS, Format
from gateway.dialects.sniff import read_call
from gateway.dialects.translate import StreamTranslation, Translation, Way, read, write
from tests.support.speakers import CLIENTS, PROVIDERS, Client, Provider

BY_CODEC = {row.codec.name: row for row in ROWS if not row.counts}
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
"""Each example is played with every provider: to draw one takes longer than to translate it."""
WORDS = ("Hel", "lo ", "wörld \u2603", "{}", "\n\n")


def providers_for(client: Client) -> Iterator[Provider]:
    for provider in PROVIDERS:
        if client.name != provider.name:
            note(f"{client.name} to {provider.name}")
            yield provider


def format_of(name: str) -> Format:
    return BY_CODEC[name.removesuffix("-native")]


def way(client: Client, provider: Provider) -> Way:
    return Way(format_of(client.name), format_of(provider.name), TargetFacts(model="m-1"), ask_usage=True)


def translation(client: Client, provider: Provider) -> Translation:
    path, _, query = client.path("m-1", True).partition("?")
    body = json.dumps(client.ask("m-1", stream=True)).encode()
    call = read_call("POST", path, query.encode(), b"application/json", body)
    between = way(client, provider)
    return Translation(between, write(between, read(between, body, call)), Echo(id="r-1", model="m-1", created=1))


def played(stream: StreamTranslation, chunks: list[bytes]) -> bytes:
    out = b""
    for chunk in chunks:
        if stream.fault is None:
            out += stream.feed(chunk)
    return out + stream.end()


def cut_at(raw: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(raw) + 1) for place in places), len(raw)]
    return [raw[start:end] for start, end in pairwise(edges)]


@each_client
@given(places=st.lists(st.integers(0, 10_000), max_size=12))
def test_how_the_bytes_are_cut_changes_nothing(client: Client, places: list[int]) -> None:
    for provider in providers_for(client):
        made = translation(client, provider)
        raw = b"".join(provider.stream(WORDS))
        whole, pieces = made.stream([]), made.stream([])
        expected = played(whole, [raw])
        got = played(pieces, cut_at(raw, places))
        # How the words are grouped into events may follow the chunks; what they say may not.
        assert client.streamed_text(got) == client.streamed_text(expected) == "".join(WORDS)
        assert client.complete(got)
        facts = [(s.complete, s.started, s.fault, s.usage, s.model) for s in (whole, pieces)]
        assert facts[0] == facts[1]
        assert whole.complete


@each_client
@given(place=st.integers(0, 10_000), places=st.lists(st.integers(0, 10_000), max_size=4))
def test_a_stream_that_is_cut_never_looks_complete(client: Client, place: int, places: list[int]) -> None:
    for provider in providers_for(client):
        raw = b"".join(provider.stream(WORDS))
        kept = raw[: place % len(raw)]
        stream = translation(client, provider).stream([])
        out = played(stream, cut_at(kept, places))
        said = client.streamed_text(out)
        assert "".join(WORDS).startswith(said)
        if stream.complete:
            # Nothing but what follows the dialect's end was cut off.
            assert said == "".join(WORDS)
        else:
            assert not client.complete(out)


@each_client
@given(raw=st.binary(max_size=300), at=st.integers(0, 10_000))
def test_noise_in_a_stream_is_a_fault_or_nothing(client: Client, raw: bytes, at: int) -> None:
    for provider in providers_for(client):
        good = b"".join(provider.stream(WORDS))
        place = at % len(good)
        stream = translation(client, provider).stream([])
        # Anything else that is raised fails the test.
        with suppress(UpstreamFault):
            played(stream, [good[:place], raw, good[place:]])
