"""The runner of a cell's operations, inside the cell's private network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.policy import v1 as policy

from components import tags
from components.kubernetes.images import AUTHORITY
from components.tags import Ownership

NAMESPACE = "freehold-runner"
SERVICE_ACCOUNT = "runner"
_HOME = "/var/lib/freehold"
_ALIVE = f"{_HOME}/alive"
_SILENT_SECONDS = 120
_PORT = 8080
# What runs gets so long to end by itself when a pod is told to stop, then its engines so long to end the steps in hand
# and to write their state. Kubernetes kills what is left, and has to wait for both.
_DRAIN_SECONDS, _GRACE_SECONDS, _TERMINATION_SECONDS = 540, 45, 600
# An operation is an engine, its program, its policies and a process for each of its providers. They mostly wait for the
# cloud; memory is what they need at once, and what cannot be lent.
_CPU_MILLIS, _CPU_LIMIT_MILLIS, _MEMORY_MIB = 300, 1000, 1024


@dataclass(frozen=True)
class RunnerArgs:
    ownership: Ownership
    image: str
    """Holds the program and its tools (docs/deploy.md)."""
    cell: str
    backend: str
    """Where the state is, as the engine is told: `s3://...`."""
    service_account_annotations: pulumi.Input[Mapping[str, str]]
    """What the cloud wants on a service account to lend it a role."""
    environment: Mapping[str, pulumi.Input[str]]
    """What the cloud's tools want to know; nothing secret: the role reads secrets."""
    replicas: int = 2
    """They share the work by leases, and take over from one that dies."""
    concurrency: int = 4
    """Operations that each replica does at a time."""


class Runner(pulumi.ComponentResource):
    """A namespace of the runner's own under the restricted pod security standard, and a Deployment of
    `python -m fleet.runner` with a service account which Kubernetes itself gives no rights: the runner logs in to the
    cluster by its cloud role, as every operator does (`RunnerRights` says what that may).
    """

    def __init__(self, name: str, args: RunnerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:Runner", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = tags.kubernetes(args.ownership)
        namespace = core.Namespace(
            f"{name}-namespace",
            metadata={"name": NAMESPACE, "labels": labels | {"pod-security.kubernetes.io/enforce": "restricted"}},
            opts=child,
        )
        selector = {"app.kubernetes.io/name": SERVICE_ACCOUNT}
        metadata: meta.ObjectMetaArgsDict = {
            "name": SERVICE_ACCOUNT,
            "namespace": namespace.metadata.apply(lambda found: str(found["name"])),
            "labels": labels | selector,
        }
        account = core.ServiceAccount(
            f"{name}-account",
            metadata={**metadata, "annotations": args.service_account_annotations},
            automount_service_account_token=False,
            opts=child,
        )
        apps.Deployment(
            f"{name}-deployment",
            # A pod is ready once it has read the platform's contract, and that is written when this program has ended.
            metadata={**metadata, "annotations": {"pulumi.com/skipAwait": "true"}},
            spec={
                "replicas": args.replicas,
                "selector": {"match_labels": selector},
                "template": {
                    "metadata": {"labels": labels | selector},
                    "spec": {
                        "service_account_name": account.metadata.apply(lambda found: str(found["name"])),
                        "automount_service_account_token": False,
                        "termination_grace_period_seconds": _TERMINATION_SECONDS,
                        # The pod's own first process then takes in what an engine that was killed leaves behind.
                        "share_process_namespace": True,
                        # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
                        "security_context": {
                            "run_as_non_root": True,
                            "run_as_user": 65532,
                            "fs_group": 65532,
                            "seccomp_profile": {"type": "RuntimeDefault"},
                        },
                        "topology_spread_constraints": [
                            {
                                "max_skew": 1,
                                "topology_key": "kubernetes.io/hostname",
                                "when_unsatisfiable": "ScheduleAnyway",
                                "label_selector": {"match_labels": selector},
                            }
                        ],
                        "containers": [_container(args)],
                        "volumes": [{"name": "home", "empty_dir": {}}, {"name": "tmp", "empty_dir": {}}],
                    },
                },
            },
            opts=child,
        )
        # Of several, one goes on while another ends what it does, which may take ten minutes; a single one goes when it
        # is told to. One that is not ready, because a database is away, say, holds no node back.
        # https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy
        policy.PodDisruptionBudget(
            f"{name}-disruption",
            metadata=metadata,
            spec={
                "max_unavailable": 1,
                "selector": {"match_labels": selector},
                "unhealthy_pod_eviction_policy": "AlwaysAllow",
            },
            opts=child,
        )
        self.register_outputs({})


def _container(args: RunnerArgs) -> core.ContainerArgsDict:
    options = {
        "cell": args.cell,
        "target": "cloud",
        "concurrency": args.concurrency,
        "drain": _DRAIN_SECONDS,
        "grace": _GRACE_SECONDS,
        "alive": _ALIVE,
        "host": "0.0.0.0",
        "port": _PORT,
    }
    memory = f"{args.concurrency * _MEMORY_MIB}Mi"
    variables = {
        **args.environment,
        # The working folders of stacks, the logs and the caches of tools: nothing of it has to outlive the pod.
        "FREEHOLD_HOME": _HOME,
        "HOME": _HOME,
        "PGSSLROOTCERT": AUTHORITY,
        "PULUMI_BACKEND_URL": args.backend,
        # An engine locks a stack in its user's name, and an image need not know who 65532 is.
        "USER": SERVICE_ACCOUNT,
    }
    silent = f"import os, sys, time; sys.exit(time.time() - os.stat({_ALIVE!r}).st_mtime > {_SILENT_SECONDS})"
    return {
        "name": SERVICE_ACCOUNT,
        "image": args.image,
        "command": ["python", "-m", "fleet.runner"],
        "args": [part for option, value in options.items() for part in (f"--{option}", str(value))],
        "env": [{"name": variable, "value": value} for variable, value in sorted(variables.items())],
        "resources": {
            "requests": {"cpu": f"{args.concurrency * _CPU_MILLIS}m", "memory": memory},
            "limits": {"cpu": f"{args.concurrency * _CPU_LIMIT_MILLIS}m", "memory": memory},
        },
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
