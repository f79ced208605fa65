"""The functions (data sources) that the stand-in serves.

Source: https://www.pulumi.com/registry/packages/aws/api-docs/ (getCallerIdentity, getRegion, ...).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import botocore.session

from sandbox.providers.aws.api import Api
from sandbox.providers.aws.policy_document import policy_document
from sandbox.providers.interface import Properties

Invoke = Callable[[Api, Mapping[str, Any]], Properties]


def _caller_identity(api: Api, args: Mapping[str, Any]) -> Properties:
    who = api.identity()
    return {"accountId": who["Account"], "arn": who["Arn"], "id": who["Account"], "userId": who["UserId"]}


def _region(api: Api, args: Mapping[str, Any]) -> Properties:
    name = args.get("region") or args.get("name") or args.get("id") or api.region
    found = botocore.session.Session().get_partition_for_region(name)  # raises for a name that is no region
    suffix = _DNS_SUFFIXES[found]
    return {
        "description": _description(name, found),
        "endpoint": f"ec2.{name}.{suffix}",
        "id": name,
        "name": name,
        "region": name,
    }


_DNS_SUFFIXES = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}


def _description(region: str, partition: str) -> str:
    data = botocore.session.Session().get_component("data_loader").load_data("partitions")
    for entry in data["partitions"]:
        if entry["id"] == partition and region in entry["regions"]:
            return str(entry["regions"][region].get("description", region))
    return region


def _partition(api: Api, args: Mapping[str, Any]) -> Properties:
    name = api.partition
    suffix = _DNS_SUFFIXES.get(name, "amazonaws.com")
    reverse = ".".join(reversed(suffix.split(".")))
    return {"dnsSuffix": suffix, "id": name, "partition": name, "reverseDnsPrefix": reverse}


def _availability_zones(api: Api, args: Mapping[str, Any]) -> Properties:
    filters = [{"Name": f["name"], "Values": list(f["values"])} for f in args.get("filters") or []]
    request: dict[str, Any] = {"Filters": filters} if filters else {}
    if args.get("allAvailabilityZones") is not None:
        request["AllAvailabilityZones"] = args["allAvailabilityZones"]
    zones = api.call("ec2", "describe_availability_zones", **request)["AvailabilityZones"]
    unwanted, unwanted_ids = args.get("excludeNames") or [], args.get("excludeZoneIds") or []
    state = args.get("state")
    kept = sorted(
        (
            zone
            for zone in zones
            if zone["ZoneName"] not in unwanted
            and zone["ZoneId"] not in unwanted_ids
            and (not state or zone["State"] == state)
        ),
        key=lambda zone: str(zone["ZoneName"]),
    )
    return {
        **args,
        "id": api.region,
        "region": api.region,
        "names": [zone["ZoneName"] for zone in kept],
        "zoneIds": [zone["ZoneId"] for zone in kept],
        "groupNames": sorted({zone.get("GroupName") or api.region for zone in kept}),
    }


def _secret_version(api: Api, args: Mapping[str, Any]) -> Properties:
    request = {"SecretId": args["secretId"]}
    if args.get("versionId"):
        request["VersionId"] = args["versionId"]
    else:
        request["VersionStage"] = args.get("versionStage") or "AWSCURRENT"
    found = api.call("secretsmanager", "get_secret_value", **request)
    binary = found.get("SecretBinary")
    return {
        "arn": found["ARN"],
        "secretArn": found["ARN"],
        "createdDate": found["CreatedDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": f"{args['secretId']}|{found['VersionId']}",
        "region": api.region,
        "secretBinary": binary.decode(errors="replace") if isinstance(binary, bytes) else "",
        "secretId": args["secretId"],
        "secretString": found.get("SecretString", ""),
        "versionId": found["VersionId"],
        "versionStage": args.get("versionStage") or "AWSCURRENT",
        "versionStages": list(found.get("VersionStages", [])),
    }


def _clusters(api: Api, args: Mapping[str, Any]) -> Properties:
    names = sorted(api.all("eks", "list_clusters", "clusters"))
    return {**args, "id": api.region, "region": api.region, "names": names}


def _node_groups(api: Api, args: Mapping[str, Any]) -> Properties:
    cluster = args["clusterName"]
    api.call("eks", "describe_cluster", name=cluster)  # refuses one that is not there, as EKS' list does
    names = sorted(api.all("eks", "list_nodegroups", "nodegroups", clusterName=cluster))
    return {**args, "id": cluster, "region": api.region, "names": names}


def _node_group(api: Api, args: Mapping[str, Any]) -> Properties:
    cluster, name = args["clusterName"], args["nodeGroupName"]
    found = api.call("eks", "describe_nodegroup", clusterName=cluster, nodegroupName=name)["nodegroup"]
    groups = found.get("resources", {}).get("autoScalingGroups", [])
    return {
        **{wire: found[wire] for wire in _GROUP_OUTPUTS if found.get(wire) is not None},
        "arn": found["nodegroupArn"],
        "clusterName": cluster,
        "id": f"{cluster}:{name}",
        "launchTemplates": [found["launchTemplate"]] if found.get("launchTemplate") else [],
        "nodeGroupName": name,
        "nodeRoleArn": found["nodeRole"],
        "region": api.region,
        "remoteAccesses": [],
        "resources": [{"autoscalingGroups": [{"name": one["name"]} for one in groups]}],
        "scalingConfigs": [found["scalingConfig"]],
        "subnetIds": found["subnets"],
        "taints": found.get("taints") or [],
        "updateConfigs": [found["updateConfig"]] if found.get("updateConfig") else [],
        "warmPoolConfigs": [],
    }


_GROUP_OUTPUTS = (
    "amiType",
    "capacityType",
    "diskSize",
    "instanceTypes",
    "labels",
    "releaseVersion",
    "status",
    "tags",
    "version",
)


def _policy_document(api: Api, args: Mapping[str, Any]) -> Properties:
    return policy_document(args)


INVOKES: Mapping[str, Invoke] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:secretsmanager/getSecretVersion:getSecretVersion": _secret_version,
    "aws:iam/getPolicyDocument:getPolicyDocument": _policy_document,
    "aws:eks/getClusters:getClusters": _clusters,
    "aws:eks/getNodeGroups:getNodeGroups": _node_groups,
    "aws:eks/getNodeGroup:getNodeGroup": _node_group,
}

OPERATIONS: Mapping[str, frozenset[str]] = {
    "sts": frozenset({"get_caller_identity"}),
    "ec2": frozenset({"describe_availability_zones"}),
    "secretsmanager": frozenset({"get_secret_value"}),
    "eks": frozenset({"list_clusters", "describe_cluster", "list_nodegroups", "describe_nodegroup"}),
}
