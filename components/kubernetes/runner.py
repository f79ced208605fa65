"""The runner of a cell's operations, inside the cell's private network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from components import tags
from components.tags import Ownership

NAME = "runner"
_HOME = "/var/lib/freehold"
_ALIVE = f"{_HOME}/alive"
_SILENT_SECONDS = 120
_PORT = 8080
# What runs gets so long to end by itself when a pod is told to stop, and its engine some time more to write its state.
_DRAIN_SECONDS, _GRACE_SECONDS = 540, 600


@dataclass(frozen=True)
class RunnerArgs:
    ownership: Ownership
    namespace: pulumi.Input[str]
    image: pulumi.Input[str]
    """Holds the program and its tools, by digest."""
    cell: str
    service_account_annotations: pulumi.Input[Mapping[str, str]] = field(default_factory=dict)
    """What the cloud wants on a service account to lend it a role."""
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Where the state and the control database are; nothing secret: the role reads secrets."""
    replicas: int = 2
    """They share the work by leases, and take over from one that dies."""
    concurrency: int = 4
    cpu: str = "2"
    memory: str = "4Gi"
    """Each operation is an engine with its program: half a processor and half a gibibyte."""


class Runner(pulumi.ComponentResource):
    """A Deployment of `python -m fleet.runner` with a service account of its own, which Kubernetes gives no rights: the
    runner logs in to the cluster by its cloud role, as every operator does."""

    service_account: pulumi.Output[str]

    def __init__(self, name: str, args: RunnerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:Runner", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        selector = {"app.kubernetes.io/name": NAME}
        labels = tags.kubernetes(args.ownership) | selector
        metadata: meta.ObjectMetaArgsDict = {"name": NAME, "namespace": args.namespace, "labels": labels}
        account = core.ServiceAccount(
            f"{name}-account",
            metadata={**metadata, "annotations": args.service_account_annotations},
            automount_service_account_token=False,
            opts=child,
        )
        apps.Deployment(
            f"{name}-deployment",
            metadata=metadata,
            spec={
                "replicas": args.replicas,
                "selector": {"match_labels": selector},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "service_account_name": account.metadata.apply(lambda found: str(found["name"])),
                        "automount_service_account_token": False,
                        "termination_grace_period_seconds": _GRACE_SECONDS,
                        # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
                        "security_context": {
                            "run_as_non_root": True,
                            "run_as_user": 65532,
                            "fs_group": 65532,
                            "seccomp_profile": {"type": "RuntimeDefault"},
                        },
                        "containers": [_container(args)],
                        "volumes": [{"name": "home", "empty_dir": {}}, {"name": "tmp", "empty_dir": {}}],
                    },
                },
            },
            opts=child,
        )
        self.service_account = account.metadata.apply(lambda found: str(found["name"]))
        self.register_outputs({"service_account": self.service_account})


def _container(args: RunnerArgs) -> core.ContainerArgsDict:
    options = {
        "cell": args.cell,
        "concurrency": args.concurrency,
        "drain": _DRAIN_SECONDS,
        "alive": _ALIVE,
        "host": "0.0.0.0",
        "port": _PORT,
    }
    resources = {"cpu": args.cpu, "memory": args.memory}
    variables = {"FREEHOLD_HOME": _HOME, "HOME": _HOME, **args.environment}
    silent = f"import os, sys, time; sys.exit(time.time() - os.stat({_ALIVE!r}).st_mtime > {_SILENT_SECONDS})"
    return {
        "name": NAME,
        "image": args.image,
        "command": ["python", "-m", "fleet.runner"],
        "args": [part for option, value in options.items() for part in (f"--{option}", str(value))],
        "env": [{"name": variable, "value": value} for variable, value in variables.items()],
        "resources": {"requests": resources, "limits": resources},
        "volume_mounts": [{"name": "home", "mount_path": _HOME}, {"name": "tmp", "mount_path": "/tmp"}],
        "ports": [{"name": "http", "container_port": _PORT}],
        "readiness_probe": {
            "http_get": {"path": "/readyz", "port": "http"},
            "period_seconds": 15,
            "timeout_seconds": 12,
        },
        "liveness_probe": {
            "exec_": {"command": ["python", "-c", silent]},
            "initial_delay_seconds": 60,
            "period_seconds": 60,
            "timeout_seconds": 10,
        },
        "security_context": {
            "allow_privilege_escalation": False,
            "read_only_root_filesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
