"""EC2: routes, and which route table a subnet uses."""

from __future__ import annotations

import zlib
from typing import Any

from sandbox.providers.aws.api import ApiError
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Modify, page, same
from sandbox.providers.interface import ProviderError
from sandbox.providers.typed import Kind, exactly_one_of

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

TYPES = (ROUTE, ROUTE_TABLE_ASSOCIATION)
