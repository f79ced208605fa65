"""What does the operations of a cell's tenants in its cluster."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components import tenant_names
from components.contracts.cluster import Cluster
from components.contracts.place import Place
from components.contracts.platform import PlatformCloud
from components.contracts.redis import Redis
from components.contracts.runner_identity import RunnerIdentityArgs
from components.contracts.tenant_boundary import TenantBoundary
from components.kubernetes.runner import NAMESPACE, SERVICE_ACCOUNT, Runner, RunnerArgs
from components.kubernetes.runner_rights import GROUP, RunnerRights, RunnerRightsArgs
from components.tags import Ownership
from stacks.settings import RunnerSettings


@dataclass(frozen=True)
class Cell:
    """What the runner works in."""

    name: str
    ownership: Ownership
    place: Place
    role_name: str
    cluster: Cluster
    database_secrets: tuple[pulumi.Input[str], ...]
    """Its ways into the tenants' and the control database."""
    redis: Redis
    boundary: TenantBoundary


def run(
    settings: RunnerSettings,
    cell: Cell,
    cloud: PlatformCloud,
    in_cloud: pulumi.ResourceOptions,
    in_cluster: pulumi.ResourceOptions,
) -> None:
    """Declares who the runner is, what it may do in the cluster, and the runner."""
    identity = cloud.runner_identity(
        "runner-identity",
        RunnerIdentityArgs(
            ownership=cell.ownership,
            place=cell.place,
            role_name=cell.role_name,
            oidc_issuer=cell.cluster.oidc_issuer,
            oidc_provider=cell.cluster.oidc_provider,
            service_account=(NAMESPACE, SERVICE_ACCOUNT),
            cluster_name=cell.cluster.cluster_name,
            group=GROUP,
            project=pulumi.get_project(),
            cell=cell.name,
            backend=settings.backend,
            secrets_key=settings.secrets_key,
            database_secrets=cell.database_secrets,
            tenants=tenant_names.prefixes(cell.ownership.product, cell.name),
            boundary=cell.boundary.reference,
            cache_user_group=cell.redis.user_group,
        ),
        in_cloud,
    )
    rights = RunnerRights("runner-rights", RunnerRightsArgs(cell.ownership), in_cluster)
    Runner(
        "runner",
        RunnerArgs(
            ownership=cell.ownership,
            image=settings.image,
            cell=cell.name,
            backend=settings.backend,
            service_account_annotations=identity.service_account_annotations,
            environment=identity.environment,
            replicas=settings.replicas,
            concurrency=settings.concurrency,
        ),
        pulumi.ResourceOptions.merge(in_cluster, pulumi.ResourceOptions(depends_on=[rights])),
    )
