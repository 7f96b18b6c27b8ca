"""The load of streams: keeps --streams streams open, each started again when it ends, and times every token.

Prints START and END around the measured window, so that the harness reads the gateway's CPU there, and then one JSON
line that starts with LOADJSON; times are milliseconds. Bounded in time, whatever the server does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final, cast
from urllib.parse import urlsplit

import uvloop

MARK: Final = b" tokn"
DONE: Final = b"[DONE]"
LAST_CHUNK: Final = b"0\r\n\r\n"
STALL: Final = 0.25


class Tape:
    """What is measured. `running`: streams are started again; `window`: tokens count."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.running, self.window = True, False
        self.first_token, self.gaps = array("d"), array("d")
        self.events = self.finished = self.short = self.errors = self.stalls = 0
        self.statuses: dict[str, int] = {}


class Stream(asyncio.Protocol):
    """One connection that asks for one stream after the other."""

    __slots__ = ("asked", "busy", "done", "head", "last", "load", "seen", "tail", "tape", "transport")

    def __init__(self, load: Load) -> None:
        self.load, self.tape = load, load.tape
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self.transport = cast("asyncio.WriteTransport", transport)
        self.load.streams.add(self)
        self.ask()

    def ask(self) -> None:
        self.busy, self.head, self.done, self.tail = True, False, False, b""
        self.last, self.seen, self.asked = 0.0, 0, perf_counter()
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        if not self.head:
            self.head = True
            status = data[9:12].decode("latin-1")
            if status != "200":
                self.tape.statuses[status] = self.tape.statuses.get(status, 0) + 1
                self.transport.abort()
                return
        # The part kept for counting is one byte shorter than the marker, so that none is counted twice.
        fresh = (self.tail[1 - len(MARK) :] + data).count(MARK)
        text = self.tail + data
        self.tail = text[-24:]
        if fresh:
            self.count(fresh, now)
        self.done = self.done or DONE in text
        if self.done and text.endswith(LAST_CHUNK):
            self.finish()
            if self.tape.running:
                self.ask()

    def count(self, fresh: int, now: float) -> None:
        tape = self.tape
        if not self.last:
            tape.first_token.append(now - self.asked)
        elif tape.window:
            tape.gaps.append(now - self.last)
            tape.stalls += now - self.last > STALL
        if tape.window:
            tape.events += fresh
        self.last = now
        self.seen += fresh

    def finish(self) -> None:
        self.busy = False
        if self.tape.running:
            self.tape.finished += 1
            self.tape.short += self.seen != self.tape.tokens

    def connection_lost(self, exc: Exception | None) -> None:
        self.load.streams.discard(self)
        if not self.tape.running:
            return
        if self.busy and self.done:
            self.finish()
        elif self.busy:
            self.tape.errors += 1
        self.load.reopen(0.0 if self.done else 0.05)


class Load:
    """All streams of one measurement."""

    def __init__(self, url: str, body: bytes, tape: Tape) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.tape = tape
        self.streams: set[Stream] = set()
        self.opening: set[asyncio.Task[None]] = set()
        self.request = (
            f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer sk-client\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def run(self, streams: int, per_second: float, warm: float, seconds: float) -> dict[str, object]:
        begun = perf_counter()
        for i in range(streams):
            self.open()
            await asyncio.sleep(max(0.0, begun + (i + 1) / per_second - perf_counter()))
        await asyncio.sleep(warm)
        print("START", flush=True)
        opened, self.tape.window = perf_counter(), True
        await asyncio.sleep(seconds)
        closed, self.tape.window = perf_counter(), False
        print("END", flush=True)
        self.tape.running = False
        for stream in list(self.streams):
            # One that still waits counts with what it has waited, a lower bound.
            if stream.busy and not stream.last:
                self.tape.first_token.append(closed - stream.asked)
            elif stream.busy and closed - stream.last > STALL:
                self.tape.stalls += 1
            stream.transport.abort()
        return summary(self.tape, closed - opened)

    def reopen(self, after: float) -> None:
        asyncio.get_running_loop().call_later(after, self.open)

    def open(self) -> None:
        if self.tape.running:
            task = asyncio.get_running_loop().create_task(self.connect())
            self.opening.add(task)
            task.add_done_callback(self.opening.discard)

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(loop.create_connection(lambda: Stream(self), self.host, self.port), 10)
        except OSError:
            self.tape.errors += 1
            self.reopen(0.05)


def summary(tape: Tape, seconds: float) -> dict[str, object]:
    return {
        "events": tape.events,
        "seconds": seconds,
        "finished": tape.finished,
        "failed": tape.errors + tape.short,
        "stalls": tape.stalls,
        "statuses": tape.statuses,
        "first_token_p50": quantile(tape.first_token, 0.5),
        "first_token_p99": quantile(tape.first_token, 0.99),
        "gap_p99": quantile(tape.gaps, 0.99),
    }


def quantile(seconds: Sequence[float], share: float) -> float:
    """Milliseconds. Exits where nothing was measured: no stream was served."""
    if not seconds:
        raise SystemExit("no stream was served")
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))] * 1e3


async def measure(chosen: argparse.Namespace, body: bytes) -> None:
    load = Load(chosen.url, body, Tape(chosen.tokens))
    limit = chosen.streams / chosen.per_second + chosen.warm + chosen.seconds + 20
    async with asyncio.timeout(limit):
        report = await load.run(chosen.streams, chosen.per_second, chosen.warm, chosen.seconds)
    print("LOADJSON " + json.dumps(report), flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--url", required=True)
    options.add_argument("--body", required=True, help="file with the request body")
    options.add_argument("--streams", type=int, required=True)
    options.add_argument("--seconds", type=float, default=8.0)
    options.add_argument("--per-second", type=float, default=400.0, help="streams opened in a second of the ramp")
    options.add_argument("--warm", type=float, default=1.5, help="seconds after the ramp that are not measured")
    options.add_argument("--tokens", type=int, default=100)
    chosen = options.parse_args()
    uvloop.run(measure(chosen, Path(chosen.body).read_bytes()))


if __name__ == "__main__":
    main()
