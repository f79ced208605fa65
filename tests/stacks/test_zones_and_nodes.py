"""Where a platform lies, and how many nodes of which version its cluster keeps."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from stacks import platform
from stacks.settings.platform import PlatformSettings
from tests.components.recording import declare
from tests.stacks.files import load, platform_settings, stack_file
from tests.stacks.test_programs import ANSWERS, ZONES

pytestmark = pytest.mark.usefixtures("no_archive")


def test_zones_without_a_control_plane_are_left_out() -> None:
    asked: list[Any] = []

    def zones(args: Any) -> Any:
        asked.append(args["excludeZoneIds"])
        return ANSWERS[ZONES]

    declare(lambda: platform.run(platform_settings("sandbox"), "sandbox"), answers=ANSWERS | {ZONES: zones})
    declare(lambda: platform.run(platform_settings("dev"), "dev"), stack="dev", answers=ANSWERS | {ZONES: zones})
    assert asked == [["cac1-az3", "use1-az3", "usw1-az2"]] * 2


def test_zones_are_the_first_by_name() -> None:
    recording = declare(lambda: platform.run(platform_settings("sandbox"), "sandbox"), answers=ANSWERS)
    zones = {subnet.plain()["availabilityZone"] for subnet in recording.of("aws:ec2/subnet:Subnet")}
    assert zones == {"us-east-1a", "us-east-1b", "us-east-1c"}


def _zones(environment: str, names: list[str], state: str = "available") -> list[str]:
    """Where the subnets lie, in the order of their networks, in a region with these zones, which are in `state`."""

    def found(args: Any) -> Any:
        return {**ANSWERS[ZONES], "names": names if args.get("state") in (None, state) else []}

    answers = ANSWERS | {ZONES: found}
    recording = declare(
        lambda: platform.run(platform_settings(environment), environment), stack=environment, answers=answers
    )
    data = [one.plain() for one in recording.of("aws:ec2/subnet:Subnet") if "-data-" in one.name]
    return [one["availabilityZone"] for one in sorted(data, key=lambda one: one["cidrBlock"])]


def test_zones_that_are_named_stay_whatever_the_region_has() -> None:
    named = ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert _zones("prod", ["us-east-10", *named]) == named
    assert _zones("prod", named, state="impaired") == named


def test_zones_that_cannot_hold_everything_are_refused() -> None:
    with pytest.raises(pulumi.RunError, match=r"network\.zones: us-east-1b .* choose among us-east-1a, us-east-1c$"):
        _zones("prod", ["us-east-1c", "us-east-1a"])


def test_the_nodes_that_run_stay_when_their_bounds_change() -> None:
    settings = platform_settings("prod")
    nodes = settings.cluster.nodes
    size = {"minSize": nodes.minimum, "maxSize": nodes.maximum - 1, "desiredSize": 40}
    group = {"scalingConfigs": [size], "instanceTypes": list(nodes.machine_types), "id": "id", "region": "us-east-1"}
    running = {
        "aws:eks/getClusters:getClusters": {"names": ["chronos-cloud-prod"], "id": "us-east-1"},
        "aws:eks/getNodeGroups:getNodeGroups": {"names": ["chronos-cloud-prod-nodes-1"], "id": "id"},
        "aws:eks/getNodeGroup:getNodeGroup": group,
    }
    recording = declare(lambda: platform.run(settings, "prod"), stack="prod", answers=ANSWERS | running)
    assert recording.inputs("aws:eks/nodeGroup:NodeGroup")["scalingConfig"]["desiredSize"] == 40


def test_aws_moves_no_cluster_to_another_version_unless_it_is_asked_to() -> None:
    def support(**cluster: Any) -> str:
        config = stack_file("dev")["config"]
        settings = load(config | {"freehold:cluster": config["freehold:cluster"] | cluster}, "dev")
        assert isinstance(settings, PlatformSettings)
        recording = declare(lambda: platform.run(settings, "dev"), stack="dev", answers=ANSWERS)
        return str(recording.inputs("aws:eks/cluster:Cluster")["upgradePolicy"]["supportType"])

    assert support() == "EXTENDED"
    assert support(extendedSupport=False) == "STANDARD"
