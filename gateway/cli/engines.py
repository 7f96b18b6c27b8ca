"""The ASGI servers. Both are started from here with the same promises: streams are not buffered, a
client's leaving is told at once, SIGHUP reloads, and SIGTERM lets what is under way go on for
`drain-timeout` before it is ended.
"""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from gateway.app import DRAIN_SIGNAL, from_environment
from gateway.config.spec import Server
from gateway.core.units import seconds

BACKLOG = 4096
"""Granian bounds the requests in flight by it, streams included."""

KILL_AFTER = 5.0
"""Seconds after the drain timeout at which a process that still lives is killed."""

_APPLICATION = "gateway.app:from_environment"


def serve(server: Server) -> int:
    """Serve until SIGTERM or SIGINT. The workers find the config in the environment."""
    return _serve_hypercorn(server) if server.engine == "hypercorn" else _serve_granian(server)


def _serve_granian(server: Server) -> int:
    from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
    from granian.log import LogLevels
    from granian.server.mp import MPServer

    class Granian(MPServer):
        """Granian, with our meaning of SIGHUP and a word to the workers before they stop."""

        def signal_handler_reload(self, *args: object, **kwargs: object) -> None:
            _tell((worker.inner.pid for worker in self.wrks), signal.SIGHUP)

        def signal_handler_interrupt(self, *args: object, **kwargs: object) -> None:
            _tell((worker.inner.pid for worker in self.wrks), DRAIN_SIGNAL)
            super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]

    Granian(
        _APPLICATION,
        factory=True,
        address=server.host,
        port=server.port,
        interface=Interfaces.ASGI,
        workers=server.workers,
        loop=Loops.uvloop,
        # The other mode has a thread that spins for Python's lock while Python is at work (docs/adr/0003).
        runtime_mode=RuntimeModes.st,
        http=HTTPModes.auto,
        websockets=False,
        backlog=BACKLOG,
        # Each worker may have the whole backlog: it is a bound on streams, not a queue.
        backpressure=BACKLOG,
        log_level=LogLevels.warning,
        ssl_cert=Path(server.tls.certificate) if server.tls else None,
        ssl_key=Path(server.tls.key) if server.tls else None,
        workers_kill_timeout=int(seconds(server.drain_timeout) + KILL_AFTER),
        respawn_failed_workers=True,
    ).serve()
    return 0


def _serve_hypercorn(server: Server) -> int:
    from hypercorn.config import Config
    from hypercorn.run import run

    config = Config()
    host = f"[{server.host}]" if ":" in server.host else server.host
    config.bind = [f"{host}:{server.port}"]
    config.backlog = BACKLOG
    config.graceful_timeout = seconds(server.drain_timeout) + KILL_AFTER
    config.worker_class = "uvloop"
    config.loglevel = "WARNING"
    config.errorlog = "-"
    config.accesslog = None
    if server.tls is not None:
        config.certfile = server.tls.certificate
        config.keyfile = server.tls.key
        if importlib.util.find_spec("aioquic") is not None:
            config.quic_bind = config.bind
    if server.workers == 1:
        _run_hypercorn_here(config)
        return 0
    config.application_path = f"{_APPLICATION}()"
    config.workers = server.workers
    signal.signal(signal.SIGHUP, lambda *_: _tell(_children(), signal.SIGHUP))
    return run(config) or 0


def _run_hypercorn_here(config: object) -> None:
    import uvloop
    from hypercorn.asyncio import serve as serve_here

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def begin() -> None:
            os.kill(os.getpid(), DRAIN_SIGNAL)
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, begin)
        await serve_here(from_environment(), config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _children() -> list[int | None]:
    return [child.pid for child in multiprocessing.active_children()]


def _tell(pids: Iterable[int | None], number: signal.Signals) -> None:
    for pid in pids:
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
