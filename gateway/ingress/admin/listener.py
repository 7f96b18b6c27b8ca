"""The admin API on a port of its own.

Each worker listens on it with a socket of its own (SO_REUSEPORT), so that whichever answers is one of those that serve,
and what it says of live state is its own. Hypercorn answers there, whatever engine has the gateway's main port: it runs
inside the worker's loop. A port that cannot be had is told in the log, and keeps nobody from serving.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from hypercorn.asyncio.run import worker_serve
from hypercorn.config import Config, Sockets
from hypercorn.utils import wrap_app

from gateway.config.spec import Tls
from gateway.ingress.body import Receive, Scope, Send
from gateway.telemetry.log import Log, Value

_BACKLOG: Final = 64
_GRACE: Final = 2.0
"""Seconds that requests under way have when the process ends."""


class Listener:
    """app: what answers. host, port: where. tls: the certificate, None for plain HTTP."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], object], host: str, port: int, tls: Tls | None, log: Log
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._tls = tls
        self._log = log
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen, from now on."""
        place: dict[str, Value] = {"host": self._host, "port": self._port}
        try:
            listening = _socket(self._host, self._port)
        except OSError as error:
            why = error.strerror or str(error)
            self._log.write("error", "the admin API cannot listen", {**place, "error": why})
            return
        self._task = asyncio.create_task(self._serve(listening))
        self._log.write("info", "the admin API listens", place)

    async def close(self) -> None:
        self._stop.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _serve(self, listening: socket.socket) -> None:
        config = _settings(Config(), self._tls)
        sockets = Sockets([listening], [], []) if self._tls is not None else Sockets([], [listening], [])
        try:
            app = wrap_app(self._app, config.wsgi_max_body_size, "asgi")  # type: ignore[arg-type]
            await worker_serve(app, config, sockets=sockets, shutdown_trigger=self._stop.wait)
        except Exception as error:
            self._log.write("error", "the admin API has stopped listening", {"error": repr(error)})
        finally:
            listening.close()


def _settings(config: Config, tls: Tls | None) -> Config:
    config.accesslog = None
    config.errorlog = logging.getLogger("gateway.admin")
    config.backlog = _BACKLOG
    config.graceful_timeout = _GRACE
    config.h11_max_incomplete_size = 64 * 1024
    config.include_server_header = False
    if tls is not None:
        config.certfile = tls.certificate
        config.keyfile = tls.key
    return config


def _socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind((host.strip("[]"), port))
        # Who connects from now on is answered, if only when the loop comes to it.
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made
