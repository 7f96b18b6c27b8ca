"""`gateway explain`: how a request would be decided, by the code that decides it, and nothing is sent.

Lives here: the request that the arguments stand for, and which exit status says what.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Final, get_args

import msgspec

from gateway.cli.decision import Decision, decision_of
from gateway.cli.decision_text import text_of
from gateway.cli.dry_run import dry_run
from gateway.config.check import loaded_and_checked
from gateway.config.problem import ConfigError
from gateway.config.spec.prices import Preference
from gateway.core.clock import Clock
from gateway.core.errors import FaultKind, GatewayError
from gateway.core.exchange import Call
from gateway.dialects.faults import fault_of
from gateway.dialects.sniff import read_call
from gateway.policy.retry import RetryPolicy, verdict
from gateway.runtime import system_clock

UNSERVED: Final = 3
"""The exit status where nothing could serve the request."""
_LARGEST: Final = 64 << 20
_HELLO: Final = [{"role": "user", "content": "Hello"}]
_MEMBERS: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("/chat/completions", {"messages": _HELLO}),
    ("/chat", {"messages": _HELLO}),
    ("/messages", {"messages": _HELLO, "max_tokens": 1024}),
    ("/messages/count_tokens", {"messages": _HELLO}),
    ("/completions", {"prompt": "Hello"}),
    ("/responses", {"input": "Hello"}),
    ("/embeddings", {"input": "Hello"}),
    ("/embed", {"texts": ["Hello"], "input_type": "search_document"}),
    ("/rerank", {"query": "Hello", "documents": ["Hello"]}),
    ("Content", {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
    ("/moderations", {"input": "Hello"}),
    ("/images/generations", {"prompt": "Hello"}),
    ("/audio/speech", {"input": "Hello", "voice": "alloy"}),
)
"""A short request for each path, by how it ends; the first that fits."""


class UsageError(Exception):
    """Arguments that stand for no request. The message says what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """ROUTER --model M and what else is known of the request."""
    parser.add_argument("router", metavar="ROUTER", help="a router's name, /ai, or a provider as in /openai")
    parser.add_argument("--model", "-m", help="the model, in place of the request's own")
    parser.add_argument("--config", "-c", type=Path, default=Path("routers.yaml"), help="default: routers.yaml")
    parser.add_argument("--request", type=Path, metavar="FILE", help="the body, as JSON; a short one where not given")
    parser.add_argument(
        "--path",
        default="/chat/completions",
        help="the api path, such as /messages or /v1beta/models/{model}:generateContent; default: /chat/completions",
    )
    parser.add_argument("--key", default="", metavar="NAME", help="ask as the gateway key of this name")
    parser.add_argument("--stream", action="store_true", help="ask for a stream")
    parser.add_argument(
        "--optimize-for",
        choices=get_args(Preference),
        help="ask for cheap or quick answers, as by `x-gateway-optimize-for`",
    )
    parser.add_argument(
        "--at-fault",
        default="",
        metavar="NAME=FAULT,...",
        help="providers that have just failed, with a status (openai=429) or a kind of fault (openai=connect)",
    )
    parser.add_argument("--assume-keys", action="store_true", help="take all keys of providers as present")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how the decision is printed")


def run(args: argparse.Namespace) -> int:
    """0 when somebody would be asked, 3 when nothing could serve, 1 for a config or a request that cannot be read, 2
    for arguments that stand for nothing."""
    try:
        decision = _decide(args)
    except ConfigError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems if problem.level == "error"))
        return 1
    except GatewayError as error:
        sys.stderr.write(f"gateway explain: {error.code}: {error.message}\n")
        return 1
    except UsageError as error:
        sys.stderr.write(f"gateway explain: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"gateway explain: {error.filename}: {error.strerror}\n")
        return 1
    if args.format == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(decision), indent=2).decode() + "\n")
    else:
        sys.stdout.write(text_of(decision))
    return 0 if decision.serves else UNSERVED


def _decide(args: argparse.Namespace) -> Decision:
    faults = _faults(args.at_fault)
    system = system_clock()
    # A decision is of one moment, however long the config takes to load; and where chance decides, it decides the same
    # each time.
    now, wall = system.monotonic(), system.wall()
    clock = Clock(lambda: now, lambda: wall, lambda: 0.0)
    loaded, _ = loaded_and_checked(args.config, os.environ, clock.wall())
    call, path, body = _request(args)
    method = "GET" if call.operation == "models" else "POST"
    try:
        outcome = asyncio.run(
            dry_run(
                loaded,
                os.environ,
                clock,
                args.router,
                call,
                (method, path, body),
                key=args.key,
                faults={name: kind for name, (_, kind) in faults.items()},
                assume_keys=args.assume_keys,
                optimize_for=args.optimize_for or "",
            )
        )
    except LookupError as error:
        close = get_close_matches(args.router, loaded.spec.routers, n=1)
        hint = f"; did you mean {close[0]!r}?" if close and args.router not in loaded.spec.routers else ""
        raise UsageError(f"{error.args[0]} in {args.config}{hint}") from None
    written = {name: text for name, (text, _) in faults.items()}
    return decision_of(
        loaded,
        outcome,
        key=args.key,
        faults=written,
        assumed_keys=args.assume_keys,
        optimize_for=args.optimize_for or "",
    )


def _request(args: argparse.Namespace) -> tuple[Call, str, bytes]:
    path = args.path if args.path.startswith("/") else f"/{args.path}"
    body: dict[str, object] = {}
    if args.request is not None:
        with args.request.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise UsageError(f"{args.request} is larger than {_LARGEST >> 20} MB")
        try:
            body = msgspec.json.decode(raw, type=dict[str, object])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"{args.request} is not a request's body: {error}") from None
    else:
        bare = path.partition(":stream")[0] + "Content" if path.endswith("Content") else path
        body = dict(next((members for end, members in _MEMBERS if bare.endswith(end)), {}))
    in_path = "/models/" in path
    if in_path and "{model}" in path:
        if args.model is None:
            raise UsageError("--model says what {model} in --path stands for")
        path = path.replace("{model}", args.model)
    elif not in_path:
        if args.model is not None:
            body["model"] = args.model
        if args.stream:
            body["stream"] = True
    method = "GET" if path.endswith("/models") else "POST"
    encoded = b"" if method == "GET" else msgspec.json.encode(body)
    try:
        return read_call(method, path, b"", b"application/json", encoded), path, encoded
    except GatewayError as error:
        if error.code != "model_required" or args.request is not None:
            raise
        raise UsageError("--model says which model is asked for, or --request has a body that does") from None


def _faults(text: str) -> dict[str, tuple[str, FaultKind]]:
    """By provider: what was written, and the kind of fault that it means."""
    found: dict[str, tuple[str, FaultKind]] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, what = part.partition("=")
        kinds: tuple[FaultKind, ...] = get_args(FaultKind)
        kind = next((kind for kind in kinds if kind == what), None)
        if kind is None and what.isascii() and what.isdigit() and 400 <= int(what) < 600:
            kind = fault_of("openai", int(what), [], b"", 0.0).kind
        if not name or kind is None:
            raise UsageError(f"--at-fault {part!r}: write a status as in openai=429, or one of: {', '.join(kinds)}")
        judged = verdict(kind, RetryPolicy())
        if judged.key == "none" and not judged.blame_breaker:
            raise UsageError(f"--at-fault {part!r}: that is the request's own fault, and no provider rests after it")
        found[name] = what, kind
    return found
