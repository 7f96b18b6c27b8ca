from __future__ import annotations

import datetime

import pytest

from gateway.core.usage import Usage
from gateway.providers.catalog import CATALOG
from gateway.providers.price_table import PRICED_ON, TABLE
from gateway.providers.prices import cost, price


def test_every_row_is_five_prices_and_where_long_prompts_are_dearer_six_more_numbers() -> None:
    rows = [(name, row) for rows in TABLE.values() for name, row in rows.items()]
    assert len(rows) > 500
    assert [name for name, row in rows if len(row) not in (5, 11) or min(row) < 0] == []


def test_every_provider_of_the_table_is_in_the_catalog() -> None:
    assert set(TABLE) <= set(CATALOG)


def test_the_table_has_a_date() -> None:
    assert datetime.date.fromisoformat(PRICED_ON) >= datetime.date(2026, 11, 1)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_what_the_catalog_has_of_the_large_vendors_has_a_price(provider: str) -> None:
    known = [model.name for model in CATALOG[provider].models]
    unknown = [name for name in known if price(provider, name) is None]
    assert len(unknown) < len(known) / 4


@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"])
def test_a_pin_costs_what_its_model_does(name: str) -> None:
    found = price("anthropic", name)
    assert found is not None
    assert (found.input, found.cached, found.output) == (3_000_000, 300_000, 15_000_000)


def test_a_model_without_its_provider_is_its_vendors() -> None:
    assert price("", "gpt-4o") == price("", "openai/gpt-4o") == price("openai", "gpt-4o") is not None


@pytest.mark.parametrize(("provider", "model"), [("openai", "made-up"), ("", "made-up"), ("nobody", "gpt-4o")])
def test_what_nobody_knows_has_no_price(provider: str, model: str) -> None:
    assert price(provider, model) is None
    assert cost(provider, model, Usage(1, 1)) is None


@pytest.mark.parametrize("provider", ["echo", "ollama", "vllm"])
def test_a_server_of_ones_own_sends_no_bill(provider: str) -> None:
    assert cost(provider, "anything", Usage(1000, 1000)) == 0


def test_parts_of_the_input_have_prices_of_their_own() -> None:
    # 700 fresh at 3.00, 100 read at 0.30, 100 written at 3.75, 100 for an hour at 6.00, 10 out at 15.00.
    usage = Usage(1000, 10, cached=100, cache_write_5m=100, cache_write_1h=100)
    assert cost("anthropic", "claude-sonnet-4-5", usage) == 2100 + 30 + 375 + 600 + 150


def test_a_long_prompt_is_dearer_as_a_whole() -> None:
    assert cost("gemini", "gemini-2.5-pro", Usage(200_000, 0)) == 250_000
    assert cost("gemini", "gemini-2.5-pro", Usage(200_001, 0)) == 500_003


def test_a_price_is_rounded_up_so_nothing_is_free() -> None:
    assert cost("openai", "gpt-4.1-nano", Usage(1, 0)) == 1
    assert cost("openai", "gpt-4o", Usage()) == 0
