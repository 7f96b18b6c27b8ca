from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from gateway.core.usage import Usage
from gateway.providers.catalog import CATALOG
from gateway.providers.price import WORDS, flat, read_price
from gateway.providers.price_table import FALLBACKS, PRICED_ON, TABLE
from gateway.providers.prices import (
    CONFIGURED,
    LOCAL,
    REMEMBERED,
    SHIPPED,
    SHIPPED_BOOK,
    Override,
    PriceBook,
    near_names,
)

price, cost = SHIPPED_BOOK.price, SHIPPED_BOOK.cost


def amounts(provider: str, model: str) -> dict[str, Decimal]:
    found = price(provider, model)
    assert found is not None
    return dict(found.usual())


def test_every_line_can_be_read_and_says_known_words() -> None:
    lines = [line.partition(" = ") for sheet in TABLE.values() for line in sheet.splitlines() if line]
    assert len(lines) > 1500
    for names, _, text in lines:
        assert names
        if text != "-":
            for period in read_price(text, SHIPPED).periods:
                for tier in period.tiers:
                    assert set(tier.said) <= set(WORDS), names
                    assert all(amount >= 0 for amount in tier.said.values()), names


def test_every_provider_of_the_table_is_in_the_catalog() -> None:
    assert set(TABLE) <= set(CATALOG)
    assert {name for names in FALLBACKS.values() for name in names} <= set(TABLE)


def test_the_table_has_a_date() -> None:
    assert datetime.date.fromisoformat(PRICED_ON) >= datetime.date(2026, 11, 1)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_what_the_catalog_has_of_the_large_vendors_has_a_price(provider: str) -> None:
    known = [model.name for model in CATALOG[provider].models]
    unknown = [name for name in known if price(provider, name) is None]
    assert len(unknown) < len(known) / 4


SONNET = {"input": Decimal(3), "cached": Decimal("0.3"), "output": Decimal(15)}
GPT_4O = {"input": Decimal("2.5"), "cached": Decimal("1.25"), "output": Decimal(10)}


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("anthropic", "claude-sonnet-4-5", SONNET),
        ("anthropic", "claude-sonnet-4-5-20250929", SONNET),
        ("vertex", "claude-sonnet-4-5@20250929", SONNET),
        ("openai", "gpt-4o-2024-08-06", GPT_4O),
        ("openai", "gpt-4o-20240806", GPT_4O),
        ("openai", "GPT-4o", GPT_4O),
        ("", "gpt-4o", GPT_4O),
        ("", "openai/gpt-4o", GPT_4O),
        ("azure", "gpt-4o", GPT_4O),
        ("openrouter", "openai/gpt-4o", GPT_4O),
        ("gemini", "models/gemini-2.5-flash", {"input": Decimal("0.3"), "output": Decimal("2.5")}),
        ("vertex", "publishers/google/models/gemini-2.5-flash", {"input": Decimal("0.3"), "output": Decimal("2.5")}),
        (
            "bedrock",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            {"input": Decimal("3.3"), "output": Decimal("16.5")},
        ),
        ("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", {"input": Decimal(3), "output": Decimal(15)}),
        ("bedrock", "us.amazon.nova-pro-v1:0", {"input": Decimal("0.8"), "output": Decimal("3.2")}),
    ],
)
def test_a_name_is_known_however_it_is_written(provider: str, model: str, expected: dict[str, Decimal]) -> None:
    found = amounts(provider, model)
    assert {word: found[word] for word in expected} == expected


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "made-up"), ("", "made-up"), ("nobody", "gpt-4o"), ("openai", "whisper-1"), ("openai", "")],
)
def test_what_nobody_knows_has_no_price(provider: str, model: str) -> None:
    assert price(provider, model) is None
    assert cost(provider, model, Usage(1, 1)) is None


@pytest.mark.parametrize("provider", ["echo", "ollama", "vllm"])
def test_a_server_of_ones_own_sends_no_bill(provider: str) -> None:
    assert cost(provider, "anything", Usage(1000, 1000)) == 0
    found = price(provider, "anything")
    assert found is not None
    assert found.source == LOCAL


def test_parts_of_the_input_have_prices_of_their_own() -> None:
    # 700 fresh at 3.00, 100 read at 0.30, 100 written at 3.75, 100 for an hour at 6.00, 10 out at 15.00.
    usage = Usage(1000, 10, cached=100, cache_write_5m=100, cache_write_1h=100)
    assert cost("anthropic", "claude-sonnet-4-5", usage) == (2100 + 30 + 375 + 600 + 150) * 1000


