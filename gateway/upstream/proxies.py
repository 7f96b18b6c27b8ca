"""Which proxy the environment asks for.

What lives here: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY read as curl reads them. The law:
a request to this machine is never proxied, whatever the environment says, or a local model server
would be asked for at the proxy, and a cloud's metadata would be the proxy's own machine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

LOOPBACK: Final = ("localhost", "127.0.0.0/8", "::1")
METADATA: Final = ("metadata.google.internal", "169.254.0.0/16")
"""Where a cloud tells a machine or a container who it is."""


class Proxies(msgspec.Struct, frozen=True):
    """http, https: the proxy's URL for requests of that scheme, credentials included, `` for none.
    bypass: hosts, domains and networks that are asked directly, separated by commas."""

    http: str = ""
    https: str = ""
    bypass: str = ""


def read_proxies(environ: Mapping[str, str]) -> Proxies:
    """Lower case names win. HTTP_PROXY in upper case is not read where REQUEST_METHOD is set, because
    a CGI server lets a client set it (`Proxy:` header)."""

    def read(name: str) -> str:
        return environ.get(name) or environ.get(name.upper()) or ""

    everything = read("all_proxy")
    plain = environ.get("http_proxy", "") if "REQUEST_METHOD" in environ else read("http_proxy")
    return Proxies(
        http=plain or everything,
        https=read("https_proxy") or everything,
        bypass=",".join(filter(None, (read("no_proxy"), *LOOPBACK, *METADATA))),
    )
