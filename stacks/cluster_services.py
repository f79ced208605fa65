"""What a platform's cluster needs before tenants can use it: their rules, disks, and nodes as many as they take."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes import Provider as KubernetesProvider

from components.contracts.cluster import Cluster
from components.contracts.node_scaling import NodeScalingArgs
from components.kubernetes import node_autoscaler
from components.kubernetes.default_storage import DefaultStorage, DefaultStorageArgs
from components.kubernetes.node_autoscaler import NodeAutoscaler, NodeAutoscalerArgs
from components.kubernetes.tenant_rules import TenantRules, TenantRulesArgs
from stacks.settings.platform import ClusterSettings
from stacks.site import Site


def run(site: Site, settings: ClusterSettings, cluster: Cluster, kubernetes: KubernetesProvider) -> None:
    """Declares them in the cluster that `kubernetes` reaches, and their right to the cloud."""
    TenantRules("tenant-rules", TenantRulesArgs(site.ownership), pulumi.ResourceOptions(provider=kubernetes))
    with_nodes = pulumi.ResourceOptions(provider=kubernetes, depends_on=[cluster.ready])
    driver = site.cloud.disks(site.ownership)
    DefaultStorage(
        "default-storage", DefaultStorageArgs(site.ownership, driver.provisioner, driver.parameters), with_nodes
    )
    scaling = site.cloud.node_scaling(
        "node-scaling",
        NodeScalingArgs(
            ownership=site.ownership,
            place=site.place,
            physical_name=site.named(),
            cluster_name=cluster.cluster_name,
            oidc_issuer=cluster.oidc_issuer,
            oidc_provider=cluster.oidc_provider,
            service_account=(node_autoscaler.NAMESPACE, node_autoscaler.SERVICE_ACCOUNT),
        ),
        site.opts,
    )
    NodeAutoscaler(
        "node-autoscaler",
        NodeAutoscalerArgs(
            ownership=site.ownership,
            kubernetes_version=settings.version,
            cloud_arguments=scaling.arguments,
            environment=scaling.environment,
            service_account_annotations=scaling.service_account_annotations,
        ),
        with_nodes,
    )
