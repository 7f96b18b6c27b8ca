"""Quotas and budgets of a route: money is reserved before a request goes out, and charged when it is over.

    quote -> reserve of all accounts -> inner -> settle: the reservation back, the cost written down

Lives here: whose accounts a request is charged to, what is done when one has no room, and what the client is told. The
layer stands behind the cache and the limits: what is answered from the cache costs nothing. Law: a reservation is
settled once, whatever becomes of the exchange; what a provider did not do, or does not bill, is given back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from typing import Final, Literal

import msgspec

from gateway.core.errors import GatewayError
from gateway.core.exchange import GROUP_OF, Exchange, Handler, Layer, Reply
from gateway.core.money import in_dollars, micro_of
from gateway.core.trace import ConfigPath, LimitNote, Trace
from gateway.pipeline.accounts import Accounts, Holding, Unknown, prepaid_by
from gateway.pipeline.quote import Quotes
from gateway.policy.budget import MOST, Ask, Charge, State, fits
from gateway.store.ledger.protocol import Consumer, ConsumerKind
from gateway.store.protocol import Reservation, StoreDown
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.standings import Standing, Standings

REMEMBERED: Final = 4096
CHEAPEST: Final = "*"
"""In place of a model's name, which this is none of."""
_FREE: Final = frozenset(("models", "count-tokens"))
"""What vendors take no money for."""
_UNSEEN: Final = (
    "What may be spent cannot be said now, because the gateway's store and its ledger are away. Ask again; its log has "
    "the cause."
)


class BudgetRule(msgspec.Struct, frozen=True):
    """A budget of the config. downgrade: the model that answers when it is exceeded, CHEAPEST for the route's cheapest
    target, `` for none. alert_at: shares of
    the limit. said: the budget in words. path: where the config says it."""

    holding: Holding
    downgrade: str
    alert_at: tuple[float, ...]
    said: str
    path: ConfigPath = ()


class QuotaRule(msgspec.Struct, frozen=True):
    """Who pays in advance. required: who has no balance is refused."""

    consumers: tuple[ConsumerKind, ...]
    required: bool
    alert_at: tuple[float, ...]


class Spending(msgspec.Struct, frozen=True):
    """What the layers of all routes share. budgets: of each who has one. lease: seconds, longer than any request.
    outage: what is done when nothing is known."""

    accounts: Accounts
    budgets: Mapping[Consumer, tuple[BudgetRule, ...]]
    quotas: QuotaRule | None
    standings: Standings
    metrics: Metrics
    lease: int
    outage: Literal["open", "closed"] = "open"


class _Account(msgspec.Struct, frozen=True):
    """An account of one request. rule: None for what was prepaid."""

    holding: Holding
    rule: BudgetRule | None


def budgeted(spending: Spending, router: str, quotes: Quotes) -> Layer:
    """The layer of a route. router: its name, as records have it."""
    return lambda inner: partial(Till(spending, router, quotes).admit, inner)


def downgrade_to(model: str) -> str:
    """The list of targets that answers in place of the one asked for, as `Exchange.chosen` names it."""
    return f"budget:{model}"


