"""What policies cost: the gateway with one, against the gateway without, under the same load in the same run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from benchmarks.figures import CONNECTIONS, Bench, Figure, failures, in_rounds, middle, post, ready
from benchmarks.processes import Server, Unready, free_port, running
from benchmarks.systems import System

_PLENTY: Final = {"capacity": 100_000_000, "refill-frequency": "1s"}
TWO_SCOPES: Final = {"rate-limit": {"per-api-key": _PLENTY, "total": _PLENTY}}
CACHED: Final = {"cache": {"directive": "max-age=3600", "scope": "router"}}


def limits(bench: Bench) -> Iterable[Figure]:
    """Two scopes, which are one check."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(bench))
        runs = compared(
            bench,
            {
                "none": stack.enter_context(bench.ours(1, "no-limit")),
                "memory": stack.enter_context(bench.ours(1, "memory-limit", TWO_SCOPES)),
                "redis": stack.enter_context(bench.ours(1, "redis-limit", TWO_SCOPES, at(redis))),
            },
        )
    yield runs.cost("limits", "memory", 1.1)
    yield runs.cost("limits", "redis", 1.3)
    yield runs.wait("limits", "redis", 2.0)


def cache(bench: Bench) -> Iterable[Figure]:
    """Every request but the first is a hit; beside it each is a miss, for there is no cache."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(bench))
        runs = compared(
            bench,
            {
                "none": stack.enter_context(bench.ours(1, "no-cache")),
                "memory": stack.enter_context(bench.ours(1, "memory-cache", CACHED)),
                "redis": stack.enter_context(bench.ours(1, "redis-cache", CACHED, at(redis))),
            },
        )
    yield runs.cost("cache hit", "memory", 0.5)
    yield runs.cost("cache hit", "redis", 0.8)
    yield runs.wait("cache hit", "redis", None)


class Runs:
    """The runs of several systems, by name; `none` is the one without the policy."""

    def __init__(self) -> None:
        self.per_request: dict[str, list[float]] = {}
        self.p99: dict[str, list[float]] = {}
        self.told: dict[str, str] = {}

    def cost(self, what: str, name: str, target: float) -> Figure:
        ours, none = middle(self.per_request[name]), middle(self.per_request["none"])
        return Figure(
            what.split()[0], f"CPU, {what}, {name}, {CONNECTIONS} connections", ours / none, "x", target, ours, none,
            "us", "; ".join(filter(None, ["beside it: without", self.told.get(name, "")])),
        )  # fmt: skip

    def wait(self, what: str, name: str, target: float | None) -> Figure:
        ours, none = middle(self.p99[name]) / 1e3, middle(self.p99["none"]) / 1e3
        return Figure(
            what.split()[0], f"latency, {what}, {name}, p99, 1 connection, added", ours - none, "ms", target, ours,
            none, "ms", "beside it: without",
        )  # fmt: skip


def compared(bench: Bench, systems: dict[str, System]) -> Runs:
    """Each system in turn, in every round, with all connections and with one."""
    runs = Runs()
    ready(*systems.values())
    for _ in in_rounds(bench):
        for name, system in systems.items():
            busy = post(system, CONNECTIONS, bench.seconds)
            alone = post(system, 1, bench.seconds / 2)
            runs.per_request.setdefault(name, []).append(busy.cpu_per_request)
            runs.p99.setdefault(name, []).append(alone.p99)
            runs.told[name] = failures([busy, alone])
    return runs


@contextmanager
def redis_server(bench: Bench) -> Iterator[Server]:
    """A Redis that keeps nothing."""
    command = shutil.which("redis-server")
    if command is None:
        raise Unready("redis-server is not there. On Debian and Ubuntu: apt-get install redis-server")
    port = free_port()
    arguments = [command, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with running("redis", arguments, port, bench.directory) as server:
        server.wait_until(server.accepts)
        yield server


def at(redis: Server) -> dict[str, object]:
    return {"store": {"url": f"redis://127.0.0.1:{redis.port}"}}


GROUPS: Final[dict[str, Callable[[Bench], Iterable[Figure]]]] = {"limits": limits, "cache": cache}
