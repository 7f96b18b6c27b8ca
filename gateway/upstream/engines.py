"""Which HTTP client reaches the providers. Only the chosen one is imported."""

from __future__ import annotations

import os
from typing import Literal, assert_never

from gateway.upstream.proxies import read_proxies
from gateway.upstream.transport import Transport

Engine = Literal["http1", "pyreqwest", "httpx"]


def open_transport(engine: Engine) -> Transport:
    """Connections are made when they are needed. `http1` speaks to no proxy: where the environment names
    one, `pyreqwest` takes its place."""
    match engine:
        case "http1" if not _has_proxy():
            from gateway.upstream.http1_transport import Http1Transport

            return Http1Transport()
        case "http1" | "pyreqwest":
            from gateway.upstream.pyreqwest_transport import PyreqwestTransport

            return PyreqwestTransport()
        case "httpx":
            from gateway.upstream.httpx_transport import HttpxTransport

            return HttpxTransport()
        case _:
            assert_never(engine)


def _has_proxy() -> bool:
    proxies = read_proxies(os.environ)
    return bool(proxies.http or proxies.https)
