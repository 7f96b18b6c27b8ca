from __future__ import annotations

import pytest

from gateway.policy.networks import MAX_HOPS, Networks

INSIDE = Networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])
PROXIES = Networks(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.3", True), ("192.0.2.7", True), ("2001:db8:ffff::1", True), ("2001:DB8::1", True),
        ("::ffff:10.1.2.3", True), ("2001:db8::1%eth0", True),
        ("11.0.0.1", False), ("192.0.2.8", False), ("2001:db9::1", False), ("::ffff:11.0.0.1", False), ("::1", False),
        ("", False), ("localhost", False), ("10.1.2", False), ("10.1.2.3.4", False), ("010.1.2.3", False),
        ("10.1.2.3/8", False), (" 10.1.2.3", False), ("10.1.2.3\n", False),
    ],
)  # fmt: skip
def test_an_address_is_in_a_network_of_its_version(address: str, inside: bool) -> None:
    assert (address in INSIDE) is inside


def test_what_is_no_text_is_nowhere() -> None:
    assert 167_837_955 not in INSIDE


def test_ipv4_written_as_ipv6_is_the_ipv4_network() -> None:
    mapped = Networks(["::ffff:10.0.0.0/104"])
    assert "10.200.0.1" in mapped
    assert "::ffff:10.200.0.1" in mapped
    assert "11.0.0.1" not in mapped


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "everywhere", "", "10.0.0.0-10.0.0.9", "2001:db8::1/32"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # ipaddress says it
        Networks([text])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # Nobody stands in between: what the header says is hearsay.
        ("203.0.113.9", [b"198.51.100.1"], "203.0.113.9"),
        ("203.0.113.9", [], "203.0.113.9"),
        ("", [b"198.51.100.1"], ""),
        # One proxy, which has appended whom it was asked by.
        ("10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"127.0.0.1, 10.9.9.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"127.0.0.1", b"198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        # Two proxies.
        ("fd00::1", [b"192.0.2.1, 198.51.100.1,10.0.0.2"], "198.51.100.1"),
        # With ports, as some write it, and IPv6 both ways.
        ("10.0.0.1", [b"198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", [b"[2001:db8::5]:4711"], "2001:db8::5"),
        ("10.0.0.1", [b"2001:db8::5"], "2001:db8::5"),
        # A proxy that asks for itself, and a chain of nothing but proxies.
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # What cannot be read is nobody, and whatever stands left of it is not asked.
        ("10.0.0.1", [b"198.51.100.1, unknown"], ""),
        ("10.0.0.1", [b"198.51.100.1,"], ""),
        ("10.0.0.1", [b""], ""),
        ("10.0.0.1", [b"198.51.100.1, \xff"], ""),
        # Garbage further left was sent by the client itself and changes nothing.
        ("10.0.0.1", [b"unknown, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"," * 9000 + b"198.51.100.1"], "198.51.100.1"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy(
    peer: str, forwarded: list[bytes], client: str
) -> None:
    assert PROXIES.client_behind(peer, forwarded) == client


def test_a_chain_without_end_is_nobodys() -> None:
    assert PROXIES.client_behind("10.0.0.1", [b"10.0.0.2"] * MAX_HOPS) == "10.0.0.2"
    assert PROXIES.client_behind("10.0.0.1", [b"192.0.2.1", *[b"10.0.0.2"] * MAX_HOPS]) == ""
