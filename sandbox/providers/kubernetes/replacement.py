"""Fields whose change needs a new object, because the API server refuses to change them in place.

Source: the Kubernetes API reference ("immutable", "cannot be updated") and what the Pulumi provider's documentation
says of ConfigMap and Secret: https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/
(enableConfigMapMutable, enableSecretMutable). Kinds that are not listed here are asked by a dry run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.providers.differences import Path, below, parse
from sandbox.providers.interface import DiffKind
from sandbox.providers.kubernetes.connection import ApiError, Json

_IDENTITY = ("metadata.name", "metadata.namespace")

_POD_MUTABLE = ("containers", "initContainers", "activeDeadlineSeconds", "tolerations")

_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.selector", "spec.template", "spec.completionMode"),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.dataSource",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeMode",
        "spec.volumeName",
    ),
    ("", "ResourceQuota"): ("spec.scopes", "spec.scopeSelector"),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
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
        named = dict.fromkeys([*body.get("spec", {}), "volumes", "nodeName", "serviceAccountName"])
        fields += [f"spec.{field}" for field in named if field not in _POD_MUTABLE]
        # Of a container only the image can change (https://kubernetes.io/docs/concepts/workloads/pods/#pod-update-and-replacement).
        fields += [
            f"spec.{list}[*].{field}" for list in ("containers", "initContainers") for field in _CONTAINER_FIELDS
        ]
    return [parse(field) for field in fields]


_CONTAINER_FIELDS = (
    "args",
    "command",
    "env",
    "envFrom",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "volumeDevices",
    "volumeMounts",
    "workingDir",
)


def replacing(changes: Mapping[Path, DiffKind], replaced: Sequence[Path]) -> dict[Path, DiffKind]:
    """The changes, those of a replaced path as replacements. A whole map that came or went takes its fields along."""

    def touched(path: Path) -> bool:
        return any(below(path, prefix) or below(prefix, path) for prefix in replaced)

    return {path: kind.replacing() if touched(path) else kind for path, kind in changes.items()}


_REFUSALS = ("immutable", "may not be changed", "may not change", "may not be updated", "updates to ", "cannot change")


def refused_fields(error: ApiError) -> Sequence[Path]:
    """The fields that a dry run says cannot be changed; empty where it failed for another reason."""
    if error.code != 422:
        return ()
    found = []
    for _, message, field in error.causes:
        if any(word in message.lower() for word in _REFUSALS):
            found.append(parse(field.replace("<nil>", "spec")) if field else ("spec",))
    return found
