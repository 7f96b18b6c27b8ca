"""Laws of budgets: windows without gaps, money that is neither lost nor found, and no more overspent than misjudged."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.policy.budget import (
    CAP,
    GRANULE,
    LONGEST,
    MOST,
    Account,
    Ask,
    Charge,
    Statement,
    Window,
    fits,
    granule_of,
    merged,
    passed,
    rolling,
    settle,
    state_of,
    take,
)
from gateway.store.memory_accounts import MemoryAccounts
from tests.support.spenders import Spender, spend_together, spenders, standing

ZONES = (
    "UTC", "Europe/Berlin", "Asia/Kolkata", "America/Santiago", "America/Havana", "Australia/Lord_Howe",
    "Pacific/Apia", "Africa/Cairo", "Asia/Beirut", "Pacific/Chatham",
)  # fmt: skip
"""Those whose clocks change at midnight, by half an hour, or have left out a day."""
YEAR_2000, YEAR_2060 = 946_684_800, 2_840_140_800

moments = st.integers(YEAR_2000, YEAR_2060)
windows = st.one_of(
    st.builds(
        lambda kind, zone: Window(kind, kind, ZoneInfo(zone)), st.sampled_from(("day", "month")), st.sampled_from(ZONES)
    ),
    st.integers(1, 72).map(lambda hours: rolling(hours * 3600.0, f"rolling {hours}h")),
    st.integers(4, 90).map(lambda days: rolling(days * 86400.0, f"rolling {days}d")),
)


@given(windows, moments)
def test_every_moment_is_in_one_slice_and_the_next_begins_where_it_ends(window: Window, now: int) -> None:
    span = window.at(now)
    assert span.forget <= span.oldest <= span.current <= now < span.until
    assert window.at(span.current) == span == window.at(span.until - 1)
    assert window.at(span.until).current == span.until


@given(st.sampled_from(ZONES), moments)
@example("America/Santiago", int(datetime(2026, 9, 6, 12, tzinfo=ZoneInfo("America/Santiago")).timestamp()))
@example("America/Havana", int(datetime(2026, 11, 1, 0, 30, fold=1, tzinfo=ZoneInfo("America/Havana")).timestamp()))
def test_a_day_is_one_date_where_it_is_counted(zone: str, now: int) -> None:
    place = ZoneInfo(zone)
    span = Window("day", "day", place).at(now)
    today = datetime.fromtimestamp(now, place).date()
    assert datetime.fromtimestamp(span.current, place).date() == today
    assert datetime.fromtimestamp(span.until - 1, place).date() == today
    assert datetime.fromtimestamp(span.until, place).date() > today


@given(st.sampled_from(ZONES), moments)
def test_a_month_begins_on_its_first(zone: str, now: int) -> None:
    place = ZoneInfo(zone)
    span = Window("month", "month", place).at(now)
    first, last = (datetime.fromtimestamp(at, place) for at in (span.current, span.until - 1))
    assert (first.day, first.year, first.month) == (1, last.year, last.month)
    assert (last.date() + timedelta(days=1)).day == 1


@given(st.integers(1, 72), st.lists(st.tuples(st.integers(0, 5 * 3600), st.integers(0, 40)), max_size=40))
def test_no_stretch_of_a_rolling_windows_length_sees_more_than_its_amount(
    hours: int, asked: list[tuple[int, int]]
) -> None:
    window, limit, now = rolling(hours * 3600.0, "rolling"), 100, YEAR_2060
    account = Account(0, None, 0, {})
    spent: list[tuple[int, int]] = []
    for elapsed, cost in asked:
        now += elapsed
        ask = Ask("a", limit, window.at(now), cost)
        state = state_of(account, ask, now)
        if state is not None and fits(ask, state):
            take(account, ask, granule_of(now, 60))
            settle(account, Charge("a", granule_of(now, 60), cost, ask.span.current, 0, cost))
            spent.append((now, cost))
    for end, _ in spent:
        assert sum(cost for at, cost in spent if end - hours * 3600 < at <= end) <= limit


@pytest.mark.parametrize("length", [0.0, 3599.0, 3600.5, 73 * 3600.0, 3.5 * 86400, LONGEST + 86400.0])
def test_what_cannot_be_cut_into_slices_is_no_window(length: float) -> None:
    with pytest.raises(ValueError, match="whole hours"):
        rolling(length, "x")


class Request:
    """estimate, cost: nano-USD. begins, lasts: seconds."""

    def __init__(self, estimate: int, cost: int, wait: int, lasts: int) -> None:
        self.estimate = estimate
        self.cost = cost
        self.wait = wait
        self.lasts = lasts


requests = st.lists(
    st.builds(Request, st.integers(0, 50), st.integers(0, 80), st.integers(0, 5), st.integers(0, 30)), max_size=40
)
DAY = Window("day", "day")


@given(st.integers(0, 200), requests)
def test_no_more_is_overspent_than_requests_under_way_were_estimated_too_low(
    limit: int, happening: list[Request]
) -> None:
    store = MemoryAccounts(lambda: 0.0)
    span = DAY.at(YEAR_2060)
    store.merge_now("a", Statement(span.oldest))
    now, ends = 1000, list[tuple[int, int, Request]]()
    granted = spent = 0

    def finish(until: int) -> None:
        nonlocal spent
        for at, granule, done in sorted(ends, key=lambda one: one[0]):
            if at <= until:
                store.settle([Charge("a", granule, done.estimate, span.current, 0, done.cost)])
                spent += done.cost
                ends.remove((at, granule, done))

    for request in happening:
        now += request.wait
        finish(now)
        before = store.reserve_at([Ask("a", limit, span, request.estimate)], 600, now)
        state = before.states[0]
        assert state is not None
        assert state.spent == spent, "what was settled is charged, exactly"
        assert state.reserved == sum(one.estimate for _, _, one in ends), "what is under way is reserved, exactly"
        if before.granted:
            assert spent + state.reserved + request.estimate <= limit
            granted += 1
            ends.append((now + request.lasts, before.granule, request))
        else:
            assert spent + state.reserved + request.estimate > limit
    under_way = [one for _, _, one in ends]
    committed = spent + sum(one.estimate for one in under_way)
    finish(now + 1000)
    assert spent - committed <= sum(max(one.cost - one.estimate, 0) for one in under_way)
    state = store.reserve_at([Ask("a", limit, span, 0)], 600, now).states[0]
    assert state is not None
    assert (state.spent, state.reserved) == (spent, 0)


@given(st.integers(0, 200), spenders, st.integers(1, 10))
async def test_so_many_at_once_overspend_by_no_more_than_so_many_were_estimated_too_low(
    limit: int, asking: list[Spender], at_once: int
) -> None:
    """One at a time, by no more than one estimate's error."""
    store = MemoryAccounts(lambda: 0.0)
    granted = await spend_together([store], limit, asking, at_once)
    spent = sum(one.cost for one in granted)
    assert spent - limit <= sum(sorted((one.error for one in granted), reverse=True)[:at_once])
    assert await standing([store], limit) == (spent, 0)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 9)), min_size=1, max_size=20), st.integers(1, 1000))
