"""The network: ways out, and who gets in."""

from __future__ import annotations

import pytest
from pulumi_aws import ec2

from components.aws.network import Network
from tests.components import samples
from tests.components.recording import declare


@pytest.mark.parametrize(("nat_per_zone", "nats"), [(False, 1), (True, 3)])
def test_ways_out(nat_per_zone: bool, nats: int) -> None:
    recording = declare(lambda: Network("network", samples.network(nat_per_zone=nat_per_zone)))
    assert len(recording.of("aws:ec2/natGateway:NatGateway")) == nats
    routes = {route.name: route.plain() for route in recording.of("aws:ec2/route:Route")}
    assert sorted(routes) == [
        "network-way-out-private-a",
        "network-way-out-private-b",
        "network-way-out-private-c",
        "network-way-out-public",
    ]
    used = {routes[f"network-way-out-private-{zone}"]["natGatewayId"] for zone in "abc"}
    assert len(used) == nats
    assert "gatewayId" in routes["network-way-out-public"]


def test_who_takes_a_private_subnet_finds_its_way_out() -> None:
    def program() -> None:
        network = Network("network", samples.network())
        ec2.SecurityGroup("taker", vpc_id=network.network_id, description=network.private_subnet_ids[1])

    recording = declare(program)
    needed = {"network-way-out-private-b", "network-routes-of-private-b", "network-private-b"}
    assert {recording.named(name).urn for name in needed} <= recording.named("taker").dependencies
    outward = {"network-gateway", "network-way-out-public", "network-routes-of-public-a"}
    assert {recording.named(name).urn for name in outward} <= recording.named("network-nat-a").dependencies


def test_data_subnets_have_no_way_out() -> None:
    recording = declare(lambda: Network("network", samples.network()))
    routed = {route.plain()["routeTableId"] for route in recording.of("aws:ec2/route:Route")}
    data = {
        link.plain()["routeTableId"]
        for link in recording.of("aws:ec2/routeTableAssociation:RouteTableAssociation")
        if "-data-" in link.name
    }
    assert data and not data & routed


def test_nobody_gets_in_by_default() -> None:
    recording = declare(lambda: Network("network", samples.network()))
    default = recording.inputs("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert default["ingress"] == [] and default["egress"] == []
    assert all(not subnet.plain()["mapPublicIpOnLaunch"] for subnet in recording.of("aws:ec2/subnet:Subnet"))


def test_objects_are_reached_without_a_nat_gateway_from_every_subnet() -> None:
    recording = declare(lambda: Network("network", samples.network()))
    endpoint = recording.inputs("aws:ec2/vpcEndpoint:VpcEndpoint")
    assert (endpoint["serviceName"], endpoint["vpcEndpointType"]) == ("com.amazonaws.us-east-1.s3", "Gateway")
    links = recording.of("aws:ec2/routeTableAssociation:RouteTableAssociation")
    assert set(endpoint["routeTableIds"]) == {link.plain()["routeTableId"] for link in links}
