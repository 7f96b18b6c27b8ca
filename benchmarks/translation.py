"""What translation costs: OpenAI's clients before Anthropic's format, against the same clients before their own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from benchmarks import loads
from benchmarks.figures import CONNECTIONS, STREAMS, Bench, Figure, failures, in_rounds, middle, post, ratio, ready
from benchmarks.systems import QUESTION, System

FEW: Final = 4
"""Connections of the large bodies."""
LARGE: Final = 1_000_000
"""Bytes of base64 in a large body."""


def translate(bench: Bench) -> Iterable[Figure]:
    """Both ways through one process, in turns."""
    with bench.floor() as floor, bench.ours(1, "translation", None, config(bench)) as ours:
        ready(floor, ours)
        same = ours._replace(path="/router/same/chat/completions", stream_path="/router/same-s/chat/completions")
        other = ours._replace(path="/router/other/chat/completions", stream_path="/router/other-s/chat/completions")
        large = large_body(bench.directory)
        whole: dict[str, list[loads.Whole]] = {"same": [], "other": []}
        heavy: dict[str, list[loads.Whole]] = {"same": [], "other": []}
        streamed: dict[str, list[loads.Streams]] = {"floor": [], "same": [], "other": []}
        for _ in in_rounds(bench):
            for name, system in (("same", same), ("other", other)):
                whole[name].append(post(system, CONNECTIONS, bench.seconds))
                heavy[name].append(post(system._replace(body=large), FEW, bench.seconds))
            for name, system in (("floor", floor), ("same", same), ("other", other)):
                streamed[name].append(stream(system, bench.seconds + 2))
    said = "beside it: the same dialect"
    for runs, name, target in (
        (whole, f"CPU per whole request, {CONNECTIONS} connections", 1.8),
        (heavy, f"CPU per whole request with an image of {LARGE // 1_000_000} MB", None),
    ):
        cost = {"floor": per_request(runs["same"]), "ours": per_request(runs["other"])}
        yield ratio("translate", name, cost, target, "us", "; ".join(filter(None, [said, failures(runs["other"])])))
    event = {name: middle(run.cpu_per_event for run in runs) for name, runs in streamed.items()}
    yield Figure(
        "translate", f"CPU added per streamed event, {STREAMS} streams, against the floor's event",
        (event["other"] - event["same"]) / event["floor"], "x", target=20 / 35, ours=event["other"],
        floor=event["same"], unit="us", note="; ".join(filter(None, [said, failures(streamed["other"])])),
    )  # fmt: skip


def per_request(runs: Iterable[loads.Whole]) -> float:
    return middle(run.cpu_per_request for run in runs)


def stream(system: System, seconds: float) -> loads.Streams:
    url = system.server.origin + system.stream_path
    return loads.streams(system.server, url, system.stream_body, STREAMS, seconds)


def config(bench: Bench) -> dict[str, object]:
    """The same two upstreams in two dialects, and a router for each; `r0` is what `ready` asks."""
    origins = {"": bench.behind.whole.origin, "-s": bench.behind.stream.origin}
    dialects = {"same": "openai", "other": "anthropic"}
    providers = {
        f"bench-{name}{suffix}": {
            "dialect": dialect,
            "base-url": f"{origin}/v1",
            "keys": ["${env:BENCH_KEY}"],
            "models": ["*"],
        }
        for name, dialect in dialects.items()
        for suffix, origin in origins.items()
    }

    def router(provider: str) -> dict[str, object]:
        target = {"provider": provider, "model": "gpt-4o-mini"}
        return {"load-balance": {"chat": {"strategy": "weighted", "providers": [target]}}}

    routers = {name.removeprefix("bench-"): router(name) for name in providers}
    return {"providers": providers, "routers": {"r0": router("bench-same"), **routers}}


def large_body(directory: Path) -> Path:
    """A chat request with a picture."""
    picture = base64.b64encode(bytes(range(256)) * (LARGE * 3 // 4 // 256)).decode()
    content = [
        {"type": "text", "text": "What is in it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
    ]
    body = {"model": "gpt-4o", "messages": [QUESTION[0], {"role": "user", "content": content}], "temperature": 0.2}
    path = directory / "large.json"
    path.write_bytes(json.dumps(body, separators=(",", ":")).encode())
    return path


GROUPS: Final[dict[str, Callable[[Bench], Iterable[Figure]]]] = {"translate": translate}
