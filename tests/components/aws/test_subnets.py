"""How a network is cut into subnets."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from components.aws.subnets import cut


@pytest.mark.parametrize("cidr", ["10.10.0.0/16", "10.0.16.0/20", "192.168.0.0/18"])
def test_subnets_lie_within_the_network_and_apart(cidr: str) -> None:
    subnets = [IPv4Network(text) for zone in cut(cidr) for text in (zone.public, zone.private, zone.data)]
    assert len(subnets) == 9
    for index, subnet in enumerate(subnets):
        assert subnet.subnet_of(IPv4Network(cidr))
        assert not any(subnet.overlaps(other) for other in subnets[index + 1 :])
