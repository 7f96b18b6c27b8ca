"""Prices and sums against genai-prices, from whose data the table is made: every model of every provider in it.

A sum must be the oracle's to the nano-USD, rounded up. What the table leaves out is said in UNPRICED, with its reason.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from random import Random
from typing import Final

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from genai_prices import types as given
from genai_prices.data import providers

from gateway.core.usage import Usage
from gateway.providers.price_table import PRICED_ON
from gateway.providers.prices import SHIPPED_BOOK
from tools.make_prices import OURS, WORDS

UNPRICED: Final = {
    "output_citation_mtok": "what Perplexity cites is counted as output",
    "input_video_mtok": "video is counted as text",
    "output_video_mtok": "video is counted as text",
    "web_searches_kcount": "not every reply says how many",
    "storage_searches_kcount": "no reply says how many",
    "input_document_kpages": "billed by the page",
    "input_annotated_document_kpages": "billed by the page",
    "audio_hours": "billed by the minute",
    "input_audio_hours": "billed by the minute",
    "input_mchars": "billed by the character",
    "input_text_messages_kcount": "of a realtime session, which is none of the gateway's operations",
}
"""The kinds of prices that are not in the table, and why."""
NOON: Final = datetime.datetime.fromisoformat(f"{PRICED_ON}T12:00:00+00:00")
MOMENTS: Final = (
    NOON,
    NOON.replace(hour=2),
    NOON.replace(hour=7, minute=59, second=59),
    datetime.datetime(2027, 2, 1, 20, tzinfo=datetime.UTC),
)


def names_of(clause: object) -> Iterator[str]:
    """Names that a clause is true of."""
    match clause:
        case given.ClauseEquals(equals=name) | given.ClauseContains(contains=name):
            yield name
        case given.ClauseStartsWith(starts_with=name):
            yield name
            yield f"{name}-20260101"
        case given.ClauseEndsWith(ends_with=name):
            yield f"a/{name}"
        case given.ClauseOr(or_=parts):
            for part in parts:
                yield from names_of(part)
        case _:
            pass


MODELS: Final = [
    (provider.id, name)
    for provider in providers
    if provider.id in OURS
    for model in provider.models
    for name in dict.fromkeys(names_of(model.match))
]


def usages(chance: Random, *, audio: bool, image: bool) -> Iterator[tuple[Usage, TheirUsage]]:
    """The same use of tokens in both tongues, below and above the thresholds of long prompts."""
    for most in (1, 700, 90_000, 150_000, 230_000, 600_000):
        text, read, short, hour = (chance.randrange(most + 1) for _ in range(4))
        heard, heard_again = (chance.randrange(most + 1) if audio else 0 for _ in range(2))
        seen, seen_again = (chance.randrange(most + 1) if image else 0 for _ in range(2))
        said, thought = chance.randrange(most + 1), chance.randrange(most + 1)
        spoken, drawn = chance.randrange(most + 1) if audio else 0, chance.randrange(most + 1) if image else 0
        taken = text + read + short + hour + heard + heard_again + seen + seen_again
        put_out = said + thought + spoken + drawn
        ours = Usage(
            taken,
            put_out,
            cached=read + heard_again + seen_again,
            cache_write_5m=short,
            cache_write_1h=hour,
            reasoning=thought,
            audio_input=heard + heard_again,
            audio_output=spoken,
            audio_cached=heard_again,
            image_input=seen + seen_again,
            image_cached=seen_again,
            image_output=drawn,
        )
        theirs = TheirUsage(
            input_tokens=taken,
            output_tokens=put_out,
            cache_read_tokens=read + heard_again + seen_again,
            cache_write_tokens=short + hour,
            cache_write_5m_tokens=short,
            cache_write_1h_tokens=hour,
            output_reasoning_tokens=thought,
            input_audio_tokens=heard + heard_again,
            output_audio_tokens=spoken,
            cache_audio_read_tokens=heard_again,
            input_image_tokens=seen + seen_again,
            cache_image_read_tokens=seen_again,
            output_image_tokens=drawn,
        )
        yield ours, theirs


def in_nano(dollars: Decimal) -> int:
    return int((dollars * 1_000_000_000).to_integral_value(ROUND_CEILING))


def test_the_sample_is_broad() -> None:
    assert len(MODELS) > 1500
    assert {provider for provider, _ in MODELS} == set(OURS)


def test_every_kind_of_price_is_in_the_table_or_left_out_for_a_reason() -> None:
    listed = [model.prices for provider in providers if provider.id in OURS for model in provider.models]
    prices = [
        entry.prices if isinstance(entry, given.ConditionalPrice) else entry
        for one in listed
        for entry in (one if isinstance(one, list) else [one])
    ]
    kinds = {kind for price in prices for kind, value in vars(price).items() if value is not None}
    assert kinds == set(WORDS) | set(UNPRICED)


@pytest.mark.parametrize("provider", OURS)
def test_every_model_costs_what_the_oracle_says(provider: str) -> None:
    chance = Random(provider)
    wrong: list[str] = []
    compared = 0
    for name in [name for theirs, name in MODELS if theirs == provider]:
        probe = calc_price(TheirUsage(), name, provider_id=provider, genai_request_timestamp=NOON)
        priced = {key for key, value in vars(probe.model_price).items() if value is not None}
        if "input_mtok" not in priced:
            assert SHIPPED_BOOK.price(OURS[provider], name) is None, name
            continue
        audio, image = ("input_audio_mtok" in priced, "input_image_mtok" in priced)
        then = [(moment, probe.model.get_prices(moment)) for moment in MOMENTS]
        prices = {id(price): price for _, price in then}
        for ours, theirs in usages(chance, audio=audio, image=image):
            # What most prices make of a usage is the same at every moment.
            sums = {number: in_nano(price.calc_price(theirs)["total_price"]) for number, price in prices.items()}
            for moment, price in then:
                expected = sums[id(price)]
                found = SHIPPED_BOOK.cost(OURS[provider], name, ours, moment.timestamp())
                compared += 1
                if found != expected:
                    wrong.append(f"{name} at {moment}: {found}, not {expected}")
    assert wrong == []
    assert compared > 50
