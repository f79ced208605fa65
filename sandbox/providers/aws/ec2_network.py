"""EC2: the network of an environment."""

from __future__ import annotations

from typing import Any

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, ec2_tags, page, same
from sandbox.providers.typed import Kind, one_of

_ARN = "arn:{partition}:ec2:{region}:{account}:"


def _of_vpc(kind: str) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": ["{id}"]}, {"Name": kind, "Values": ["default"]}]


VPC = AwsType(
    token="aws:ec2/vpc:Vpc",
    kind=Kind.LIVE,
    documentation=page("ec2/vpc"),
    service="ec2",
    create=Call("create_vpc", same("cidrBlock", "instanceTenancy")),
    id_answer="Vpc.VpcId",
    defaults={"enableDnsSupport": True, "instanceTenancy": "default"},
    computed=frozenset({"enableDnsHostnames", "enableNetworkAddressUsageMetrics"}),
    replace_on=frozenset({"cidrBlock", "instanceTenancy"}),
    reads=(
        Read(
            "describe_vpcs",
            {"VpcIds": ["{id}"]},
            "Vpcs[0]",
            {
                "cidrBlock": "CidrBlock",
                "instanceTenancy": "InstanceTenancy",
                "dhcpOptionsId": "DhcpOptionsId",
                "ownerId": "OwnerId",
            },
        ),
        *(
            Read(
                "describe_vpc_attribute",
                {"VpcId": "{id}", "Attribute": name},
                fields={name: f"{name[0].upper()}{name[1:]}.Value"},
            )
            for name in ("enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics")
        ),
        Read(
            "describe_route_tables",
            {"Filters": [{"Name": "vpc-id", "Values": ["{id}"]}, {"Name": "association.main", "Values": ["true"]}]},
            "RouteTables[0]",
            {"mainRouteTableId": "RouteTableId", "defaultRouteTableId": "RouteTableId"},
        ),
        Read(
            "describe_security_groups",
            {"Filters": _of_vpc("group-name")},
            "SecurityGroups[0]",
            {"defaultSecurityGroupId": "GroupId"},
        ),
        Read(
            "describe_network_acls",
            {"Filters": [{"Name": "vpc-id", "Values": ["{id}"]}, {"Name": "default", "Values": ["true"]}]},
            "NetworkAcls[0]",
            {"defaultNetworkAclId": "NetworkAclId"},
        ),
    ),
    modifies=(
        Modify(
            "modify_vpc_attribute",
            {
                name: f"{name[0].upper()}{name[1:]}.Value"
                for name in ("enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics")
            },
            {"VpcId": "{id}"},
            on_create=True,
            each=True,
        ),
    ),
    delete=Call("delete_vpc", fixed={"VpcId": "{id}"}),
    missing=("InvalidVpcID.NotFound",),
    tags=ec2_tags("vpc"),
    computed_outputs={"arn": _ARN + "vpc/{id}"},
)

SUBNET = AwsType(
    token="aws:ec2/subnet:Subnet",
    kind=Kind.LIVE,
    documentation=page("ec2/subnet"),
    service="ec2",
    create=Call("create_subnet", same("vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId", "ipv6CidrBlock")),
    id_answer="Subnet.SubnetId",
    defaults={"mapPublicIpOnLaunch": False, "assignIpv6AddressOnCreation": False},
    computed=frozenset({"availabilityZone", "availabilityZoneId"}),
    conflicts=(frozenset({"availabilityZone", "availabilityZoneId"}),),
    replace_on=frozenset({"vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId", "ipv6CidrBlock"}),
    reads=(
        Read(
            "describe_subnets",
            {"SubnetIds": ["{id}"]},
            "Subnets[0]",
            {
                "vpcId": "VpcId",
                "cidrBlock": "CidrBlock",
                "availabilityZone": "AvailabilityZone",
                "availabilityZoneId": "AvailabilityZoneId",
                "mapPublicIpOnLaunch": "MapPublicIpOnLaunch",
                "assignIpv6AddressOnCreation": "AssignIpv6AddressOnCreation",
                "ipv6CidrBlock": "Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock",
                "ipv6CidrBlockAssociationId": "Ipv6CidrBlockAssociationSet[0].AssociationId",
                "ownerId": "OwnerId",
                "arn": "SubnetArn",
            },
        ),
    ),
    modifies=(
        Modify(
            "modify_subnet_attribute",
            {
                "mapPublicIpOnLaunch": "MapPublicIpOnLaunch.Value",
                "assignIpv6AddressOnCreation": "AssignIpv6AddressOnCreation.Value",
            },
            {"SubnetId": "{id}"},
            on_create=True,
            each=True,
        ),
    ),
    delete=Call("delete_subnet", fixed={"SubnetId": "{id}"}),
    missing=("InvalidSubnetID.NotFound",),
    tags=ec2_tags("subnet"),
    computed_outputs={"arn": _ARN + "subnet/{id}"},
)


def _attach(context: Context) -> None:
    if context.inputs.get("vpcId"):
        context.call("attach_internet_gateway", InternetGatewayId=context.id, VpcId=context.inputs["vpcId"])


def _reattach(context: Context, changed: frozenset[str]) -> None:
    if "vpcId" in changed:
        if context.outputs.get("vpcId"):
            context.call("detach_internet_gateway", InternetGatewayId=context.id, VpcId=context.outputs["vpcId"])
        _attach(context)


