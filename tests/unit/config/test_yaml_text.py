from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.render import Value
from gateway.config.scalars import Scalar
from gateway.config.tree import read_tree
from gateway.config.yaml_text import yaml_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(lambda text: not text.endswith("\n"))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
VALUES = st.recursive(
    SCALARS.map(lambda scalar: Value(scalar, "default", quoted=True)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: Value(list(items), "f:1")),
        st.dictionaries(TEXTS, inner, max_size=4).map(lambda members: Value(dict(members), "f:1")),
    ),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5), st.booleans())
def test_what_is_written_is_read_again(members: dict[str, Value], origins: bool) -> None:  # drawn
    document = Value(dict(members), "f:1")
    root, problems = read_tree(yaml_text(document, origins=origins), "f")
    assert problems == []
    assert root.plain() == document.plain()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("openai", "openai"),
        ("30s", "30s"),
        ("0.7", "'0.7'"),
        ("no", "'no'"),
        ("null", "'null'"),
        ("it's", "'it''s'"),
        ("a: b", "'a: b'"),
        ("line\nbreak", '"line\\nbreak"'),
        (True, "true"),
        (0.25, "0.25"),
        (None, "null"),
    ],
)
def test_scalars(value: Scalar, text: str) -> None:
    assert yaml_text(Value({"a": Value(value, "f:1")}, "f:1")) == f"a: {text}\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("${env:PORT}", "${env:PORT}"),
        ("${env:PORT:-80}", "${env:PORT:-80}"),
        ("${env:A:-a b}", "${env:A:-a b}"),
        ("${env:A} #1", "'${env:A} #1'"),
        ("${env:A}: b", "'${env:A}: b'"),
        ("{${env:A}", "'{${env:A}'"),
    ],
)
def test_a_reference_keeps_its_lack_of_quotes_where_it_can(value: str, text: str) -> None:
    assert yaml_text(Value({"a": Value(value, "f:1")}, "f:1")) == f"a: {text}\n"
    assert yaml_text(Value({"a": Value(value, "f:1", quoted=True)}, "f:1")) == f"a: '{value}'\n"


def test_origins_stand_behind_values() -> None:
    document = Value(
        {
            "a": Value({"b": Value(1, "x.yaml:3"), "c": Value({}, "default")}, "x.yaml:2"),
            "d": Value([Value("e", "y.yaml:1"), Value({"f": Value(2, "default")}, "y.yaml:2")], "y.yaml:1"),
        },
        "x.yaml:1",
    )
    assert yaml_text(document, origins=True).splitlines() == [
        "a:",
        "  b: 1  # x.yaml:3",
        "  c: {}  # default",
        "d:",
        "- e  # y.yaml:1",
        "- f: 2  # default",
    ]
