"""`gateway serve` with workers that share a real store, and the store killed under them."""

from __future__ import annotations

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.processes import BOUND, Program, start_gateway
from tests.support.redis_server import RedisServer

REQUESTS = 600
CLIENTS = 6
CAPACITY = 200

BODY = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "Hi"}]})


def config(server: RedisServer, on_outage: str, capacity: int) -> str:
    return f"""
store: {{url: '{server.url}', on-outage: {on_outage}, timeout: 5s}}
routers:
  one:
    load-balance: {{chat: {{providers: [echo]}}}}
    rate-limit: {{total: {{capacity: {capacity}, refill-frequency: 30d}}}}
"""


def ask(gateway: Program, count: int, answered: list[int], enough: threading.Event) -> None:
    """So many requests, one after the other, on connections that are kept."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=BOUND)
    for _ in range(count):
        connection.request("POST", "/router/one/v1/chat/completions", BODY, {"content-type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        answered.append(reply.status)
        if len(answered) > REQUESTS // 4:
            enough.set()
    connection.close()


def statuses(gateway: Program, enough: threading.Event | None = None) -> list[int]:
    answered: list[int] = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        told = enough or threading.Event()
        for asking in [pool.submit(ask, gateway, REQUESTS // CLIENTS, answered, told) for _ in range(CLIENTS)]:
            asking.result()
    return answered


def test_workers_grant_together_what_the_limit_says(server: RedisServer, tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(server, "closed", CAPACITY), {}, "--workers", "2") as gateway:
        answered = statuses(gateway)
        assert answered.count(200) == CAPACITY
        assert answered.count(429) == REQUESTS - CAPACITY


@pytest.mark.parametrize("on_outage", ["local", "open"])
def test_no_request_is_lost_when_the_store_is_killed(server: RedisServer, tmp_path: Path, on_outage: str) -> None:
    with start_gateway(tmp_path, config(server, on_outage, 10 * REQUESTS), {}, "--workers", "2") as gateway:
        enough = threading.Event()

        def kill() -> None:
            assert enough.wait(BOUND)
            server.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        answered = statuses(gateway, enough)
        killer.join()
        assert answered == [200] * REQUESTS
        gateway.wait_until(lambda: gateway.metric("gateway_store_up") == 0, "the metric tells")
        status, _, page = gateway.get("/readyz")
        assert (status, "refuses the connection" in page) == (200, True)
        server.start()
        gateway.wait_until(lambda: gateway.metric("gateway_store_up") == 1, "the store is found again")