def test_what_nobody_settles_comes_back_when_its_lease_is_over_and_not_before(
    asked: list[tuple[int, int]], lease: int
) -> None:
    account, now = Account(0, None, 0, {}), 0
    taken: list[tuple[int, int]] = []
    span = DAY.at(YEAR_2060)
    for elapsed, amount in asked:
        now += elapsed
        ask = Ask("a", MOST, span, amount)
        state = state_of(account, ask, now)
        assert state is not None
        sure = sum(amount for at, amount in taken if now < at + lease)
        at_most = sum(amount for at, amount in taken if now < at + lease + 2 * GRANULE)
        assert sure <= state.reserved <= at_most
        take(account, ask, granule_of(now, lease))
        taken.append((now, amount))


@given(
    st.dictionaries(st.integers(0, 5), st.integers(0, 100)),
    st.lists(st.dictionaries(st.integers(0, 5), st.integers(0, 100)), max_size=5),
)
def test_a_ledgers_word_never_lowers_what_was_spent(first: dict[int, int], later: list[dict[int, int]]) -> None:
    account = merged(None, Statement(0, slices=first))
    for slices in later:
        before = dict(account.slices)
        account = merged(account, Statement(0, slices=slices))
        assert all(account.slices[start] >= spent for start, spent in before.items())
        assert merged(account, Statement(0, slices=slices)).slices == account.slices, "said twice, it is the same"


def test_a_clock_that_jumps_ahead_and_back_finds_what_it_left() -> None:
    store = MemoryAccounts(lambda: 0.0)
    today = DAY.at(YEAR_2060)
    store.merge_now("a", Statement(today.oldest, slices={today.current: 60}))
    tomorrow = DAY.at(YEAR_2060 + 86400)
    assert store.reserve_at([Ask("a", 100, tomorrow, 90)], 60, 0).granted
    back = store.reserve_at([Ask("a", 100, today, 0)], 60, 500).states[0]
    assert back is not None
    assert back.spent == 60


def test_after_a_far_jump_nothing_is_guessed() -> None:
    store = MemoryAccounts(lambda: 0.0)
    today = DAY.at(YEAR_2060)
    store.merge_now("a", Statement(today.oldest, slices={today.current: 60}))
    assert store.reserve_at([Ask("a", 100, DAY.at(YEAR_2060 + 400 * 86400), 90)], 60, 0).granted
    assert not store.reserve_at([Ask("a", 100, today, 0)], 60, 0).known, "the ledger is asked again"
    store.merge_now("a", Statement(today.oldest, slices={today.current: 60}))
    assert not store.reserve_at([Ask("a", 100, today, 90)], 60, 0).granted


def test_an_absurd_cost_stops_at_what_is_exact() -> None:
    account = Account(0, MOST, 5, {})
    for _ in range(5):
        settle(account, Charge("a", 1, 0, 0, 5, MOST))
    assert account.slices == {0: CAP}


def test_a_charge_to_a_balance_that_was_set_anew_is_not_written_down() -> None:
    account = Account(0, 100, 5, {0: 10})
    take(account, Ask("a", None, DAY.at(0), 20), 3)
    account = merged(account, Statement(0, 50, 9))
    settle(account, Charge("a", 3, 20, 0, 5, 30))
    assert (account.granted, account.slices, account.reserved) == (50, {}, {})


@given(st.lists(st.floats(0.01, 1)), st.integers(0, 10**15), st.integers(1, 10**15))
def test_the_highest_threshold_that_is_reached_is_told(shares: list[float], spent: int, limit: int) -> None:
    reached = [share for share in shares if spent >= limit * share]
    assert passed(shares, spent, limit) == (max(reached) if reached else 0.0)


def test_the_account_that_rested_longest_goes_first() -> None:
    store = MemoryAccounts(lambda: 0.0, most=2)
    for key in "abc":
        store.merge_now(key, Statement(0))
    assert len(store) == 2
    assert not store.reserve_at([Ask("a", 1, DAY.at(0), 0)], 60, 0).known