class Till:
    """One route's layer, and what is remembered of those who came."""

    __slots__ = ("_accounts", "_budgets", "_known", "_quotas", "_quotes", "_router", "_spending")

    def __init__(self, spending: Spending, router: str, quotes: Quotes) -> None:
        self._spending = spending
        self._accounts = spending.accounts
        self._budgets = spending.budgets
        self._quotas = spending.quotas
        self._quotes = quotes
        self._router = Consumer("router", router)
        self._known: dict[tuple[str, str, str], tuple[tuple[Consumer, ...], tuple[_Account, ...]]] = {}

    async def admit(self, inner: Handler, exchange: Exchange) -> Reply:
        """Reserve, then ask the handler."""
        if exchange.call.operation in _FREE:
            return await inner(exchange)
        who = exchange.caller, exchange.team, exchange.project
        found = self._known.get(who)
        if found is None:
            found = self._find(exchange)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[who] = found
        payers, accounts = found
        try:
            if payers:
                accounts = (*await self._prepaid(payers), *accounts)
            if not accounts:
                return await inner(exchange)
            note = await self._reserve(exchange, accounts)
        except StoreDown:
            raise GatewayError("store_unavailable", _UNSEEN, retry_after=1.0) from None
        except Unknown:
            if self._spending.outage == "closed":
                raise GatewayError("store_unavailable", _UNSEEN, retry_after=1.0) from None
            return await inner(exchange)
        reply = await inner(exchange)
        if note:
            reply.headers.append((b"x-gateway-budget", note.encode("latin-1", "replace")))
        return reply

    def _find(self, exchange: Exchange) -> tuple[tuple[Consumer, ...], tuple[_Account, ...]]:
        """Whose balances are looked at, and which budgets hold for whoever asks."""
        names: dict[ConsumerKind, str] = {
            "key": exchange.caller, "team": exchange.team, "project": exchange.project,
        }  # fmt: skip
        payers = self._quotas.consumers if self._quotas is not None else ()
        consumers = [Consumer(kind, name) for kind, name in names.items() if name]
        return (
            tuple(consumer for consumer in consumers if consumer.kind in payers),
            tuple(
                _Account(rule.holding, rule)
                for consumer in (*consumers, self._router)
                for rule in self._budgets.get(consumer, ())
            ),
        )

    async def _prepaid(self, payers: Sequence[Consumer]) -> list[_Account]:
        """Those of the payers that have a balance. Unknown."""
        quotas = self._quotas
        assert quotas is not None
        has = self._accounts.has_balance
        found = [one for one in payers if await has(one)]
        if not found and quotas.required:
            found = [one for one in payers if await has(one, surely=True)]
            if not found:
                whose = " and ".join(f"{one.kind} {one.name!r}" for one in payers)
                raise _insufficient(f"Nothing has been paid in for the {whose}.")
        return [_Account(prepaid_by(one), None) for one in found]

    async def _reserve(self, exchange: Exchange, accounts: Sequence[_Account]) -> str:
        """Take what it may cost of every account; what the client is told of it. GatewayError when there is no room."""
        asks = self._asks(exchange, exchange.chosen, accounts, soft=False)
        reserved = await self._accounts.reserve(asks, exchange.wall, self._spending.lease)
        if exchange.trace is not None:
            _note(exchange.trace, accounts, asks, reserved, exchange.wall)
        note = ""
        if not reserved.granted:
            rule = self._cheaper(exchange, accounts, asks, reserved)
            asks = self._asks(exchange, downgrade_to(rule.downgrade), accounts, soft=True)
            reserved = await self._accounts.reserve(asks, exchange.wall, self._spending.lease)
            if not reserved.granted:
                raise self._refuse(exchange, accounts, asks, reserved)
            note = f"downgraded; {rule.said}"
            consumer = rule.holding.consumer
            exchange.chosen = downgrade_to(rule.downgrade)
            exchange.rule = f"budget:{consumer.kind}:{consumer.name}"
        for account, state in zip(accounts, reserved.states, strict=True):
            if state is not None:
                self._see(exchange, account, state)
        exchange.charged = True
        exchange.on_settle.append(partial(self._settle, accounts, asks, reserved))
        return note

    def _asks(
        self, exchange: Exchange, chosen: str, accounts: Sequence[_Account], *, soft: bool
    ) -> list[tuple[Holding, Ask]]:
        """chosen: the list of targets. soft: budgets that downgrade do not stand in the way of what they have been
        downgraded to."""
        quote = self._quotes.of(exchange, chosen)
        # What has no price must not go out of an account that is empty.
        amount = 1 if quote is None else min(quote, MOST + 1)
        return [
            (
                account.holding,
                Ask(
                    account.holding.key,
                    account.holding.limit,
                    account.holding.at(exchange.wall),
                    amount,
                    soft and account.rule is not None and bool(account.rule.downgrade),
                ),
            )
            for account in accounts
        ]

    def _cheaper(
        self,
        exchange: Exchange,
        accounts: Sequence[_Account],
        asks: Sequence[tuple[Holding, Ask]],
        reserved: Reservation,
    ) -> BudgetRule:
        """The budget that says which model answers instead. GatewayError where none that is short says so, or no such
        model can answer what is asked. Whether the others have room for that, they are asked again."""
        short = _short(accounts, asks, reserved)
        rules = [account.rule for account, _, _ in short if account.rule is not None and account.rule.downgrade]
        if (
            not rules
            or GROUP_OF[exchange.call.operation] != "chat"
            or downgrade_to(rules[0].downgrade) not in self._quotes.chosen
        ):
            raise self._refuse(exchange, accounts, asks, reserved)
        for account, state, _ in short:
            if account.rule is not None and account.rule.downgrade:
                kind = account.holding.consumer.kind
                self._spending.metrics.count_short_of_money(exchange.router, kind, "budget", "downgraded")
                self._see(exchange, account, state, refused=True)
        return rules[0]

    def _refuse(
        self,
        exchange: Exchange,
        accounts: Sequence[_Account],
        asks: Sequence[tuple[Holding, Ask]],
        reserved: Reservation,
    ) -> GatewayError:
        short = [one for one in _short(accounts, asks, reserved) if not one[2].soft]
        for account, state, _ in short:
            consumer = account.holding.consumer
            kind = "quota" if account.rule is None else "budget"
            self._spending.metrics.count_short_of_money(exchange.router, consumer.kind, kind, "refused")
            self._see(exchange, account, state, refused=True)
        account, state, ask = next((one for one in short if one[0].rule is None), short[0])
        left = in_dollars(max(state.left, 0))
        wanted = f"it may cost {in_dollars(ask.amount)} USD, and {left} USD are left"
        consumer = account.holding.consumer
        if account.rule is None:
            return _insufficient(f"The balance of the {consumer.kind} {consumer.name!r} is too low: {wanted}.")
        until = ask.span.until - exchange.wall
        return GatewayError(
            "budget_exceeded",
            f"{account.rule.said} does not allow this request: {wanted}. The budget is the gateway's own, not the "
            "provider's.",
            retry_after=max(until, 1.0),
            headers=(
                (b"x-gateway-budget", f"exceeded; {account.rule.said}".encode("latin-1", "replace")),
                # The clients of OpenAI and Anthropic would ask again at once.
                (b"x-should-retry", b"false"),
            ),
        )

    def _see(self, exchange: Exchange, account: _Account, state: State, *, refused: bool = False) -> None:
        """Keep how an account stands."""
        self._spending.standings.see(self._standing(exchange, account, state), self._alert_at(account), refused=refused)

    def _standing(self, exchange: Exchange, account: _Account, state: State) -> Standing:
        kind, name = account.holding.consumer.kind, account.holding.consumer.name
        window = account.holding.window
        if window is None:
            return Standing(kind, name, "", state.since, state.spent, state.limit)
        # A threshold is told of once in each; a rolling window has as many as it has slices.
        span = window.at(exchange.wall)
        until = inf if window.kind == "rolling" else span.until
        return Standing(kind, name, window.name, span.current, state.spent, state.limit, until)

    def _alert_at(self, account: _Account) -> tuple[float, ...]:
        if account.rule is not None:
            return account.rule.alert_at
        return self._quotas.alert_at if self._quotas is not None else ()

    def _settle(
        self,
        accounts: Sequence[_Account],
        asks: Sequence[tuple[Holding, Ask]],
        reserved: Reservation,
        exchange: Exchange,
    ) -> None:
        cost = min(exchange.cost or 0, MOST)
        charges = [
            Charge(
                ask.key, reserved.granule, ask.amount, ask.span.current, state.since if state is not None else 0, cost
            )
            for (_, ask), state in zip(asks, reserved.states, strict=True)
        ]
        self._accounts.settle(charges, reserved.by)
        if cost:
            for account, state in zip(accounts, reserved.states, strict=True):
                if state is not None:
                    standing = self._standing(exchange, account, state)
                    self._spending.standings.charge(standing, cost, self._alert_at(account))


