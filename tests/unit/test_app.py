"""What a process takes for its config, at its start and at each reload. How it serves is in tests/live."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from gateway.app import application, create
from gateway.assemble.house import assemble
from gateway.config.check import loaded_and_checked
from gateway.config.problem import ConfigError
from gateway.core.exchange import Exchange
from gateway.core.record import Record
from gateway.gateway import HOST_VARIABLE, Gateway, loaded_for
from gateway.runtime import Runtime, system_clock
from gateway.telemetry.log import Log
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.sinks import Sinks
from tests.support.scripted import ScriptedTransport

ROUTERS = "routers: {demo: {load-balance: {chat: {providers: [echo]}}}}\n"


@pytest.mark.parametrize(
    ("more", "code"),
    [("", "open-to-the-network"), ("auth: {mode: open}\nadmin: {port: 9000}\n", "admin-open")],
)
def test_a_config_must_be_fit_for_the_address_of_the_command_line(tmp_path: Path, more: str, code: str) -> None:
    """`--host` reaches further than the file says: without this a reload could open what the start would not."""
    config = tmp_path / "routers.yaml"
    config.write_text(more + ROUTERS)
    with pytest.raises(ConfigError) as refused:
        create(config, {HOST_VARIABLE: "0.0.0.0"})
    assert [problem.code for problem in refused.value.problems if problem.level == "error"] == [code]


def test_the_address_of_the_command_line_is_that_of_the_admin_api_too(tmp_path: Path) -> None:
    config = tmp_path / "routers.yaml"
    key = f"{{name: ops, hash: 'sha256:{'a' * 64}'}}"
    config.write_text(f"auth: {{mode: open}}\nadmin: {{port: 9000, keys: [{key}]}}\n{ROUTERS}")
    assert loaded_and_checked(config, {}, host="127.0.0.2")[0].spec.server.host == "127.0.0.2"


class Pen:
    """A sink. cap: why it cannot be opened."""

    def __init__(self, cap: str = "") -> None:
        self.cap = cap
        self.closed = False

    async def open(self) -> None:
        if self.cap:
            raise OSError(self.cap)

    def write(self, record: Record, exchange: Exchange) -> None:
        raise AssertionError("nothing is asked here")

    async def close(self) -> None:
        self.closed = True

    def trouble(self) -> str | None:
        return None


def process(folder: Path, **pens: Pen) -> Gateway:
    """A gateway whose providers are nobody, with these sinks."""
    config = folder / "routers.yaml"
    config.write_text(ROUTERS)
    clock = system_clock()
    upstream = ScriptedTransport()
    log = Log(clock.wall, "json", "debug", io.StringIO())
    runtime = Runtime(clock=clock, transport=upstream, echo=upstream, log=log, metrics=Metrics())
    loaded = loaded_for(config, {}, clock.wall())
    house = assemble(loaded.spec, loaded.hash, runtime, {})
    house = msgspec.structs.replace(house, sinks=Sinks({name: (None, pen) for name, pen in pens.items()}))
    return Gateway(config, house, loaded, runtime, {})


@pytest.mark.real_time
async def test_all_is_closed_at_the_end_though_there_is_no_room_for_the_last_numbers(tmp_path: Path) -> None:
    pen = Pen()
    gateway = process(tmp_path, pen=pen)
    app = application(gateway, str(tmp_path / "gone"))
    async with app.router.lifespan_context(app):
        assert not pen.closed
    assert pen.closed
    assert isinstance(gateway.runtime.transport, ScriptedTransport)
    assert gateway.runtime.transport.closed


@pytest.mark.real_time
async def test_what_a_start_had_opened_is_closed_when_it_fails(tmp_path: Path) -> None:
    pen = Pen()
    app = application(process(tmp_path, pen=pen, other=Pen("no ink")))
    with pytest.raises(OSError, match="no ink"):
        async with app.router.lifespan_context(app):
            raise AssertionError("it has started")
    assert pen.closed
