"""What CIDR blocks hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

PRIVATE: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    # RFC 1918, RFC 6598 (carrier's own), RFC 3927 and RFC 4291 (link), RFC 4193 (unique local)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fe80::/10",
        "fc00::/7",
    )
)
# The widest range that is not "public" in AWS' own meaning of the word: /8 for IPv4, /32 for IPv6.
# docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
_MOST: Final[dict[int, int]] = {4: 2 ** (32 - 8), 6: 2 ** (128 - 32)}
_SUBNET_OF_IPV6: Final = 2**64


def is_world(texts: Iterable[str]) -> bool:
    """Whether these CIDR blocks together hold more public addresses than one organisation has.

    Counted over their union, so that the world cut into pieces is still the world. Raises ValueError for what is no
    CIDR block.
    """
    counted = {4: 0, 6: 0}
    for network in _united(texts):
        counted[network.version] += _public_addresses(network)
    return any(counted[version] > most for version, most in _MOST.items())


def private_part(text: str, exceptions: Iterable[str] = ()) -> list[Network]:
    """The private addresses of a CIDR block without its exceptions. Raises ValueError for what is no CIDR block."""
    block, outside = ip_network(text.strip(), strict=False), list(_united(exceptions))
    found = [block if _within(block, private) else private for private in PRIVATE if _overlap(block, private)]
    for exception in outside:
        found = [part for each in found for part in _without(each, exception)]
    return found


def more_than(networks: Iterable[Network], addresses: int) -> bool:
    """Whether these networks together hold more IPv4 addresses than that, or more of IPv6 than one subnet has."""
    counted = {4: 0, 6: 0}
    for network in _united(str(network) for network in networks):
        counted[network.version] += network.num_addresses
    return counted[4] > addresses or counted[6] > _SUBNET_OF_IPV6


def _united(texts: Iterable[str]) -> Iterator[Network]:
    networks = [ip_network(text.strip(), strict=False) for text in texts]
    yield from collapse_addresses(network for network in networks if isinstance(network, IPv4Network))
    yield from collapse_addresses(network for network in networks if isinstance(network, IPv6Network))


def _public_addresses(network: Network) -> int:
    private = [each for each in PRIVATE if each.version == network.version]
    if any(_within(network, each) for each in private):
        return 0
    return network.num_addresses - sum(each.num_addresses for each in private if _within(each, network))


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.prefixlen >= outer.prefixlen and inner.network_address in outer


def _overlap(one: Network, other: Network) -> bool:
    return _within(one, other) or _within(other, one)


def _without(network: Network, exception: Network) -> Iterator[Network]:
    if not _overlap(network, exception):
        yield network
    elif not _within(network, exception):
        yield from (part for half in network.subnets() for part in _without(half, exception))
