"""`gateway serve [FILE]`: check the file, say what will be served, and serve it."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config.problem import ConfigError

if TYPE_CHECKING:
    from gateway.config.spec import AdminSettings, Server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", default="routers.yaml", help="the configuration (default: routers.yaml)")
    parser.add_argument("--host", help="listen on this address instead of server.host")
    parser.add_argument("--port", type=_number(0, 65535), help="listen on this port instead of server.port")
    parser.add_argument("--workers", type=_number(1, 256), help="run so many processes instead of server.workers")


def run(args: argparse.Namespace) -> int:
    import msgspec

    from gateway.app import CONFIG_VARIABLE
    from gateway.assemble.house import assemble
    from gateway.cli.engines import serve, why_not_bound
    from gateway.cli.summary import summary
    from gateway.config.check import loaded_and_checked
    from gateway.config.check_access import is_loopback
    from gateway.gateway import HOST_VARIABLE, SNAPSHOTS_VARIABLE
    from gateway.runtime import Runtime, system_clock
    from gateway.telemetry.log import Log
    from gateway.telemetry.metrics import Metrics
    from gateway.upstream.echo import EchoTransport

    config = Path(args.file)
    try:
        loaded, warnings = loaded_and_checked(config, now=time.time())
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        errors = sum(problem.level == "error" for problem in error.problems)
        print(f"{config}: {errors} error{'' if errors == 1 else 's'}; nothing was started.", file=sys.stderr)
        return 1
    given = {name: value for name in ("host", "port", "workers") if (value := getattr(args, name)) is not None}
    server = msgspec.structs.replace(loaded.spec.server, **given)
    if not is_loopback(server.host) and loaded.spec.auth.mode is None:
        print(f"--host {server.host}: another address than loopback needs auth.mode in {config}.", file=sys.stderr)
        return 1
    if taken := why_not_bound(server.host, server.port):
        place = f"{server.host}:{server.port}"
        others = "Others: --port and --host (make run ARGS='--port N'), or server.port and server.host."
        print(f"{place} cannot be listened on: {taken}. {others} Nothing was started.", file=sys.stderr)
        return 1
    if (admin := loaded.spec.admin) is not None and (why := _why_no_admin(admin, server)):
        print(f"{why} Nothing was started.", file=sys.stderr)
        return 1
    spec = msgspec.structs.replace(loaded.spec, server=server)
    clock = system_clock()
    echo = EchoTransport(clock)
    # Built only to be described: each worker builds its own.
    trial = Runtime(clock=clock, transport=echo, echo=echo, log=Log(clock.wall), metrics=Metrics())
    house = assemble(spec, loaded.hash, trial, os.environ)
    print("\n".join(summary(house, args.file, warnings)), flush=True)
    os.environ[CONFIG_VARIABLE] = str(config.absolute())
    if args.host is not None:
        os.environ[HOST_VARIABLE] = args.host
    if server.workers == 1:
        # Nothing is written then, so there need not be anywhere to write.
        return serve(server)
    with tempfile.TemporaryDirectory(prefix="router-gateway-") as folder:
        os.environ[SNAPSHOTS_VARIABLE] = folder
        return serve(server)


def _why_no_admin(admin: AdminSettings, server: Server) -> str:
    """Why the admin API cannot be served as the options are, or ``."""
    from gateway.cli.engines import why_not_bound
    from gateway.config.check_access import is_loopback

    host = server.host if admin.host is None else admin.host
    if not admin.keys and not is_loopback(host):
        return f"--host {host}: other machines would reach the admin API, which asks for no key (admin.keys)."
    if admin.port is not None and (admin.port == server.port or (taken := why_not_bound(host, admin.port))):
        why = "the gateway itself does" if admin.port == server.port else taken
        return f"{host}:{admin.port} cannot be listened on: {why} (admin.port)."
    return ""


def _number(least: int, most: int) -> Callable[[str], int]:
    """A whole number as the spec allows it for the same key."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read
