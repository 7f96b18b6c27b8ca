"""Addresses of stores."""

from __future__ import annotations

import pytest

from gateway.config.store_url import StoreUrl, read_store_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory://", StoreUrl("memory")),
        ("redis://localhost", StoreUrl("redis", (("localhost", 6379),))),
        ("redis://localhost/", StoreUrl("redis", (("localhost", 6379),))),
        ("redis://h:7000/3", StoreUrl("redis", (("h", 7000),), database=3)),
        ("redis://[::1]:7000", StoreUrl("redis", (("::1", 7000),))),
        ("redis://[::1]", StoreUrl("redis", (("::1", 6379),))),
        ("rediss://h", StoreUrl("redis", (("h", 6379),), tls=True)),
        ("rediss://h?ssl_ca_certs=/a/b.pem", StoreUrl("redis", (("h", 6379),), tls=True, ca_certs="/a/b.pem")),
        (
            "redis+sentinel://a,b:7/main/2",
            StoreUrl("sentinel", (("a", 26379), ("b", 7)), service="main", database=2),
        ),
        ("redis+sentinel://a/main?tls=true", StoreUrl("sentinel", (("a", 26379),), service="main", tls=True)),
        ("redis+cluster://a:1,b:2", StoreUrl("cluster", (("a", 1), ("b", 2)))),
        ("redis+cluster://a?tls=false", StoreUrl("cluster", (("a", 6379),))),
    ],
)
def test_an_address_says_where_and_how(text: str, expected: StoreUrl) -> None:
    assert read_store_url(text) == expected


@pytest.mark.parametrize(
    ("text", "username", "password"),
    [
        ("redis://:hush@h", "", "hush"),
        ("redis://me:hush@h", "me", "hush"),
        ("redis://me:p%40ss%2Fword@h", "me", "p@ss/word"),
        ("redis://me:p@ss@h", "me", "p@ss"),
        ("redis+cluster://me:hush@a,b", "me", "hush"),
    ],
)
def test_credentials_are_read_and_not_shown(text: str, username: str, password: str) -> None:
    url = read_store_url(text)
    assert url.password is not None
    assert (url.username, url.password.reveal()) == (username, password)
    assert password not in repr(url)
    assert password not in url.place()
    assert url.nodes[0][0] in ("h", "a")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://h", "it begins with none of memory://, redis://, rediss://, redis+sentinel://, redis+cluster://"),
        ("memory://h", "nothing follows memory://"),
        ("redis://", "a host is missing"),
        ("redis://:hush@", "a host is missing"),
        ("redis://h:0", "a port is a number from 1 to 65535"),
        ("redis://h:65536", "a port is a number from 1 to 65535"),
        ("redis://h:hush", "a port is a number from 1 to 65535"),
        ("redis://h:", "a port is a number from 1 to 65535"),
        ("redis://a,b", "one host is expected; several belong to redis+sentinel:// or redis+cluster://"),
        ("redis://h/hush", "the database is a number: redis://host:6379/0"),
        ("redis://h/1/2", "the database is a number: redis://host:6379/0"),
        ("redis+sentinel://h", "the name of the service is missing: redis+sentinel://host:26379/mymaster"),
        ("redis+sentinel://h/main/x", "the database is a number: redis://host:6379/0"),
        ("redis+cluster://h/1", "a cluster has no numbered databases; nothing follows its hosts"),
        ("redis+cluster://a,,b", "a host is missing"),
        ("redis://h?tls=true", "only `ssl_ca_certs` may follow the question mark"),
        ("redis+cluster://h?db=1", "only `tls` and `ssl_ca_certs` may follow the question mark"),
        ("redis+cluster://h?tls=yes", "`tls` is true or false"),
        ("redis://h?ssl_ca_certs=a", "`ssl_ca_certs` is for TLS: rediss://"),
        ("redis+cluster://h?ssl_ca_certs=a", "`ssl_ca_certs` is for TLS: add `tls=true`"),
    ],
)
def test_what_cannot_be_read_is_told_without_its_text(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        read_store_url(text)
    assert str(raised.value) == reason
