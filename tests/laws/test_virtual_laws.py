"""Laws of virtual models: whatever is sent, a decision is made, the same each time, and nothing is raised."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.assemble.virtual import VirtualRoute
from gateway.config.load import load
from gateway.core.exchange import Call, Dialect, Exchange, Operation
from gateway.core.prompt import LONGEST, Prompt
from gateway.dialects.prompts import prompt_of
from gateway.pipeline.virtual import Chooser
from gateway.policy.complexity import features, score
from gateway.policy.languages import LANGUAGES, language_of
from gateway.policy.rules import decide
from gateway.policy.split import side_of

RULES = r"""
routers:
  r:
    load-balance: {chat: {providers: [openai]}}
    virtual-models:
      auto:
        - {when: {images: true}, to: openai/a}
        - {when: {tools: true, json: false}, to: [openai/b, openai/a]}
        - {when: {text: '(\w+\s?)+x', language: [en, de, zh]}, to: openai/c}
        - {when: {min-complexity: 0.4, max-tokens: 100}, to: openai/d}
        - {when: {hour: '22-6', time-zone: Europe/Berlin}, to: smart}
        - {when: {min-cost: 0.001}, to: openai/e}
        - {when: {header: {x-a: '*'}, user: [u], team: t, key: k, optimize-for: cost}, to: openai/f}
        - {when: {min-budget-left: 0.5}, to: openai/f}
        - {split: {openai/g: 0.5, smart: 0.5}}
      smart: [{when: {max-complexity: 0.9}, to: openai/h}, {split: {openai/i: 1, openai/j: 2}}]
"""
TEXTS = st.text(max_size=200) | st.sampled_from(["write code", "warum ist das so", "为什么", "a" * 500, "{};\n" * 50])
NAMES = st.sampled_from([
    "messages", "input", "contents", "prompt", "tools", "functions", "response_format", "text", "output_config",
    "generationConfig", "generation_config", "role", "user", "content", "parts", "type", "image_url", "input_image",
    "inlineData", "mimeType", "image/png", "tool_result", "format", "json_schema", "functionDeclarations", "model",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | TEXTS, inner, max_size=5),
    max_leaves=25,
)
BODIES = st.dictionaries(NAMES, JSON, max_size=6).map(lambda body: json.dumps(body).encode()) | st.binary(max_size=200)
CALLS = st.builds(
    Call,
    st.sampled_from(get_args(Dialect)),
    st.sampled_from(get_args(Operation)),
    st.just("/x"),
    model=st.just("auto"),
    multipart=st.booleans(),
    max_tokens=st.integers(0, 10_000),
    user=st.sampled_from(["", "u", "v"]),
)


@pytest.fixture(scope="module")
def route(tmp_path_factory: pytest.TempPathFactory) -> VirtualRoute:
    file: Path = tmp_path_factory.mktemp("virtual") / "routers.yaml"
    file.write_text(RULES)
    spec = load(file, {}).spec
    return VirtualRoute(spec, ("routers", "r"), spec.routers["r"])


@given(CALLS, BODIES, st.floats(0, 4e9), st.none() | st.floats(0, 1))
def test_every_request_is_decided_and_always_alike(
    route: VirtualRoute, call: Call, body: bytes, wall: float, left: float | None
) -> None:
    chooser = Chooser(route.models, lambda *_: 5, lambda *_: None, route.images, lambda _: left)
    exchange = Exchange(
        id="", method="POST", path="", query=b"", headers=[(b"x-a", b"\xff")], body=body, call=call, router="r",
        started=0.0, wall=wall, client="127.0.0.1",
    )  # fmt: skip
    first = decide(route.models, "auto", chooser._facts(exchange))
    assert first.chosen is not None
    assert first.chosen.key in route.balances
    assert first.rule.isascii()
    assert decide(route.models, "auto", chooser._facts(exchange), []) == first


@given(CALLS, BODIES)
def test_a_prompt_is_read_of_anything(call: Call, body: bytes) -> None:
    found = prompt_of(call, body)
    assert len(found.text) <= LONGEST + 1
    assert min(found.turns, found.tools, found.images) >= 0
    assert prompt_of(call, body, images=False) == Prompt(found.text, found.turns, found.tools, 0, found.json)


@given(TEXTS, st.integers(0, 100), st.integers(0, 100), st.integers(0, 10**9))
def test_a_score_is_a_part_of_one_and_each_feature_too(text: str, turns: int, tools: int, tokens: int) -> None:
    prompt = Prompt(text, turns, tools)
    assert 0 <= score(prompt, tokens) <= 1
    assert all(0 <= feature.value <= 1 and isfinite(feature.value) for feature in features(prompt, tokens))


@given(TEXTS, st.integers(0, 20), st.integers(0, 20))
def test_more_of_it_is_never_simpler(text: str, turns: int, tools: int) -> None:
    assert score(Prompt(text, turns, tools), 50) <= score(Prompt(text, turns + 1, tools + 1), 500)


@given(TEXTS)
def test_a_language_is_one_of_those_that_are_known(text: str) -> None:
    assert language_of(text) in LANGUAGES | {""}


WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 100), min_size=2, max_size=5)


@given(st.text(max_size=20), WEIGHTS, st.floats(0.01, 100))
def test_another_weight_moves_nobody_but_to_it_or_from_it(who: str, weights: dict[str, float], other: float) -> None:
    def side(shares: dict[str, float]) -> str:
        return list(shares)[side_of("s", who, list(shares.items()))]

    name = min(weights)
    before, after = side(weights), side({**weights, name: other})
    assert before == after or (after == name if other > weights[name] else before == name)


@pytest.mark.parametrize("depth", [1000, 100_000])
def test_a_body_of_nothing_but_brackets_is_nothing(depth: int) -> None:
    call = Call("openai", "chat", "/x")
    assert prompt_of(call, b'{"messages":' + b"[" * depth) == Prompt()
    assert prompt_of(call, b'{"messages":' + b"[" * depth + b"]" * depth + b"}") == Prompt()
