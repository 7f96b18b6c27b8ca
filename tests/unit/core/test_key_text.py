from __future__ import annotations

import re

import pytest

from gateway.core.key_text import BITS, is_key_text, key_text

ONE = key_text(2**255 + 12345)


def test_a_key_is_letters_and_digits_behind_its_prefix() -> None:
    assert re.fullmatch(r"gw_[0-9A-Za-z]{49}", ONE)
    assert is_key_text(ONE)


@pytest.mark.parametrize("bits", [0, 1, 2**128, 2**BITS - 1])
def test_every_number_of_256_bits_is_a_key_of_one_length(bits: int) -> None:
    assert is_key_text(key_text(bits))
    assert len(key_text(bits)) == len(ONE)


def test_different_bits_are_different_keys() -> None:
    assert len({key_text(1 << bit)[:46] for bit in range(BITS)}) == BITS


@pytest.mark.parametrize("bits", [-1, 2**BITS])
def test_there_are_no_keys_of_more_bits(bits: int) -> None:
    with pytest.raises(ValueError, match="256"):
        key_text(bits)


@pytest.mark.parametrize(
    "text",
    ["", "gw_", ONE[:-1], f"{ONE}0", f" {ONE}", f"{ONE}\n", ONE.swapcase(), ONE[:10] + ONE[11] + ONE[10] + ONE[12:],
     ONE.replace("gw_", "gx_")],
)  # fmt: skip
def test_what_was_cut_or_mistyped_is_no_key(text: str) -> None:
    assert text == ONE or not is_key_text(text)
