"""Chunks cut anywhere become the elements of a JSON array."""

from __future__ import annotations

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.elements import Elements

values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(['"', "\\", '\\"{', "]}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
objects = st.lists(st.dictionaries(st.text(max_size=3), values, max_size=3), max_size=4)


@given(objects, st.sampled_from([None, 0, 2]), st.lists(st.integers(0), max_size=8))
def test_every_element_is_found_however_it_was_cut(found: list[object], indent: int | None, places: list[int]) -> None:
    array = json.dumps(found, indent=indent).encode()
    bounds = sorted({0, len(array), *(place % (len(array) + 1) for place in places)})
    elements = Elements()
    pieces = [one for start, end in itertools.pairwise(bounds) for one in elements.feed(array[start:end])]
    assert [json.loads(piece) for piece in pieces] == found


def test_an_element_is_found_as_soon_as_it_is_whole() -> None:
    elements = Elements()
    assert elements.feed(b'[{"a": "}') == []
    assert elements.feed(b'"}') == [b'{"a": "}"}']
    assert elements.feed(b',\r\n{"b": {}}, {') == [b'{"b": {}}']
    assert elements.feed(b"}]") == [b"{}"]


def test_an_object_that_stands_alone_is_an_element() -> None:
    assert Elements().feed(b'{"error": {}}') == [b'{"error": {}}']
