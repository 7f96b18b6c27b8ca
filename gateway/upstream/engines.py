"""Which HTTP client reaches the providers. Only the chosen one is imported."""

from __future__ import annotations

from typing import Literal, assert_never

from gateway.upstream.transport import Transport

Engine = Literal["pyreqwest", "httpx"]


def open_transport(engine: Engine) -> Transport:
    """Connections are made when they are needed."""
    match engine:
        case "pyreqwest":
            from gateway.upstream.pyreqwest_transport import PyreqwestTransport

            return PyreqwestTransport()
        case "httpx":
            from gateway.upstream.httpx_transport import HttpxTransport

            return HttpxTransport()
        case _:
            assert_never(engine)
