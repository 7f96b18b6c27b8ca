"""Slots, and the map of a cluster as its nodes tell it."""

from __future__ import annotations

import pytest

from gateway.store import cluster_link
from gateway.store.cluster_link import SLOTS, slot_of
from gateway.store.protocol import StoreDown


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        ("foo", 12182),
        (b"bar", 5061),
        ("", 0),
        ("123456789", 12739),
        ("{foo}bar", 12182),
        ("x{foo}{bar}", 12182),
        ("x{{foo}}", slot_of("{foo")),
    ],
)
def test_a_key_is_in_the_slot_that_the_specification_says(key: str | bytes, slot: int) -> None:
    assert slot_of(key) == slot


@pytest.mark.parametrize("key", ["foo{}{bar}", "foo{bar", "foo}bar{"])
def test_without_a_text_in_braces_the_whole_key_counts(key: str) -> None:
    assert slot_of(key) == slot_of(key.encode())
    assert slot_of(key) not in (slot_of("bar"), slot_of("foo"))


def test_a_map_names_the_primary_of_each_range() -> None:
    reply = [
        [0, 9, [b"h", 1, b"id", []], [b"replica", 2, b"id"]],
        [10, SLOTS - 1, [b"", 3, b"id"]],
        [20, 30, [b"h", 1, b"id"]],
    ]
    assert cluster_link._owned(reply, "asked") == {("h", 1): [(0, 9), (20, 30)], ("asked", 3): [(10, SLOTS - 1)]}


@pytest.mark.parametrize(
    "reply",
    [b"OK", [], None, [[0]], [[5, 4, [b"h", 1]]], [[0, SLOTS, [b"h", 1]]], [[0, 1, [b"h", 0]]], [[0, 1, b"h"]]],
)
def test_what_is_no_map_is_refused(reply: object) -> None:
    with pytest.raises(StoreDown):
        cluster_link._owned(reply, "asked")


@pytest.mark.parametrize("ranges", [[(0, SLOTS - 1)], [(7, 7)], [(0, 100), (16000, 16383)]])
def test_the_probe_of_a_node_is_a_key_of_its_own(ranges: list[tuple[int, int]]) -> None:
    slot = slot_of(cluster_link._key_within("gateway:", ranges))
    assert any(first <= slot <= last for first, last in ranges)
