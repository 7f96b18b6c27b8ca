"""`server`: where the gateway listens and what it accepts."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.spec.terms import Base, Duration, Size


class Logging(Base, frozen=True):
    """What the process writes to standard output."""

    format: Annotated[
        Literal["auto", "json", "text"],
        Meta(description="`auto` is text on a terminal and JSON elsewhere."),
    ] = "auto"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least severe line that is written.")
    ] = "info"
    requests: Annotated[
        Literal["all", "failures", "none"],
        Meta(description="Which requests get a line of their own. Bodies and credentials are never in it."),
    ] = "failures"


class Tls(Base, frozen=True):
    """The certificate of the gateway's own port. Without it the port speaks plain HTTP, for a proxy in front."""

    certificate: Annotated[str, Meta(description="The file with the certificate and its chain, as PEM.")]
    key: Annotated[str, Meta(description="The file with its private key, as PEM.")]


class Server(Base, frozen=True):
    """Where the gateway listens and what it accepts."""

    host: Annotated[
        str, Meta(description="The address to listen on. Another than loopback needs `auth.mode` said aloud.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The TCP port.")] = 8080
    engine: Annotated[
        Literal["granian", "hypercorn"],
        Meta(
            description="The ASGI server: `granian` is the fast one, `hypercorn` also speaks HTTP/3 (with `tls` and the `http3` extra)."
        ),
    ] = "granian"
    tls: Annotated[
        Tls | None,
        Meta(description="Serve HTTPS. With `hypercorn` and the `http3` extra, HTTP/3 on the same port too."),
    ] = None
    workers: Annotated[int, Meta(ge=1, le=256, description="Processes; one for each core is a good number.")] = 1
    scheduling: Annotated[
        Literal["batch", "normal"],
        Meta(
            description="How Linux schedules the processes: as `batch` their threads do not interrupt each other, which saves a quarter of the processor (docs/operations.md); `normal` is for cores that others always keep busy."
        ),
    ] = "batch"
    max_body_size: Annotated[Size, Meta(description="A larger request body is refused with 413.")] = "32MiB"
    max_header_size: Annotated[
        Size, Meta(description="Larger request headers, all together, are refused with 431.")
    ] = "64KiB"
    body_timeout: Annotated[Duration, Meta(description="How long a client may take to send its request body.")] = "60s"
    drain_timeout: Annotated[Duration, Meta(description="How long requests in flight may go on after SIGTERM.")] = "30s"
    upstream_engine: Annotated[
        Literal["http1", "pyreqwest", "httpx"],
        Meta(
            description="The HTTP client towards providers: `http1` is the fast one (with a proxy in the environment, `pyreqwest` takes its place)."
        ),
    ] = "http1"
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks of the proxies in front, whose `x-forwarded-for` says where a client is.",
            examples=[["10.0.0.0/8"]],
        ),
    ] = ()
    logging: Annotated[Logging, Meta(description="What is written to standard output.")] = Logging()
