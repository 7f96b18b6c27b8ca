"""The figures: one function for each group, each measuring floor and gateway in turns and giving rows for the table."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, Protocol

import msgspec

from benchmarks import loads, systems
from benchmarks.processes import LOAD_CORES, Server, python, spawn
from benchmarks.systems import System, Upstreams

STREAMS: Final = 200
MANY_ROUTERS: Final = 1000
CONNECTIONS: Final = 32
RELOADS_TAKEN: Final = 'gateway_config_reloads_total{result="ok"}'
RELOADS_REFUSED: Final = 'gateway_config_reloads_total{result="rejected"}'
RELOAD_SECONDS: Final = "gateway_config_reload_seconds"


class Figure(msgspec.Struct, frozen=True):
    """One row. target: the most that `measured` may be, None where it is only told. ours, floor: the figures behind a
    ratio or a difference, in `unit`."""

    group: str
    name: str
    measured: float
    scale: str
    target: float | None = None
    ours: float | None = None
    floor: float | None = None
    unit: str = ""
    note: str = ""


class Factory(Protocol):
    """Starts what is measured. `name` tells several of one run apart."""

    def __call__(
        self,
        routers: int,
        name: str,
        policies: Mapping[str, object] | None = None,
        root: Mapping[str, object] | None = None,
    ) -> AbstractContextManager[System]: ...


class Bench(msgspec.Struct, frozen=True):
    """What a figure needs: the upstreams, how to start the floor and ours, and how long to measure."""

    directory: Path
    behind: Upstreams
    floor: Callable[[], AbstractContextManager[System]]
    ours: Factory
    engines: dict[str, str]
    rounds: int
    seconds: float
    soak: int


def whole(bench: Bench) -> Iterable[Figure]:
    busy: dict[str, list[loads.Whole]] = {"floor": [], "ours": []}
    alone: dict[str, list[loads.Whole]] = {"straight": [], "floor": [], "ours": []}
    for name, system in in_turns(bench, {"floor": bench.floor, "ours": partial(bench.ours, 1, "gateway")}):
        busy[name].append(post(system, CONNECTIONS, bench.seconds))
        alone[name].append(post(system, 1, bench.seconds))
        if name == "floor":
            straight = bench.behind.whole.origin
            alone["straight"].append(
                loads.whole(loads.Idle(), straight, "/v1/chat/completions", system.body, 1, bench.seconds)
            )
    for clients, runs in ((CONNECTIONS, busy), (1, alone)):
        name = f"CPU per whole request, {clients} connection{'s' if clients > 1 else ''}"
        cost = {system: middle(run.cpu_per_request for run in runs[system]) for system in ("floor", "ours")}
        yield ratio("whole", name, cost, 1.6, "us", failures(runs["ours"]))
    rate = {system: middle(run.requests / run.seconds for run in busy[system]) for system in busy}
    yield ratio("whole", f"requests a second, {CONNECTIONS} connections", rate, None, "/s")
    wait = {system: middle(run.p50 for run in alone[system]) / 1e3 for system in alone}
    yield added("whole", "added latency, p50, 1 connection", wait, None)


def stream(bench: Bench) -> Iterable[Figure]:
    runs: dict[str, list[loads.Streams]] = {"straight": [], "floor": [], "ours": []}
    seconds = bench.seconds + 2
    for name, system in in_turns(bench, {"floor": bench.floor, "ours": partial(bench.ours, 1, "gateway")}):
        url = system.server.origin + system.stream_path
        # First tokens count from the first stream on, and a process that has just been started has no connections yet.
        loads.streams(system.server, url, system.stream_body, STREAMS, 1)
        runs[name].append(loads.streams(system.server, url, system.stream_body, STREAMS, seconds))
        if name == "floor":
            straight = f"{bench.behind.stream.origin}/v1/chat/completions"
            runs["straight"].append(loads.streams(loads.Idle(), straight, system.stream_body, STREAMS, seconds))
    cost = {name: middle(run.cpu_per_event for run in runs[name]) for name in ("floor", "ours")}
    stalls = sum(run.stalls for run in runs["ours"])
    told = "; ".join(filter(None, [failures(runs["ours"]), f"{stalls} stalls over 250 ms" if stalls else ""]))
    yield ratio("stream", f"CPU per streamed event, {STREAMS} streams", cost, 1.4, "us", told)
    for name, target in (("p50", None), ("p99", 2.0)):
        wait = {s: middle(getattr(run, f"first_token_{name}") for run in runs[s]) for s in runs}
        yield added("stream", f"added time to first token, {name}, {STREAMS} streams", wait, target)


def routers(bench: Bench) -> Iterable[Figure]:
    """The same load on both sides: one request again and again, and then a thousand that differ."""
    cost: dict[str, list[float]] = {"one": [], "one, distinct": [], "one of many": [], "many in turn": []}
    failed = 0
    for side, system in in_turns(
        bench, {"one": partial(bench.ours, 1, "one"), "many": partial(bench.ours, MANY_ROUTERS, "many")}
    ):
        loads_of = {
            "one": (("one", 1, 0), ("one, distinct", 1, MANY_ROUTERS)),
            "many": (("one of many", 1, 0), ("many in turn", MANY_ROUTERS, 0)),
        }
        for name, count, distinct in loads_of[side]:
            run = post(system, CONNECTIONS, bench.seconds, count, distinct)
            cost[name].append(run.cpu_per_request)
            failed += run.failed
    for name, beside, said in (
        ("one of many", "one", "one of them asked"),
        # Each request then finds its router's objects out of the processor's caches: memory, and no look-up of ours.
        ("many in turn", "one, distinct", "all asked in turn"),
    ):
        of_many, of_one = median(cost[name]), median(cost[beside])
        yield Figure(
            "routers", f"CPU, {MANY_ROUTERS:,} routers against 1, {said}", of_many / of_one, "x",
            target=1.05, ours=of_many, floor=of_one, unit="us",
            note="; ".join(filter(None, ["beside it: 1 router", f"{failed} failed" if failed else ""])),
        )  # fmt: skip


def reload(bench: Bench) -> Iterable[Figure]:
    took: list[float] = []
    seen: list[float] = []
    seconds = 4 + 2 * bench.rounds
    with bench.ours(MANY_ROUTERS, "reloaded") as ours, ThreadPoolExecutor(2) as pool:
        ready(ours)
        origin = ours.server.origin
        asking = pool.submit(
            loads.whole, loads.Idle(), origin, ours.path, ours.body, CONNECTIONS, seconds, MANY_ROUTERS
        )
        holding = pool.submit(loads.streams, loads.Idle(), origin + ours.stream_path, ours.stream_body, 20, seconds - 2)
        time.sleep(1.5)
        config = bench.directory / "reloaded" / "routers.yaml"
        for i in range(bench.rounds):
            weight = f"0.{i + 1}"
            text = systems.config_text(ours.server.port, bench.behind, bench.engines, MANY_ROUTERS, weight)
            before = reloads(ours.server)
            serves = config_of(ours.server)
            replace(config, text)
            begun = time.perf_counter()
            # Not by the metrics, of which a thousand routers have many: to ask for them again and again is a load, too.
            while config_of(ours.server) == serves:
                if time.perf_counter() - begun > 10:
                    break
                time.sleep(0.02)
            seen.append(time.perf_counter() - begun)
            took.append(taken(reloads(ours.server), before).seconds)
        asked, held = asking.result(), holding.result()
    note = f"longest of {len(took)}; file replaced to new config in use: {max(seen):.2f} s"
    yield Figure("reload", f"reload of {MANY_ROUTERS:,} routers under load", max(took), "s", target=0.5, note=note)
    name = f"requests and streams failed in {len(took)} reloads"
    note = f"of {asked.requests:,} requests and {held.finished} streams"
    yield Figure("reload", name, asked.failed + held.failed, "", target=0, note=note)


def start(bench: Bench) -> Iterable[Figure]:
    took: dict[str, list[float]] = {"floor": [], "ours": []}
    for i in range(5):
        with bench.floor() as floor:
            took["floor"].append(floor.server.wait_until(floor.answers))
        with bench.ours(1, f"start-{i}") as ours:
            took["ours"].append(ours.server.wait_until(ours.answers))
    of_ours, of_floor = median(took["ours"]), median(took["floor"])
    yield Figure(
        "start", "start to first answer, median of 5", of_ours, "s",
        target=1.5, ours=of_ours, floor=of_floor, unit="s", note=f"longest {max(took['ours']):.2f} s",
    )  # fmt: skip


def idle(bench: Bench) -> Iterable[Figure]:
    with bench.floor() as floor, bench.ours(1, "idle") as ours:
        ready(floor, ours)
        time.sleep(2)
        of_ours, of_floor = ours.server.resident(), floor.server.resident()
    yield Figure(
        "idle", "idle memory, 1 worker and its parents", sum(of_ours), "MB",
        target=120, ours=sum(of_ours), floor=sum(of_floor), unit="MB",
        note="processes: " + " + ".join(f"{size:.0f}" for size in of_ours),
    )  # fmt: skip


def soak(bench: Bench) -> Iterable[Figure]:
    """Memory after a warm-up against memory after the soak, and in the middle, to tell growth from settling."""
    phases = [bench.soak // 5, bench.soak // 2, bench.soak // 2]
    sizes = []
    with bench.ours(1, "soaked") as ours:
        ready(ours)
        command = python(
            "benchmarks.soak_load", "--origin", ours.server.origin, "--path", ours.path.replace("@", "0"),
            "--fail-path", ours.fail_path, "--stream-path", ours.stream_path,
            "--body", str(ours.body), "--stream-body", str(ours.stream_body), *map(str, phases),
        )  # fmt: skip
        load = spawn(command, LOAD_CORES, {}, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        lines = []
        with loads.ending(load):
            assert load.stdin is not None
            for line in loads.output(load):
                lines.append(line)
                if line.startswith("PHASE"):
                    time.sleep(2)
                    sizes.append(sum(ours.server.resident()))
                    load.stdin.write(b"\n")
                    load.stdin.flush()
        left_open = streams_open(bench.behind.stream)
    became = msgspec.json.decode(loads.report("".join(lines)), type=loads.Soaked)
    told = f"{became.ok:,} ok, {became.failed:,} failed, {became.left:,} cut off by the client"
    yield Figure(
        "soak", f"memory grown over {sum(phases[1:]):,} requests", sizes[-1] - sizes[0], "MB",
        target=3, note=" -> ".join(f"{size:.1f}" for size in sizes) + f"; {told}",
    )  # fmt: skip
    yield Figure("soak", "replies that broke", became.broken, "", target=0)
    yield Figure("soak", "streams still open upstream after it", left_open, "", target=0)


GROUPS: Final[dict[str, Callable[[Bench], Iterable[Figure]]]] = {
    "whole": whole, "stream": stream, "routers": routers, "reload": reload, "start": start, "idle": idle, "soak": soak,
}  # fmt: skip
COMPARABLE: Final = ("whole", "stream", "start", "idle")
"""The groups that can be measured with the floor in the gateway's place. It has no routers and no reload, and no watch
for the client's disconnect, so that a soak leaves streams open behind it."""


