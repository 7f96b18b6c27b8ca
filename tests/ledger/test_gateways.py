"""`gateway serve` with a ledger: killed, and with its database killed under it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Final

import pytest

from gateway.core.money import NANO
from gateway.core.secret import Secret
from gateway.store.ledger.postgres import PostgresLedger
from gateway.store.ledger.protocol import Consumer, LedgerDatabase, LedgerDown, UsageQuery
from gateway.store.ledger.sqlite import SqliteLedger
from tests.support.postgres_server import PostgresServer, run_postgres
from tests.support.processes import BOUND, ROOT, Program, start_gateway
from tests.support.records import a_record

BODY: Final = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "Hi"}]})
WRITTEN: Final = 'gateway_ledger_rows_total{result="written"}'


KEY: Final = "gw_prepaid-key-of-red"
FREE_KEY: Final = "gw_key-of-nobody-who-pays"
PREPAID: Final = f"""
quotas: {{consumers: [team]}}
prices: {{'echo/*': {{input: 0, output: 0, request: 1}}}}
teams: {{red: {{}}}}
auth:
  mode: keys
  keys:
    - {{name: ann, team: red, hash: 'sha256:{sha256(KEY.encode()).hexdigest()}'}}
    - {{name: bob, hash: 'sha256:{sha256(FREE_KEY.encode()).hexdigest()}'}}
"""
"""Each request costs a dollar, which ann's team has paid in."""


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    with run_postgres() as server:
        yield server


def config(folder: Path, url: str, more: str = "") -> str:
    ledger = f"{{url: '{url}', spool: '{folder / 'spool'}'{more}}}"
    return f"ledger: {ledger}\nrouters: {{one: {{load-balance: {{chat: {{providers: [echo]}}}}}}}}\n"


def ask(gateway: Program, count: int, key: str = "") -> list[int]:
    """So many requests, one after the other, on one connection."""
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=BOUND)
    statuses = []
    for _ in range(count):
        connection.request("POST", "/router/one/v1/chat/completions", BODY, headers)
        reply = connection.getresponse()
        reply.read()
        statuses.append(reply.status)
    connection.close()
    return statuses


def requests_in(database: LedgerDatabase) -> int:
    """By the rows and by the totals of days, which agree."""

    async def count() -> int:
        try:
            rows = [record.id async for record in database.records(UsageQuery(0, 5e9, limit=100_000))]
            page = await database.usage(UsageQuery(0, 5e9))
            total = page.rows[0].requests if page.rows else 0
            assert (len(rows), len(set(rows))) == (total, total)
            return total
        finally:
            await database.close()

    return asyncio.run(count())


def requests_paid(database: LedgerDatabase) -> int:
    """Dollars that were charged, by the rows."""

    async def count() -> int:
        try:
            return await database.spent(Consumer("team", "red"), 0.0, 5e9) // NANO
        finally:
            await database.close()

    return asyncio.run(count())


def test_what_kill_9_loses_is_within_the_batch_window(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with start_gateway(tmp_path, config(tmp_path, f"sqlite:///{file}"), {}) as gateway:
        assert ask(gateway, 50) == [200] * 50
        gateway.wait_until(lambda: gateway.metric(WRITTEN) == 50, "a window later they are written")
        ask(gateway, 5)
        gateway.kill()
    assert 50 <= requests_in(SqliteLedger(file)) <= 55


def test_workers_share_a_file_and_a_spool(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    text = config(tmp_path, f"sqlite:///{file}")
    with start_gateway(tmp_path, text, {}, "--workers", "2") as gateway, ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, gateway, 50) for _ in range(4)]
        assert all(statuses.result() == [200] * 50 for statuses in asked)
    assert requests_in(SqliteLedger(file)) == 200


def test_an_outage_of_postgresql_loses_nothing_and_fails_no_request(own_server: PostgresServer, tmp_path: Path) -> None:
    """Of rows that wait in memory and of those that are on disk before their request is over."""
    statuses: dict[str, list[int]] = {KEY: [], FREE_KEY: []}
    go_on = threading.Event()
    go_on.set()

    def keep_asking(gateway: Program, key: str) -> None:
        while go_on.is_set():
            statuses[key].extend(ask(gateway, 20, key))

    url = own_server.url()
    text = config(tmp_path, url) + PREPAID
    assert gateway_quota(tmp_path, text, "team:red", "1000000").returncode == 0
    with start_gateway(tmp_path, text, {"LEDGER_KEY": own_server.password}) as gateway:
        with ThreadPoolExecutor(2) as pool:
            asking = [pool.submit(keep_asking, gateway, key) for key in statuses]
            gateway.wait_until(lambda: gateway.metric(WRITTEN) > 0, "rows are written")
            own_server.kill()
            gateway.wait_until(lambda: gateway.metric("gateway_ledger_up") == 0, "it is missed")
            spooled = 'gateway_ledger_rows_total{result="spooled"}'
            before = gateway.metric(spooled)
            gateway.wait_until(lambda: gateway.metric(spooled) > before + 20, "rows wait in the spool")
            status, _, page = gateway.get("/readyz")
            assert (status, "the ledger is away" in page) == (200, True)
            own_server.start()
            gateway.wait_until(lambda: gateway.metric("gateway_ledger_up") == 1, "it is found again")
            go_on.clear()
            for client in asking:
                client.result()
        asked = sum(map(len, statuses.values()))
        gateway.wait_until(lambda: gateway.metric(WRITTEN) == asked, "all is written")
        gateway.wait_until(lambda: gateway.metric("gateway_ledger_spool_bytes") == 0, "nothing is left in the spool")
        assert "ledger" not in gateway.get("/readyz")[2]
    assert not list((tmp_path / "spool").iterdir())
    assert {*statuses[KEY], *statuses[FREE_KEY]} == {200}
    assert requests_in(PostgresLedger(Secret("ledger", url), "here")) == asked
    assert requests_paid(PostgresLedger(Secret("ledger", url), "here")) == len(statuses[KEY])


