from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from gateway.core.exchange import Call, Exchange
from gateway.core.secret import Secret
from gateway.ingress import ops
from gateway.ingress.ops import Ops, Serving
from gateway.pipeline.endpoint import Endpoint
from gateway.policy.health import BreakerPolicy
from gateway.policy.key_pool import KeyPool
from gateway.providers.row import Surface
from gateway.runtime import Runtime
from gateway.telemetry.exposition import CONTENT_TYPE, Snapshots, render
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics, Sample
from gateway.upstream.transport import UpstreamReply, UpstreamRequest
from tests.support.virtual_time import virtual_clock

SURFACE = Surface(dialect="openai", operations=("chat",))


class NoTransport:
    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise AssertionError("nothing here is asked for upstream")

    async def close(self) -> None: ...


def endpoint(name: str, *keys: str) -> Endpoint:
    pool = KeyPool([Secret(key, f"value-of-{key}") for key in keys], 60.0, 300.0)
    return Endpoint(
        name=name,
        title=name,
        origin="http://127.0.0.1:9",
        surfaces=(SURFACE,),
        auth="bearer",
        pool=pool,
        transport=NoTransport(),
    )


class Page:
    """The ops pages of a made-up process. serving may be changed between requests."""

    def __init__(self, *endpoints: Endpoint, snapshots: Snapshots | None = None) -> None:
        clock = virtual_clock()
        self.runtime = Runtime(
            clock=clock, transport=NoTransport(), echo=NoTransport(), log=Log(clock.wall), metrics=Metrics()
        )
        self.serving = Serving("abc123", ("prod", "ml"), {e.name: e for e in endpoints})
        self.ops = Ops(self.runtime, lambda: self.serving, snapshots)
        self._app = Starlette(routes=self.ops.routes())

    async def get(self, path: str, method: str = "GET") -> tuple[int, Mapping[bytes, bytes], bytes]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
        await self._app(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]

    async def json(self, path: str) -> tuple[int, dict[str, Any]]:
        import msgspec

        status, headers, body = await self.get(path)
        assert headers[b"content-type"] == b"application/json"
        return status, msgspec.json.decode(body)

    def gauges(self) -> dict[tuple[str, tuple[str, ...]], float]:
        return {(name, labels): value for name, labels, value in self.ops.samples()()}


async def test_alive_is_alive_whatever_else() -> None:
    page = Page()
    page.runtime.draining = True
    assert await page.json("/livez") == (200, {"status": "alive"})


async def test_ready_while_any_key_may_be_used() -> None:
    page = Page(endpoint("openai"), endpoint("anthropic", "main", "spare"))
    pool = page.serving.endpoints["anthropic"].pool
    first = pool.pick(0.0)
    assert first is not None
    pool.quarantine(first, 1000.0)
    assert await page.json("/readyz") == (200, {"status": "ready", "config": "abc123", "reload": "ok"})


async def test_not_ready_while_no_key_may_be_used_and_ready_again_after() -> None:
    page = Page(endpoint("openai", "main"))
    pool = page.serving.endpoints["openai"].pool
    key = pool.pick(0.0)
    assert key is not None
    pool.cool(key, 1000.0, 30.0)
    status, said = await page.json("/readyz")
    assert (status, said["status"]) == (503, "no provider can be asked")
    await asyncio.sleep(30)
    assert (await page.json("/readyz"))[0] == 200


async def test_not_ready_while_draining() -> None:
    page = Page(endpoint("openai", "main"))
    page.runtime.draining = True
    status, said = await page.json("/readyz")
    assert (status, said["status"]) == (503, "draining")


async def test_a_rejected_reload_is_told_and_stays_ready() -> None:
    page = Page(endpoint("openai", "main"))
    page.serving.rejected = ("routers.yaml:3:1: no such key", "keys: 'sk-abcdefghijklmnopqrstuv' is not a mapping")
    status, said = await page.json("/readyz")
    assert (status, said["status"]) == (200, "ready")
    assert said["reload"] == "rejected, the config before it serves"
    assert said["problems"] == ["routers.yaml:3:1: no such key", "keys: '[redacted]' is not a mapping"]


async def test_health_tells_people_what_there_is() -> None:
    page = Page(endpoint("openai", "main", "spare"), endpoint("ollama", "none"), endpoint("xai"))
    await asyncio.sleep(5)
    status, said = await page.json("/health")
    assert status == 200
    assert said["status"] == "healthy"
    assert said["keys"] == {"openai": {"main": "active", "spare": "active"}}
    assert (said["active_keys"], said["uptime_seconds"], said["total_requests"]) == (2, 5.0, 0)
    assert said["routers"] == ["prod", "ml"]


