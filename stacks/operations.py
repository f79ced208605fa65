"""What does the operations of a cell's tenants in its cluster."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from catalog import identifiers
from components import tenant_names
from components.contracts.bucket import Bucket
from components.contracts.cluster import Cluster
from components.contracts.redis import Redis
from components.contracts.runner_identity import RunnerIdentityArgs
from components.contracts.tenant_boundary import TenantBoundary
from components.kubernetes.closed_namespace import ClosedNamespace, ClosedNamespaceArgs
from components.kubernetes.runner import NAMESPACE, SERVICE_ACCOUNT, Runner, RunnerArgs
from components.kubernetes.runner_rights import GROUP, RunnerRights, RunnerRightsArgs
from stacks.settings.platform import RunnerSettings
from stacks.site import Site


@dataclass(frozen=True)
class Cell:
    """What the runner works in."""

    cluster: Cluster
    database_secrets: tuple[pulumi.Input[str], ...]
    """Its ways into the tenants' and the control database, and into the cache."""
    redis: Redis
    bucket: Bucket
    boundary: TenantBoundary


def run(settings: RunnerSettings, site: Site, cell: Cell, in_cluster: pulumi.ResourceOptions) -> None:
    """Declares who the runner is, what it may do in the cluster, and the runner."""
    identity = site.cloud.runner_identity(
        "runner-identity",
        RunnerIdentityArgs(
            ownership=site.ownership,
            place=site.place,
            role_name=site.named("runner"),
            oidc_issuer=cell.cluster.oidc_issuer,
            oidc_provider=cell.cluster.oidc_provider,
            service_account=(NAMESPACE, SERVICE_ACCOUNT),
            cluster_name=cell.cluster.cluster_name,
            group=GROUP,
            project=pulumi.get_project(),
            cell=site.cell,
            backend=settings.backend,
            secrets_key=settings.secrets_key,
            database_secrets=cell.database_secrets,
            bucket=cell.bucket.bucket,
            objects=identifiers.OBJECTS,
            tenants=tenant_names.prefixes(site.ownership.product, site.cell),
            boundary=cell.boundary.reference,
            cache_user_group=cell.redis.user_group,
        ),
        site.opts,
    )
    rights = RunnerRights("runner-rights", RunnerRightsArgs(site.ownership), in_cluster)
    runner = Runner(
        "runner",
        RunnerArgs(
            ownership=site.ownership,
            image=settings.image,
            cell=site.cell,
            backend=settings.backend,
            service_account_annotations=identity.service_account_annotations,
            environment=identity.environment,
            replicas=settings.replicas,
            concurrency=settings.concurrency,
        ),
        pulumi.ResourceOptions.merge(in_cluster, pulumi.ResourceOptions(depends_on=[rights])),
    )
    ClosedNamespace(
        "runner-closed",
        ClosedNamespaceArgs(site.ownership, NAMESPACE),
        pulumi.ResourceOptions.merge(in_cluster, pulumi.ResourceOptions(depends_on=[runner])),
    )
