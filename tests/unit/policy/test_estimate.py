from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.core.exchange import Attempt, Call, Exchange, Operation, Outcome
from gateway.core.usage import Estimate, Usage
from gateway.policy.estimate import IMAGE_TOKENS, MODELS, USUAL_OUTPUT, Estimator, tokens_of, used_by

PICTURE = base64.b64encode(bytes(range(256)) * 400).decode()


def call(operation: Operation = "chat", model: str = "m", **members: Any) -> Call:
    return Call("openai", operation, "/", model=model, **members)


def exchange(
    outcome: Outcome = "ok", usage: Usage | None = None, attempts: int = 1, body: bytes = b"x" * 40
) -> Exchange:
    made = Exchange("1", "POST", "/", b"", [], body, call(), "r", 0.0, 0.0)
    made.attempts = [Attempt("p", "m", "m", "k", 0.0) for _ in range(attempts)]
    made.outcome = outcome
    made.usage = usage
    return made


def test_text_is_counted_by_its_size() -> None:
    assert tokens_of(b"x" * 400) == 100
    assert tokens_of(b"{}") == 1
    assert tokens_of(b"x y " * 100_000) == 100_000


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
        {"inlineData": {"mimeType": "image/png", "data": PICTURE}},
        {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}},
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_picture_counts_as_one_whatever_its_bytes(part: dict[str, Any], separators: tuple[str, str]) -> None:
    body = json.dumps({"messages": [{"content": [part, part]}]}, separators=separators).encode()
    assert len(body) > 200_000
    assert 2 * IMAGE_TOKENS <= tokens_of(body) < 2 * IMAGE_TOKENS + 150


@pytest.mark.parametrize("text", ["It was a dark and stormy night. " * 1000, "\u96e8\u306f\u964d\u308b" * 4000])
@pytest.mark.parametrize("escaped", [True, False])
def test_a_long_text_is_no_picture(text: str, escaped: bool) -> None:
    body = json.dumps({"source": {"type": "text", "data": text}}, ensure_ascii=escaped).encode()
    assert tokens_of(body) == len(body) // 4


def test_a_picture_within_a_text_counts_as_one() -> None:
    text = f"See ![this](data:image/png;base64,{PICTURE}) and tell. " + "More words. " * 1000
    tokens = tokens_of(json.dumps({"content": text}).encode())
    assert IMAGE_TOKENS + 3000 < tokens < IMAGE_TOKENS + 3100


@pytest.mark.parametrize(
    "body",
    [
        b'"data"' * 2_000_000,
        b'"' + b";base64," * 2_000_000 + b'"',
        b'"' + b";base64," * 2_000_000,
        b'"' + (b";base64," + b"A" * 64) * 200_000 + b' x"',
        b'"' + (b";base64," + b"A" * 64 + b" ") * 200_000 + b'"',
        (b'"data":"' + b"A" * 64 + b'"') * 200_000,
    ],
)
def test_a_body_made_of_marks_is_text(body: bytes) -> None:
    # Were each of them followed to its end, this would take hours.
    assert 0 < tokens_of(body) <= len(body)


def test_the_output_is_what_the_client_allows_or_what_is_usual() -> None:
    estimator = Estimator()
    assert estimator.estimate(call(max_tokens=70), b"x" * 400) == Estimate(100, 100, 70, said=True)
    assert estimator.estimate(call(), b"x" * 400) == Estimate(100, 100, USUAL_OUTPUT)


@pytest.mark.parametrize("operation", ["embeddings", "rerank", "moderations"])
def test_some_operations_answer_without_tokens(operation: Operation) -> None:
    assert Estimator().estimate(call(operation), b"x" * 400) == Estimate(100, 100, 0, said=True)


@pytest.mark.parametrize("operation", ["models", "other", "count-tokens"])
def test_nothing_is_expected_of_what_uses_no_tokens(operation: Operation) -> None:
    assert Estimator().estimate(call(operation), b"x" * 400) == Estimate()


def test_a_file_is_no_text() -> None:
    assert Estimator().estimate(call("audio", multipart=True), b"x" * 10_000_000) == Estimate()


def test_a_ratio_is_learned_and_kept_for_each_model() -> None:
    estimator = Estimator()
    raw = Estimate(raw=1000, input=1000)
    for _ in range(200):
        estimator.learn("dense", raw, Usage(2000, 90))
    estimate = estimator.estimate(call(model="dense"), b"x" * 4000)
    assert 1950 <= estimate.input <= 2000
    assert estimate.output == 90
    assert estimator.estimate(call(model="another"), b"x" * 4000).input == 1000


def test_one_odd_reply_moves_an_estimate_by_little() -> None:
    estimator = Estimator()
    for _ in range(200):
        estimator.learn("m", Estimate(raw=1000), Usage(1000, 100))
    estimator.learn("m", Estimate(raw=1000), Usage(10_000_000, 100))
    assert estimator.estimate(call(), b"x" * 4000).input < 1300


def test_the_memory_is_bounded_and_what_comes_late_shares_one() -> None:
    estimator = Estimator()
    for number in range(MODELS + 500):
        estimator.learn(f"m{number}", Estimate(raw=1000), Usage(4000, 10))
    assert len(estimator._models) <= MODELS + 1
    assert estimator.estimate(call(model="late"), b"x" * 4000).input > 2000


def test_an_estimate_is_made_once_and_learned_from_at_the_end() -> None:
    estimator = Estimator()
    served = exchange(usage=Usage(40, 5))
    assert estimator.of(served) is estimator.of(served)
    assert len(served.on_settle) == 1
    for settle in served.on_settle:
        settle(served)
    assert estimator._models["m"].used > 2000 * 31 / 32


@pytest.mark.parametrize("outcome", ["error", "disconnected", "broken"])
def test_nothing_is_learned_of_what_did_not_end_well(outcome: Outcome) -> None:
    estimator = Estimator()
    served = exchange(outcome, Usage(40, 5))
    estimator.of(served)
    for settle in served.on_settle:
        settle(served)
    assert not estimator._models


def test_what_was_used() -> None:
    usage = Usage(7, 3)
    assert used_by(exchange(usage=usage)) == usage
    assert used_by(exchange("broken", usage)) == usage
    assert used_by(exchange("error", usage)) == Usage(), "no provider bills an error"
    assert used_by(exchange(attempts=0)) == Usage(), "nobody was asked"
    left = exchange("disconnected")
    left.attempts[-1].fault = "unavailable"
    assert used_by(left) == Usage(), "the only attempt had failed"
    for outcome in ("ok", "disconnected", "broken"):
        silent = exchange(outcome)
        silent.estimate = Estimate(10, 12, 30)
        assert used_by(silent) == Usage(12, 30), outcome
