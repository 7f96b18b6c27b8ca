from __future__ import annotations

import hmac
from hashlib import sha256

import pytest

from gateway.config.spec import AdminKey, AdminSettings
from gateway.core.errors import GatewayError
from gateway.ingress.admin.login import FAILURES, Failures, Login

PEPPER = "pepper-of-the-tests"
KEYS = AdminSettings(
    keys=(
        AdminKey(name="plain", hash=f"sha256:{sha256(b'one').hexdigest()}"),
        AdminKey(
            name="keyed", hash=f"hmac-sha256:{hmac.digest(PEPPER.encode(), b'two', 'sha256').hex()}", role="write"
        ),
        AdminKey(name="old", hash=f"sha256:{sha256(b'three').hexdigest()}", expires="2026-11-20"),
    )
)


class Clock:
    now = 1_795_132_800.0
    """2026-11-20, the last second of which is still good."""


def login(clock: Clock, settings: AdminSettings = KEYS) -> Login:
    return Login(settings, PEPPER, lambda: clock.now, Failures(lambda: clock.now))


def test_keys_are_known_by_either_hash() -> None:
    desk = login(Clock())
    plain = desk.bearer({"authorization": "Bearer one"}, "")
    keyed = desk.bearer({"x-api-key": "two"}, "")
    assert [(found.name, found.role) for found in (plain, keyed)] == [("plain", "read"), ("keyed", "write")]
    with pytest.raises(GatewayError):
        Login(KEYS, "another", lambda: 0.0, Failures(lambda: 0.0)).bearer({"x-api-key": "two"}, "")


def test_a_key_ends_with_its_last_day() -> None:
    clock = Clock()
    desk = login(clock)
    clock.now = 1_795_219_199.0
    assert desk.bearer({"x-api-key": "three"}, "").name == "old"
    clock.now += 1
    with pytest.raises(GatewayError, match="expired"):
        desk.bearer({"x-api-key": "three"}, "")


def test_failures_are_counted_for_each_address_and_forgiven() -> None:
    clock = Clock()
    desk = login(clock)

    def code(address: str) -> str:
        with pytest.raises(GatewayError) as caught:
            desk.bearer({"x-api-key": "wrong"}, address)
        return caught.value.code

    assert [code("192.0.2.1") for _ in range(FAILURES.capacity + 1)] == ["invalid_api_key"] * 10 + ["rate_limited"]
    assert code("192.0.2.2") == "invalid_api_key"
    assert desk.bearer({"x-api-key": "one"}, "192.0.2.1").name == "plain"
    clock.now += 6.0
    assert [code("192.0.2.1"), code("192.0.2.1")] == ["invalid_api_key", "rate_limited"]


@pytest.mark.parametrize("host", ["", "[", "[::1", "localhost.evil.test", "::1", "evil@localhost.test"])
def test_a_host_that_is_not_loopback_is_no_neighbour(host: str) -> None:
    with pytest.raises(GatewayError) as caught:
        login(Clock(), AdminSettings()).bearer({"host": host}, "127.0.0.1")
    assert caught.value.param == "host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.8.8.8:8080", "[::1]:8080"])
def test_a_loopback_host_is(host: str) -> None:
    assert login(Clock(), AdminSettings()).bearer({"host": host}, "::1").role == "write"


@pytest.mark.parametrize("origin", ["null", "", "http://[", "https://localhost.evil.test", "http://localhost:81", "x"])
def test_a_page_of_another_origin_is_none(origin: str) -> None:
    with pytest.raises(GatewayError) as caught:
        login(Clock(), AdminSettings()).bearer({"host": "localhost:80", "origin": origin}, "127.0.0.1")
    assert caught.value.param == "origin"
