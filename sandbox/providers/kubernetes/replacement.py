"""Fields whose change needs a new object, because the API server refuses to change them in place.

Source: forceNew in github.com/pulumi/pulumi-kubernetes, provider/pkg/provider/diff.go. The provider goes by this list
alone: a field that is not in it and that the API server refuses to change fails the preview, and is replaced by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.providers.differences import Path, below, parse
from sandbox.providers.interface import DiffKind
from sandbox.providers.kubernetes.connection import Json

_IDENTITY = ("metadata.name", "metadata.namespace")

_POD_FIELDS = (
    "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases",
    "hostIPC", "hostNetwork", "hostPID", "hostname", "imagePullSecrets", "nodeName", "nodeSelector", "overhead",
    "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "restartPolicy", "runtimeClassName",
    "schedulerName", "securityContext", "serviceAccount", "serviceAccountName", "shareProcessNamespace", "subdomain",
    "terminationGracePeriodSeconds", "volumes",
)  # fmt: skip

_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("", "PersistentVolumeClaim"): ("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
    ("", "PersistentVolume"): tuple(
        f"spec.{source}"
        for source in (
            "awsElasticBlockStore",
            "csi",
            "fc",
            "flexVolume",
            "gcePersistentDisk",
            "hostPath",
            "iscsi",
            "local",
            "nfs",
        )
    ),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
}


def replaced_paths(body: Json, *, mutable_config_maps: bool, mutable_secrets: bool) -> list[Path]:
    """The paths of this object whose change makes a new one."""
    version, kind = str(body.get("apiVersion", "")), str(body.get("kind", ""))
    group = version.rpartition("/")[0]
    fields = list(_IDENTITY) + list(_FIELDS.get((group, kind), ()))
    frozen = bool(body.get("immutable"))
    if (group, kind) == ("", "ConfigMap") and (frozen or not mutable_config_maps):
        fields += ["data", "binaryData"]
    elif (group, kind) == ("", "Secret") and (frozen or not mutable_secrets):
        fields += ["data", "stringData"]
    elif (group, kind) == ("", "Pod"):
        fields += [f"spec.{field}" for field in _POD_FIELDS]
        fields += [
            f"spec.{list}[*].{field}" for list in ("containers", "initContainers") for field in _CONTAINER_FIELDS
        ]
    return [parse(field) for field in fields]


_CONTAINER_FIELDS = (
    "args",
    "command",
    "env",
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
    "volumeDevices",
    "volumeMounts",
    "workingDir",
)


def replacing(changes: Mapping[Path, DiffKind], replaced: Sequence[Path]) -> dict[Path, DiffKind]:
    """The changes, those of a replaced path as replacements. A whole map that came or went takes its fields along."""

    def touched(path: Path) -> bool:
        return any(below(path, prefix) or below(prefix, path) for prefix in replaced)

    return {path: kind.replacing() if touched(path) else kind for path, kind in changes.items()}
