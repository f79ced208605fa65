"""How a network is cut into subnets: arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

ZONES = 3


@dataclass(frozen=True)
class ZoneSubnets:
    """The three subnets of one zone, as IPv4 networks."""

    public: str
    private: str
    data: str


def cut(cidr: str) -> list[ZoneSubnets]:
    """Subnets for three zones: a private quarter each, then a sixteenth public and a sixty-fourth for data.

    A /16 gives each zone 16,384 private, 4,096 public and 1,024 data addresses; a /20 gives 1,024, 256 and 64.
    """
    *private, rest = IPv4Network(cidr).subnets(prefixlen_diff=2)
    *public, last = rest.subnets(prefixlen_diff=2)
    data = list(last.subnets(prefixlen_diff=2))
    return [ZoneSubnets(str(public[zone]), str(private[zone]), str(data[zone])) for zone in range(ZONES)]
