"""How an object's dependents go when it is deleted.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/#cascading-deletion
"""

from __future__ import annotations

from sandbox.providers.interface import Properties
from sandbox.providers.kubernetes import objects

# Kinds that own nothing go at once; the others go after what they own, as with `kubectl delete --cascade=foreground`.
_OWNERLESS = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "HorizontalPodAutoscaler",
        "Ingress",
        "LimitRange",
        "Namespace",
        "NetworkPolicy",
        "Pod",
        "PodDisruptionBudget",
        "ResourceQuota",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
    }
)


# For the others the provider waits whatever `skipAwait` says: allowsSkipAwaitWithDelete in
# github.com/pulumi/pulumi-kubernetes, provider/pkg/metadata/overrides.go.
_SKIPPED = frozenset({"DaemonSet", "Deployment", "Job", "Namespace", "Pod", "ReplicationController", "StatefulSet"})


def waits(wanted: objects.Identity, inputs: Properties) -> bool:
    """Whether a deletion is over only when the object is gone."""
    return wanted.kind not in _SKIPPED or not objects.flag(inputs, objects.SKIP_AWAIT)


def policy(kind: str, inputs: Properties) -> str:
    """The propagation policy: the program's annotation, or what suits the kind."""
    said = objects.annotation(inputs, objects.DELETION_POLICY)
    return said.capitalize() if said else "Background" if kind in _OWNERLESS else "Foreground"
