"""The cluster's machines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components.aws.account import provider
from components.aws.cluster import Cluster
from components.aws.node_group import ami_type
from components.aws.running_nodes import running_nodes
from components.contracts.cluster import NodePool, RunningNodes
from tests.components import samples
from tests.components.recording import Declared, declare

LARGE = ("m6i.large", "m6a.large")


def test_nodes() -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster()))
    template = recording.inputs("aws:ec2/launchTemplate:LaunchTemplate")
    assert template["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    assert template["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"
    group = recording.one("aws:eks/nodeGroup:NodeGroup")
    assert group.plain()["scalingConfig"] == {"minSize": 1, "maxSize": 3, "desiredSize": 1}
    # A name of its own would make the engine delete the group, and with it all nodes, before it makes another.
    assert "nodeGroupName" not in group.plain()
    assert group.plain()["nodeGroupNamePrefix"] == "chronos-cloud-sandbox-nodes-"

    # Of a hundred nodes an update takes longer than the hour after which the provider gives up.
    assert group.timeouts == dict.fromkeys(("create", "update", "delete"), "3h")


@pytest.mark.parametrize(
    ("machines", "processor"),
    [
        (("t3.large", "m6i.xlarge"), "x86_64"),
        (("g5.xlarge", "g4dn.xlarge", "m7i-flex.large"), "x86_64"),
        (("t4g.large", "m7g.xlarge", "c6gn.large", "is4gen.large", "g5g.xlarge", "a1.large"), "ARM_64"),
    ],
)
def test_image_for_the_processor(machines: tuple[str, ...], processor: str) -> None:
    assert ami_type(machines) == f"AL2023_{processor}_STANDARD"


def test_two_processors_are_refused() -> None:
    with pytest.raises(pulumi.RunError, match="mix Arm and x86"):
        ami_type(("t3.large", "t4g.large"))


def test_a_long_name_leaves_the_provider_room() -> None:
    args = replace(samples.cluster(), name="chronos-cloud-" + "a" * 26)
    prefix = declare(lambda: Cluster("cluster", args)).inputs("aws:eks/nodeGroup:NodeGroup")["nodeGroupNamePrefix"]
    assert len(prefix) <= 63 - 26


def _group(wanted: NodePool, *running: RunningNodes) -> Declared:
    args = replace(samples.cluster(), nodes=wanted, running=running)
    return declare(lambda: Cluster("cluster", args)).one("aws:eks/nodeGroup:NodeGroup")


def test_a_first_group_starts_at_its_minimum() -> None:
    assert _group(NodePool(3, 50, LARGE, 50)).plain()["scalingConfig"]["desiredSize"] == 3


def test_the_autoscaler_s_number_is_left_alone_while_bounds_and_machines_stay() -> None:
    group = _group(NodePool(3, 50, LARGE, 50), RunningNodes(3, 50, 40, LARGE[::-1]))
    assert group.ignore_changes == ("scalingConfig.desiredSize",)


@pytest.mark.parametrize(
    ("minimum", "maximum", "machines", "desired"),
    [
        (3, 100, LARGE, 40),
        (45, 50, LARGE, 45),
        (3, 30, LARGE, 30),
        (3, 50, ("m6i.xlarge",), 40),
    ],
)
def test_a_change_keeps_as_many_nodes_as_run(
    minimum: int, maximum: int, machines: tuple[str, ...], desired: int
) -> None:
    group = _group(NodePool(minimum, maximum, machines, 50), RunningNodes(3, 50, 40, LARGE))
    assert group.plain()["scalingConfig"] == {"minSize": minimum, "maxSize": maximum, "desiredSize": desired}
    # Ignored, it would be sent as the state has it, which is the number of the group's creation.
    assert group.ignore_changes == ()


def test_a_group_that_replaces_another_is_left_alone_too() -> None:
    wanted = NodePool(3, 50, ("m6i.xlarge",), 50)
    old, new = RunningNodes(3, 50, 40, LARGE), RunningNodes(3, 50, 41, ("m6i.xlarge",))
    assert _group(wanted, old, new).ignore_changes == ("scalingConfig.desiredSize",)


NAME = "chronos-cloud-prod"
CLUSTERS, GROUPS = "aws:eks/getClusters:getClusters", "aws:eks/getNodeGroups:getNodeGroups"
GROUP = "aws:eks/getNodeGroup:getNodeGroup"


def _asked(clusters: list[str], groups: list[str] | None = None) -> tuple[RunningNodes, ...]:
    """What runs, of a cloud that knows these; it refuses a question after anything else."""

    def names(args: Any) -> Any:
        assert args["clusterName"] in clusters
        return {"names": groups, "id": NAME, "region": "us-east-1"}

    def group(args: Any) -> Any:
        assert groups is not None and args["nodeGroupName"] in groups
        size = {"minSize": 3, "maxSize": 50, "desiredSize": 40}
        return {"id": "id", "region": "us-east-1", "scalingConfigs": [size], "instanceTypes": list(LARGE)}

    answers = {CLUSTERS: {"names": clusters, "id": "us-east-1"}, GROUPS: names, GROUP: group}
    found: list[tuple[RunningNodes, ...]] = []
    declare(lambda: found.append(running_nodes(provider("aws", "us-east-1"), NAME)), answers=answers)
    return found[0]


def test_before_there_is_a_cluster_or_a_group_nothing_runs() -> None:
    assert _asked([]) == ()
    assert _asked(["chronos-cloud-staging"]) == ()
    assert _asked([NAME], []) == ()


def test_what_runs_is_told_as_it_is_now() -> None:
    made = declare(lambda: Cluster("cluster", replace(samples.cluster(), name=NAME)))
    prefix = made.inputs("aws:eks/nodeGroup:NodeGroup")["nodeGroupNamePrefix"]
    assert _asked([NAME], [f"{prefix}20261101", "gpu"]) == (RunningNodes(3, 50, 40, LARGE),)


def test_nodes_follow_the_control_plane_s_version() -> None:
    args = replace(samples.cluster(), kubernetes_version="1.34")
    recording = declare(lambda: Cluster("cluster", args))
    group = recording.one("aws:eks/nodeGroup:NodeGroup")
    assert group.plain()["version"] == "1.34"
    assert recording.one("aws:eks/cluster:Cluster").urn in group.dependencies
    # A release of its own choice would be set back by the next run, and EKS goes back to none.
    assert "releaseVersion" not in group.plain()
