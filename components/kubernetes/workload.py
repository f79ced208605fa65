"""A program that the product runs in a workspace."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps import v1 as apps

from catalog import plans
from components import tags
from components.kubernetes.autoscaling import Autoscaling, AutoscalingArgs
from components.tags import Ownership


@dataclass(frozen=True)
class WorkloadArgs:
    ownership: Ownership
    namespace: pulumi.Input[str]
    workload: plans.Workload
    image: pulumi.Input[str]
    replicas_maximum: int
    service_account: pulumi.Input[str]
    connections: pulumi.Input[str]
    """Name of the secret whose entries become environment variables."""


class Workload(pulumi.ComponentResource):
    """A Deployment that the restricted pod security standard admits; its autoscaler alone sets its replicas."""

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:Workload", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = tags.kubernetes(args.ownership)
        selector = {"app.kubernetes.io/name": args.workload.name}
        resources = {"cpu": args.workload.cpu, "memory": args.workload.memory}
        deployment = apps.Deployment(
            f"{name}-deployment",
            metadata={"name": args.workload.name, "namespace": args.namespace, "labels": labels | selector},
            spec={
                "selector": {"match_labels": selector},
                "template": {
                    "metadata": {"labels": labels | selector},
                    "spec": {
                        "service_account_name": args.service_account,
                        # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
                        "security_context": {
                            "run_as_non_root": True,
                            "run_as_user": 65532,
                            "seccomp_profile": {"type": "RuntimeDefault"},
                        },
                        "containers": [
                            {
                                "name": args.workload.name,
                                "image": args.image,
                                "ports": [{"name": "http", "container_port": args.workload.port}],
                                "env_from": [{"secret_ref": {"name": args.connections}}],
                                "resources": {"requests": resources, "limits": resources},
                                "security_context": {
                                    "allow_privilege_escalation": False,
                                    "read_only_root_filesystem": True,
                                    "capabilities": {"drop": ["ALL"]},
                                },
                            }
                        ],
                    },
                },
            },
            opts=child,
        )
        Autoscaling(
            f"{name}-autoscaling",
            AutoscalingArgs(
                ownership=args.ownership,
                namespace=args.namespace,
                deployment=deployment.metadata.apply(lambda metadata: str(metadata["name"])),
                scaler_name=args.workload.name,
                minimum=args.workload.replicas_minimum,
                maximum=args.replicas_maximum,
                cpu_percent=args.workload.cpu_utilisation_percent,
            ),
            child,
        )
        self.register_outputs({})
