"""The budget notifier in a cell's cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core

from components import tags
from components.kubernetes.images import AUTHORITY
from components.tags import Ownership

NAMESPACE = "freehold-notifier"
SERVICE_ACCOUNT = "notifier"
_PORT = 8080


@dataclass(frozen=True)
class NotifierDeploymentArgs:
    ownership: Ownership
    image: str
    service_account_annotations: pulumi.Input[Mapping[str, str]]
    """What the cloud wants on a service account to lend it a role."""
    environment: Mapping[str, pulumi.Input[str]]
    """Variables of services/notifier/settings.py; no secret, only references."""


class NotifierDeployment(pulumi.ComponentResource):
    """A namespace of the notifier's own under the restricted pod security standard, and a Deployment of one replica.

    One is enough: what arrives while it is replaced waits in the queue. Two would do no harm, each delivery is taken
    by one. It has no PodDisruptionBudget: one that kept a single pod would keep its node too.
    """

    def __init__(self, name: str, args: NotifierDeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:NotifierDeployment", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = tags.kubernetes(args.ownership)
        selector = {"app.kubernetes.io/name": "notifier"}
        namespace = core.Namespace(
            f"{name}-namespace",
            metadata={"name": NAMESPACE, "labels": labels | {"pod-security.kubernetes.io/enforce": "restricted"}},
            opts=child,
        )
        inside = namespace.metadata.apply(lambda metadata: str(metadata["name"]))
        account = core.ServiceAccount(
            f"{name}-account",
            metadata={
                "name": SERVICE_ACCOUNT,
                "namespace": inside,
                "labels": labels,
                "annotations": args.service_account_annotations,
            },
            automount_service_account_token=False,
            opts=child,
        )
        variables = {**args.environment, "PORT": str(_PORT), "PGSSLROOTCERT": AUTHORITY}
        apps.Deployment(
            f"{name}-deployment",
            metadata={
                "name": "notifier",
                "namespace": inside,
                "labels": labels | selector,
                # A pod is ready once it may write its tables, and its rights come when this program has ended.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "replicas": 1,
                "selector": {"match_labels": selector},
                "template": {
                    "metadata": {"labels": labels | selector},
                    "spec": {
                        "service_account_name": account.metadata.apply(lambda metadata: str(metadata["name"])),
                        "automount_service_account_token": False,
                        # A long poll, and the attempts that are under way.
                        "termination_grace_period_seconds": 60,
                        # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
                        "security_context": {
                            "run_as_non_root": True,
                            "run_as_user": 65532,
                            "seccomp_profile": {"type": "RuntimeDefault"},
                        },
                        "containers": [
                            {
                                "name": "notifier",
                                "image": args.image,
                                "command": ["python", "-m", "services.notifier"],
                                "env": [{"name": key, "value": value} for key, value in sorted(variables.items())],
                                "ports": [{"name": "http", "container_port": _PORT}],
                                "liveness_probe": {"http_get": {"path": "/healthz", "port": "http"}},
                                "readiness_probe": {"http_get": {"path": "/readyz", "port": "http"}},
                                "resources": {
                                    "requests": {"cpu": "50m", "memory": "192Mi"},
                                    "limits": {"cpu": "500m", "memory": "192Mi"},
                                },
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
        self.register_outputs({})
