"""The admin API of a process, on the gateway's port and on one of its own, with one worker and with several."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.core.key_text import key_text
from gateway.store.ledger.sqlite import SqliteLedger
from tests.live.conftest import ENGINELESS
from tests.support.exchange_records import served
from tests.support.loopback import unused_port
from tests.support.processes import BOUND, ROOT, Program, listens, start_gateway
from tests.support.raw_client import connect

pytestmark = pytest.mark.real_time

KEY: Final = key_text(1)
HASH: Final = f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"


def config(engine: str, admin: str = "") -> str:
    return (
        f"server: {{engine: {engine}, drain-timeout: 1s}}\n"
        f"admin: {{keys: [{{name: ops, role: write, hash: '{HASH}'}}]{admin}}}\n"
        "routers: {demo: {load-balance: {chat: {providers: [echo]}}}}\n"
    )


def ask(port: int, path: str, method: str = "GET", body: str = "", key: str = KEY) -> tuple[int, dict[str, Any]]:
    """On a connection of its own, which another worker may answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)) as connection:
        connection.request(method, f"/admin/api{path}", body, {"authorization": f"Bearer {key}"})
        reply = connection.getresponse()
        content = reply.read()
        return reply.status, json.loads(content)


def test_it_is_on_the_port_of_the_gateway(engine: str, tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(engine), {}) as program:
        assert ask(program.port, "/targets")[0] == 200
        assert ask(program.port, "/targets", key="no")[0] == 401
        assert f"{program.url}/admin/api" in program.output()


async def test_a_change_that_is_cut_short_is_refused(engine: str, tmp_path: Path) -> None:
    with start_gateway(tmp_path, config(engine), {}) as program:
        async with connect(program.port) as client:
            framing = f"authorization: Bearer {KEY}\r\ncontent-length: 500"
            await client.send_cut("/admin/api/targets/restore", framing, b'{"provider":')
            assert await client.read_head() == 400


def test_a_port_of_its_own_has_it_and_nothing_else(engine: str, tmp_path: Path) -> None:
    port = unused_port()
    with start_gateway(tmp_path, config(engine, f", port: {port}"), {}) as program:
        program.wait_until(lambda: listens(port), "the admin port")
        assert ask(port, "/targets")[0] == 200
        assert ask(port, "/targets", key="no")[0] == 401
        assert ask(program.port, "/targets")[0] == 404
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)) as connection:
            connection.request("GET", "/livez", headers={"authorization": f"Bearer {KEY}"})
            assert connection.getresponse().status == 404
    assert not listens(port)


def test_every_worker_answers_and_a_reload_is_of_all(engine: str, tmp_path: Path) -> None:
    port = unused_port()
    with start_gateway(tmp_path, config(engine, f", port: {port}"), {}, "--workers", "2") as program:
        program.wait_until(lambda: listens(port), "the admin port")
        seen: set[str] = set()

        def both() -> bool:
            status, page = ask(port, "/targets")
            assert status == 200
            seen.add(page["worker"])
            return len(seen) == 2

        program.wait_until(both, "both workers")
        assert ask(port, "/reload", "POST")[0] == 200
        program.wait_until(lambda: reloads(program) >= 3, "one reload that was asked for, and one of each worker")


@pytest.mark.parametrize("engine", ENGINELESS)
def test_a_port_that_is_taken_is_told_before_anything_starts(engine: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    port = unused_port()
    with start_gateway(tmp_path / "a", config(engine, f", port: {port}"), {}) as first:
        first.wait_until(lambda: listens(port), "the admin port")
        refused = pytest.raises(AssertionError, match=f"127.0.0.1:{port} cannot be listened on")
        with refused, start_gateway(tmp_path / "b", config(engine, f", port: {port}"), {}):
            pass


def usage(*arguments: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli", "usage", *arguments]
    env = {"PATH": os.environ["PATH"], "GATEWAY_ADMIN_KEY": key}
    return subprocess.run(command, capture_output=True, text=True, timeout=BOUND, cwd=ROOT, env=env, check=False)


@pytest.mark.parametrize("engine", ENGINELESS)
def test_what_was_used_is_told_from_here_and_from_elsewhere(engine: str, tmp_path: Path) -> None:
    ledger = f"ledger: {{url: 'sqlite:///{tmp_path / 'ledger.db'}', spool: '{tmp_path / 'spool'}'}}\n"
    port = unused_port()
    with start_gateway(tmp_path, ledger + config(engine, f", port: {port}"), {}) as program:
        program.wait_until(lambda: listens(port), "the admin port")
        body = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "Hi"}]})
        for _ in range(3):
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", program.port, timeout=BOUND)) as client:
                client.request("POST", "/router/demo/v1/chat/completions", body, {"content-type": "application/json"})
                assert client.getresponse().status == 200

        def rows() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = ask(port, "/usage?by=router")[1]["rows"]
            return found

        program.wait_until(lambda: [row["requests"] for row in rows()] == [3], "the rows of three requests")
        elsewhere = usage("--by", "router", "--json", "--url", f"http://127.0.0.1:{port}")
        here = usage("--by", "router", "--json", "--config", str(tmp_path / "routers.yaml"))
        for told in (elsewhere, here):
            assert told.returncode == 0, told.stderr
            assert json.loads(told.stdout)["rows"] == rows()
        table = usage("--by", "router,model", "--csv", "--url", f"http://127.0.0.1:{port}/")
        assert table.stdout.splitlines()[1].startswith("demo,echo,3,0,")
        refused = usage("--url", f"http://127.0.0.1:{port}", key="wrong")
        assert refused.returncode == 1
        assert "401" in refused.stderr
        assert "GATEWAY_ADMIN_KEY" in refused.stderr


async def fill(path: Path, count: int) -> None:
    database = SqliteLedger(path)
    await database.open()
    wide = dict.fromkeys(("user", "request_id", "asked", "project"), "x" * 256)
    now = time.time()
    await database.insert([served(id=f"{n:06}", time=now - 3600 + n * 0.01, **wide) for n in range(count)])
    await database.close()


def test_a_table_whose_ledger_goes_away_is_cut(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with asyncio.Runner() as runner:
        runner.run(fill(path, 20_000))
    ledger = f"ledger: {{url: 'sqlite:///{path}', spool: '{tmp_path / 'spool'}'}}\n"
    with start_gateway(tmp_path, ledger + config(engine), {}) as program:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", program.port, timeout=BOUND)) as connection:
            connection.request("GET", "/admin/api/records?format=csv", headers={"authorization": f"Bearer {KEY}"})
            reply = connection.getresponse()
            assert reply.status == 200
            assert reply.read(3) == b"id,"
            # It is larger than all that servers and sockets take unread, so that the end is not written yet.
            with contextlib.closing(sqlite3.connect(path)) as other:
                other.execute("ALTER TABLE ledger_rows RENAME TO gone")
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                reply.read()
        program.wait_until(lambda: "admin request failed" in program.output(), "a line about it")
        assert program.get("/livez")[0] == 200


def reloads(program: Program) -> float:
    return program.metric('gateway_config_reloads_total{result="ok"}')
