"""What models cost, by the config."""

from __future__ import annotations

from decimal import Decimal

from gateway.config.change.comparison import At, Comparison
from gateway.config.price_book import dollars_of
from gateway.config.spec import ModelPrice


def compare_prices(found: Comparison) -> None:
    """Prices of one's own: what comes, goes or is another. The shipped ones are the same on both sides."""
    olds, news = found.left.spec.prices or {}, found.right.spec.prices or {}
    for name in dict.fromkeys((*olds, *news)):
        at = At(f"price {name}", ("prices", name), ("prices", name))
        if name not in olds:
            found.note("price", at.alone(new=at.new), f"{_said(news[name])}, in place of the shipped one")
        elif name not in news:
            found.note("price", at.alone(old=at.old), f"{_said(olds[name])} is gone, the shipped one holds")
        elif _meaning(olds[name]) != _meaning(news[name]):
            found.note("price", at, f"{_said(olds[name])} -> {_said(news[name])}")
    if (found.left.spec.prices is None) != (found.right.spec.prices is None) and not olds and not news:
        at = At("gateway", ("prices",), ("prices",))
        found.note("priced", at, "requests are priced" if found.right.spec.prices is not None else "no longer priced")


def _meaning(said: ModelPrice) -> tuple[dict[str, Decimal], Decimal | None]:
    return dollars_of(said), None if said.factor is None else Decimal(str(said.factor))


def _said(said: ModelPrice) -> str:
    dollars, factor = _meaning(said)
    if factor is not None:
        return f"{factor:f} of the shipped price"
    return ", ".join(f"{word} {amount:f}" for word, amount in dollars.items()) or "nothing"
