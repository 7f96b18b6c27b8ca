"""What may be entered into a balance. Said once, for the command line and for the admin API.

Must not: enter anything. Law: an amount is exact, and a balance stays where accounts count exactly (policy/budget.py).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, Literal

from gateway.core.money import NANO, in_dollars
from gateway.policy.budget import MOST
from gateway.store.ledger.protocol import Balance

AMOUNT: Final = r"-?[0-9]{1,7}(\.[0-9]{1,9})?"
"""US dollars as they are written: enough digits for the largest balance, taken away twice, and for a billionth."""
_AMOUNT: Final = re.compile(AMOUNT)

Change = Literal["add", "set"]


class NotGranted(ValueError):
    """What cannot be entered, and why, for people."""


def granted_amount(change: Change, text: str) -> int:
    """In nano-USD. NotGranted."""
    if _AMOUNT.fullmatch(text) is None:
        raise NotGranted(
            f"{text!r} is no amount of US dollars: write 50 or 12.50, exact to the billionth; a balance is at most "
            f"{in_dollars(MOST)}."
        )
    nano = int(Decimal(text) * NANO)
    if change == "set" and nano < 0:
        raise NotGranted("A balance is not set below zero; 0 lets nothing pass.")
    if change == "add" and nano == 0:
        raise NotGranted("Nothing is no change.")
    return nano


def check_balance(change: Change, amount: int, before: Balance | None) -> None:
    """That the balance can still be counted when an amount (nano-USD) has been entered. NotGranted."""
    left = amount
    if change == "add" and before is not None:
        left += before.granted - before.spent
    if abs(left) > MOST:
        raise NotGranted(f"A balance is at most {in_dollars(MOST)} USD, and this would be {in_dollars(left)}.")
