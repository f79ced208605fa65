"""EKS: node groups, whose nodes are simulated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.providers.aws.context import Context
from sandbox.providers.aws.eks import TAGS
from sandbox.providers.aws.requests import parameters
from sandbox.providers.aws.table import AwsType, Call, Read, page
from sandbox.providers.interface import CheckFailure, Properties
from sandbox.providers.typed import Autoname, Kind
from sandbox.supervisor.messages import NodeGroup

_GROUP_FIELDS = {
    **{
        name: name
        for name in (
            "amiType", "capacityType", "clusterName", "diskSize", "instanceTypes", "labels", "launchTemplate",
            "nodeRepairConfig", "releaseVersion", "remoteAccess", "scalingConfig", "taints", "updateConfig", "version",
        )
    },
    "nodeGroupName": "nodegroupName",
    "nodeRoleArn": "nodeRole",
    "subnetIds": "subnets",
}  # fmt: skip
# https://docs.aws.amazon.com/eks/latest/APIReference/API_Taint.html against Kubernetes' own spelling
_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}


def _nodes(context: Context) -> None:
    """Makes the simulated nodes as the group says: as many as desired, labelled as EKS labels them."""
    inputs = context.inputs
    subnets = context.api.call("ec2", "describe_subnets", SubnetIds=list(inputs["subnetIds"]))["Subnets"]
    name = inputs["nodeGroupName"]
    labels = {
        **(inputs.get("labels") or {}),
        "eks.amazonaws.com/nodegroup": name,
        "eks.amazonaws.com/capacityType": inputs.get("capacityType", "ON_DEMAND"),
    }
    taints = tuple(
        {"key": taint["key"], "value": taint.get("value", ""), "effect": _EFFECTS[taint["effect"]]}
        for taint in inputs.get("taints") or []
    )
    group = NodeGroup(
        name=name,
        size=int(inputs["scalingConfig"]["desiredSize"]),
        labels=labels,
        taints=taints,
        instance_type=_instance_type(context),
        zones=tuple(sorted({subnet["AvailabilityZone"] for subnet in subnets})),
    )
    context.supervisor.set_node_group(inputs["clusterName"], group)


def _instance_type(context: Context) -> str:
    if context.inputs.get("instanceTypes"):
        return str(context.inputs["instanceTypes"][0])
    template = context.inputs.get("launchTemplate") or {}
    if template:
        which = {"LaunchTemplateId": template["id"]} if template.get("id") else {"LaunchTemplateName": template["name"]}
        found = context.api.call(
            "ec2", "describe_launch_template_versions", Versions=[str(template["version"])], **which
        )["LaunchTemplateVersions"]
        if found and found[0]["LaunchTemplateData"].get("InstanceType"):
            return str(found[0]["LaunchTemplateData"]["InstanceType"])
    return "t3.medium"  # EKS' default


def _change_group(context: Context, changed: frozenset[str]) -> None:
    inputs, target = context.inputs, {"clusterName": context.inputs["clusterName"]}
    target["nodegroupName"] = inputs["nodeGroupName"]
    request: dict[str, Any] = {}
    given = {name for name in changed if inputs.get(name)}
    shape: dict[str, str] = {
        name: name for name in ("scalingConfig", "updateConfig", "nodeRepairConfig") if name in given
    }
    parameters(context, Call("update_nodegroup_config", shape), inputs, into=request)
    if "labels" in changed:
        before, wanted = context.outputs.get("labels") or {}, inputs.get("labels") or {}
        request["labels"] = _difference("Labels", before, wanted)
    if "taints" in changed:
        old, new = context.outputs.get("taints") or [], inputs.get("taints") or []
        request["taints"] = {
            name: items
            for name, items in (
                ("addOrUpdateTaints", [dict(taint) for taint in new]),
                ("removeTaints", [dict(taint) for taint in old if taint not in new]),
            )
            if items
        }
    if request:
        context.call("update_nodegroup_config", **target, **request)
    versions: dict[str, str] = {name: name for name in ("launchTemplate", "version", "releaseVersion") if name in given}
    if versions:
        upgrade: dict[str, Any] = {}
        parameters(context, Call("update_nodegroup_version", versions), inputs, into=upgrade)
        context.call("update_nodegroup_version", **target, **upgrade)
    _nodes(context)


def _difference(kind: str, before: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    changed = {key: value for key, value in wanted.items() if before.get(key) != value}
    gone = sorted(set(before) - set(wanted))
    parts = {f"addOrUpdate{kind}": changed, f"remove{kind}": gone}
    return {name: value for name, value in parts.items() if value}


def _delete_group(context: Context) -> None:
    cluster, name = context.value("clusterName"), context.value("nodeGroupName")
    context.delete("delete_nodegroup", clusterName=cluster, nodegroupName=name)
    if context.supervisor.cluster(cluster) is not None:
        context.supervisor.delete_node_group(cluster, name)


def _scaling(inputs: Properties) -> Iterable[CheckFailure]:
    config = inputs.get("scalingConfig")
    if isinstance(config, Mapping):
        low, wanted, high = (config.get(name) for name in ("minSize", "desiredSize", "maxSize"))
        if isinstance(low, int) and isinstance(wanted, int) and isinstance(high, int) and not low <= wanted <= high:
            yield CheckFailure(
                "scalingConfig.desiredSize", f"expected minSize to maxSize ({low} to {high}); got {wanted}"
            )
    template = inputs.get("launchTemplate")
    if isinstance(template, Mapping) and (template.get("id") is None) == (template.get("name") is None):
        yield CheckFailure("launchTemplate", "exactly one of id, name is required")


# Graviton's families: https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
_ARM = re.compile(r"([a-z-]+[0-9]+[a-z]*g[a-z]*|a1)\.")


def _processor(inputs: Properties) -> Iterable[CheckFailure]:
    """An image runs on one kind of processor: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html"""
    image, machines = inputs.get("amiType"), inputs.get("instanceTypes")
    if not isinstance(image, str) or image == "CUSTOM":
        return
    wants_arm = "ARM" in image.upper()
    for index, machine in enumerate(machines if isinstance(machines, list) else []):
        if isinstance(machine, str) and bool(_ARM.match(machine)) != wants_arm:
            has = "x86" if wants_arm else "Arm"
            yield CheckFailure(f"instanceTypes[{index}]", f"{machine} has an {has} processor, the image is {image}")


NODE_GROUP = AwsType(
    token="aws:eks/nodeGroup:NodeGroup",
    kind=Kind.LIVE,
    documentation=page("eks/nodegroup"),
    note="Simulated nodes (kwok): pods become ready and run nothing",
    service="eks",
    autoname=Autoname("nodeGroupName", 63, "nodeGroupNamePrefix"),
    conflicts=(
        frozenset({"nodeGroupName", "nodeGroupNamePrefix"}),
        frozenset({"launchTemplate", "remoteAccess"}),
    ),
    create=Call("create_nodegroup", _GROUP_FIELDS),
    id_form="{clusterName}:{nodeGroupName}",
    replace_on=frozenset(
        {"amiType", "capacityType", "clusterName", "diskSize", "instanceTypes", "nodeGroupName", "nodeGroupNamePrefix",
         "nodeRoleArn", "remoteAccess", "subnetIds", "launchTemplate.id", "launchTemplate.name"}
    ),
    computed=frozenset(
        {"amiType", "capacityType", "diskSize", "instanceTypes", "releaseVersion", "version", "updateConfig",
         "launchTemplate.id", "launchTemplate.name", "nodeRepairConfig"}
    ),
    sets=frozenset({"subnetIds", "taints"}),
    rules=(_scaling, _processor),
    settings=frozenset({"forceUpdateVersion"}),
    reads=(
        Read(
            "describe_nodegroup",
            {"clusterName": "{clusterName}", "nodegroupName": "{nodeGroupName}"},
            "nodegroup",
            # moto makes a remoteAccess up where none was asked for.
            {**{wire: api for wire, api in _GROUP_FIELDS.items() if wire != "remoteAccess"}, "arn": "nodegroupArn"}
            | {"status": "status"},
        ),
    ),
    after_create=_nodes,
    hooked=frozenset(
        {"labels", "nodeRepairConfig", "releaseVersion", "scalingConfig", "taints", "updateConfig", "version"}
    ),
    after_update=_change_group,
    delete_hook=_delete_group,
    missing=("ResourceNotFoundException",),
    tags=TAGS,
    operations=("update_nodegroup_config", "update_nodegroup_version", "delete_nodegroup"),
)  # fmt: skip

TYPES = (NODE_GROUP,)
