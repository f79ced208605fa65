"""EC2: what is attached to a network: flow logs and endpoints of AWS services."""

from __future__ import annotations

from typing import Any

from sandbox.providers.aws import tagging
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Read, ec2_tags, page, same
from sandbox.providers.typed import Kind, exactly_one_of, one_of

_ARN = "arn:{partition}:ec2:{region}:{account}:"

_OBSERVED = {"vpcId": "VPC", "subnetId": "Subnet", "eniId": "NetworkInterface", "transitGatewayId": "TransitGateway"}


def _create_flow_log(context: Context) -> str:
    kind = next(name for name in _OBSERVED if context.inputs.get(name))
    fields = {
        "trafficType": "TrafficType",
        "logDestinationType": "LogDestinationType",
        "logDestination": "LogDestination",
        "logFormat": "LogFormat",
        "iamRoleArn": "DeliverLogsPermissionArn",
        "maxAggregationInterval": "MaxAggregationInterval",
    }
    request = {api: context.inputs[wire] for wire, api in fields.items() if wire in context.inputs}
    answer = context.call(
        "create_flow_logs",
        ResourceIds=[context.inputs[kind]],
        ResourceType=_OBSERVED[kind],
        **request,
        **tagging.create_parameters(context),
    )
    return str(answer["FlowLogIds"][0])


def _observe_flow_log(context: Context, found: dict[str, Any]) -> None:
    name = {"vpc": "vpcId", "subnet": "subnetId", "eni": "eniId", "tgw": "transitGatewayId"}
    found[name[context.answer["ResourceId"].partition("-")[0]]] = context.answer["ResourceId"]
    if not found.get("logDestination") and context.answer.get("LogGroupName"):
        found["logDestination"] = context.fill(
            f"arn:{{partition}}:logs:{{region}}:{{account}}:log-group:{context.answer['LogGroupName']}"
        )


FLOW_LOG = AwsType(
    token="aws:ec2/flowLog:FlowLog",
    kind=Kind.LIVE,
    documentation=page("ec2/flowlog"),
    service="ec2",
    defaults={"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600},
    computed=frozenset({"logFormat", "logDestination"}),
    hooked=frozenset(
        {*_OBSERVED, "trafficType", "logDestinationType", "logDestination", "logFormat", "iamRoleArn"}
        | {"maxAggregationInterval"}
    ),
    # Everything but the tags: a flow log cannot be modified.
    replace_on=frozenset(
        {*_OBSERVED, "trafficType", "logDestinationType", "logDestination", "logFormat", "iamRoleArn"}
        | {"maxAggregationInterval"}
    ),
    rules=(
        exactly_one_of(*_OBSERVED),
        one_of("logDestinationType", "cloud-watch-logs", "s3", "kinesis-data-firehose"),
        one_of("trafficType", "ACCEPT", "REJECT", "ALL"),
    ),
    create_hook=_create_flow_log,
    reads=(
        Read(
            "describe_flow_logs",
            {"FlowLogIds": ["{id}"]},
            "FlowLogs[0]",
            {
                **{
                    name: name[0].upper() + name[1:]
                    for name in ("trafficType", "logDestinationType", "logDestination", "logFormat")
                },
                "iamRoleArn": "DeliverLogsPermissionArn",
                "maxAggregationInterval": "MaxAggregationInterval",
            },
        ),
    ),
    observe=_observe_flow_log,
    delete=Call("delete_flow_logs", fixed={"FlowLogIds": ["{id}"]}),
    missing=("InvalidFlowLogId.NotFound",),
    tags=ec2_tags("vpc-flow-log"),
    computed_outputs={"arn": _ARN + "vpc-flow-log/{id}"},
    operations=("create_flow_logs",),
)

_ENDPOINT_SETS = {"routeTableIds": "RouteTableIds", "subnetIds": "SubnetIds", "securityGroupIds": "SecurityGroupIds"}


def _modify_endpoint(context: Context, changed: frozenset[str]) -> None:
    request: dict[str, Any] = {}
    for wire, api in _ENDPOINT_SETS.items():
        if wire in changed:
            before, wanted = set(context.outputs.get(wire) or []), set(context.inputs.get(wire) or [])
            parts = {f"Add{api}": sorted(wanted - before), f"Remove{api}": sorted(before - wanted)}
            request.update({name: ids for name, ids in parts.items() if ids})
    if "policy" in changed:
        policy = context.inputs.get("policy")
        request.update({"PolicyDocument": policy} if policy else {"ResetPolicy": True})
    if "privateDnsEnabled" in changed and "privateDnsEnabled" in context.inputs:
        request["PrivateDnsEnabled"] = context.inputs["privateDnsEnabled"]
    if request:
        context.call("modify_vpc_endpoint", VpcEndpointId=context.id, **request)


VPC_ENDPOINT = AwsType(
    token="aws:ec2/vpcEndpoint:VpcEndpoint",
    kind=Kind.LIVE,
    documentation=page("ec2/vpcendpoint"),
    service="ec2",
    defaults={"vpcEndpointType": "Gateway"},
    computed=frozenset({"policy", "routeTableIds", "subnetIds", "securityGroupIds", "privateDnsEnabled"}),
    sets=frozenset(_ENDPOINT_SETS),
    documents=frozenset({"policy"}),
    create=Call(
        "create_vpc_endpoint",
        {
            **same("vpcId", "serviceName", "vpcEndpointType", "privateDnsEnabled", *_ENDPOINT_SETS),
            "policy": "PolicyDocument",
        },
    ),
    id_answer="VpcEndpoint.VpcEndpointId",
    replace_on=frozenset({"vpcId", "serviceName", "vpcEndpointType"}),
    rules=(one_of("vpcEndpointType", "Gateway", "GatewayLoadBalancer", "Interface"),),
    reads=(
        Read(
            "describe_vpc_endpoints",
            {"VpcEndpointIds": ["{id}"]},
            "VpcEndpoints[?State!='deleted' && State!='deleting'] | [0]",
            {
                "vpcId": "VpcId",
                "serviceName": "ServiceName",
                "vpcEndpointType": "VpcEndpointType",
                "policy": "PolicyDocument",
                "privateDnsEnabled": "PrivateDnsEnabled",
                "routeTableIds": "RouteTableIds",
                "subnetIds": "SubnetIds",
                "securityGroupIds": "Groups[].GroupId",
                "state": "State",
                "ownerId": "OwnerId",
                "networkInterfaceIds": "NetworkInterfaceIds",
            },
        ),
    ),
    hooked=frozenset({*_ENDPOINT_SETS, "policy", "privateDnsEnabled"}),
    after_update=_modify_endpoint,
    delete=Call("delete_vpc_endpoints", fixed={"VpcEndpointIds": ["{id}"]}),
    missing=("InvalidVpcEndpointId.NotFound",),
    tags=ec2_tags("vpc-endpoint"),
    computed_outputs={"arn": _ARN + "vpc-endpoint/{id}"},
    operations=("modify_vpc_endpoint",),
)

TYPES = (FLOW_LOG, VPC_ENDPOINT)
