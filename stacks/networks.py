"""Which addresses a configuration may claim."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError, collapse_addresses
from itertools import combinations
from typing import Annotated, Final

from pydantic import AfterValidator

PRIVATE: Final = tuple(IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
"""RFC 1918."""


# Large ranges of https://www.iana.org/assignments/iana-ipv4-special-registry beside RFC 1918's, and multicast.
RESERVED: Final = tuple(
    IPv4Network(cidr)
    for cidr in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
PUBLIC_MOST: Final = 2**24
"""Addresses of a /8: what AWS still calls not public, of what is let in from outside."""


def parse(text: str) -> IPv4Network:
    """Raises ValueError where `text` is not an IPv4 network such as 10.20.0.0/16, host bits zero."""
    try:
        network = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise ValueError(f"{text!r} is not an IPv4 network such as 10.20.0.0/16 ({error})") from error
    # Python reads a bare address and a mask (10.20.0.0/255.255.0.0) too; AWS takes neither.
    if text != str(network):
        raise ValueError(f"{text!r} is not an IPv4 network such as 10.20.0.0/16 (write {network})")
    return network


def _network(text: str) -> str:
    parse(text)
    return text


def _private(text: str, widest: int, narrowest: int) -> str:
    network = parse(text)
    if not any(network.subnet_of(private) for private in PRIVATE):
        raise ValueError(f"{text} is not private: choose one within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
    if not widest <= network.prefixlen <= narrowest:
        raise ValueError(f"{text} is out of range: its prefix must lie between /{widest} and /{narrowest}")
    return text


def _vpc(text: str) -> str:
    return _private(text, 16, 20)


def _any_private(text: str) -> str:
    return _private(text, 8, 32)


def _services(text: str) -> str:
    # https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
    return _private(text, 12, 24)


Cidr = Annotated[str, AfterValidator(_network)]
NetworkCidr = Annotated[str, AfterValidator(_vpc)]
"""/16 (the widest that AWS takes) to /20 (the narrowest that still holds nine useful subnets)."""
PrivateCidr = Annotated[str, AfterValidator(_any_private)]
ServiceCidr = Annotated[str, AfterValidator(_services)]


def addresses(networks: Iterable[str]) -> int:
    """How many addresses these hold together."""
    return sum(network.num_addresses for network in collapse_addresses(map(parse, networks)))


def overlap(networks: dict[str, str]) -> str | None:
    """A sentence about the first two of `networks` (name to CIDR) that overlap, or None."""
    for (one, first), (other, second) in combinations(networks.items(), 2):
        if parse(first).overlaps(parse(second)):
            return f"{one} {first} overlaps {other} {second}"
    return None