def _short(
    accounts: Sequence[_Account], asks: Sequence[tuple[Holding, Ask]], reserved: Reservation
) -> list[tuple[_Account, State, Ask]]:
    """The accounts without room."""
    return [
        (account, state, ask)
        for account, (_, ask), state in zip(accounts, asks, reserved.states, strict=True)
        if state is not None and not fits(ask, state)
    ]


def _note(
    trace: Trace,
    accounts: Sequence[_Account],
    asks: Sequence[tuple[Holding, Ask]],
    reserved: Reservation,
    wall: float,
) -> None:
    """The accounts, as they stood after they were asked, for who wants it explained."""
    for account, (_, ask), state in zip(accounts, asks, reserved.states, strict=True):
        if state is None:
            continue
        consumer, rule = account.holding.consumer, account.rule
        has_room = fits(ask, state)
        left = state.left - ask.amount if reserved.granted else state.left
        trace.limits.append(
            LimitNote(
                scope=f"{'quota' if rule is None else 'budget'} of {consumer.kind}",
                unit="usd",
                capacity=micro_of(state.limit),
                period=0.0 if rule is None else float(ask.span.until - ask.span.oldest),
                bucket=ask.key,
                takes=micro_of(ask.amount),
                left=micro_of(left),
                retry_after=0.0 if has_room else None if rule is None else ask.span.until - wall,
                path=("quotas",) if rule is None else rule.path,
            )
        )


def _insufficient(message: str) -> GatewayError:
    return GatewayError(
        "insufficient_quota",
        f"{message} `gateway quota add` pays in more. The quota is the gateway's own, not the provider's.",
    )
