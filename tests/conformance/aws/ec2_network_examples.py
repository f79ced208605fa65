"""How the network types are lived through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.aws.lifecycle import Example, World

TAGS = {"product": "chronos", "environment": "test"}


def vpc(world: World) -> str:
    return str(world.make("aws:ec2/vpc:Vpc", {"cidrBlock": "10.1.0.0/16"})["id"])


def subnet(world: World, network: str | None = None, cidr: str = "10.1.1.0/24", zone: str = "us-east-1a") -> str:
    inputs = {"vpcId": network or vpc(world), "cidrBlock": cidr, "availabilityZone": zone}
    return str(world.make("aws:ec2/subnet:Subnet", inputs)["id"])


def tags_of(world: World, id: str) -> dict[str, str]:
    found = world.client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [id]}])["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def refused(code: str, operation: Any, **parameters: Any) -> None:
    """The service says that it is gone."""
    with pytest.raises(ClientError, match=code):
        operation(**parameters)


def _vpc_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    ec2 = world.client("ec2")
    found = ec2.describe_vpcs(VpcIds=[id])["Vpcs"][0]
    names = ec2.describe_vpc_attribute(VpcId=id, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    assert found["CidrBlock"] == "10.0.0.0/16"
    assert names is state["enableDnsHostnames"]
    assert tags_of(world, id) == state["tags"]
    assert state["arn"] == f"arn:aws:ec2:us-east-1:123456789012:vpc/{id}"
    groups = ec2.describe_security_groups(GroupIds=[state["defaultSecurityGroupId"]])["SecurityGroups"]
    assert groups[0]["VpcId"] == id


def _subnet_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("ec2").describe_subnets(SubnetIds=[id])["Subnets"][0]
    assert (found["CidrBlock"], found["AvailabilityZone"]) == ("10.1.1.0/24", "us-east-1b")
    assert found["MapPublicIpOnLaunch"] is state["mapPublicIpOnLaunch"]
    assert tags_of(world, id) == state["tagsAll"]


def _gateway_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("ec2").describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"][0]
    assert [attachment["VpcId"] for attachment in found["Attachments"]] == [state["vpcId"]]


def _address_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("ec2").describe_addresses(AllocationIds=[id])["Addresses"][0]
    assert found["PublicIp"] == state["publicIp"]
    assert tags_of(world, id) == state["tags"]


def _nat_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("ec2").describe_nat_gateways(NatGatewayIds=[id])["NatGateways"][0]
    assert found["SubnetId"] == state["subnetId"]
    assert found["NatGatewayAddresses"][0]["PublicIp"] == state["publicIp"]


def _nat_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    left = world.client("ec2").describe_nat_gateways()["NatGateways"]
    assert not [n for n in left if n["NatGatewayId"] == id and n["State"] not in ("deleted", "deleting")]


def _nat_inputs(world: World) -> dict[str, Any]:
    address = world.make("aws:ec2/eip:Eip", {"domain": "vpc"})["id"]
    return {"subnetId": subnet(world), "allocationId": address, "tags": TAGS}


def _table_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("ec2").describe_route_tables(RouteTableIds=[id])["RouteTables"][0]
    assert found["VpcId"] == state["vpcId"]
    assert tags_of(world, id) == state["tags"]


def _route_inputs(world: World) -> dict[str, Any]:
    network = vpc(world)
    gateway = world.make("aws:ec2/internetGateway:InternetGateway", {"vpcId": network})["id"]
    table = world.make("aws:ec2/routeTable:RouteTable", {"vpcId": network})["id"]
    return {"routeTableId": table, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway}


def _routes(world: World, state: Mapping[str, Any]) -> dict[str, str]:
    table = world.client("ec2").describe_route_tables(RouteTableIds=[state["routeTableId"]])["RouteTables"][0]
    return {route.get("DestinationCidrBlock", ""): route.get("GatewayId", "") for route in table["Routes"]}


def _route_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert _routes(world, state)["0.0.0.0/0"] == state["gatewayId"]


def _route_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert "0.0.0.0/0" not in _routes(world, state)


def _another_gateway(world: World) -> dict[str, Any]:
    return {"gatewayId": world.make("aws:ec2/internetGateway:InternetGateway", {})["id"]}


def _association_inputs(world: World) -> dict[str, Any]:
    network = vpc(world)
    table = world.make("aws:ec2/routeTable:RouteTable", {"vpcId": network})["id"]
    return {"routeTableId": table, "subnetId": subnet(world, network)}


def _another_table(world: World) -> dict[str, Any]:
    return {"routeTableId": world.make("aws:ec2/routeTable:RouteTable", {"vpcId": vpc(world)})["id"]}


def _tables_of_subnet(world: World, state: Mapping[str, Any]) -> list[str]:
    tables = world.client("ec2").describe_route_tables()["RouteTables"]
    return [t["RouteTableId"] for t in tables for a in t["Associations"] if a.get("SubnetId") == state["subnetId"]]


def _association_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert _tables_of_subnet(world, state) == [state["routeTableId"]]


def _association_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert _tables_of_subnet(world, state) == []


EXAMPLES = (
    Example(
        "aws:ec2/vpc:Vpc",
        lambda world: {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True, "tags": TAGS},
        change={"enableDnsHostnames": False, "tags": {"product": "spoke"}},
        replace={"cidrBlock": "10.9.0.0/16", "instanceTenancy": "dedicated"},
        seen=_vpc_seen,
        gone=lambda world, id, state: refused("NotFound", world.client("ec2").describe_vpcs, VpcIds=[id]),
        duplicate=False,
    ),
    Example(
        "aws:ec2/subnet:Subnet",
        lambda world: {
            "vpcId": vpc(world),
            "cidrBlock": "10.1.1.0/24",
            "availabilityZone": "us-east-1b",
            "mapPublicIpOnLaunch": True,
            "tags": TAGS,
        },
        change={"mapPublicIpOnLaunch": False, "tags": {}},
        replace={"cidrBlock": "10.1.2.0/24", "availabilityZone": "us-east-1a", "vpcId": "vpc-1"},
        seen=_subnet_seen,
        gone=lambda world, id, state: refused("NotFound", world.client("ec2").describe_subnets, SubnetIds=[id]),
    ),
    Example(
        "aws:ec2/internetGateway:InternetGateway",
        lambda world: {"vpcId": vpc(world), "tags": TAGS},
        change_made=lambda world: {"vpcId": vpc(world)},
        seen=_gateway_seen,
        gone=lambda world, id, state: refused(
            "NotFound", world.client("ec2").describe_internet_gateways, InternetGatewayIds=[id]
        ),
        duplicate=False,
    ),
    Example(
        "aws:ec2/eip:Eip",
        lambda world: {"domain": "vpc", "tags": TAGS},
        change={"tags": {"product": "spoke"}},
        seen=_address_seen,
        gone=lambda world, id, state: refused("NotFound", world.client("ec2").describe_addresses, AllocationIds=[id]),
        duplicate=False,
    ),
    Example(
        "aws:ec2/natGateway:NatGateway",
        _nat_inputs,
        change={"tags": {"product": "spoke"}},
        replace={"subnetId": "subnet-1", "allocationId": "eipalloc-1", "connectivityType": "private"},
        seen=_nat_seen,
        gone=_nat_gone,
        duplicate=False,
    ),
    Example(
        "aws:ec2/routeTable:RouteTable",
        lambda world: {"vpcId": vpc(world), "tags": TAGS},
        change={"tags": {"product": "spoke"}},
        replace={"vpcId": "vpc-1"},
        seen=_table_seen,
        gone=lambda world, id, state: refused(
            "NotFound", world.client("ec2").describe_route_tables, RouteTableIds=[id]
        ),
        duplicate=False,
    ),
    Example(
        "aws:ec2/route:Route",
        _route_inputs,
        change_made=_another_gateway,
        replace={"destinationCidrBlock": "10.8.0.0/16", "routeTableId": "rtb-1"},
        seen=_route_seen,
        gone=_route_gone,
        import_id=lambda id, state: f"{state['routeTableId']}_0.0.0.0/0",
    ),
    Example(
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        _association_inputs,
        change_made=_another_table,
        replace={"subnetId": "subnet-1"},
        seen=_association_seen,
        stable_id=False,
        gone=_association_gone,
        import_id=lambda id, state: f"{state['subnetId']}/{state['routeTableId']}",
    ),
)
