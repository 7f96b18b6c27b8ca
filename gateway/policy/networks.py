"""Addresses: whether one is in a list of networks, and whose address a request behind proxies has.

X-Forwarded-For is what the sender likes to say, but for its right end: each proxy appends the address that it was
asked from. So the header counts only when the peer is a trusted proxy, and is read from the right for as long as
the addresses in it are trusted proxies too; the first that is not is the client, and what stands left of it is
hearsay. What cannot be read is nobody's address, which is on no list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

MAX_HOPS = 32
"""Proxies in a row. A longer chain is not read to its end, and its client is nobody."""


class Networks:
    """A list of networks, of IPv4 and of IPv6."""

    __slots__ = ("_all", "_texts")

    def __init__(self, texts: Sequence[str]) -> None:
        """texts: `10.0.0.0/8`, `2001:db8::/32`, or single addresses. ValueError for what is none."""
        self._texts = tuple(texts)
        self._all = tuple(map(network, texts))

    def __contains__(self, address: object) -> bool:
        """address: text, as a server gives the peer's. What is no address is in no network."""
        parsed = _parsed(address) if isinstance(address, str) else None
        return parsed is not None and self._has(parsed)

    def __repr__(self) -> str:
        return f"Networks({', '.join(self._texts)})"

    def _has(self, address: IPv4Address | IPv6Address) -> bool:
        # Networks of the other version have no address of this one.
        return any(address in network for network in self._all)

    def client_behind(self, peer: str, forwarded: Iterable[bytes]) -> str:
        """The client's address, these networks being the trusted proxies. peer: who connected. forwarded: the values
        of X-Forwarded-For, in their order. `` when a trusted proxy names something that is no address."""
        here = _parsed(peer)
        if here is None or not self._has(here):
            return peer
        named = [entry for value in forwarded for entry in value.split(b",")]
        for entry in reversed(named[-MAX_HOPS:]):
            here = _parsed(_without_port(entry.decode("latin-1").strip()))
            if here is None:
                return ""
            if not self._has(here):
                return str(here)
        return str(here) if len(named) <= MAX_HOPS else ""


def network(text: str) -> IPv4Network | IPv6Network:
    """A network, or one address. ValueError for anything else, host bits that are set included."""
    found = ip_network(text)
    if isinstance(found, IPv6Network) and found.prefixlen >= 96 and (mapped := found.network_address.ipv4_mapped):
        return IPv4Network((mapped, found.prefixlen - 96))
    return found


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 address that came over an IPv6 socket (`::ffff:10.0.0.1`) is the IPv4 address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _without_port(text: str) -> str:
    """Some proxies append `1.2.3.4:5678` or `[2001:db8::1]:5678`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
