"""The node groups of a cluster as EKS has them now."""

from __future__ import annotations

import pulumi
from pulumi_aws import eks

from components.aws.node_group import group_name, name_prefix
from components.contracts.cluster import RunningNodes


def running_nodes(provider: pulumi.ProviderResource, cluster_name: str) -> tuple[RunningNodes, ...]:
    """Those that Freehold made for the cluster of that name; none where there is no such cluster yet.

    Lists are asked first, because a question after something that is not there is an error, and a first run has
    neither cluster nor group. EKS is asked and not the Auto Scaling groups: it follows them within moments
    (https://docs.aws.amazon.com/eks/latest/APIReference/API_NodegroupScalingConfig.html), and what the autoscaler does
    between this question and the change that follows from it could not be known either way.
    """
    opts = pulumi.InvokeOptions(provider=provider)
    if cluster_name not in eks.get_clusters(opts=opts).names:
        return ()
    prefix = name_prefix(group_name(cluster_name))
    found = []
    for name in sorted(eks.get_node_groups(cluster_name=cluster_name, opts=opts).names):
        if name.startswith(prefix):
            group = eks.get_node_group(cluster_name=cluster_name, node_group_name=name, opts=opts)
            (size,) = group.scaling_configs
            found.append(RunningNodes(size.min_size, size.max_size, size.desired_size, tuple(group.instance_types)))
    return tuple(found)
