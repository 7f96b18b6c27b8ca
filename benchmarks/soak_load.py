"""The load of the soak: requests of which every sixth fails upstream and every sixth is cut off by the client.

Works through the phases it is given (`20000 40000 40000`); after each it prints PHASE and waits for a line on standard
input, so that the harness can look at the gateway while it is idle. Ends with one JSON line that starts with LOADJSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import uvloop


class Ask(NamedTuple):
    """One kind of request: the bytes to send, and whether the client leaves at the first bytes of the reply's body."""

    request: bytes
    leaves: bool


def ask(origin: str, path: str, body: bytes, leaves: bool = False) -> Ask:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {urlsplit(origin).netloc}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer sk-client\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return Ask(head.encode() + body, leaves)


class Soak:
    """Clients that share one schedule of requests."""

    def __init__(self, origin: str, schedule: tuple[Ask, ...]) -> None:
        parts = urlsplit(origin)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.schedule = schedule
        self.turn = 0
        self.tally = {"ok": 0, "failed": 0, "left": 0, "broken": 0}

    async def phase(self, requests: int, clients: int) -> None:
        end = self.turn + requests
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self.client(end))

    async def client(self, end: int) -> None:
        writer: asyncio.StreamWriter | None = None
        reader = asyncio.StreamReader()
        while self.turn < end:
            wanted = self.schedule[self.turn % len(self.schedule)]
            self.turn += 1
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection(self.host, self.port)
                writer.write(wanted.request)
                became = await asyncio.wait_for(outcome(reader, wanted.leaves), 30)
            except (OSError, EOFError, ValueError, TimeoutError):
                became = "broken"
            self.tally[became] += 1
            if became in ("left", "broken") and writer is not None:
                writer.transport.abort()
                writer = None
        if writer is not None:
            writer.close()


async def outcome(reader: asyncio.StreamReader, leaves: bool) -> str:
    """Read one reply. ok, failed (a status of 400 or more), or left (in the middle of it)."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if leaves:
        await reader.read(1)
        return "left"
    _, sized, length = head.partition(b"content-length:")
    if sized:
        await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
    else:
        await reader.readuntil(b"0\r\n\r\n")
    return "ok" if head[9:12] < b"400" else "failed"


async def run(chosen: argparse.Namespace, whole: bytes, stream: bytes) -> None:
    ok = ask(chosen.origin, chosen.path, whole)
    failing = ask(chosen.origin, chosen.fail_path, whole)
    leaving = ask(chosen.origin, chosen.stream_path, stream, leaves=True)
    soak = Soak(chosen.origin, (ok, ok, failing, ok, ok, leaving))
    for requests in chosen.phases:
        async with asyncio.timeout(chosen.limit):
            await soak.phase(requests, chosen.clients)
        print("PHASE", flush=True)
        sys.stdin.readline()
    print("LOADJSON " + json.dumps(soak.tally), flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--origin", required=True)
    options.add_argument("--path", required=True)
    options.add_argument("--fail-path", required=True)
    options.add_argument("--stream-path", required=True)
    options.add_argument("--body", required=True)
    options.add_argument("--stream-body", required=True)
    options.add_argument("--clients", type=int, default=32)
    options.add_argument("--limit", type=float, default=300.0, help="seconds that a phase may take")
    options.add_argument("phases", type=int, nargs="+")
    chosen = options.parse_args()
    uvloop.run(run(chosen, Path(chosen.body).read_bytes(), Path(chosen.stream_body).read_bytes()))


if __name__ == "__main__":
    main()
