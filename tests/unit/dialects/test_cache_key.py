"""What makes two requests the same, and what does not."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.exchange import Call
from gateway.dialects.cache_key import (
    KEY_LENGTH,
    key_of,
    members_of,
    shown_name,
    stored_name,
    stored_prefix,
    surroundings,
)

CHAT = Call("openai", "chat", "/chat/completions")


def key(body: bytes, call: Call = CHAT, query: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()) -> str:
    members = members_of(body)
    assert members is not None
    found = key_of(("caller", "router", ""), surroundings(call, query, headers), members)
    assert found is not None
    assert len(found) == KEY_LENGTH
    return found


BODY = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"temperature":1}'


@pytest.mark.parametrize(
    "same",
    [
        b'{ "temperature": 1,\n "messages": [ {"content": "Hi", "role": "user"} ], "model": "m" }',
        rb'{"model":"\u006d","messages":[{"role":"user","content":"Hi"}],"temperature":1}',
        BODY[:-1] + b',"stream":true}',
        BODY[:-1] + b',"stream":true,"stream_options":{"include_usage":true}}',
        BODY[:-1] + b',"user":"somebody","metadata":{"trace":"1"}}',
    ],
)
def test_how_it_is_written_and_who_is_named_in_it_do_not_matter(same: bytes) -> None:
    assert key(same) == key(BODY)


@pytest.mark.parametrize(
    "other",
    [
        BODY.replace(b"Hi", b"hi"),
        BODY.replace(b'"m"', b'"n"'),
        BODY.replace(b":1}", b":1.0}"),
        BODY.replace(b":1}", b":2}"),
        BODY.replace(b":1}", b":null}"),
        BODY[:-1] + b',"seed":1}',
        BODY[:-1] + b',"messages2":[]}',
        BODY.replace(b'[{"role"', b'[{"user":"x","role"'),
    ],
)
def test_everything_else_does(other: bytes) -> None:
    assert key(other) != key(BODY)


def test_one_and_one_point_nought_stay_apart_but_not_their_spellings() -> None:
    assert (
        key(BODY.replace(b":1}", b":1.0}"))
        == key(BODY.replace(b":1}", b":1.00}"))
        == key(BODY.replace(b":1}", b":1e0}"))
    )


def test_the_order_of_a_list_matters() -> None:
    assert key(b'{"input":["a","b"]}') != key(b'{"input":["b","a"]}')


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"{", b'{"a":1e999}', b'{"a":"\xff"}', b"[" * 5000])
def test_a_body_that_cannot_be_put_in_order_has_no_key(body: bytes) -> None:
    assert members_of(body) is None


def test_the_surroundings_count() -> None:
    keys = {
        key(BODY),
        key(BODY, Call("openai", "completions", "/completions")),
        key(BODY, Call("anthropic", "messages", "/messages", model="m")),
        key(BODY, query=b"api-version=1"),
        key(BODY, query=b"api-version=2"),
        key(BODY, headers=((b"anthropic-beta", b"x"),)),
    }
    assert len(keys) == 6


def test_a_version_in_front_and_the_model_s_copy_beside_the_body_do_not() -> None:
    assert key(BODY, Call("openai", "chat", "/chat/completions", "v1", "m", stream=True)) == key(BODY)
    assert key(BODY, query=b"a=1&b=2") == key(BODY, query=b"b=2&a=1")


def gemini(action: str, model: str = "m", version: str = "v1beta", *, stream: bool = False) -> Call:
    return Call("gemini", "generate", f"/models/{{model}}:{action}", version, model, stream, in_path=True)


def test_gemini_s_model_and_version_stand_in_the_path_and_its_two_actions_are_one() -> None:
    body = b'{"contents":[]}'
    whole = key(body, gemini("generateContent"))
    assert whole == key(body, gemini("streamGenerateContent", stream=True), b"alt=sse")
    assert (
        len({whole, key(body, gemini("generateContent", "n")), key(body, gemini("generateContent", version="v1"))}) == 3
    )


@pytest.mark.parametrize("at", [0, 1, 2])
def test_scope_router_and_seed_count_and_cannot_be_mistaken_for_each_other(at: int) -> None:
    members = msgspec.json.decode(BODY, type=dict[str, object])
    scope = ["a", "b", "c"]
    one = key_of(scope, (), members)
    scope[at] += "x"
    assert key_of(scope, (), members) != one
    assert key_of(["ab", "", "c"], (), members) != key_of(["a", "b", "c"], (), members)


def test_names_in_the_store() -> None:
    digest = "0123456789abcdef" * 4
    name = stored_name("prod", digest, 2)
    assert name == f"prod:{{{digest}}}2"
    shown = shown_name("prod", digest)
    assert shown == "prod:0123456789abcdef"
    assert name.startswith(stored_prefix(shown))
    assert name.startswith(stored_prefix("prod:"))
    assert name.startswith(stored_prefix("prod:01"))
    assert name.startswith(stored_prefix(""))
    assert not stored_name("prod2", digest, 0).startswith(stored_prefix("prod:"))