async def test_health_is_degraded_by_a_resting_key() -> None:
    page = Page(endpoint("openai", "main"))
    pool = page.serving.endpoints["openai"].pool
    key = pool.pick(0.0)
    assert key is not None
    pool.quarantine(key, 1000.0)
    _, said = await page.json("/health")
    assert (said["status"], said["keys"]) == ("degraded", {"openai": {"main": "quarantined"}})


async def test_health_is_degraded_by_an_open_breaker_and_by_a_rejected_reload() -> None:
    page = Page(endpoint("openai", "main"))
    load = page.runtime.load(("openai", "http://127.0.0.1:9", "gpt-4o"), BreakerPolicy(consecutive_failures=1))
    load.breaker.failure(1000.0)
    _, said = await page.json("/health")
    assert (said["status"], said["open_breakers"]) == ("degraded", ["openai/gpt-4o"])
    load.breaker.success(1011.0)
    page.serving.rejected = ("a problem",)
    _, said = await page.json("/health")
    assert (said["status"], said["open_breakers"], said["config_rejected"]) == ("degraded", [], True)


async def test_the_state_of_the_moment_is_sampled() -> None:
    page = Page(endpoint("openai", "main", "spare"), endpoint("ollama", "none"), endpoint("xai"))
    pool = page.serving.endpoints["openai"].pool
    key = pool.pick(0.0)
    assert key is not None
    pool.cool(key, 1000.0, None)
    for origin, in_flight, failures in (("http://127.0.0.1:1", 2, 0), ("http://127.0.0.1:2", 3, 1)):
        load = page.runtime.load(("openai", origin, "gpt-4o"), BreakerPolicy(consecutive_failures=1))
        load.in_flight = in_flight
        for _ in range(failures):
            load.breaker.failure(1000.0)
    task = asyncio.current_task()
    assert task is not None
    page.runtime.in_flight[task] = Exchange("1", "GET", "/", b"", [], b"", Call("openai", "other", "/"), "", 0, 0)
    found = page.gauges()
    assert found["gateway_requests_in_flight", ()] == 1
    assert found["gateway_target_in_flight", ("openai", "gpt-4o")] == 5
    assert found["gateway_breaker_state", ("openai", "gpt-4o")] == 2
    assert {labels: v for (name, labels), v in found.items() if name == "gateway_keys"} == {
        ("openai", "active"): 1,
        ("openai", "cooling"): 1,
        ("openai", "limited"): 0,
        ("openai", "quarantined"): 0,
    }
    assert found["gateway_config_info", ("abc123",)] == 1
    assert found["gateway_routers", ()] == 2
    assert found["gateway_resident_bytes", ()] > 1_000_000
    assert found["gateway_config_last_reload_successful", ()] == 1


async def test_half_open_is_between_open_and_closed() -> None:
    page = Page()
    load = page.runtime.load(("openai", "", "m"), BreakerPolicy(consecutive_failures=1, open_for=10.0))
    load.breaker.failure(1000.0)
    await asyncio.sleep(10)
    assert page.gauges()["gateway_breaker_state", ("openai", "m")] == 1


async def test_the_page_has_this_worker_and_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Snapshots(tmp_path)
    monkeypatch.setattr(other, "_own", tmp_path / "1.samples")
    other.write([("gateway_routers", (), 2.0), ("gateway_config_reloads_total", ("ok",), 3.0)])
    page = Page(snapshots=Snapshots(tmp_path))
    page.runtime.metrics.count_reload("ok")
    status, headers, body = await page.get("/metrics")
    assert (status, headers[b"content-type"].decode()) == (200, CONTENT_TYPE)
    assert b'gateway_config_reloads_total{result="ok"} 4.0' in body
    assert b"gateway_routers 2.0" in body


async def test_a_page_of_metrics_keeps_nobody_waiting_and_is_of_the_moment_in_which_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Page()
    others_are_served = threading.Event()

    def slow(workers: Sequence[Iterable[Sample]]) -> bytes:
        assert others_are_served.wait(30)
        return render(workers)

    monkeypatch.setattr(ops, "render", slow)
    page.runtime.metrics.count_reload("ok")
    asked = asyncio.create_task(page.get("/metrics"))
    await asyncio.sleep(0)
    page.runtime.metrics.count_reload("ok")
    assert (await page.get("/livez"))[0] == 200
    others_are_served.set()
    assert b'gateway_config_reloads_total{result="ok"} 1.0' in (await asked)[2]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics"])
async def test_the_pages_are_read_only(path: str) -> None:
    assert (await Page().get(path, "POST"))[0] == 405


@pytest.mark.parametrize("path", ["/readyz", "/health", "/metrics"])
async def test_no_page_shows_a_credential(path: str) -> None:
    _, _, body = await Page(endpoint("openai", "main")).get(path)
    assert b"value-of" not in body
