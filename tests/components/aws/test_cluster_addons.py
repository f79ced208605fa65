"""The cluster's add-ons, and the roles of those that call AWS."""

from __future__ import annotations

import json

from components.aws.addon_versions import VERSIONS
from components.aws.cluster import Cluster
from tests.components import samples
from tests.components.recording import declare


def test_addons_that_enforce_policies_and_measure() -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster()))
    addons = {addon.plain()["addonName"]: addon for addon in recording.of("aws:eks/addon:Addon")}
    assert set(addons) == {"vpc-cni", "kube-proxy", "coredns", "metrics-server", "aws-ebs-csi-driver"}
    assert json.loads(addons["vpc-cni"].plain()["configurationValues"])["enableNetworkPolicy"] == "true"
    # Children wait for what their component waits for.
    nodes = recording.one("aws:eks/nodeGroup:NodeGroup")
    assert addons["vpc-cni"].urn in recording.named("cluster-nodes").dependencies
    assert nodes.urn in recording.named("cluster-addons").dependencies


def test_addons_in_pinned_versions_as_the_program_says() -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster()))
    addons = {addon.plain()["addonName"]: addon.plain() for addon in recording.of("aws:eks/addon:Addon")}
    assert {name: addon["addonVersion"] for name, addon in addons.items()} == VERSIONS["1.35"]
    for addon in addons.values():
        assert addon["resolveConflictsOnCreate"] == addon["resolveConflictsOnUpdate"] == "OVERWRITE"
    # The platform's own default class is encrypted; a second default would be a toss-up.
    driver = json.loads(addons["aws-ebs-csi-driver"]["configurationValues"])
    assert driver == {"defaultStorageClass": {"enabled": False}}


def test_the_disks_driver_changes_its_own_disks_alone() -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster()))
    attached = {one.plain()["policyArn"] for one in recording.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")}
    # Without a `service-role/`, unlike the one that takes any volume.
    assert [arn for arn in attached if "EBSCSI" in arn] == ["arn:aws:iam::aws:policy/AmazonEBSCSIDriverPolicyV2"]


def test_service_account_roles_pin_subject_and_audience() -> None:
    recording = declare(lambda: Cluster("cluster", samples.cluster()))
    federated = [
        role.document("assumeRolePolicy")["Statement"][0]
        for role in recording.of("aws:iam/role:Role")
        if "Federated" in role.plain()["assumeRolePolicy"]
    ]
    assert len(federated) == 2
    for statement in federated:
        condition = statement["Condition"]["StringEquals"]
        assert condition["oidc.eks.us-east-1.amazonaws.com/id/0A1B:aud"] == "sts.amazonaws.com"
        (subject,) = condition["oidc.eks.us-east-1.amazonaws.com/id/0A1B:sub"]
        assert subject.startswith("system:serviceaccount:kube-system:") and "*" not in subject
