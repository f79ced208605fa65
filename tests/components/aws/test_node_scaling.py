"""The cluster autoscaler's role and arguments."""

from __future__ import annotations

import pulumi

from components.aws.node_scaling import NodeScaling
from tests.components.every_component import SAMPLES
from tests.components.recording import ACCOUNT, declare


def test_it_resizes_this_clusters_groups_alone() -> None:
    recording = declare(lambda: SAMPLES[NodeScaling]("scaling", None))
    statements = {s["Sid"]: s for s in recording.one("aws:iam/rolePolicy:RolePolicy").document()["Statement"]}
    size = statements["Size"]
    assert size["Condition"] == {"StringEquals": {"aws:ResourceTag/k8s.io/cluster-autoscaler/c": "owned"}}
    assert size["Resource"] == f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:autoScalingGroup:*"
    assert statements["NodeGroups"]["Resource"] == f"arn:aws:eks:us-east-1:{ACCOUNT}:nodegroup/c/*"
    assert all(":Describe" in action or ":Get" in action for action in statements["Look"]["Action"])
    trust = recording.one("aws:iam/role:Role").document("assumeRolePolicy")["Statement"][0]["Condition"]
    assert trust["StringEquals"]["oidc.eks.us-east-1.amazonaws.com/id/0A1B:sub"] == [
        "system:serviceaccount:kube-system:cluster-autoscaler"
    ]


def test_it_finds_them_by_the_tags_that_eks_sets() -> None:
    def program() -> None:
        scaling = SAMPLES[NodeScaling]("scaling", None)
        assert isinstance(scaling, NodeScaling)
        pulumi.export("arguments", scaling.arguments)

    assert declare(program).exports["arguments"] == [
        "--cloud-provider=aws",
        "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/c",
    ]
