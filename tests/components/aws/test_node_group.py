"""The cluster's machines."""

from __future__ import annotations

from dataclasses import replace

import pulumi
import pytest

from components.aws.cluster import Cluster
from components.aws.node_group import ami_type
from tests.components import samples
from tests.components.recording import declare


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
    assert group.ignore_changes == ("scalingConfig.desiredSize",)
    # A name of its own would make the engine delete the group, and with it all nodes, before it makes another.
    assert "nodeGroupName" not in group.plain()
    assert group.plain()["nodeGroupNamePrefix"] == "chronos-cloud-sandbox-nodes-"


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
