from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import GatewayError
from gateway.dialects.anthropic.cache_marks import marked_body
from gateway.dialects.prompt_cache import WORTH_IT

LONG = "x" * WORTH_IT
MARK = {"type": "ephemeral"}


def body(**members: object) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 9, "new_field": [1.50, None], **members}).encode()


def marked(**members: object) -> dict[str, object]:
    return json.loads(marked_body(body(**members)))


def test_a_short_request_stays_as_it_is() -> None:
    short = body(system="Be brief.", messages=[{"role": "user", "content": "Hi"}])
    assert marked_body(short) is short


def test_a_client_with_marks_of_its_own_is_left_alone() -> None:
    own = body(system=[{"type": "text", "text": LONG, "cache_control": MARK}])
    assert marked_body(own) is own


def test_a_long_system_prompt_becomes_a_marked_block() -> None:
    found = marked(system=LONG, messages=[{"role": "user", "content": "Hi"}])
    assert found["system"] == [{"type": "text", "text": LONG, "cache_control": MARK}]
    assert found["messages"] == [{"role": "user", "content": "Hi"}]


def test_the_last_block_with_text_is_marked() -> None:
    found = marked(system=[{"type": "text", "text": LONG}, {"type": "text", "text": " "}])
    assert found["system"] == [{"type": "text", "text": LONG, "cache_control": MARK}, {"type": "text", "text": " "}]


def test_the_last_tool_is_marked_when_the_tools_are_long() -> None:
    tools = [{"name": "f", "description": LONG, "input_schema": {}}, {"name": "g", "input_schema": {}}]
    assert marked(tools=tools)["tools"] == [tools[0], {**tools[1], "cache_control": MARK}]


def test_the_last_but_one_turn_of_the_user_is_marked() -> None:
    turns = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
    ]
    found = marked(messages=turns)["messages"]
    assert found == [{"role": "user", "content": [{"type": "text", "text": LONG, "cache_control": MARK}]}, *turns[1:]]


def test_what_nobody_here_knows_survives_to_the_byte() -> None:
    out = marked_body(body(system=LONG))
    assert b'"new_field":[1.5, null]' in out or b'"new_field":[1.5,null]' in out.replace(b" ", b"")
    assert b"[1.5, null]" in out


@pytest.mark.parametrize(
    "members",
    [
        {"tools": {"no": LONG}},
        {"tools": [LONG]},
        {"system": 5, "x": LONG},
        {"system": [LONG]},
        {"messages": "x", "y": LONG},
        {"messages": [{"role": "user", "content": 7}, {"role": "user", "content": LONG}]},
        {"messages": [{"role": "user"}, {"role": "user", "content": LONG}]},
    ],
)
def test_a_shape_that_is_not_expected_is_the_providers_to_refuse(members: dict[str, object]) -> None:
    odd = body(**members)
    assert json.loads(marked_body(odd)) == json.loads(odd)


def test_what_is_no_object_is_malformed() -> None:
    with pytest.raises(GatewayError, match="object"):
        marked_body(b"[" + b"1," * WORTH_IT + b"1]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9) | st.just(LONG),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "type", "text"]), inner)
    ),
    max_leaves=9,
)


@given(st.fixed_dictionaries({}, optional={"tools": JSON, "system": JSON, "messages": JSON}))
def test_without_its_marks_a_request_asks_the_same(members: dict[str, object]) -> None:
    given_body = body(**members)
    assert _plain(json.loads(marked_body(given_body))) == _plain(json.loads(given_body))


def _plain(value: object) -> object:
    """Without marks, and text that was made a block as text."""
    if isinstance(value, list):
        items = [_plain(item) for item in value]
        if len(items) == 1 and isinstance(items[0], dict) and set(items[0]) == {"type", "text"}:
            return items[0]["text"]
        return items
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if name != "cache_control"}
    return value
