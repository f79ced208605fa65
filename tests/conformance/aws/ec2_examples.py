"""How security groups, flow logs, endpoints and launch templates are lived through."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from tests.conformance.aws.ec2_network_examples import TAGS, refused, tags_of, vpc
from tests.conformance.aws.iam_examples import role
from tests.conformance.aws.lifecycle import Example, World


def security_group(world: World, network: str | None = None) -> str:
    inputs = {"vpcId": network or vpc(world), "description": "example group"}
    return str(world.make("aws:ec2/securityGroup:SecurityGroup", inputs)["id"])


def _group(world: World, id: str) -> dict[str, Any]:
    found: dict[str, Any] = world.client("ec2").describe_security_groups(GroupIds=[id])["SecurityGroups"][0]
    return found


def _group_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = _group(world, id)
    assert (found["GroupName"], found["VpcId"]) == (state["name"], state["vpcId"])
    ranges = [(p["FromPort"], r["CidrIp"]) for p in found["IpPermissions"] for r in p["IpRanges"]]
    assert sorted(ranges) == sorted((r["fromPort"], c) for r in state["ingress"] for c in r.get("cidrBlocks", []))
    assert bool(found["IpPermissionsEgress"]) == bool(state["egress"])
    assert tags_of(world, id) == state["tags"]


def _default_group_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = _group(world, id)
    assert found["GroupName"] == "default"
    assert len(found["IpPermissions"]) == len(state["ingress"])
    assert found["IpPermissionsEgress"] == []


def _rule_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[id])["SecurityGroupRules"][0]
    wanted = (state["securityGroupId"], state.get("fromPort", -1), state.get("cidrIpv4"))
    assert (found["GroupId"], found["FromPort"], found.get("CidrIpv4")) == wanted
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == state["tags"]


def _rule_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    refused("NotFound", world.client("ec2").describe_security_group_rules, SecurityGroupRuleIds=[id])


def _flow_log_inputs(world: World) -> dict[str, Any]:
    group = world.make("aws:cloudwatch/logGroup:LogGroup", {"name": "/example/flow-logs"})
    return {
        "vpcId": vpc(world),
        "trafficType": "ALL",
        "logDestination": group["arn"],
        "iamRoleArn": role(world)["arn"],
        "maxAggregationInterval": 60,
        "tags": TAGS,
    }


def _flow_log_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("ec2").describe_flow_logs(FlowLogIds=[id])["FlowLogs"][0]
    assert (found["ResourceId"], found["TrafficType"]) == (state["vpcId"], "ALL")
    assert found["MaxAggregationInterval"] == 60


def _flow_log_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    assert id not in {log["FlowLogId"] for log in world.client("ec2").describe_flow_logs()["FlowLogs"]}


def _endpoint_inputs(world: World) -> dict[str, Any]:
    network = vpc(world)
    table = world.make("aws:ec2/routeTable:RouteTable", {"vpcId": network})["id"]
    return {
        "vpcId": network, "serviceName": "com.amazonaws.us-east-1.s3", "routeTableIds": [table], "tags": TAGS,
    }  # fmt: skip


def _another_table(world: World) -> dict[str, Any]:
    return {"routeTableIds": [world.make("aws:ec2/routeTable:RouteTable", {"vpcId": vpc(world)})["id"]]}


def _endpoint_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    found = world.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[id])["VpcEndpoints"][0]
    assert found["RouteTableIds"] == state["routeTableIds"]
    assert found["ServiceName"] == "com.amazonaws.us-east-1.s3"


def _endpoint_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    left = world.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    assert not [e for e in left if e["VpcEndpointId"] == id and e["State"].lower() not in ("deleted", "deleting")]


def _template_seen(world: World, id: str, state: Mapping[str, Any]) -> None:
    ec2 = world.client("ec2")
    template = ec2.describe_launch_templates(LaunchTemplateIds=[id])["LaunchTemplates"][0]
    assert template["DefaultVersionNumber"] == template["LatestVersionNumber"] == state["latestVersion"]
    newest = ec2.describe_launch_template_versions(LaunchTemplateId=id, Versions=["$Default"])
    data = newest["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == state["blockDeviceMappings"][0]["ebs"]["volumeSize"]
    assert data["TagSpecifications"][0]["Tags"] == [{"Key": "product", "Value": "chronos"}]


def _template_gone(world: World, id: str, state: Mapping[str, Any]) -> None:
    left = world.client("ec2").describe_launch_templates()["LaunchTemplates"]
    assert id not in {template["LaunchTemplateId"] for template in left}


def _disk(size: int) -> list[dict[str, Any]]:
    return [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": size, "volumeType": "gp3", "encrypted": "true"}}]


def _rule(port: int, *cidrs: str) -> dict[str, Any]:
    return {"protocol": "tcp", "fromPort": port, "toPort": port, "cidrBlocks": list(cidrs)}


EXAMPLES = (
    Example(
        "aws:ec2/securityGroup:SecurityGroup",
        lambda world: {
            "vpcId": vpc(world), "name": "web", "description": "web",
            "ingress": [_rule(443, "10.0.0.0/8", "192.168.0.0/16"), _rule(80, "10.0.0.0/8")],
            "egress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}], "tags": TAGS,
        },
        change={"ingress": [_rule(8443, "10.0.0.0/8")], "egress": []},
        replace={"name": "other", "description": "other", "vpcId": "vpc-1"},
        seen=_group_seen,
        gone=lambda world, id, state: refused("NotFound", world.client("ec2").describe_security_groups, GroupIds=[id]),
    ),
    Example(
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        lambda world: {"vpcId": vpc(world), "ingress": [], "egress": [], "tags": TAGS},
        change={"ingress": [_rule(443, "10.0.0.0/8")]},
        replace={"vpcId": "vpc-1"},
        seen=_default_group_seen,
        lingers=True,
        duplicate=False,
    ),
    Example(
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        lambda world: {
            "securityGroupId": security_group(world), "ipProtocol": "tcp", "fromPort": 443, "toPort": 443,
            "cidrIpv4": "10.0.0.0/8", "description": "from inside", "tags": TAGS,
        },
        change={"fromPort": 80, "description": "plain"},
        replace={"securityGroupId": "sg-1"},
        seen=_rule_seen,
        gone=_rule_gone,
    ),
    Example(
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        lambda world: {
            "securityGroupId": security_group(world), "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0", "tags": TAGS,
        },
        change={"cidrIpv4": "10.0.0.0/8"},
        seen=_rule_seen,
        gone=_rule_gone,
    ),
    Example(
        "aws:ec2/flowLog:FlowLog",
        _flow_log_inputs,
        change={"tags": {"product": "spoke"}},
        replace={"trafficType": "REJECT", "maxAggregationInterval": 600},
        seen=_flow_log_seen,
        gone=_flow_log_gone,
    ),
    Example(
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        _endpoint_inputs,
        change_made=_another_table,
        replace={"serviceName": "com.amazonaws.us-east-1.dynamodb"},
        seen=_endpoint_seen,
        gone=_endpoint_gone,
        duplicate=False,
    ),
    Example(
        "aws:ec2/launchTemplate:LaunchTemplate",
        lambda world: {
            "name": "nodes", "updateDefaultVersion": True, "instanceType": "m6i.large",
            "blockDeviceMappings": _disk(20),
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 2},
            "userData": base64.b64encode(json.dumps({"a": 1}).encode()).decode(),
            "tagSpecifications": [{"resourceType": "instance", "tags": {"product": "chronos"}}], "tags": TAGS,
        },
        change={"blockDeviceMappings": _disk(40)},
        replace={"name": "other"},
        seen=_template_seen,
        gone=_template_gone,
        hidden=frozenset({"updateDefaultVersion"}),
    ),
)  # fmt: skip