def test_a_long_prompt_is_dearer_as_a_whole() -> None:
    assert cost("gemini", "gemini-2.5-pro", Usage(200_000, 0)) == 250_000_000
    assert cost("gemini", "gemini-2.5-pro", Usage(200_001, 0)) == 500_002_500


def test_a_sum_is_rounded_up_once() -> None:
    third = flat({"input": Decimal("0.0003"), "output": Decimal("0.0003")})
    assert third.cost(Usage(1, 0)) == 1
    assert third.cost(Usage(1, 1)) == 1
    assert third.cost(Usage(2, 2)) == 2
    assert third.cost(Usage()) == 0
    assert cost("openai", "gpt-4.1-nano", Usage(1, 0)) == 100


def test_a_price_of_a_request_is_paid_once() -> None:
    # 1 USD for a million tokens and 12 for a thousand requests.
    assert cost("perplexity", "sonar", Usage(1000, 500)) == 12_000_000 + 1_500_000


def test_parts_above_their_whole_never_make_a_sum_smaller() -> None:
    broken = Usage(10, 10, cached=50, reasoning=99, audio_input=70, audio_output=80, audio_cached=90)
    found = cost("gemini", "gemini-2.5-flash", broken)
    assert found is not None
    assert found >= 10 * 300


def test_what_is_announced_holds_from_its_day() -> None:
    announced = read_price("input 1 output 2; from 2027-01-01 input 3 output 4; above 100 input 5 output 6", SHIPPED)
    before, after = (
        datetime.datetime.fromisoformat(f"{moment}+00:00").timestamp()
        for moment in ("2026-12-31T23:59:59", "2027-01-01T00:00:00")
    )
    assert [announced.cost(Usage(1000, 0), when) for when in (before, after)] == [1_000_000, 5_000_000]
    assert announced.cost(Usage(100, 0), after) == 300_000


def test_hours_are_of_every_day_and_may_pass_midnight() -> None:
    peak = read_price("input 1; hours 22:00-02:00 input 2", SHIPPED)
    day = 86_400 * 20_000
    hours = (21, 22, 23, 0, 1, 2)
    assert [peak.cost(Usage(1), day + hour * 3600) for hour in hours] == [1000, 2000, 2000, 2000, 2000, 1000]


def test_a_config_counts_before_the_table() -> None:
    book = PriceBook(
        [
            Override("openai", "*", factor=Decimal("0.85")),
            Override("openai", "gpt-4*", {"input": Decimal(7)}),
            Override("openai", "gpt-4o", {"input": Decimal(1), "output": Decimal(2)}),
            Override("mine", "llama*", {"input": Decimal("0.1")}),
        ]
    )
    assert book.cost("openai", "gpt-4o", Usage(1000, 1000)) == 3_000_000
    assert book.cost("openai", "gpt-4.1", Usage(1000, 0)) == 7_000_000
    assert book.cost("openai", "o3", Usage(1000, 0)) == 1_700_000
    assert book.cost("mine", "llama-9", Usage(10, 10)) == 1000
    assert book.cost("", "mine/llama-9", Usage(10, 10)) == 1000
    assert book.cost("mine", "other", Usage(10, 10)) is None
    assert book.cost("openai", "made-up", Usage(10, 10)) is None
    assert book.cost("anthropic", "claude-sonnet-4-5", Usage(1000, 0)) == 3_000_000
    sources = [found.source for name in ("gpt-4o", "o3") if (found := book.price("openai", name)) is not None]
    assert sources == [CONFIGURED, CONFIGURED]
    assert f"table {PRICED_ON}" == SHIPPED


def test_a_discount_holds_for_every_tier() -> None:
    book = PriceBook([Override("gemini", "*", factor=Decimal("0.5"))])
    assert book.cost("gemini", "gemini-2.5-pro", Usage(200_000, 0)) == 125_000_000
    assert book.cost("gemini", "gemini-2.5-pro", Usage(200_002, 0)) == 250_002_500


def test_what_is_remembered_is_bounded() -> None:
    book = PriceBook()
    for number in range(REMEMBERED + 10):
        book.price("openai", f"made-up-{number}")
    assert len(book.found) <= REMEMBERED


def test_near_names_are_told() -> None:
    assert "openai/gpt-4o" in near_names("gpt-4oo")
    assert near_names("anthropic/claude-opus-5x")[0].startswith("anthropic/claude-opus-5")
    assert near_names("zzzzzzzzzz") == []
