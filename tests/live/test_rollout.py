"""Two gateways behind nginx with the shipped configuration, under load: restarted one after the other, and reloaded. No
request fails, no stream is cut, and each has its row in the ledger that both keep.

nginx is told to leave a gateway alone before that is stopped, as Kubernetes does with an endpoint, and as
docs/install-vm.md says for machines.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway.assemble.ledger import ledger_database
from gateway.config.spec import LedgerSettings
from gateway.store.ledger.protocol import UsageQuery
from tests.support.loopback import Connection, serve, unused_port, within_bound
from tests.support.postgres_server import run_postgres
from tests.support.processes import ROOT, Program, gateway_command
from tests.support.raw_client import Broken, connect
from tests.support.scripted import DONE, chat_chunk

pytestmark = pytest.mark.real_time

SHIPPED: Final = ROOT / "deploy" / "nginx" / "router-gateway.conf"
KEYS: Final = {"LOAD_KEY": "load-key-0000000000000000"}
PATH: Final = "/router/load/v1/chat/completions"
ASKERS: Final = 6
HELD: Final = 6
RELOADS: Final = 20
MANY: Final = 40
"""Requests that are answered while something else goes on."""

NGINX: Final = """\
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/router-gateway.conf;
}}
"""


def body(**more: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **more}


class Provider:
    """Answers at once; a stream of the end user `held` goes on until it is let go."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        while await connection.read_request():
            if b'"stream"' not in connection.body:
                await connection.answer(b'{"choices":[]}', headers=b"content-type: application/json\r\n")
                continue
            await connection.start_chunked(b"content-type: text/event-stream\r\n")
            await connection.write_chunk(chat_chunk({"content": "first"}))
            if b'"held"' in connection.body:
                await self.go_on.wait()
            await connection.write_chunk(chat_chunk({"content": "last"}, "stop") + DONE)
            await connection.write_chunk(b"")


class Load:
    """Clients that ask without a pause, each request on a connection of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answered = 0
        self.enough = False
        self.failed: list[str] = []
        self._asking = 0
        self._may_ask = asyncio.Event()
        self._may_ask.set()

    async def ask(self, number: int) -> None:
        while not self.enough:
            await self._may_ask.wait()
            self._asking += 1
            stream = number % 2 == 0
            try:
                async with connect(self._port) as client:
                    await client.send("POST", PATH, body(stream=True) if stream else body())
                    status = await client.read_head()
                    read = await client.read_body()
                if status != 200 or (stream and not read.endswith(DONE)):
                    self.failed.append(f"{status} {read[:300]!r}")
            except (Broken, OSError) as error:
                self.failed.append(repr(error))
            self.answered += 1
            self._asking -= 1

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nobody asks meanwhile."""
        self._may_ask.clear()
        try:
            while self._asking:
                await asyncio.sleep(0)
            yield
        finally:
            self._may_ask.set()

    async def many(self) -> None:
        """Until so many more were answered."""
        wanted = self.answered + MANY
        while self.answered < wanted:
            await asyncio.sleep(0)