class Reloads(msgspec.Struct, frozen=True):
    """The gateway's own account: how many reloads it took, how many it refused, and the seconds of the last one."""

    taken: float
    refused: float
    seconds: float


def reloads(server: Server) -> Reloads:
    values = dict.fromkeys((RELOADS_TAKEN, RELOADS_REFUSED, RELOAD_SECONDS), 0.0)
    for line in get(server, "/metrics").splitlines():
        name, _, value = line.rpartition(" ")
        if name in values:
            values[name] = float(value)
    return Reloads(values[RELOADS_TAKEN], values[RELOADS_REFUSED], values[RELOAD_SECONDS])


def taken(now: Reloads, before: Reloads) -> Reloads:
    """Those of now, if there was one more."""
    if now.refused > before.refused:
        raise loads.LoadFailed("the gateway refused the config that it was to reload")
    if now.taken == before.taken:
        raise loads.LoadFailed("no reload within 10 s of a change of the file")
    return now


def config_of(server: Server) -> str:
    """The hash of the config that serves."""
    return str(msgspec.json.decode(get(server, "/health"), type=dict[str, object])["config"])


def replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text, "utf-8")
    fresh.replace(path)


def get(server: Server, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode("utf-8")
    finally:
        connection.close()


def streams_open(upstream: Server) -> int:
    return int(msgspec.json.decode(get(upstream, "/_stats"), type=dict[str, int])["active"])


def ready(*systems: System) -> None:
    """Wait for each, and warm it up: connections, caches and the branches that an interpreter specialises."""
    for system in systems:
        system.server.wait_until(system.answers)
        post(system, CONNECTIONS, 1)


def in_turns(
    bench: Bench, systems: Mapping[str, Callable[[], AbstractContextManager[System]]], times: int = 1
) -> Iterator[tuple[str, System]]:
    """Each by its name, so many times a round, alone and in a process of its own each time: where a process has its
    memory makes its requests cost up to a tenth more or less for as long as it lives, which is more than a policy
    does."""
    for _ in range(bench.rounds * times):
        for name, start in systems.items():
            with start() as system:
                ready(system)
                yield name, system


def post(
    system: System, connections: int, seconds: float, routers: int = 1, distinct: int = 0, *, fresh: bool = False
) -> loads.Whole:
    return loads.whole(
        system.server, system.server.origin, system.path, system.body, connections, seconds, routers, distinct, fresh
    )


def in_rounds(bench: Bench) -> range:
    return range(bench.rounds)


def middle(values: Iterable[float]) -> float:
    return median(values)


def ratio(group: str, name: str, of: dict[str, float], target: float | None, unit: str, note: str = "") -> Figure:
    return Figure(group, name, of["ours"] / of["floor"], "x", target, of["ours"], of["floor"], unit, note)


def added(group: str, name: str, of: dict[str, float], target: float | None) -> Figure:
    ours, floor = of["ours"] - of["straight"], of["floor"] - of["straight"]
    note = f"straight to the upstream: {of['straight']:.2f}"
    if target is not None and floor > target:
        note += "; even the floor is over: other work disturbs this machine"
    return Figure(group, name, ours, "ms", target, ours, floor, "ms", note)


def failures(runs: Iterable[loads.Whole | loads.Streams]) -> str:
    failed = sum(run.failed for run in runs)
    return f"{failed} FAILED" if failed else ""
