"""The gateway as a process, asked over real sockets: the same table for each of its servers.

What lives here: the fixtures. Providers are scripted by each test on a port that the gateway was told
of before. A lane is a router with a provider of its own, so that no test meets the breaker of another.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final

import pytest

from tests.support.loopback import unused_port
from tests.support.processes import Program, start_gateway

LANES: Final = 24
KEYS: Final = {"LANE_KEY": "lane-key-0000000000000000"}


class House:
    """A gateway that is up. upstream: the port where its providers are expected."""

    def __init__(self, program: Program, upstream: int) -> None:
        self.program = program
        self.port = program.port
        self.upstream = upstream
        self._lanes = count()

    def lane(self) -> str:
        """The path of a router that no other test uses."""
        number = next(self._lanes)
        assert number < LANES
        return f"/router/lane{number}/v1/chat/completions"


ENGINELESS: Final = ["granian"]
"""For what is over before an engine starts, or goes on beside it: once is enough."""


@pytest.fixture(scope="session", params=["granian", "hypercorn"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def house(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    upstream = unused_port()
    lines = [f"server: {{engine: {engine}, drain-timeout: 1s}}", "providers:"]
    for n in range(LANES):
        url = f"http://127.0.0.1:{upstream}/lane{n}/v1"
        lines.append(f"  lane{n}: {{dialect: openai, base-url: '{url}', models: ['*'], keys: ['${{env:LANE_KEY}}']}}")
    lines.append("routers:")
    lines += [
        f"  lane{n}: {{load-balance: {{chat: {{providers: [lane{n}]}}}}, retries: {{max-retries: 0}}}}"
        for n in range(LANES)
    ]
    with start_gateway(tmp_path_factory.mktemp(engine), "\n".join(lines), KEYS) as program:
        yield House(program, upstream)