class Nginx:
    """nginx with the shipped configuration, on a free port."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        if program is None:
            pytest.skip("no nginx: on Debian and Ubuntu, apt-get install nginx-light")
        port = unused_port()
        self._upstream = folder / "router-gateway-upstream.conf"
        self.serve_by(ports)
        text = SHIPPED.read_text("utf-8")
        for shipped, here in (
            ("listen 8000;", f"listen 127.0.0.1:{port};"),
            ("/etc/nginx/router-gateway-upstream.conf", str(self._upstream)),
        ):
            assert text.count(shipped) == 1
            text = text.replace(shipped, here)
        (folder / "router-gateway.conf").write_text(text)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        self.program = Program([program, "-p", folder, "-c", folder / "nginx.conf"], port, folder, {})
        self.program.wait_listening()

    def serve_by(self, ports: list[int]) -> None:
        self._upstream.write_text("".join(f"server 127.0.0.1:{port} max_fails=0;\n" for port in ports))

    async def reload(self, ports: list[int]) -> None:
        """Returns when no worker takes new connections by the upstreams of before."""
        left = self.program.output().count("gracefully shutting down")
        self.serve_by(ports)
        self.program.signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while self.program.output().count("gracefully shutting down") < left + 2:
                await asyncio.sleep(0.02)


class Site:
    """What serves: two gateways of one file and one ledger, nginx before them, and load upon it."""

    def __init__(self, folder: Path, engine: str, upstream: int, ledger: str) -> None:
        self._folder = folder
        self._engine = engine
        self._upstream = upstream
        self._ledger = f"{{url: '{ledger}', spool: '{folder / 'spool'}'}}"
        self._serial = 0
        self.config = folder / "routers.yaml"
        self.write_config()
        self.ports = [unused_port(), unused_port()]
        self.gateways = [self.start(port) for port in self.ports]
        for gateway in self.gateways:
            gateway.wait_listening()
        self.nginx = Nginx(folder, self.ports)
        self.load = Load(self.nginx.program.port)

    def write_config(self) -> None:
        """In one step, as an editor or Kubernetes does; each time with another router beside."""
        self._serial += 1
        beside = self.config.with_suffix(".new")
        url = f"http://127.0.0.1:{self._upstream}/v1"
        beside.write_text(
            f"server: {{engine: {self._engine}, drain-timeout: 15s}}\n"
            f"ledger: {self._ledger}\n"
            f"providers: {{load: {{dialect: openai, base-url: '{url}', models: ['*'], keys: ['${{env:LOAD_KEY}}']}}}}\n"
            "routers:\n"
            "  load: {load-balance: {chat: {providers: [load]}}}\n"
            f"  r{self._serial}: {{load-balance: {{chat: {{providers: [load]}}}}}}\n"
        )
        beside.replace(self.config)

    def start(self, port: int) -> Program:
        return Program(gateway_command(self.config, port), port, self._folder, KEYS)

    def stop(self) -> None:
        for program in (self.nginx.program, *self.gateways):
            program.stop()

    async def reloaded(self, before: list[float]) -> None:
        async with asyncio.timeout(20):
            while any(new <= old for new, old in zip(await self.reloads(), before, strict=True)):
                await asyncio.sleep(0.02)

    async def reloads(self) -> list[float]:
        sample = 'gateway_config_reloads_total{result="ok"}'
        return [await asyncio.to_thread(gateway.metric, sample) for gateway in self.gateways]

    async def restart(self, number: int, streams_go_on: asyncio.Event) -> None:
        """As a rollout does: out of the balancer, stopped, drained, started, ready, back."""
        port = self.ports[number]
        old = self.gateways[number]
        await self.nginx.reload([other for other in self.ports if other != port])
        assert await asyncio.to_thread(old.metric, "gateway_requests_in_flight") > 0
        old.signal(signal.SIGTERM)
        await self.load.many()
        streams_go_on.set()
        assert await asyncio.to_thread(old.wait_exit) == 0, old.output()
        self.gateways[number] = new = self.start(port)
        await asyncio.to_thread(new.wait_listening)
        assert (await asyncio.to_thread(new.get, "/readyz"))[0] == 200
        await self.nginx.reload(self.ports)
        await self.load.many()


@contextlib.asynccontextmanager
async def under_load(site: Site) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for number in range(ASKERS):
            group.create_task(site.load.ask(number))
        try:
            await site.load.many()
            yield
        finally:
            site.load.enough = True


@contextlib.asynccontextmanager
async def streams_held(site: Site, provider: Provider) -> AsyncIterator[asyncio.Event]:
    """Streams that have begun, as many at each gateway: nginx gives requests to them in turn, so others wait meanwhile.
    They are let go by the event, and each must come to its own end."""
    provider.go_on = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(site.nginx.program.port)) for _ in range(HELD)]
        async with site.load.paused():
            for client in clients:
                await client.send("POST", PATH, body(stream=True, user="held"))
                assert await client.read_head() == 200
                assert b"first" in await client.read_chunk()
        yield provider.go_on
        provider.go_on.set()
        for client in clients:
            assert (await client.read_body()).endswith(DONE)


@pytest.fixture
def ledger(engine: str, tmp_path: Path) -> Iterator[str]:
    """The address of what both gateways write to: with one server as in a cluster, if there is a PostgreSQL, with the
    other as on one machine."""
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'gateway.db'}"
        if engine == "granian":
            # Without a PostgreSQL the rollout itself is not to be left untried.
            with contextlib.suppress(pytest.skip.Exception):
                url = stack.enter_context(run_postgres()).url()
        yield url


async def rows_in(ledger: str) -> int:
    database = ledger_database(LedgerSettings(url=ledger))
    try:
        (row,) = (await database.usage(UsageQuery(0, 5e9))).rows
        return row.requests
    finally:
        await database.close()


async def test_a_rollout_and_many_reloads_fail_no_request_cut_no_stream_and_lose_no_row(
    engine: str, ledger: str, tmp_path: Path
) -> None:
    provider = Provider()
    held = 0
    async with serve(provider) as upstream:
        site = await asyncio.to_thread(Site, tmp_path, engine, upstream.port, ledger)
        try:
            async with under_load(site):
                for number in range(2):
                    async with streams_held(site, provider) as go_on:
                        held += HELD
                        await site.restart(number, go_on)
                async with streams_held(site, provider):
                    held += HELD
                    for _ in range(RELOADS):
                        before = await site.reloads()
                        site.write_config()
                        await within_bound(site.reloaded(before))
                    await site.load.many()
            assert site.load.failed == []
        finally:
            await asyncio.to_thread(site.stop)
    assert await rows_in(ledger) == site.load.answered + held
