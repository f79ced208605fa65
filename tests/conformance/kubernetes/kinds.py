"""One example of each kind that the components use, and of the kinds whose rules differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

LABELS = {"app": "example"}
_CONTAINER = {"name": "main", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": {"cpu": "1000m"}}}
_POD = {"metadata": {"labels": LABELS}, "spec": {"containers": [_CONTAINER]}}
_SELECTED = {"selector": {"matchLabels": LABELS}, "template": _POD}


@dataclass(frozen=True)
class Example:
    """An object, a change that is made in place, and a change that needs a new object (None where there is none)."""

    type: str
    inputs: Object
    change: Object | None
    changed: str
    """The path that the change is reported under, or that `replacing` is where nothing changes in place."""
    replacing: Object | None = None
    cluster_scoped: bool = False

    @property
    def kind(self) -> str:
        return self.type.rsplit(":", 1)[-1]


def _merged(base: Object, change: Object) -> Object:
    both = {**base}
    for key, value in change.items():
        before = both.get(key)
        both[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both


def inputs(example: Example, change: Object | None, name: str, namespace: str) -> Object:
    """The example's inputs with a change, under a name."""
    metadata = {"name": name} if example.cluster_scoped else {"name": name, "namespace": namespace}
    return _merged(_merged(example.inputs, {"metadata": metadata}), change or {})


_RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
_OTHER_ROLE = {**_ROLE, "name": "edit"}
_SUBJECTS = [{"kind": "Group", "name": "readers", "apiGroup": "rbac.authorization.k8s.io"}]
_OTHER_SUBJECTS = [{**_SUBJECTS[0], "name": "others"}]
_METRIC = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
}
_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "example"}

EXAMPLES = (
    Example("kubernetes:core/v1:ConfigMap", {"data": {"a": "1"}}, None, "data.a", {"data": {"a": "2"}}),
    Example("kubernetes:core/v1:Secret", {"stringData": {"a": "1"}}, None, "data.a", {"stringData": {"a": "2"}}),
    Example(
        "kubernetes:core/v1:ServiceAccount",
        {"automountServiceAccountToken": False},
        {"automountServiceAccountToken": True},
        "automountServiceAccountToken",
    ),
    Example(
        "kubernetes:core/v1:Service",
        {"spec": {"clusterIP": "None", "selector": LABELS, "ports": [{"port": 80}]}},
        {"spec": {"ports": [{"port": 81}]}},
        "spec.ports[0].port",
        {"spec": {"clusterIP": "10.100.0.77"}},
    ),
    Example(
        "kubernetes:core/v1:ResourceQuota",
        {"spec": {"hard": {"pods": "4"}}},
        {"spec": {"hard": {"pods": "5"}}},
        "spec.hard.pods",
        {"spec": {"scopes": ["BestEffort"]}},
    ),
    Example(
        "kubernetes:core/v1:LimitRange",
        {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
        {"spec": {"limits": [{"type": "Container", "default": {"cpu": "2"}}]}},
        "spec.limits[0].default.cpu",
    ),
    Example(
        "kubernetes:core/v1:PersistentVolumeClaim",
        {
            "metadata": {"annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        },
        {"metadata": {"labels": {"a": "b"}}},
        "metadata.labels",
        {"spec": {"accessModes": ["ReadWriteMany"]}},
    ),
    Example(
        "kubernetes:core/v1:Pod",
        {"spec": {"containers": [_CONTAINER], "terminationGracePeriodSeconds": 1}},
        {"metadata": {"labels": {"a": "b"}}},
        "metadata.labels",
        {"spec": {"hostNetwork": True}},
    ),
    Example(
        "kubernetes:core/v1:Namespace", {}, {"metadata": {"labels": {"a": "b"}}}, "metadata.labels", cluster_scoped=True
    ),
    Example(
        "kubernetes:apps/v1:Deployment",
        {"spec": {"replicas": 2, **_SELECTED}},
        {"spec": {"replicas": 1}},
        "spec.replicas",
        {"spec": {"selector": {"matchLabels": {"app": "example", "tier": "b"}}}},
    ),
    Example(
        "kubernetes:apps/v1:StatefulSet",
        {"spec": {"replicas": 1, "serviceName": "example", **_SELECTED}},
        {"spec": {"replicas": 2}},
        "spec.replicas",
        {"spec": {"serviceName": "other"}},
    ),
    Example(
        "kubernetes:apps/v1:DaemonSet",
        {"spec": _SELECTED},
        {"spec": {"minReadySeconds": 1}},
        "spec.minReadySeconds",
        {"spec": {"selector": {"matchLabels": {"app": "example", "tier": "b"}}}},
    ),
    Example(
        "kubernetes:batch/v1:Job",
        {
            "metadata": {"annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [_CONTAINER]}}},
        },
        {"spec": {"ttlSecondsAfterFinished": 60}},
        "spec.ttlSecondsAfterFinished",
        {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}},
    ),
    Example(
        "kubernetes:batch/v1:CronJob",
        {
            "spec": {
                "schedule": "0 0 1 1 *",
                "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [_CONTAINER]}}}},
            }
        },
        {"spec": {"schedule": "0 0 2 1 *"}},
        "spec.schedule",
    ),
    Example(
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        {"spec": {"scaleTargetRef": _TARGET, "minReplicas": 1, "maxReplicas": 3, "metrics": [_METRIC]}},
        {"spec": {"maxReplicas": 5}},
        "spec.maxReplicas",
    ),
    Example(
        "kubernetes:policy/v1:PodDisruptionBudget",
        {"spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}}},
        {"spec": {"minAvailable": 2}},
        "spec.minAvailable",
    ),
    Example(
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        {"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}},
        {"spec": {"policyTypes": ["Ingress", "Egress"]}},
        "spec.policyTypes[1]",
    ),
    Example(
        "kubernetes:networking.k8s.io/v1:Ingress",
        {"spec": {"defaultBackend": {"service": {"name": "example", "port": {"number": 80}}}}},
        {"spec": {"defaultBackend": {"service": {"name": "example", "port": {"number": 81}}}}},
        "spec.defaultBackend.service.port.number",
    ),
    Example("kubernetes:rbac.authorization.k8s.io/v1:Role", {"rules": _RULES}, {"rules": []}, "rules[0]"),
    Example(
        "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
        {"roleRef": _ROLE, "subjects": _SUBJECTS},
        {"subjects": _OTHER_SUBJECTS},
        "subjects[0].name",
        {"roleRef": _OTHER_ROLE},
    ),
    Example(
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
        {"rules": _RULES},
        {"rules": []},
        "rules[0]",
        cluster_scoped=True,
    ),
    Example(
        "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
        {"roleRef": _ROLE, "subjects": _SUBJECTS},
        {"subjects": _OTHER_SUBJECTS},
        "subjects[0].name",
        {"roleRef": _OTHER_ROLE},
        cluster_scoped=True,
    ),
    Example(
        "kubernetes:storage.k8s.io/v1:StorageClass",
        {"provisioner": "example.com/none"},
        {"allowVolumeExpansion": True},
        "allowVolumeExpansion",
        {"provisioner": "example.com/other"},
        cluster_scoped=True,
    ),
    Example(
        "kubernetes:scheduling.k8s.io/v1:PriorityClass",
        {"value": 1000, "description": "one"},
        {"description": "two"},
        "description",
        cluster_scoped=True,
    ),
)
