"""Replicas that share a real store tell webhooks of the same thing once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from gateway.telemetry.alert_request import Alert
from gateway.telemetry.alerts import Alerts
from tests.support.house import ALPHA, PROVIDERS, Served, chat
from tests.support.redis_server import RedisServer
from tests.support.scripted import status

pytestmark = pytest.mark.real_time

HOOK = "hooks.test"
PATH = "/router/one/v1/chat/completions"


def config(url: str) -> str:
    return f"""
store: {{url: '{url}', timeout: 5s}}
alerts: {{webhooks: [{{name: ops, url: 'https://hooks.test/x', secret: 0123456789abcdef, events: [key-quarantined]}}]}}
routers: {{one: {{load-balance: {{chat: {{strategy: priority, providers: [alpha]}}}}}}}}
{PROVIDERS}"""


@contextlib.asynccontextmanager
async def gateway(folder: Path, text: str) -> AsyncIterator[Served]:
    served = Served(folder, text)
    served.upstream.on(HOOK, status(200))
    served.upstream.on(ALPHA, status(401))
    await served.gateway.house.stores.open()
    for sink in served.gateway.house.sinks:
        await sink.open()
    try:
        yield served
    finally:
        await served.runtime.close()
        served.check()


async def outcome(served: Served) -> tuple[int, float]:
    """Alerts that arrived, and those that were known to have been told, when what has happened has been judged."""
    sink = served.gateway.house.sinks.get("alerts")
    assert isinstance(sink, Alerts)
    while not (count := await served.metric("gateway_alerts_total", kind="key-quarantined")):
        await asyncio.sleep(0)
    assert count == 1
    alerts = [msgspec.json.decode(call.body, type=Alert) for call in served.upstream.to(HOOK)]
    return len(alerts), await served.metric("gateway_alerts_total", kind="key-quarantined", result="repeated")


async def test_the_first_tells_and_the_other_does_not(server: RedisServer, tmp_path: Path) -> None:
    text = config(server.url)
    async with gateway(tmp_path, text) as one, gateway(tmp_path, text) as other:
        await one.client.post(PATH, chat())
        assert await outcome(one) == (1, 0)
        await other.client.post(PATH, chat())
        assert await outcome(other) == (0, 1)


async def test_while_the_store_is_away_each_tells(server: RedisServer, tmp_path: Path) -> None:
    text = config(server.url)
    async with gateway(tmp_path, text) as one, gateway(tmp_path, text) as other:
        server.kill()
        for served in (one, other):
            await served.client.post(PATH, chat())
            assert await outcome(served) == (1, 0)
