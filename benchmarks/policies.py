"""What policies cost: the gateway with one, against the gateway without, under the same load in the same run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from benchmarks import loads
from benchmarks.figures import CONNECTIONS, Bench, Figure, failures, in_turns, middle, post
from benchmarks.processes import LOAD_CORES, Server, Unready, free_port, running
from benchmarks.systems import System
from tests.support.postgres_server import run_postgres

_PLENTY: Final = {"capacity": 100_000_000, "refill-frequency": "1s"}
TWO_SCOPES: Final = {"rate-limit": {"per-api-key": _PLENTY, "total": _PLENTY}}
CACHED: Final = {"cache": {"directive": "max-age=3600", "scope": "router"}}

_NOISE: Final = 1.0
"""Milliseconds by which the p99 at one connection of the same gateway differs between runs."""

_BESIDE: Final = {
    "": "beside it: a miss",
    "none": "beside it: without",
    "others' rows": "beside it: without, while somebody else brings the server as many rows",
}


def limits(bench: Bench) -> Iterable[Figure]:
    """Two scopes, which are one check."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(bench))
        runs = Runs()
        for name, system in in_turns(bench, {
            "none": partial(bench.ours, 1, "no-limit"),
            "memory": partial(bench.ours, 1, "memory-limit", TWO_SCOPES),
            "redis": partial(bench.ours, 1, "redis-limit", TWO_SCOPES, at(redis)),
            "redis-py": partial(bench.ours, 1, "redis-py-limit", TWO_SCOPES, at(redis, "redis-py")),
        }):  # fmt: skip
            runs.add(name, bench, system)
    yield runs.cost("limits", "limits, memory", "memory", runs, 1.1, "none")
    yield runs.cost("limits", "limits, redis", "redis", runs, 1.3, "none")
    yield runs.cost("limits", "limits, redis-py", "redis-py", runs, None, "none")
    yield runs.wait("limits", "limits, redis", "redis", runs, 2.0, "none")


def cache(bench: Bench) -> Iterable[Figure]:
    """Hits, beside misses of the same gateway: requests that nobody has asked before, which are fetched and kept."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(bench))
        hits = Runs()
        misses = Runs()
        for name, system in in_turns(bench, {
            "memory": partial(bench.ours, 1, "memory-cache", CACHED),
            "redis": partial(bench.ours, 1, "redis-cache", CACHED, at(redis)),
        }):  # fmt: skip
            hits.add(name, bench, system)
            misses.add(name, bench, system, fresh=True)
    yield hits.cost("cache", "hit, memory", "memory", misses, 0.5)
    yield hits.cost("cache", "hit, redis", "redis", misses, 0.8)
    yield hits.wait("cache", "hit, redis", "redis", misses, None)


def ledger(bench: Bench) -> Iterable[Figure]:
    """A row for each request, priced, in a file and in a server; nobody is charged, as where there are no quotas.

    A server on the load's only core keeps the load waiting, whoever brings it rows. So its latency is also set beside a
    gateway without a ledger while somebody else brings that server as many: what is left is the gateway's own."""
    with ExitStack() as stack:
        postgres = stack.enter_context(run_postgres())
        # Beside the load, as a server on another machine would be. Its own processes inherit that.
        os.sched_setaffinity(postgres.pid, LOAD_CORES)
        runs = Runs()
        for name, system in in_turns(bench, {
            "none": partial(bench.ours, 1, "no-ledger"),
            "sqlite": partial(bench.ours, 1, "sqlite-ledger", None, kept(bench, "sqlite")),
            "postgresql": partial(bench.ours, 1, "postgresql-ledger", None, kept(bench, "postgresql", postgres.url())),
            "others' rows": partial(bench.ours, 1, "no-ledger-others-rows"),
        }, times=2):  # fmt: skip
            if name == "others' rows":
                like = runs.alone["postgresql"][-1]
                with loads.rows(postgres.url(), like.requests / like.seconds, bench.seconds / 2):
                    runs.add_alone(name, bench, system)
            else:
                runs.add(name, bench, system)
    for name, waits_for_it in (("sqlite", _NOISE), ("postgresql", None)):
        yield runs.cost("ledger", f"ledger, {name}", name, runs, 1.15, "none")
        yield runs.wait("ledger", f"ledger, {name}", name, runs, waits_for_it, "none")
    yield runs.wait("ledger", "ledger, postgresql", "postgresql", runs, _NOISE, "others' rows")


class Runs:
    """The runs of several systems, by name: with all connections, and with one."""

    def __init__(self) -> None:
        self.busy: dict[str, list[loads.Whole]] = {}
        self.alone: dict[str, list[loads.Whole]] = {}

    def add(self, name: str, bench: Bench, system: System, *, fresh: bool = False) -> None:
        """A round, with all connections and with one."""
        self.busy.setdefault(name, []).append(post(system, CONNECTIONS, bench.seconds, fresh=fresh))
        self.add_alone(name, bench, system, fresh=fresh)

    def add_alone(self, name: str, bench: Bench, system: System, *, fresh: bool = False) -> None:
        self.alone.setdefault(name, []).append(post(system, 1, bench.seconds / 2, fresh=fresh))

    def cost(self, group: str, what: str, name: str, beside: Runs, target: float | None, other: str = "") -> Figure:
        """Against the runs of the same name, or of `other`."""
        ours, theirs = (
            middle(run.cpu_per_request for run in runs)
            for runs in (self.busy[name], beside.busy[other or name])
        )  # fmt: skip
        return Figure(
            group, f"CPU, {what}, {CONNECTIONS} connections", ours / theirs, "x", target, ours, theirs, "us",
            "; ".join(filter(None, [_BESIDE[other], failures([*self.busy[name], *self.alone[name]])])),
        )  # fmt: skip

    def wait(self, group: str, what: str, name: str, beside: Runs, target: float | None, other: str = "") -> Figure:
        ours, theirs = (
            middle(run.p99 for run in runs) / 1e3
            for runs in (self.alone[name], beside.alone[other or name])
        )  # fmt: skip
        return Figure(
            group, f"latency, {what}, p99, 1 connection, added", ours - theirs, "ms", target, ours, theirs, "ms",
            _BESIDE[other],
        )  # fmt: skip


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


def at(redis: Server, client: str = "lean") -> dict[str, object]:
    return {"store": {"url": f"redis://127.0.0.1:{redis.port}", "client": client}}


def kept(bench: Bench, name: str, url: str | None = None) -> dict[str, object]:
    folder = bench.directory / f"{name}-ledger-kept"
    return {
        "ledger": {"url": url or f"sqlite:///{folder / 'ledger.db'}", "spool": str(folder / "spool")},
        "prices": {f"bench-w{i}/*": {"input": "0.15", "cached": "0.075", "output": "0.60"} for i in (1, 2)},
    }


GROUPS: Final[dict[str, Callable[[Bench], Iterable[Figure]]]] = {
    "limits": limits, "cache": cache, "ledger": ledger,
}  # fmt: skip
