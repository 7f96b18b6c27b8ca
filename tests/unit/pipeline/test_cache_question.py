"""Which question a request asks, and what of that is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.access import Access
from gateway.core.exchange import Call, Exchange
from gateway.pipeline.cache_question import LONGEST, REMEMBERED, Memory, Question, Questions
from gateway.policy.cache_control import Wish

CALL = Call("openai", "chat", "/chat/completions", model="m")
BODY = b'{"model":"m","messages":[]}'


def asking(body: bytes = BODY, call: Call = CALL, **members: Any) -> Exchange:
    given: dict[str, Any] = {"headers": [], "query": b"", **members}
    return Exchange(id="1", method="POST", path="/", body=body, call=call, router="r", started=0.0, wall=0.0, **given)


def questions(scope: str = "caller", buckets: int = 1, memory: Memory | None = None, router: str = "r") -> Questions:
    return Questions(router, scope, "", buckets, {} if memory is None else memory)


def found(made: Questions, exchange: Exchange) -> Question:
    _, question = made.read(exchange)
    assert question is not None
    return question


def test_what_was_asked_before_is_remembered_and_is_the_same() -> None:
    memory: Memory = {}
    made = questions(memory=memory, buckets=3)
    first = found(made, asking(caller="ann"))
    assert found(made, asking(caller="ann")) is first
    assert found(questions(buckets=3), asking(caller="ann")) == first
    assert len(first.names) == 3
    assert first.told[1].decode() == first.names[0].replace("{", "")[:18]


OTHERS: list[dict[str, Any]] = [
    {"caller": "bob"},
    {"caller": "", "credential": b"ann"},
    {"caller": "", "client": "ann"},
    {"body": BODY + b" ", "headers": [(b"openai-beta", b"x")]},
    {"query": b"a=1"},
    {"call": Call("openai", "completions", "/completions", model="m")},
    {"call": Call("gemini", "generate", "/models/{model}:generateContent", "v1", "m", in_path=True)},
    {"call": Call("gemini", "generate", "/models/{model}:generateContent", "v1", "n", in_path=True)},
]


def test_memory_mistakes_nothing_for_anything_else() -> None:
    made = questions()
    asked = [asking(**{"caller": "ann", **members}) for members in [{}, *OTHERS]]
    for _ in range(2):
        assert len({found(made, exchange).names for exchange in asked}) == len(asked)


def test_routes_share_the_memory_and_no_question() -> None:
    memory: Memory = {}
    names = {found(questions(memory=memory, router=router), asking()).names for router in ("a", "b", "a")}
    assert len(names) == len(memory) == 2


@pytest.mark.parametrize("scope", ["team", "router"])
def test_what_only_some_may_use_only_they_may_see(scope: str) -> None:
    made = questions(scope)
    free = asking(caller="ann", team="t")
    bound = asking(caller="bob", team="t", access=Access(providers=frozenset(("a", "b"))))
    same = asking(caller="eve", team="t", access=Access(providers=frozenset(("b", "a"))))
    narrow = asking(caller="kim", team="t", access=Access(models=("m*",), providers=frozenset(("a", "b"))))
    assert found(made, bound).names == found(made, same).names
    assert len({found(made, exchange).names for exchange in (free, bound, narrow)}) == 3


def test_a_caller_without_a_team_shares_with_nobody() -> None:
    made = questions("team")
    assert found(made, asking(caller="ann")).names != found(made, asking(caller="bob")).names
    assert found(made, asking(caller="ann", team="t")).names == found(made, asking(caller="bob", team="t")).names


def test_memory_is_bounded() -> None:
    memory: Memory = {}
    made = questions(memory=memory)
    for number in range(REMEMBERED + 10):
        found(made, asking(b'{"n":%d}' % number))
    assert len(memory) == 10
    found(made, asking(b'{"n":"' + b"x" * LONGEST + b'"}'))
    assert len(memory) == 10


def test_no_store_is_no_question() -> None:
    wish, question = questions().read(asking(headers=[(b"cache-control", b"no-store")]))
    assert wish == Wish(no_store=True)
    assert question is None


@pytest.mark.parametrize("body", [b"", b"[]", b"not json"])
def test_what_cannot_be_put_in_order_is_no_question(body: bytes) -> None:
    assert questions().read(asking(body))[1] is None


def test_no_name_holds_a_credential() -> None:
    question = found(questions(), asking(credential=b"sk-secret"))
    assert "secret" not in "".join(question.names) + question.told[1].decode()
