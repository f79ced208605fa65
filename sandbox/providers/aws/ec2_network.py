"""EC2: the network of an environment."""

from __future__ import annotations

import zlib
from typing import Any

from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Modify, Read, ec2_tags, page, same
from sandbox.providers.interface import ProviderError
from sandbox.providers.typed import Kind, exactly_one_of, one_of

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

_DESTINATIONS = {
    "destinationCidrBlock": "DestinationCidrBlock",
    "destinationIpv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId",
}
_TARGETS = same(
    "gatewayId", "natGatewayId", "networkInterfaceId", "transitGatewayId", "vpcEndpointId", "vpcPeeringConnectionId"
)
_ROUTE_FIELDS = {"routeTableId": "RouteTableId", **_DESTINATIONS, **_TARGETS}


def _route_destination(context: Context) -> tuple[str, str]:
    """Which of the destination properties is set, and its value."""
    for name in _DESTINATIONS:
        if context.value(name):
            return name, str(context.value(name))
    table, _, destination = context.id.partition("_")  # an import: rtb-1_10.0.0.0/16
    if table.startswith("rtb-") and destination:
        kind = "Prefix" if destination.startswith("pl-") else "Ipv6" if ":" in destination else "Cidr"
        return next(name for name in _DESTINATIONS if name.startswith(f"destination{kind}")), destination
    raise ProviderError(f"the import id of a route has the form <route table id>_<destination>; got {context.id!r}")


def _route_id(context: Context) -> str:
    table = context.value("routeTableId") or context.id.partition("_")[0]
    return f"r-{table}{zlib.crc32(_route_destination(context)[1].encode())}"


def _read_route(context: Context) -> dict[str, Any] | None:
    name, destination = _route_destination(context)
    table = context.value("routeTableId") or context.id.partition("_")[0]
    for route in context.call("describe_route_tables", RouteTableIds=[table])["RouteTables"][0]["Routes"]:
        if route.get(_DESTINATIONS[name]) == destination:
            targets = {wire: route[api] for wire, api in _TARGETS.items() if route.get(api)}
            origin, state = route.get("Origin", "CreateRoute"), route.get("State", "active")
            return {"routeTableId": table, name: destination, **targets, "origin": origin, "state": state}
    return None


def _read_route_or_gone(context: Context) -> dict[str, Any] | None:
    try:
        return _read_route(context)
    except ApiError as error:
        if error.code == "InvalidRouteTableID.NotFound":
            return None
        raise


def _delete_route(context: Context) -> None:
    name, destination = _route_destination(context)
    context.call("delete_route", RouteTableId=context.value("routeTableId"), **{_DESTINATIONS[name]: destination})


ROUTE = AwsType(
    token="aws:ec2/route:Route",
    kind=Kind.LIVE,
    documentation=page("ec2/route"),
    service="ec2",
    create=Call("create_route", _ROUTE_FIELDS),
    id_of=_route_id,
    probe=True,
    replace_on=frozenset({"routeTableId", *_DESTINATIONS}),
    rules=(exactly_one_of(*_DESTINATIONS), exactly_one_of(*_TARGETS)),
    read_hook=_read_route_or_gone,
    modifies=(Modify("replace_route", _ROUTE_FIELDS, whole=True),),
    delete_hook=_delete_route,
    missing=("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"),
    operations=("describe_route_tables", "delete_route"),
)


def _association(context: Context) -> dict[str, Any] | None:
    """The association of the subnet or gateway, whatever table it is with now and whatever its id."""
    first = context.id.partition("/")[0] if "/" in context.id else ""  # an import: subnet-1/rtb-1
    subnet = context.value("subnetId") or (first if first.startswith("subnet-") else None)
    gateway = context.value("gatewayId") or (first if first.startswith(("igw-", "vgw-")) else None)
    if not (subnet or gateway):
        raise ProviderError(f"the import id has the form <subnet or gateway id>/<route table id>; got {context.id!r}")
    for table in context.call("describe_route_tables")["RouteTables"]:
        for association in table["Associations"]:
            if (subnet and association.get("SubnetId") == subnet) or (
                gateway and association.get("GatewayId") == gateway
            ):
                return {**association, "RouteTableId": table["RouteTableId"]}
    return None


def _read_association(context: Context) -> dict[str, Any] | None:
    found = _association(context)
    if found is None:
        return None
    if "/" in context.id:  # an update gives the association another id; the state keeps the first
        context.id = found["RouteTableAssociationId"]
    wires = {"routeTableId": "RouteTableId", "subnetId": "SubnetId", "gatewayId": "GatewayId"}
    return {wire: found[api] for wire, api in wires.items() if found.get(api)}


def _associate(context: Context) -> str:
    found = _association(context)
    if found is not None:
        raise ProviderError(
            f"{context.value('subnetId') or context.value('gatewayId')} is associated with {found['RouteTableId']} "
            "already; import that association, or remove it"
        )
    target = {
        name[0].upper() + name[1:]: context.inputs[name] for name in ("subnetId", "gatewayId") if name in context.inputs
    }
    answer = context.call("associate_route_table", RouteTableId=context.inputs["routeTableId"], **target)
    return str(answer["AssociationId"])


def _reassociate(context: Context, changed: frozenset[str]) -> None:
    found = _association(context)
    if "routeTableId" in changed and found is not None:
        context.call(
            "replace_route_table_association",
            AssociationId=found["RouteTableAssociationId"],
            RouteTableId=context.inputs["routeTableId"],
        )


def _disassociate(context: Context) -> None:
    found = _association(context)
    if found is not None:
        context.call("disassociate_route_table", AssociationId=found["RouteTableAssociationId"])


ROUTE_TABLE_ASSOCIATION = AwsType(
    token="aws:ec2/routeTableAssociation:RouteTableAssociation",
    kind=Kind.LIVE,
    documentation=page("ec2/routetableassociation"),
    service="ec2",
    hooked=frozenset({"routeTableId", "subnetId", "gatewayId"}),
    replace_on=frozenset({"subnetId", "gatewayId"}),
    rules=(exactly_one_of("subnetId", "gatewayId"),),
    create_hook=_associate,
    read_hook=_read_association,
    after_update=_reassociate,
    delete_hook=_disassociate,
    missing=("InvalidAssociationID.NotFound",),
    operations=(
        "associate_route_table",
        "replace_route_table_association",
        "disassociate_route_table",
        "describe_route_tables",
    ),
    delete_before_replace=True,
)

TYPES = (VPC, SUBNET, INTERNET_GATEWAY, EIP, NAT_GATEWAY, ROUTE_TABLE, ROUTE, ROUTE_TABLE_ASSOCIATION)