def _detach(context: Context) -> None:
    answer = context.call("describe_internet_gateways", InternetGatewayIds=[context.id])
    for attachment in answer["InternetGateways"][0]["Attachments"]:
        context.call("detach_internet_gateway", InternetGatewayId=context.id, VpcId=attachment["VpcId"])


INTERNET_GATEWAY = AwsType(
    token="aws:ec2/internetGateway:InternetGateway",
    kind=Kind.LIVE,
    documentation=page("ec2/internetgateway"),
    service="ec2",
    create=Call("create_internet_gateway"),
    id_answer="InternetGateway.InternetGatewayId",
    reads=(
        Read(
            "describe_internet_gateways",
            {"InternetGatewayIds": ["{id}"]},
            "InternetGateways[0]",
            {"vpcId": "Attachments[0].VpcId", "ownerId": "OwnerId"},
        ),
    ),
    hooked=frozenset({"vpcId"}),
    # With InternetGatewayAttachment the gateway's own vpcId stays unset in the program.
    computed=frozenset({"vpcId"}),
    after_create=_attach,
    after_update=_reattach,
    before_delete=_detach,
    delete=Call("delete_internet_gateway", fixed={"InternetGatewayId": "{id}"}),
    missing=("InvalidInternetGatewayID.NotFound",),
    tags=ec2_tags("internet-gateway"),
    computed_outputs={"arn": _ARN + "internet-gateway/{id}"},
    operations=("attach_internet_gateway", "detach_internet_gateway"),
)

EIP = AwsType(
    token="aws:ec2/eip:Eip",
    kind=Kind.LIVE,
    documentation=page("ec2/eip"),
    service="ec2",
    create=Call("allocate_address", same("domain", "publicIpv4Pool", "networkBorderGroup")),
    id_answer="AllocationId",
    defaults={"domain": "vpc"},
    computed=frozenset({"publicIpv4Pool", "networkBorderGroup"}),
    replace_on=frozenset({"domain", "publicIpv4Pool", "networkBorderGroup"}),
    rules=(one_of("domain", "vpc"),),
    reads=(
        Read(
            "describe_addresses",
            {"AllocationIds": ["{id}"]},
            "Addresses[0]",
            {
                "allocationId": "AllocationId",
                "associationId": "AssociationId",
                "domain": "Domain",
                "networkInterface": "NetworkInterfaceId",
                "privateIp": "PrivateIpAddress",
                "publicIp": "PublicIp",
            },
        ),
    ),
    delete=Call("release_address", fixed={"AllocationId": "{id}"}),
    missing=("InvalidAllocationID.NotFound",),
    tags=ec2_tags("elastic-ip"),
    computed_outputs={"arn": _ARN + "elastic-ip/{id}"},
)

NAT_GATEWAY = AwsType(
    token="aws:ec2/natGateway:NatGateway",
    kind=Kind.LIVE,
    documentation=page("ec2/natgateway"),
    note="No traffic flows",
    service="ec2",
    create=Call(
        "create_nat_gateway", {**same("subnetId", "allocationId", "connectivityType"), "privateIp": "PrivateIpAddress"}
    ),
    id_answer="NatGateway.NatGatewayId",
    defaults={"connectivityType": "public"},
    computed=frozenset({"privateIp"}),
    replace_on=frozenset({"subnetId", "allocationId", "connectivityType", "privateIp"}),
    reads=(
        Read(
            "describe_nat_gateways",
            {"NatGatewayIds": ["{id}"]},
            "NatGateways[?State!='deleted' && State!='deleting'] | [0]",
            {
                "subnetId": "SubnetId",
                "connectivityType": "ConnectivityType",
                "allocationId": "NatGatewayAddresses[0].AllocationId",
                "associationId": "NatGatewayAddresses[0].AssociationId",
                "networkInterfaceId": "NatGatewayAddresses[0].NetworkInterfaceId",
                "privateIp": "NatGatewayAddresses[0].PrivateIp",
                "publicIp": "NatGatewayAddresses[0].PublicIp",
            },
        ),
    ),
    delete=Call("delete_nat_gateway", fixed={"NatGatewayId": "{id}"}),
    missing=("NatGatewayNotFound", "InvalidNatGatewayID.NotFound"),
    tags=ec2_tags("natgateway"),
)

ROUTE_TABLE = AwsType(
    token="aws:ec2/routeTable:RouteTable",
    kind=Kind.LIVE,
    documentation=page("ec2/routetable"),
    service="ec2",
    create=Call("create_route_table", same("vpcId")),
    id_answer="RouteTable.RouteTableId",
    replace_on=frozenset({"vpcId"}),
    reads=(
        Read(
            "describe_route_tables",
            {"RouteTableIds": ["{id}"]},
            "RouteTables[0]",
            {"vpcId": "VpcId", "ownerId": "OwnerId"},
        ),
    ),
    delete=Call("delete_route_table", fixed={"RouteTableId": "{id}"}),
    missing=("InvalidRouteTableID.NotFound",),
    tags=ec2_tags("route-table"),
    computed_outputs={"arn": _ARN + "route-table/{id}"},
)

TYPES = (VPC, SUBNET, INTERNET_GATEWAY, EIP, NAT_GATEWAY, ROUTE_TABLE)
