from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from tests.support.loopback import Connection, serve, unused_port, within_bound
from tests.support.processes import Program, start_gateway
from tests.support.raw_client import connect
from tests.support.scripted import DONE, chat_chunk

pytestmark = pytest.mark.real_time

KEYS: Final = {"SLOW_KEY": "slow-key-0000000000000000"}
BODY: Final = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
RELOADS: Final = 20
_serial = count()


def fresh(engine: str, upstream: int = 9) -> tuple[str, str]:
    """A config that has never been before, and the name of the router that tells it from the others."""
    name = f"r{next(_serial)}"
    return name, (
        f"server: {{engine: {engine}, drain-timeout: 1s}}\n"
        "providers:\n"
        f"  slow: {{dialect: openai, base-url: 'http://127.0.0.1:{upstream}/v1', models: ['*'],"
        " keys: ['${env:SLOW_KEY}']}\n"
        "routers:\n"
        f"  {name}: {{load-balance: {{chat: {{providers: [echo]}}}}}}\n"
        "  slow: {load-balance: {chat: {providers: [slow]}}}\n"
    )


class Reloading:
    """A gateway whose file is edited. path: that file."""

    def __init__(self, program: Program, path: Path, engine: str, upstream: int) -> None:
        self.program = program
        self.path = path
        self.engine = engine
        self.upstream = upstream

    def serves(self, router: str) -> bool:
        """Whether the gateway knows the router."""
        status, _, _ = self.program.get(f"/router/{router}/v1/models")
        return status == 200

    def reloads(self, result: str = "ok") -> float:
        return self.program.metric(f'gateway_config_reloads_total{{result="{result}"}}')


@pytest.fixture(scope="module")
def reloading(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reloading]:
    folder = tmp_path_factory.mktemp(engine)
    upstream = unused_port()
    with start_gateway(folder, fresh(engine, upstream)[1], KEYS) as program:
        yield Reloading(program, folder / "routers.yaml", engine, upstream)


def test_an_edit_of_the_file(reloading: Reloading) -> None:
    router, text = fresh(reloading.engine, reloading.upstream)
    assert not reloading.serves(router)
    reloading.path.write_text(text)
    reloading.program.wait_until(lambda: reloading.serves(router), "the edited config")


def test_another_file_in_its_place(reloading: Reloading) -> None:
    router, text = fresh(reloading.engine, reloading.upstream)
    beside = reloading.path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(reloading.path)
    reloading.program.wait_until(lambda: reloading.serves(router), "the renamed config")


def test_a_signal_reads_the_file_again(reloading: Reloading) -> None:
    before = reloading.reloads()
    reloading.program.signal(signal.SIGHUP)
    reloading.program.wait_until(lambda: reloading.reloads() == before + 1, "one more reload")


def test_a_bad_edit_changes_nothing_and_is_told(reloading: Reloading) -> None:
    router, text = fresh(reloading.engine, reloading.upstream)
    reloading.path.write_text(text)
    reloading.program.wait_until(lambda: reloading.serves(router), "the good config")
    before = reloading.reloads("rejected")
    reloading.path.write_text(text.replace("load-balance", "load-balanse"))
    reloading.program.wait_until(lambda: reloading.reloads("rejected") == before + 1, "the rejection")

    assert reloading.serves(router)
    assert reloading.program.metric("gateway_config_last_reload_successful") == 0
    status, _, page = reloading.program.get("/readyz")
    assert status == 200, "it can serve with what it has"
    assert "rejected" in page
    assert "load-balanse" in page
    assert "config rejected" in reloading.program.output()

    again, text = fresh(reloading.engine, reloading.upstream)
    reloading.path.write_text(text)
    reloading.program.wait_until(lambda: reloading.serves(again), "the mended config")
    assert reloading.program.metric("gateway_config_last_reload_successful") == 1
    assert '"reload":"ok"' in reloading.program.get("/readyz")[2]


async def test_what_is_under_way_during_many_reloads_is_neither_failed_nor_cut(reloading: Reloading) -> None:
    arrived, streaming, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.read_request()
        if b'"stream"' not in connection.body:
            arrived.set()
            await within_bound(go_on.wait())
            await connection.answer(b'{"object":"chat.completion","choices":[]}', headers=JSON)
            return
        await connection.start_chunked(b"content-type: text/event-stream\r\n")
        await connection.write_chunk(chat_chunk({"content": "first"}))
        streaming.set()
        await within_bound(go_on.wait())
        await connection.write_chunk(chat_chunk({"content": "last"}, "stop") + DONE)
        await connection.write_chunk(b"")

    port = reloading.program.port
    async with (
        serve(script, reloading.upstream),
        connect(port) as whole,
        connect(port) as stream,
        connect(port) as quick,
    ):
        await whole.send("POST", "/router/slow/v1/chat/completions", BODY)
        await stream.send("POST", "/router/slow/v1/chat/completions", {**BODY, "stream": True})
        await within_bound(arrived.wait())
        await within_bound(streaming.wait())
        assert await stream.read_head() == 200
        for _ in range(RELOADS):
            router, text = fresh(reloading.engine, reloading.upstream)
            before = reloading.reloads()
            beside = reloading.path.with_suffix(".new")
            beside.write_text(text)
            beside.replace(reloading.path)
            reloading.program.signal(signal.SIGHUP)
            while reloading.reloads() == before or not reloading.serves(router):
                await quick.ask("POST", "/router/slow/v1/none")
                await quick.ask("POST", "/echo/v1/chat/completions", BODY)
                assert quick.status == 200
        go_on.set()
        assert await whole.read_head() == 200
        assert b"chat.completion" in await whole.read_body()
        assert (await stream.read_body()).endswith(DONE)
        assert reloading.program.metric("gateway_requests_in_flight") == 0


def test_a_config_map_of_kubernetes(engine: str, tmp_path: Path) -> None:
    """Its file is a link over `..data`, a link that is swapped."""

    def publish(version: str, text: str) -> None:
        (tmp_path / version).mkdir()
        (tmp_path / version / "routers.yaml").write_text(text)
        (tmp_path / "..data_tmp").symlink_to(version)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    first, text = fresh(engine)
    publish("..2026_1", text)
    (tmp_path / "routers.yaml").symlink_to("..data/routers.yaml")
    with start_gateway(tmp_path, "", KEYS) as program:
        reloading = Reloading(program, tmp_path / "routers.yaml", engine, 9)
        assert reloading.serves(first)
        for number in (2, 3):
            router, text = fresh(engine)
            publish(f"..2026_{number}", text)
            program.wait_until(lambda router=router: reloading.serves(router), "the swapped config")  # type: ignore[misc]


JSON: Final = b"content-type: application/json\r\n"
