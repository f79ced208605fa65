"""A namespace of a tenant's own."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1

from catalog import plans
from catalog.limits import POD_SECONDS_TO_END
from components import tags
from components.kubernetes.access import Access, AccessArgs
from components.kubernetes.quota import Quota, QuotaArgs
from components.kubernetes.traffic import Traffic, TrafficArgs
from components.kubernetes.workload import Workload, WorkloadArgs
from components.tags import Ownership

CONNECTIONS = "connections"
"""The secret that tells the workspace's programs where their data is, as environment variables."""


@dataclass(frozen=True)
class WorkspaceArgs:
    ownership: Ownership
    namespace: str
    size: plans.WorkspaceSize
    operator_groups: tuple[str, ...]
    viewer_groups: tuple[str, ...]
    service_account_annotations: pulumi.Input[Mapping[str, str]]
    data_cidrs: pulumi.Input[Sequence[str]]
    data_ports: pulumi.Input[Sequence[int]]
    service_cidr: pulumi.Input[str]
    connections: Mapping[str, pulumi.Input[str]]
    """Environment variables; secret."""
    workloads: tuple[tuple[plans.Workload, pulumi.Input[str]], ...]
    """What to run, each with its image."""
    suspended: bool = False
    """All that holds data stays; nothing runs, and nobody may do anything in it."""


class Workspace(pulumi.ComponentResource):
    """A namespace under the restricted pod security standard, with its quota, traffic rules, roles, connection details
    and the product's programs."""

    namespace: pulumi.Output[str]
    service_account: pulumi.Output[str]

    def __init__(self, name: str, args: WorkspaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:Workspace", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = tags.kubernetes(args.ownership)
        security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
        made = v1.Namespace(
            f"{name}-namespace",
            metadata={"name": args.namespace, "labels": labels | security},
            # It is gone when its last pod is, and a pod may take as long to end as the provider waits by itself.
            opts=pulumi.ResourceOptions(
                parent=self, custom_timeouts=pulumi.CustomTimeouts(delete=f"{2 * POD_SECONDS_TO_END}s")
            ),
        )
        namespace = made.metadata.apply(lambda metadata: str(metadata["name"]))
        quota = Quota(f"{name}-size", QuotaArgs(args.ownership, namespace, args.size, args.suspended), child)
        traffic = Traffic(
            f"{name}-traffic",
            TrafficArgs(args.ownership, namespace, args.data_cidrs, args.data_ports, args.service_cidr, args.suspended),
            child,
        )
        access = Access(
            f"{name}-access",
            AccessArgs(
                ownership=args.ownership,
                namespace=namespace,
                operator_groups=args.operator_groups,
                viewer_groups=args.viewer_groups,
                service_account_annotations=args.service_account_annotations,
                suspended=args.suspended,
            ),
            child,
        )
        connections = v1.Secret(
            f"{name}-connections",
            metadata={"name": CONNECTIONS, "namespace": namespace, "labels": labels},
            type="Opaque",
            data={key: _encoded(value) for key, value in args.connections.items()},
            # A namespace with a quota counts its secrets.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[quota]),
        )
        # Left out and not scaled to nothing: its autoscaler owns the number of replicas, and they hold no data.
        for workload, image in () if args.suspended else args.workloads:
            Workload(
                f"{name}-{workload.name}",
                WorkloadArgs(
                    ownership=args.ownership,
                    namespace=namespace,
                    workload=workload,
                    image=image,
                    replicas_maximum=args.size.scheduler_replicas_maximum,
                    service_account=access.service_account,
                    connections=connections.metadata.apply(lambda metadata: str(metadata["name"])),
                ),
                # No program runs before its limits and traffic rules are there.
                pulumi.ResourceOptions(parent=self, depends_on=[quota, traffic]),
            )
        self.namespace = namespace
        self.service_account = access.service_account
        self.register_outputs({"namespace": self.namespace, "service_account": self.service_account})


def _encoded(value: pulumi.Input[str]) -> pulumi.Output[str]:
    secret: pulumi.Output[str] = pulumi.Output.secret(value)
    return secret.apply(lambda text: base64.b64encode(text.encode()).decode())
