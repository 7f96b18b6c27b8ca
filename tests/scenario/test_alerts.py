"""Alerts: what happens to requests, and what webhooks are told of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from gateway.store.ledger.sqlite import SqliteLedger
from gateway.telemetry.alert_hours import LOOKS
from gateway.telemetry.alert_request import Alert, signature
from gateway.telemetry.alerts import Alerts
from tests.support.exchange_records import served as record
from tests.support.house import ALPHA, HOUSE, PROVIDERS, Serve, Served, chat
from tests.support.scripted import ok, status
from tests.support.virtual_time import elapsed

HOOK = "hooks.test"
SECRET = "0123456789abcdef"
TOLD = f"alerts: {{webhooks: [{{name: ops, url: 'https://hooks.test/x', secret: {SECRET}}}]}}\n"
ALERTED = HOUSE + TOLD
DAY = 86_400
ONCE = "/router/once/v1/chat/completions"


@contextlib.asynccontextmanager
async def listening(served: Served) -> AsyncIterator[Served]:
    """With its sinks open, as the lifespan has them."""
    for sink in served.gateway.runtime.sinks:
        await sink.open()
    try:
        yield served
    finally:
        for sink in served.gateway.runtime.sinks:
            await sink.close()


def alerts(served: Served) -> list[Alert]:
    return [msgspec.json.decode(call.body, type=Alert) for call in served.upstream.to(HOOK)]


async def told(served: Served) -> list[tuple[str, str]]:
    """Kinds and keys, when all that has happened has been told."""
    sink = served.gateway.runtime.sinks.get("alerts")
    assert isinstance(sink, Alerts)
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    for webhook in sink.webhooks:
        await webhook.emptied()
    return [(alert.kind, alert.key) for alert in alerts(served)]


async def ask(served: Served, times: int = 1, path: str = ONCE, **headers: str) -> None:
    for _ in range(times):
        await served.client.post(path, chat(), headers)


async def test_an_outage_and_its_end_are_told_and_signed(serve: Serve) -> None:
    served = serve(ALERTED)
    served.upstream.on(HOOK, status(204, b""))
    served.upstream.on(ALPHA, *[status(500)] * 5, ok())
    async with listening(served):
        await ask(served, 5)
        assert await told(served) == [("provider-outage", "alpha/other")]
        await asyncio.sleep(10)
        await ask(served)
        assert await told(served) == [("provider-outage", "alpha/other"), ("provider-recovered", "alpha/other")]
    call = served.upstream.to(HOOK)[0]
    assert call.request.method == "POST"
    stamp = call.headers["x-gateway-timestamp"]
    assert call.headers["x-gateway-signature"] == f"v1={signature(SECRET, stamp, call.body)}"
    assert alerts(served)[0].fields["fault"] == "unavailable"
    assert await served.metric("gateway_alerts_total", kind="provider-outage", result="delivered") == 1


async def test_a_refused_key_and_a_pool_without_any_are_told(serve: Serve) -> None:
    served = serve(ALERTED)
    served.upstream.on(HOOK, status(200))
    served.upstream.on(ALPHA, status(401), status(429, retry_after=30), status(429, retry_after=30))
    async with listening(served):
        await ask(served, path="/router/keys/v1/chat/completions")
        found = await told(served)
    assert found == [("key-quarantined", "pool/one"), ("keys-exhausted", "pool")]
    assert alerts(served)[1].fields["seconds"] == 30


async def test_a_request_does_not_wait_for_a_webhook_that_hangs(serve: Serve) -> None:
    served = serve(ALERTED)
    served.upstream.on(HOOK, status(200).after(4.0))
    served.upstream.on(ALPHA, status(401))
    async with listening(served):
        await ask(served)
        assert elapsed() == 0
        assert len(served.upstream.to(ALPHA)) == 1


async def test_a_webhook_that_is_away_is_tried_again_and_then_given_up(serve: Serve) -> None:
    served = serve(ALERTED.replace("alerts: {", "alerts: {retry-for: 20s, "))
    served.upstream.on(HOOK, status(503))
    served.upstream.on(ALPHA, status(401))
    async with listening(served):
        await ask(served)
        await told(served)
        assert await served.metric("gateway_alerts_total", kind="key-quarantined", result="failed") == 1
    assert len({alert.id for alert in alerts(served)}) == 2
    assert len(alerts(served)) > 4
    assert "hooks.test" not in str(served.log())


async def test_a_redirect_is_not_followed(serve: Serve) -> None:
    served = serve(ALERTED)
    served.upstream.on(HOOK, status(307, headers=[("location", "http://169.254.169.254/latest/")]))
    served.upstream.on(ALPHA, status(401))
    async with listening(served):
        await ask(served)
        await told(served)
    assert set(served.upstream.hosts()) == {ALPHA, HOOK}
    assert await served.metric("gateway_alerts_total", result="failed") >= 1


async def test_only_those_are_told_who_want_to_hear_it(serve: Serve) -> None:
    other = "{name: money, url: 'https://other.test/x', format: slack, events: [budget-*]}"
    served = serve(ALERTED.replace("webhooks: [", f"webhooks: [{other}, "))
    served.upstream.on(HOOK, status(200))
    served.upstream.on("other.test", status(200))
    served.upstream.on(ALPHA, status(401))
    async with listening(served):
        await ask(served)
        served.runtime.events.tell("budget-warning", "team:ml", {"used": 0.8})
        await told(served)
    assert [alert.kind for alert in alerts(served)] == ["key-quarantined", "keys-exhausted", "budget-warning"]
    (call,) = served.upstream.to("other.test")
    assert "budget-warning" in call.json()["text"]
    assert "x-gateway-signature" not in call.headers


LIMITED = f"""
{PROVIDERS}
routers:
  solo:
    load-balance: {{chat: {{providers: [alpha]}}}}
    rate-limit: {{total: {{capacity: 20, refill-frequency: 1h}}}}
{TOLD}
"""


async def test_a_limit_is_told_of_when_nine_tenths_are_used_and_once(serve: Serve) -> None:
    served = serve(LIMITED)
    served.upstream.on(HOOK, status(200))
    served.upstream.on(ALPHA, ok())
    async with listening(served):
        await ask(served, 17, "/router/solo/v1/chat/completions")
        assert await told(served) == []
        await ask(served, 8, "/router/solo/v1/chat/completions")
        assert await told(served) == [("limit-near", "solo")]
    assert alerts(served)[0].fields["limit"] == 20
    assert alerts(served)[0].fields["left"] == 2


async def test_a_config_that_is_rejected_and_one_that_is_good_again(serve: Serve) -> None:
    served = serve(ALERTED)
    served.upstream.on(HOOK, status(200))
    async with listening(served):
        assert not await served.rewrite(ALERTED + "nonsense: 1\n")
        assert not await served.rewrite(ALERTED + "nonsense: 2\n")
        assert await served.rewrite(ALERTED)
        assert await told(served) == [("config-rejected", "config"), ("config-restored", "config")]
    assert "nonsense" in str(alerts(served)[0].fields["first"])


async def test_trouble_that_others_have_is_told_and_its_end(serve: Serve) -> None:
    served = serve(ALERTED)
    served.upstream.on(HOOK, status(200))
    stores = served.gateway.house.stores
    troubles: list[str | None] = [None, "connection refused", "connection refused", None]
    stores.trouble = lambda: troubles.pop(0) if len(troubles) > 1 else troubles[0]  # type: ignore[method-assign]
    async with listening(served):
        await asyncio.sleep(26)
        assert await told(served) == [("store-outage", "store"), ("store-recovered", "store")]
    assert alerts(served)[0].fields == {"why": "connection refused"}


async def test_errors_that_are_unusual_for_the_hour_are_told(serve: Serve) -> None:
    served = serve(ALERTED.replace("alerts: {", "alerts: {anomalies: {min-errors: 10}, "))
    served.upstream.on(HOOK, status(200))
    async with listening(served):
        for _ in range(4):
            served.upstream.on(ALPHA, status(500), status(500), ok())
            await ask(served, 3)
            await asyncio.sleep(DAY)
        assert await told(served) == []
        served.upstream.on(ALPHA, status(500))
        await ask(served, 12)
        found = await told(served)
    assert [key for kind, key in found if kind == "error-anomaly"] == ["router:once"]
    (anomaly,) = [alert for alert in alerts(served) if alert.kind == "error-anomaly"]
    assert (anomaly.fields["usual"], anomaly.fields["days"]) == (2, 4)


async def test_an_hour_is_judged_by_the_ledger_where_there_is_one(serve: Serve, tmp_path: Path) -> None:
    ledger = f"ledger: {{url: 'sqlite:///{tmp_path / 'ledger.db'}', spool: '{tmp_path / 'spool'}'}}\n"
    served = serve(ledger + ALERTED.replace("alerts: {", "alerts: {anomalies: {min-errors: 10}, "))
    served.upstream.on(HOOK, status(200))
    # Of other replicas, and of before this process began.
    now = served.runtime.clock.wall()
    database = SqliteLedger(tmp_path / "ledger.db")
    await database.open()
    for day, errors in enumerate((12, 2, 2, 2, 2)):
        await database.insert(
            [
                record(
                    id=f"{day}-{number}",
                    time=now - day * DAY,
                    router="once",
                    provider="alpha",
                    status=502,
                    outcome="error",
                )
                for number in range(errors)
            ]
        )
    await database.close()
    async with listening(served):
        await asyncio.sleep(LOOKS + 1)
        found = await told(served)
    assert sorted(found) == [("error-anomaly", "provider:alpha"), ("error-anomaly", "router:once")]
    assert {(alert.fields["usual"], alert.fields["days"]) for alert in alerts(served)} == {(2, 4)}


async def test_what_waits_is_delivered_when_the_process_ends(serve: Serve) -> None:
    served = serve(ALERTED)
    served.upstream.on(HOOK, status(200).after(3.0))
    served.upstream.on(ALPHA, status(401))
    async with listening(served):
        await ask(served)
    assert [alert.kind for alert in alerts(served)][:1] == ["key-quarantined"]
    assert elapsed() <= 5
    assert await served.metric("gateway_alerts_total", result="delivered") == 1
    assert await served.metric("gateway_alerts_total", result="dropped") == 1


async def test_nobody_listens_where_there_are_no_alerts(serve: Serve) -> None:
    served = serve()
    served.upstream.on(ALPHA, status(401))
    await ask(served)
    assert not served.runtime.events
    assert served.log("provider key quarantined")


@pytest.mark.parametrize("key", ["secret", "url"])
async def test_what_a_webhook_has_of_secrets_is_masked_in_every_line(serve: Serve, key: str) -> None:
    served = serve(ALERTED)
    assert await served.rewrite(ALERTED)
    said = SECRET if key == "secret" else "https://hooks.test/x"
    served.runtime.log.write("info", "something happened", {"what": f"with {said} in it"})
    assert said not in str(served.log())