def fill_up(url: str) -> int:
    """Write rows until there is room for not one more: how many."""

    async def write() -> int:
        database, written = PostgresLedger(Secret("ledger", url), "here"), 0
        for size in (100, 1):
            with contextlib.suppress(LedgerDown):
                while True:
                    rows = [a_record(number, time=now) for number in range(written, written + size)]
                    written += await database.insert(rows)
        await database.close()
        return written

    now = time()
    return asyncio.run(write())


def test_a_full_postgresql_loses_nothing_and_fails_no_request(own_server: PostgresServer, tmp_path: Path) -> None:
    url = own_server.url()
    with start_gateway(tmp_path, config(tmp_path, url), {"LEDGER_KEY": own_server.password}) as gateway:
        statuses = ask(gateway, 20)
        gateway.wait_until(lambda: gateway.metric(WRITTEN) == 20, "rows are written")
        own_server.fill()
        others = fill_up(url)
        statuses += ask(gateway, 30)
        gateway.wait_until(lambda: gateway.metric("gateway_ledger_up") == 0, "it is away")
        statuses += ask(gateway, 30)
        spooled = 'gateway_ledger_rows_total{result="spooled"}'
        gateway.wait_until(lambda: gateway.metric(spooled) >= 30, "rows wait in the spool")
        status, _, page = gateway.get("/readyz")
        assert (status, "disk space" in page) == (200, True)
        own_server.make_room()
        gateway.wait_until(lambda: gateway.metric(WRITTEN) == 80, "all is written")
        assert gateway.metric("gateway_ledger_up") == 1
        assert gateway.metric('gateway_ledger_rows_total{result="refused"}') == 0
    assert statuses == [200] * 80
    assert not list((tmp_path / "spool").iterdir())
    assert requests_in(PostgresLedger(Secret("ledger", url), "here")) == 80 + others


def test_kill_9_loses_no_row_that_is_charged_to_somebody(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-m", "tests.ledger.charging", tmp_path], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    with start_gateway(tmp_path, config(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}"), {}) as gateway:
        gateway.wait_until(lambda: gateway.metric(WRITTEN) == 40, "the next process brings them")
    assert requests_in(SqliteLedger(tmp_path / "ledger.db")) == 40


def gateway_ledger(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", "ledger", *arguments, "--config", str(folder / "routers.yaml")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def gateway_quota(folder: Path, text: str, consumer: str, dollars: str) -> subprocess.CompletedProcess[str]:
    file = folder / "prepaid.yaml"
    file.write_text(text)
    command = [sys.executable, "-m", "gateway.cli", "quota", "set", consumer, dollars, "--config", str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BOUND, check=False)


def test_tables_are_made_from_the_command_line(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "routers.yaml").write_text(config(tmp_path, postgres_url))
    before = gateway_ledger(tmp_path, "status")
    assert (before.returncode, "missing    0001_ledger" in before.stdout) == (1, True)
    assert gateway_ledger(tmp_path, "migrate").stdout == "applied 0001_ledger\n"
    assert "Nothing to apply" in gateway_ledger(tmp_path, "migrate").stdout
    after = gateway_ledger(tmp_path, "status")
    assert (after.returncode, "requests   0" in after.stdout) == (0, True)
    for told in (before, after):
        assert PostgresServer.password not in told.stdout + told.stderr


def test_a_ledger_that_cannot_be_asked_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "routers.yaml").write_text("ledger: {url: 'postgresql://a:word-000000@127.0.0.1:9/x'}\n")
    told = gateway_ledger(tmp_path, "migrate")
    assert (told.returncode, "127.0.0.1:9/x" in told.stderr, "word-000000" in told.stderr) == (1, True, False)
    (tmp_path / "routers.yaml").write_text("server: {}\n")
    assert "keeps no ledger" in gateway_ledger(tmp_path, "status").stderr


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kill_9_under_load_gives_no_balance_back(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    paid, clients = 400, 4
    text = config(tmp_path, url) + PREPAID
    assert gateway_quota(tmp_path, text, "team:red", str(paid)).returncode == 0
    served: list[int] = []
    some = threading.Event()

    def keep_asking(gateway: Program) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                served.extend(ask(gateway, 1, KEY))
                if len(served) > paid // 16:
                    some.set()

    with ThreadPoolExecutor(clients) as pool, start_gateway(tmp_path, text, {}) as gateway:
        asking = [pool.submit(keep_asking, gateway) for _ in range(clients)]
        assert some.wait(BOUND), gateway.output()
        # At once: what they have paid for is soon spent.
        gateway.kill()
        assert [client.result() for client in asking] == [None] * clients
    assert set(served) == {200}
    with start_gateway(tmp_path, text, {}) as gateway:
        later = ask(gateway, paid, KEY)
        assert set(later) == {200, 402}
        assert later == sorted(later), "what is used up stays so"
        served += [status for status in later if status == 200]
    database = (
        SqliteLedger(tmp_path / "ledger.db") if kind == "sqlite" else PostgresLedger(Secret("ledger", url), "here")
    )
    assert requests_paid(database) == paid
    # Whoever was being answered when it ended may have been charged without a reply, or have it without a charge.
    assert abs(len(served) - paid) <= clients
