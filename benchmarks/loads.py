"""Loads put on a system under test, and what each of them reports."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec

from benchmarks.processes import LOAD_CORES, ROOT, Server, python, spawn

REPORT: Final = "LOADJSON "


class LoadFailed(Exception):
    """A load ended without its report, or did not end in time."""


class Whole(msgspec.Struct, frozen=True):
    """What wrk saw. Latencies in microseconds. cpu: seconds of the system under test, 0 where not asked for."""

    requests: int
    seconds: float
    failed: int
    p50: float
    p99: float
    cpu: float = 0.0

    @property
    def cpu_per_request(self) -> float:
        """Microseconds."""
        return self.cpu / self.requests * 1e6 if self.requests else float("inf")


class Streams(msgspec.Struct, frozen=True):
    """What sse_load saw. Times in milliseconds."""

    events: int
    seconds: float
    finished: int
    failed: int
    stalls: int
    statuses: dict[str, int]
    first_token_p50: float
    first_token_p99: float
    gap_p99: float
    cpu: float = 0.0

    @property
    def cpu_per_event(self) -> float:
        """Microseconds."""
        return self.cpu / self.events * 1e6 if self.events else float("inf")


class Soaked(msgspec.Struct, frozen=True):
    """Requests of a soak by what became of them."""

    ok: int
    failed: int
    left: int
    broken: int


class Idle:
    """A system of which nothing is read: an upstream that is measured without a gateway."""

    def cpu(self) -> float:
        return 0.0


def whole(
    system: Server | Idle,
    url: str,
    path: str,
    body: Path,
    connections: int,
    seconds: float,
    routers: int = 1,
    distinct: int = 0,
    fresh: bool = False,
) -> Whole:
    """POST the body with wrk for so many seconds, to so many routers in turn. distinct: to one router, in so many
    requests that are not the same bytes. fresh: no request is asked twice."""
    before = system.cpu()
    text = finish(start_whole(url, path, body, connections, seconds, routers, distinct, fresh), seconds + 20)
    return msgspec.structs.replace(msgspec.json.decode(report(text), type=Whole), cpu=system.cpu() - before)


def start_whole(
    url: str,
    path: str,
    body: Path,
    connections: int,
    seconds: float,
    routers: int = 1,
    distinct: int = 0,
    fresh: bool = False,
) -> subprocess.Popen[bytes]:
    script = str(ROOT / "benchmarks" / "wrk.lua")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "10s", "-s", script, url]
    env = {
        "LOAD_BODY": str(body),
        "LOAD_PATH": path,
        "LOAD_ROUTERS": str(routers),
        "LOAD_DISTINCT": str(distinct),
        "LOAD_FRESH": "1" if fresh else "0",
    }
    return spawn(command, LOAD_CORES, env, stdout=subprocess.PIPE)


def streams(system: Server | Idle, url: str, body: Path, count: int, seconds: float) -> Streams:
    """Hold so many streams open; CPU is read over the measured window alone."""
    command = python(
        "benchmarks.sse_load", "--url", url, "--body", str(body), "--streams", str(count), "--seconds", str(seconds)
    )
    load = spawn(command, LOAD_CORES, {}, stdout=subprocess.PIPE)
    at_start = at_end = 0.0
    lines = []
    with ending(load):
        for line in output(load):
            lines.append(line)
            if line.startswith("START"):
                at_start = system.cpu()
            elif line.startswith("END"):
                at_end = system.cpu()
        load.wait(20)
    return msgspec.structs.replace(msgspec.json.decode(report("".join(lines)), type=Streams), cpu=at_end - at_start)


@contextmanager
def rows(url: str, a_second: float, seconds: float) -> Iterator[None]:
    """Bring rows to the ledger of a server, a little longer than so many seconds, for the time of the block."""
    count = ("--rows-a-second", f"{a_second:.0f}", "--seconds", str(seconds + 1))
    load = spawn(python("benchmarks.row_load", "--url", url, *count), LOAD_CORES, {}, subprocess.PIPE, subprocess.PIPE)
    with ending(load):
        assert load.stdin is not None
        assert load.stdout is not None
        written = load.stdout.readline()
        load.stdin.write(b"\n")
        load.stdin.flush()
        yield
        written += load.communicate(timeout=seconds + 20)[0]
    report(written.decode("utf-8", "replace"))


def finish(load: subprocess.Popen[bytes], seconds: float) -> str:
    """What the load wrote, once it has ended."""
    with ending(load):
        return load.communicate(timeout=seconds)[0].decode("utf-8", "replace")


def output(load: subprocess.Popen[bytes]) -> Iterator[str]:
    stream: IO[bytes] | None = load.stdout
    assert stream is not None
    for line in stream:
        yield line.decode("utf-8", "replace")


@contextmanager
def ending(load: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    except subprocess.TimeoutExpired as late:
        raise LoadFailed(f"{os.fsdecode(str(load.args))} did not end in time") from late
    finally:
        if load.poll() is None:
            load.kill()
            load.wait(5)


def report(text: str) -> str:
    for line in text.splitlines():
        if line.startswith(REPORT):
            return line.removeprefix(REPORT)
    raise LoadFailed(f"a load gave no report:\n{text[-2000:]}")
