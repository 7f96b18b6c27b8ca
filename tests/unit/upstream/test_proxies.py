from __future__ import annotations

import pytest

from gateway.upstream.proxies import Proxies, read_proxies

LOCAL = "localhost,127.0.0.0/8,::1,metadata.google.internal,169.254.0.0/16"


@pytest.mark.parametrize(
    ("environ", "http", "https", "bypass"),
    [
        ({}, "", "", LOCAL),
        ({"HTTP_PROXY": "http://p"}, "http://p", "", LOCAL),
        ({"https_proxy": "http://low", "HTTPS_PROXY": "http://up"}, "", "http://low", LOCAL),
        ({"ALL_PROXY": "http://all", "HTTPS_PROXY": "http://p"}, "http://all", "http://p", LOCAL),
        ({"NO_PROXY": ".corp,10.0.0.0/8"}, "", "", f".corp,10.0.0.0/8,{LOCAL}"),
        ({"HTTP_PROXY": "http://p", "REQUEST_METHOD": "GET"}, "", "", LOCAL),
        ({"http_proxy": "http://p", "REQUEST_METHOD": "GET"}, "http://p", "", LOCAL),
    ],
)
def test_the_environment(environ: dict[str, str], http: str, https: str, bypass: str) -> None:
    assert read_proxies(environ) == Proxies(http=http, https=https, bypass=bypass)
