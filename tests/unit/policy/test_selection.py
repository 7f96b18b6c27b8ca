"""The sentence for a client that nobody can serve."""

from __future__ import annotations

from typing import get_args

import pytest

from gateway.policy.selection import Reason, Refusal, explain, in_words, soonest


def test_reasons_are_listed_with_seconds_rounded_up() -> None:
    refusals = [
        Refusal("openai", "gpt-4o", "keys-cooling", 11.2, keys=2),
        Refusal("anthropic", "claude-sonnet-4-5", "breaker-open", 8.0),
    ]
    assert explain(refusals) == "openai: all 2 keys cooling, next in 12 s; anthropic: breaker open, probe in 8 s"


@pytest.mark.parametrize(("keys", "text"), [(0, "all keys"), (1, "its key"), (3, "all 3 keys")])
def test_keys_are_counted_where_their_number_is_known(keys: int, text: str) -> None:
    assert explain([Refusal("openai", "", "keys-cooling", 1.0, keys)]) == f"openai: {text} cooling, next in 1 s"


def test_noise_of_the_clock_s_arithmetic_is_no_second() -> None:
    assert explain([Refusal("openai", "", "breaker-open", 1000.1 + 8 - 1000.1 + 1e-12)]) == (
        "openai: breaker open, probe in 8 s"
    )


def test_a_probe_under_way_is_said_to_be() -> None:
    assert explain([Refusal("openai", "", "breaker-open", 0.0)]) == "openai: probe under way"


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_has_words_without_a_time(reason: Reason) -> None:
    text = explain([Refusal("openai", "gpt-4o", reason, None)])
    assert text.startswith("openai: ")
    assert " in " not in text


def test_the_reasons_that_differ_are_told_apart() -> None:
    texts = {explain([Refusal("openai", "", reason, None)]) for reason in get_args(Reason)}
    assert len(texts) == len(get_args(Reason))


def test_the_same_reason_of_one_target_is_said_once() -> None:
    assert explain([Refusal("openai", "gpt-4o", "no-key")] * 3) == "openai: no key"


def test_models_are_named_where_a_provider_has_several() -> None:
    refusals = [
        Refusal("openai", "gpt-4o", "breaker-open", 3.0),
        Refusal("openai", "gpt-5", "already-tried"),
        Refusal("groq", "llama-3", "no-key"),
    ]
    assert explain(refusals) == ("openai/gpt-4o: breaker open, probe in 3 s; openai/gpt-5: already tried; groq: no key")


def test_a_long_list_is_cut() -> None:
    text = explain([Refusal(f"p{number}", "", "no-key") for number in range(100)])
    assert text.startswith("p0: no key; p1: no key; ")
    assert text.endswith("p7: no key; and 92 more")


def test_in_a_long_list_those_without_the_model_are_only_counted() -> None:
    without = [Refusal(f"p{number}", "", "cannot-serve-model") for number in range(36)]
    openai = Refusal("openai", "gpt-4o", "no-key")
    assert explain([*without, openai]) == "openai: no key; 36 others do not serve this model"
    assert explain([*without[:8], openai]).endswith("no key; 8 others do not serve this model")
    assert explain([openai, *without[:1]]) == "openai: no key; p0: does not serve this model"
    assert explain(without).endswith("p7: does not serve this model; and 28 more")


def test_an_empty_list_says_that_there_is_no_target() -> None:
    assert explain([]) == "no target is configured"
    assert soonest([]) is None


def test_the_soonest_is_the_least_of_the_times_there_are() -> None:
    refusals = [
        Refusal("a", "", "no-key"),
        Refusal("b", "", "keys-cooling", 12.0),
        Refusal("c", "", "breaker-open", 8.0),
    ]
    assert soonest(refusals) == 8.0
    assert soonest(refusals[:1]) is None


def test_one_refusal_in_words() -> None:
    assert in_words(Refusal("openai", "gpt-4o", "breaker-open", 7.2)) == "breaker open, probe in 8 s"
