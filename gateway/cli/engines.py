"""The ASGI servers. Both are started from here with the same promises: streams are not buffered, a
client's leaving is told at once, SIGHUP reloads, and SIGTERM lets what is under way go on for
`drain-timeout` before it is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterable
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.app import DRAIN_SIGNAL, from_environment
from gateway.config.spec import Server
from gateway.core.units import seconds

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from hypercorn.config import Config, Sockets

BACKLOG = 4096
"""Granian bounds the requests in flight by it, streams included."""

KILL_AFTER = 12.0
"""Seconds after the drain timeout at which a process that still lives is killed: longer than the sinks take at most to
put down what they hold (telemetry/audit_sink.py, store/ledger/writer.py)."""

RESPAWN_AFTER = 1.0
"""Seconds until a worker that has died is replaced."""

_APPLICATION = "gateway.app:from_environment"


def serve(server: Server) -> int:
    """Serve until SIGTERM or SIGINT. The workers find the config in the environment."""
    if server.scheduling == "batch":
        _be_a_batch()
    return _serve_hypercorn(server) if server.engine == "hypercorn" else _serve_granian(server)


def _be_a_batch() -> None:
    """Have no thread of this process and its workers, which inherit it, interrupt another when it wakes: the thread of
    the sockets would stop the event loop at each reply, to write a single one (docs/adr/0013)."""
    # Not every system has it, and a sandbox may refuse.
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def why_not_bound(host: str, port: int) -> str:
    """Why an address cannot be listened on, or ``. Granian shares a port with whoever has it, so that two
    gateways would take turns at answering."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _serve_granian(server: Server) -> int:
    from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
    from granian.log import LogLevels
    from granian.server.mp import MPServer

    patience = seconds(server.drain_timeout) + KILL_AFTER

    class Granian(MPServer):
        """Granian, with our meaning of SIGHUP and a word to the workers before they stop."""

        def signal_handler_reload(self, *args: object, **kwargs: object) -> None:
            _tell((worker.inner.pid for worker in self.wrks), signal.SIGHUP)

        def _stop_workers(self) -> None:
            # Here, and not where SIGTERM is taken: all of them are known here, even one that was being started. That
            # one has no ears yet for what it is told next, but ends by this.
            for worker in self.wrks:
                worker.interrupt_by_parent = True
            _tell((worker.inner.pid for worker in self.wrks), DRAIN_SIGNAL)
            for worker in self.wrks:
                worker.inner.terminate()
            # Not granian's own wait, which asks the system for the status of a process that another thread of granian's
            # may have just taken: it then takes the process for alive, says that it refused to stop, and kills it.
            deadline = time.monotonic() + patience
            for worker in self.wrks:
                if not wait([worker.inner.sentinel], max(deadline - time.monotonic(), 0.0)):
                    worker.inner.kill()
                    wait([worker.inner.sentinel])

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
        respawn_failed_workers=True,
    ).serve()
    return 0


def _serve_hypercorn(server: Server) -> int:
    from hypercorn.config import Config

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
        _run_hypercorn(config)
        return 0
    return _supervise(config, server.workers)


def _run_hypercorn(config: Config, sockets: Sockets | None = None) -> None:
    """One worker, until SIGTERM or SIGINT. sockets: those that it shares with others."""
    import uvloop
    from hypercorn.asyncio.run import worker_serve
    from hypercorn.utils import wrap_app

    from gateway.cli import hypercorn_http2

    hypercorn_http2.install()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def begin() -> None:
            os.kill(os.getpid(), DRAIN_SIGNAL)
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, begin)
        app = wrap_app(from_environment(), config.wsgi_max_body_size, "asgi")  # type: ignore[arg-type]
        await worker_serve(app, config, sockets=sockets, shutdown_trigger=stop.wait)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _supervise(config: Config, number: int) -> int:
    """Hypercorn's workers. Its own supervisor restarts them on SIGHUP and does not tell them of a drain."""
    processes = multiprocessing.get_context("spawn")
    sockets = config.create_sockets()
    stopping: list[int] = []

    def start() -> SpawnProcess:
        worker = processes.Process(target=_run_hypercorn, args=(config, sockets))
        worker.start()
        return worker

    def tell(told: int, _: object) -> None:
        if told != signal.SIGHUP:
            stopping.append(told)
            # While one process has them, connections are taken that nobody answers.
            for shared in (*sockets.secure_sockets, *sockets.insecure_sockets, *sockets.quic_sockets):
                shared.close()
        _tell((worker.pid for worker in workers), signal.SIGHUP if told == signal.SIGHUP else signal.SIGTERM)

    workers = [start() for _ in range(number)]
    for told in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(told, tell)
    while True:
        wait([worker.sentinel for worker in workers])
        if not stopping:
            # Not at once: one that cannot start would be started without end.
            time.sleep(RESPAWN_AFTER)
        if stopping:
            break
        workers = [worker if worker.is_alive() else start() for worker in workers]
    for worker in workers:
        worker.join(config.graceful_timeout)
        worker.kill()
    return 0


def _tell(pids: Iterable[int | None], number: signal.Signals) -> None:
    for pid in pids:
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
