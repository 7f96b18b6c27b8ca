"""What is measured: the floor, the gateway under some config, and the upstreams behind both."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import replies
from benchmarks.processes import GATEWAY_CORES, ROOT, Server, free_port, python, running

QUESTION: Final[list[dict[str, str]]] = [
    {
        "role": "system",
        "content": "You are a helpful assistant that answers briefly and says so when it does not know.",
    },
    {"role": "user", "content": "What is the capital of France, and since when has it been so? " * 3},
]


class Upstreams(NamedTuple):
    """whole: nginx with canned replies. stream: tokens on a schedule; also the one that fails, under /fail."""

    whole: Server
    stream: Server


class System(NamedTuple):
    """A server under test and how it is asked. In `path`, `@` stands for the number of a router."""

    server: Server
    path: str
    stream_path: str
    fail_path: str
    body: Path
    stream_body: Path

    def answers(self) -> bool:
        """Whether it serves a whole chat request, in full."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=2)
        try:
            connection.request("POST", self.path.replace("@", "0"), self.body.read_bytes(), JSON_HEADERS)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


JSON_HEADERS: Final = {"content-type": "application/json", "authorization": "Bearer sk-client"}


@contextmanager
def upstreams(directory: Path) -> Iterator[Upstreams]:
    for path, content in replies.by_path().items():
        target = directory / "replies" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    port, stream_port = free_port(), free_port()
    template = (ROOT / "benchmarks" / "nginx.conf.tmpl").read_text("utf-8")
    conf = directory / "nginx.conf"
    conf.write_text(template.replace("@DIR@", str(directory)).replace("@PORT@", str(port)), "utf-8")
    nginx = ["nginx", "-p", str(directory), "-e", str(directory / "nginx.err"), "-c", str(conf)]
    with ExitStack() as stack:
        whole = stack.enter_context(running("nginx", nginx, port, directory))
        command = python("benchmarks.sse_upstream", "--port", str(stream_port))
        stream = stack.enter_context(running("sse-upstream", command, stream_port, directory))
        for server in (whole, stream):
            server.wait_until(server.accepts)
        yield Upstreams(whole, stream)


@contextmanager
def floor(directory: Path, behind: Upstreams, name: str = "floor") -> Iterator[System]:
    port = free_port()
    command = python(
        "granian", "--interface", "asgi", "--no-ws", "--loop", "uvloop", "--workers", "1", "--backlog", "4096",
        "--host", "127.0.0.1", "--port", str(port), "benchmarks.floor:app",
    )  # fmt: skip
    env = {"FLOOR_WHOLE": behind.whole.origin, "FLOOR_STREAM": behind.stream.origin}
    with running(name, command, port, directory, env, GATEWAY_CORES) as server:
        yield System(
            server,
            path="/v1/chat/completions",
            stream_path="/v1/chat/completions",
            # nginx answers it with 404, which does for a failure.
            fail_path="/fail/v1/chat/completions",
            body=write_body(directory, "floor", "openai/gpt-4o", stream=False),
            stream_body=write_body(directory, "floor-stream", "openai/gpt-4o", stream=True),
        )


@contextmanager
def gateway(
    directory: Path,
    behind: Upstreams,
    engines: dict[str, str],
    routers: int,
    name: str,
    policies: Mapping[str, object] | None = None,
    root: Mapping[str, object] | None = None,
) -> Iterator[System]:
    """The gateway with so many routers of two weighted targets each, and one more for streams and for failures.
    policies: of each of the many. root: members of the file itself."""
    port = free_port()
    config = directory / name / "routers.yaml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(config_text(port, behind, engines, routers, policies=policies, root=root), "utf-8")
    command = python("gateway.cli", "serve", str(config))
    with running(name, command, port, directory, {"BENCH_KEY": "sk-bench"}, GATEWAY_CORES) as server:
        yield System(
            server,
            path="/router/r@/chat/completions",
            stream_path="/router/stream/chat/completions",
            fail_path="/router/fail/chat/completions",
            body=write_body(directory, "gateway", "gpt-4o", stream=False),
            stream_body=write_body(directory, "gateway-stream", "gpt-4o", stream=True),
        )


def config_text(
    port: int,
    behind: Upstreams,
    engines: dict[str, str],
    routers: int,
    first_weight: str = "0.7",
    policies: Mapping[str, object] | None = None,
    root: Mapping[str, object] | None = None,
) -> str:
    """JSON, which is YAML. The model is named at the target, so that it is spliced as the floor does it."""
    bases = {
        "w": f"{behind.whole.origin}/v1",
        "s": f"{behind.stream.origin}/v1",
        "f": f"{behind.stream.origin}/fail/v1",
    }
    # A breaker would answer for an upstream that only fails; here every failing request is to reach it.
    never = {"consecutive-failures": 10**9, "min-requests": 10**9}
    providers = {
        f"bench-{letter}{i}": {
            "dialect": "openai",
            "base-url": base,
            "keys": ["${env:BENCH_KEY}"],
            "models": ["*"],
            "breaker": never,
        }
        for letter, base in bases.items()
        for i in (1, 2)
    }

    def router(letter: str, weight: str = "0.7") -> dict[str, object]:
        targets = [
            {"provider": f"bench-{letter}1", "weight": weight, "model": "gpt-4o-mini"},
            {"provider": f"bench-{letter}2", "weight": "0.3", "model": "gpt-4o-mini"},
        ]
        return {"load-balance": {"chat": {"strategy": "weighted", "providers": targets}}}

    named = {f"r{i}": router("w", first_weight if i == 0 else "0.7") | dict(policies or {}) for i in range(routers)}
    named |= {"stream": router("s"), "fail": router("f") | {"retries": {"max-retries": 1}}}
    server = {"host": "127.0.0.1", "port": port, "drain-timeout": "1s", **engines}
    return json.dumps({"server": server, "providers": providers, "routers": named, **(root or {})}, indent=1)


def write_body(directory: Path, name: str, model: str, *, stream: bool) -> Path:
    body: dict[str, object] = {"model": model, "messages": QUESTION, "temperature": 0.2}
    if stream:
        body["stream"] = True
    path = directory / f"{name}.json"
    path.write_bytes(json.dumps(body, separators=(",", ":")).encode())
    return path
