from __future__ import annotations

import pytest

from gateway.config.problem import ConfigError
from gateway.config.tree import MAX_DEPTH, find, read_tree


def refused(text: str) -> str:
    """`line:column code` of the one problem that ends the reading."""
    with pytest.raises(ConfigError) as caught:
        read_tree(text, "f")
    problem = caught.value.problems[-1]
    return f"{problem.place.removeprefix('f:')} {problem.code}"


def test_values_keep_their_places() -> None:
    root, problems = read_tree("a:\n  - x\n  - b: 'c'\n", "f")
    assert problems == []
    assert root.plain() == {"a": ["x", {"b": "c"}]}
    node = find(root, ("a", 1, "b"))
    assert node is not None
    assert str(node.mark) == "f:3:8"
    assert node.quoted
    assert find(root, ("a", 2)) is None
    assert find(root, ("a", "b")) is None


def test_columns_count_characters() -> None:
    root, _ = read_tree("é😀: {b: c}", "f")
    node = find(root, ("é😀", "b"))
    assert node is not None
    assert node.mark.column == 9


def test_a_key_given_twice_names_both_places() -> None:
    root, [problem] = read_tree("a:\n  b: 1\n  c: 2\n  b: 3\n", "f")
    assert (problem.code, problem.place, problem.path) == ("key-twice", "f:4:3", "a")
    assert "f:2:3" in problem.hint
    assert root.plain() == {"a": {"b": 1, "c": 2}}


def test_keys_that_are_not_text_are_refused() -> None:
    _, problems = read_tree("{1: a, true: b, ~: c}", "f")
    assert [problem.code for problem in problems] == ["key-not-text"] * 3
    assert read_tree("{on: a, '1': b}", "f")[1] == []


def test_aliases_and_merges_are_resolved() -> None:
    root, problems = read_tree("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\nc: {<<: [{m: 4}, *x]}\nd: *x\n", "f")
    assert problems == []
    assert root.plain() == {
        "a": {"k": 1, "l": 2},
        "b": {"l": 3, "k": 1},
        "c": {"m": 4, "k": 1, "l": 2},
        "d": {"k": 1, "l": 2},
    }


def test_a_quoted_merge_key_is_a_key() -> None:
    assert read_tree("'<<': 1", "f")[0].plain() == {"<<": 1}


def test_a_merge_of_something_else_is_refused() -> None:
    assert [problem.code for problem in read_tree("<<: 1", "f")[1]] == ["yaml-merge"]


def test_trailing_line_breaks_of_a_block_do_not_count() -> None:
    assert read_tree("a: |\n  x\n\nb: 1\n", "f")[0].plain() == {"a": "x", "b": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1 file-empty"),
        ("# nothing\n", "1:1 file-empty"),
        ("a: [1", "2:1 yaml-syntax"),
        ("a:\n\tb: 1", "2:1 yaml-syntax"),
        ("a: b: c", "1:5 yaml-syntax"),
        ("a: @x", "1:4 yaml-syntax"),
        ("a: 1\nb: x\x01y", "2:5 yaml-syntax"),
        ("a: 1\n---\nb: 2", "2:1 several-documents"),
        ("a: !!python/object:os.system x", "1:4 yaml-tag"),
        ("a: !x {}", "1:4 yaml-tag"),
        ("{a: 1}: b", "1:1 key-not-text"),
        ("a: &x 1\n*x : b", "2:1 key-not-text"),
        ("a: *x", "1:4 yaml-alias"),
        ("a: &x [*x]", "1:8 yaml-alias"),
        ("[" * 100_000, f"1:{MAX_DEPTH + 1} file-too-large"),
        ("{a: " * 100_000, f"1:{4 * MAX_DEPTH + 1} file-too-large"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(text: str, expected: str) -> None:
    assert refused(text) == expected


def test_aliases_of_aliases_are_bounded() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10))
    assert refused(f"l0: &l0 [x, x]\n{levels}\n").endswith("file-too-large")


def test_tabs_get_a_hint() -> None:
    with pytest.raises(ConfigError) as caught:
        read_tree("a:\n\tb: 1", "f")
    assert "spaces" in caught.value.problems[0].hint
