"""Budgets: what is reserved, charged and given back, when a window begins anew, and what the client is told."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from gateway.core.clock import Clock
from gateway.core.events import Event
from tests.support.house import ALPHA, BETA, PROVIDERS, Serve, Served, chat
from tests.support.scripted import chat_reply, chat_stream, hang, ok, refuse, status, stream
from tests.support.virtual_time import virtual_clock

ONE = "/router/one/v1/chat/completions"
TWO = "/router/two/v1/chat/completions"
PRICES = """
prices:
  alpha/*: {input: 0, output: 1000}
  alpha/small: {input: 0, output: 100}
  beta/*: {input: 0, output: 2000}
"""
"""A token of output is a tenth of a cent at alpha, the double at beta, and a tenth of it of the small model."""


def yaml(budget: str = "", *, more: str = "", one: str = "", two: str = "", providers: str = "alpha") -> str:
    """Routers `one`, which has the budget, and `two`."""
    own = f", budget: {budget}" if budget else ""
    balance = f"load-balance: {{chat: {{strategy: priority, providers: [{providers}]}}}}, retries: {{max-retries: 1}}"
    return f"{PROVIDERS}{PRICES}{more}\nrouters:\n  one: {{{balance}{own}{one}}}\n  two: {{{balance}{two}}}\n"


def keys(*callers: str) -> str:
    """`auth` with a key for each caller, written `name`, `name, team: t, budget: {...}`."""
    lines = []
    for caller in callers:
        name, _, said = caller.partition(", ")
        digest = sha256(f"gk-{name}".encode()).hexdigest()
        lines.append(f"    - {{name: {name}, hash: 'sha256:{digest}'{', ' if said else ''}{said}}}")
    return "\nauth:\n  mode: keys\n  keys:\n" + "\n".join(lines) + "\n"


def by(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer gk-{name}"}


def used(tokens: int) -> Any:
    return ok(chat_reply(tokens=(10, tokens)))


def serving(serve: Serve, text: str, tokens: int = 10) -> Served:
    served = serve(text)
    served.upstream.on(ALPHA, used(tokens))
    served.upstream.on(BETA, used(tokens))
    return served


async def statuses(served: Served, path: str, count: int, body: dict[str, Any] | None = None, **more: Any) -> list[int]:
    body = body or chat("big", max_tokens=10)
    return [(await served.client.post(path, body, **more)).status for _ in range(count)]


async def test_requests_pass_until_the_budget_has_no_room(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.03', window: day}"))
    assert await statuses(served, ONE, 4) == [200, 200, 200, 429]
    assert len(served.upstream.sent) == 3, "refused before anybody was asked"
    assert await statuses(served, TWO, 1) == [200], "the other router has no budget"


async def test_a_refusal_says_whose_budget_it_is_and_when_to_come_back(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.01', window: day}"))
    assert await statuses(served, ONE, 1) == [200]
    reply = await served.client.post(ONE, chat("big", max_tokens=20))
    assert reply.status == 429
    error = reply.json()["error"]
    assert (error["code"], error["type"]) == ("budget_exceeded", "insufficient_quota")
    assert "The budget of the router 'one' (0.01 USD per day)" in error["message"]
    assert "it may cost 0.02 USD, and 0.00 USD are left" in error["message"]
    midnight = -virtual_clock().wall() % 86400
    assert float(reply.headers["retry-after"]) == pytest.approx(midnight, abs=1)
    assert reply.headers["x-should-retry"] == "false"
    assert reply.headers["x-gateway-budget"].startswith("exceeded; ")


async def test_what_was_reserved_too_much_comes_back(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.1', window: day}"), tokens=1)
    assert await statuses(served, ONE, 11, chat("big", max_tokens=90)) == [200] * 11
    assert await statuses(served, ONE, 1, chat("big", max_tokens=90)) == [429], "0.089 are left"
    assert await served.metric("gateway_budget_spent_ratio", consumer="one") == pytest.approx(0.11)


async def test_requests_at_the_same_time_share_what_is_left(serve: Serve) -> None:
    served = serve(yaml("{amount: '0.05', window: day}"))
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 12)), delay=5.0))
    body = chat("big", max_tokens=10)
    replies = await asyncio.gather(*(served.client.post(ONE, body) for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [200] * 5 + [429] * 15
    # Each was estimated by 0.002 too low: so much more is spent, and not one request more.
    assert await served.metric("gateway_budget_spent_ratio", consumer="one") == pytest.approx(0.06 / 0.05)
    assert await statuses(served, ONE, 1, chat("big", max_tokens=1)) == [429]


async def test_a_failure_costs_nothing(serve: Serve) -> None:
    served = serve(yaml("{amount: '0.01', window: day}"))
    served.upstream.on(ALPHA, refuse())
    assert await statuses(served, ONE, 1) == [502]
    served.upstream.on(ALPHA, status(400))
    assert await statuses(served, ONE, 2) == [400, 400]
    served.upstream.on(ALPHA, used(10))
    assert await statuses(served, ONE, 2) == [200, 429]


async def test_a_failover_is_charged_at_the_price_of_who_answered(serve: Serve) -> None:
    served = serve(yaml("{amount: '0.05', window: day}", providers="alpha, beta"))
    served.upstream.on(ALPHA, status(500))
    served.upstream.on(BETA, used(10))
    # Beta, the dearer, is what is reserved: 0.02 each.
    assert await statuses(served, ONE, 3) == [200, 200, 429]
    assert await served.metric("gateway_budget_spent_ratio", consumer="one") == pytest.approx(0.8)


async def test_a_stream_is_charged_when_it_has_ended(serve: Serve) -> None:
    served = serve(yaml("{amount: '0.02', window: day}"))
    served.upstream.on(ALPHA, stream(chat_stream(tokens=(10, 4))))
    reply = await served.client.post(ONE, chat("big", max_tokens=20, stream=True))
    assert reply.status == 200
    assert await served.metric("gateway_budget_spent_ratio", consumer="one") == pytest.approx(0.2)
    served.upstream.on(ALPHA, used(16))
    assert await statuses(served, ONE, 2, chat("big", max_tokens=16)) == [200, 429]


async def test_a_client_that_leaves_pays_what_was_expected_where_nobody_says_more(serve: Serve) -> None:
    served = serve(yaml("{amount: '0.05', window: day}"))
    served.upstream.on(ALPHA, stream(endless=True, gap=1))
    async with served.client.stream("POST", ONE, json=chat("big", max_tokens=30, stream=True)):
        await asyncio.sleep(2.5)
    assert await served.metric("gateway_budget_spent_ratio", consumer="one") == pytest.approx(0.6)
    served.upstream.on(ALPHA, hang())
    connection = served.client.connect("POST", ONE, json=chat("big", max_tokens=20))
    await asyncio.sleep(3)
    await connection.disconnect()
    served.upstream.on(ALPHA, used(20))
    assert await statuses(served, ONE, 1, chat("big", max_tokens=20)) == [429], "it may have been worked on"
    assert await statuses(served, ONE, 1, chat("big", max_tokens=1)) == [429]


async def test_an_answer_from_the_cache_costs_nothing(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.01', window: day}", one=", cache: {directive: max-age=60}"))
    assert await statuses(served, ONE, 5) == [200] * 5
    assert len(served.upstream.sent) == 1
    assert await statuses(served, ONE, 1, chat("big", max_tokens=10, seed=1)) == [429]


async def test_keys_teams_projects_and_routers_have_budgets_of_their_own(serve: Serve) -> None:
    callers = keys(
        "ann, team: red, project: x, budget: {amount: '0.01', window: day}", "bob, team: red, project: y", "cy"
    )
    money = "teams: {red: {budget: {amount: '0.03', window: day}}}\nprojects: {y: {budget: {amount: '0.01'}}}\n"
    served = serving(serve, yaml("{amount: '0.05', window: day}", more=callers + money))
    assert await statuses(served, ONE, 2, headers=by("ann")) == [200, 429]
    reply = await served.client.post(TWO, chat("big", max_tokens=10), headers=by("ann"))
    assert "the gateway key 'ann'" in reply.json()["error"]["message"], "on every route"
    assert await statuses(served, "/alpha/v1/chat/completions", 1, headers=by("ann")) == [429]
    assert await statuses(served, TWO, 2, headers=by("bob")) == [200, 429]
    reply = await served.client.post(TWO, chat("big", max_tokens=10), headers=by("bob"))
    assert "the project 'y'" in reply.json()["error"]["message"]
    assert await statuses(served, ONE, 5, headers=by("cy")) == [200, 200, 200, 200, 429], "what is left of the router's"


async def test_a_budget_that_refuses_takes_nothing_of_the_others(serve: Serve) -> None:
    callers = keys("ann, budget: {amount: '0.01', window: day}", "bob")
    served = serving(serve, yaml("{amount: '0.02', window: day}", more=callers))
    assert await statuses(served, ONE, 5, headers=by("ann")) == [200, 429, 429, 429, 429]
    assert await statuses(served, ONE, 2, headers=by("bob")) == [200, 429]


def until(moment: str) -> float:
    """Seconds from now to a moment, on the clock of the tests."""
    return datetime.fromisoformat(moment).astimezone(UTC).timestamp() - virtual_clock().wall()


def later(moment: str, *, month: int = 0) -> float:
    """Seconds to the next such local time of the day, given as `HH:MM+hh:mm`."""
    today = datetime.fromtimestamp(virtual_clock().wall(), UTC).date()
    wait = until(f"{today}T{moment}")
    return wait if wait > 0 else wait + 86400


async def test_a_day_ends_at_midnight_and_not_a_moment_before(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.01', window: day}"))
    assert await statuses(served, ONE, 2) == [200, 429]
    await asyncio.sleep(later("00:00+00:00") - 0.5)
    assert await statuses(served, ONE, 1) == [429]
    await asyncio.sleep(0.5)
    assert await statuses(served, ONE, 2) == [200, 429]


@pytest.mark.parametrize(("window", "shown"), [("day", 0.0), ("rolling 24h", 1.0)])
async def test_what_is_shown_of_a_window_that_is_over(serve: Serve, window: str, shown: float) -> None:
    served = serving(serve, yaml(f"{{amount: '0.01', window: {window}}}"))
    assert await statuses(served, ONE, 2) == [200, 429]
    assert await served.metric("gateway_budget_spent_ratio") == 1.0
    await asyncio.sleep(later("00:00+00:00"))
    assert await served.metric("gateway_budget_spent_ratio") == shown, "though nobody has asked since"


async def test_a_day_ends_at_midnight_of_its_time_zone(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.01', window: day, time-zone: Asia/Kolkata}"))
    assert await statuses(served, ONE, 2) == [200, 429]
    await asyncio.sleep(later("00:00+05:30") - 0.5)
    assert await statuses(served, ONE, 1) == [429]
    await asyncio.sleep(0.5)
    assert await statuses(served, ONE, 2) == [200, 429]


async def test_a_month_ends_with_its_last_day(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.01'}"))
    assert await statuses(served, ONE, 2) == [200, 429]
    now = datetime.fromtimestamp(virtual_clock().wall(), UTC)
    first = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    await asyncio.sleep(first.timestamp() - virtual_clock().wall() - 0.5)
    assert await statuses(served, ONE, 1) == [429]
    await asyncio.sleep(0.5)
    assert await statuses(served, ONE, 2) == [200, 429]


async def test_a_rolling_window_forgets_slice_by_slice(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.02', window: rolling 3h}"))
    hour = -virtual_clock().wall() % 3600
    await asyncio.sleep(hour + 1)
    assert await statuses(served, ONE, 1) == [200]
    await asyncio.sleep(3600)
    assert await statuses(served, ONE, 2) == [200, 429]
    await asyncio.sleep(3 * 3600 - 2)
    assert await statuses(served, ONE, 1) == [429], "all three hours before are whole"
    await asyncio.sleep(2)
    assert await statuses(served, ONE, 2) == [200, 429], "the first is forgotten, the second is not"
    await asyncio.sleep(3600)
    assert await statuses(served, ONE, 2) == [200, 429]


async def test_a_request_is_charged_to_the_window_in_which_it_began(serve: Serve) -> None:
    served = serve(yaml("{amount: '0.01', window: day}"))
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 10)), delay=10.0))
    await asyncio.sleep(later("00:00+00:00") - 5)
    assert await statuses(served, ONE, 1) == [200]
    assert await statuses(served, ONE, 2) == [200, 429]


async def test_a_clock_that_jumps_opens_no_budget_twice(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    real, ahead = virtual_clock(), [0.0]
    jumping = Clock(real.monotonic, lambda: real.wall() + ahead[0], real.chance)
    monkeypatch.setattr("tests.support.house.virtual_clock", lambda: jumping)
    served = serving(serve, yaml("{amount: '0.02', window: day}"))
    assert await statuses(served, ONE, 3) == [200, 200, 429]
    ahead[0] = 86400.0
    assert await statuses(served, ONE, 2) == [200, 200], "it is another day"
    ahead[0] = 0.0
    assert await statuses(served, ONE, 1) == [429], "and back again this one, which is spent"
    ahead[0] = 86400.0
    assert await statuses(served, ONE, 1) == [429]
    served.upstream.on(ALPHA, ok(chat_reply(tokens=(10, 10)), delay=5.0))
    ahead[0] = 2 * 86400.0
    asked = asyncio.ensure_future(statuses(served, ONE, 1))
    await asyncio.sleep(1)
    ahead[0] = 0.0
    assert await asked == [200], "a jump while it is under way charges it where it began"
    served.upstream.on(ALPHA, used(10))
    ahead[0] = 2 * 86400.0
    assert await statuses(served, ONE, 2) == [200, 429]


DOWN = "{amount: '0.02', window: day, on-exceeded: {downgrade: alpha/small}}"


async def test_a_budget_may_have_a_cheaper_model_answer(serve: Serve) -> None:
    served = serving(serve, yaml(DOWN))
    assert await statuses(served, ONE, 2) == [200, 200]
    reply = await served.client.post(ONE, chat("big", max_tokens=10))
    assert reply.status == 200
    assert reply.headers["x-gateway-model"] == "small"
    assert reply.headers["x-gateway-budget"] == "downgraded; The budget of the router 'one' (0.02 USD per day)"
    assert '"small"' in served.upstream.last.body.decode()
    assert await served.metric("gateway_budget_spent_ratio", consumer="one") == pytest.approx(1.05), "it is counted"
    assert await served.metric("gateway_budget_refusals_total", action="downgraded") == 1


async def test_a_budget_may_have_the_cheapest_target_answer(serve: Serve) -> None:
    text = yaml("{amount: '0.04', window: day, on-exceeded: cheapest}", providers="beta, alpha")
    served = serving(serve, text)
    assert await statuses(served, ONE, 2) == [200, 200]
    reply = await served.client.post(ONE, chat("big", max_tokens=10))
    assert (reply.status, reply.headers["x-gateway-provider"]) == (200, "alpha")
    assert reply.headers["x-gateway-budget"].startswith("downgraded; ")
    assert served.upstream.hosts() == [BETA, BETA, ALPHA]


@pytest.mark.parametrize("model", ["alpha/small", "small"])
async def test_a_target_with_a_model_of_its_own_is_downgraded_too(serve: Serve, model: str) -> None:
    text = yaml(f"{{amount: '0.02', window: day, on-exceeded: {{downgrade: {model}}}}}", providers="alpha/big")
    served = serving(serve, text.replace("models: ['*']", "models: ['*', small]"))
    assert await statuses(served, ONE, 2) == [200, 200]
    reply = await served.client.post(ONE, chat("big", max_tokens=10))
    assert (reply.status, reply.headers["x-gateway-model"]) == (200, "small")


async def test_a_request_that_is_explained_shows_its_accounts(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.02', window: day}"))
    assert await statuses(served, ONE, 1) == [200]
    reply = await served.client.post(ONE, chat("big", max_tokens=10), headers={"x-gateway-explain": "1"})
    shown = next(value for name, value in reply.headers.items() if value.startswith("{"))
    (limit,) = json.loads(shown)["limits"]
    assert (limit["scope"], limit["takes"], limit["left"]) == ("budget of router", 10_000, 0)
    assert limit["path"] == "routers.one.budget"


async def test_a_downgrade_does_not_open_another_budget(serve: Serve) -> None:
    served = serving(serve, yaml(f"[{DOWN}, {{amount: '0.022', window: month}}]"))
    assert await statuses(served, ONE, 5) == [200, 200, 200, 200, 429]


async def test_what_does_not_chat_is_not_downgraded(serve: Serve) -> None:
    text = yaml(DOWN).replace("{chat: {strategy", "{default: {strategy")
    served = serving(serve, text)
    assert await statuses(served, ONE, 3) == [200, 200, 200]
    reply = await served.client.post("/router/one/v1/embeddings", {"model": "e", "input": "hi"})
    assert reply.status in (200, 429)


async def test_what_has_no_price_passes_as_long_as_anything_is_left(serve: Serve) -> None:
    served = serve(yaml("{amount: '0.01', window: day}", providers="gamma"))
    served.upstream.on("gamma.test", used(1000))
    assert await statuses(served, ONE, 3) == [200] * 3
    assert await served.metric("gateway_unpriced_requests_total") == 3


async def test_absurd_usage_ends_the_budget_and_nothing_else(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '1', window: day}"), tokens=10**8)
    assert await statuses(served, ONE, 2) == [200, 429]
    await asyncio.sleep(86400)
    assert await statuses(served, ONE, 1) == [200]


async def test_thresholds_are_told_once_each(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.1', window: day, alert-at: [0.5, 1.0]}"))
    told: list[Event] = []
    served.runtime.events.listen(told.append)
    assert await statuses(served, ONE, 12) == [200] * 10 + [429] * 2
    assert [(event.kind, event.fields["percent"]) for event in told] == [
        ("budget-warning", 50),
        ("budget-exceeded", 100),
    ]
    assert told[0].key == "router:one day 50%"
    assert told[0].fields["spent_usd"] == "0.05"
    await asyncio.sleep(86400)
    assert await statuses(served, ONE, 5) == [200] * 5
    assert told[-1].fields["percent"] == 50
    assert len(told) == 3


async def test_a_reload_goes_on_counting(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.02', window: day}"))
    assert await statuses(served, ONE, 3) == [200, 200, 429]
    assert await served.rewrite(yaml("{amount: '0.03', window: day}"))
    assert await statuses(served, ONE, 2) == [200, 429]


async def test_a_budget_that_is_gone_is_not_shown_any_more(serve: Serve) -> None:
    served = serving(serve, yaml("[{amount: 1, window: day}, {amount: 5}]"))
    assert await statuses(served, ONE, 1) == [200]
    assert await served.metric("gateway_budget_spent_ratio", window="day") == pytest.approx(0.01)
    assert await served.rewrite(yaml("{amount: 5}"))
    page = (await served.client.get("/metrics")).text
    assert 'window="month"' in page
    assert 'window="day"' not in page


async def test_listing_models_is_free(serve: Serve) -> None:
    served = serving(serve, yaml("{amount: '0.01', window: day}"))
    assert await statuses(served, ONE, 2) == [200, 429]
    assert (await served.client.get("/router/one/v1/models")).status == 200
