"""When an object has become what was asked for, by kind.

Source: https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/ (await logic) and the status
fields of the Kubernetes API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.providers.kubernetes.connection import Json


@dataclass(frozen=True)
class State:
    """`ready`, or why not yet; `final` where waiting longer cannot help."""

    ready: bool
    reason: str = ""
    final: bool = False


READY = State(True)


def condition(live: Json, type: str) -> Mapping[str, Any]:
    """The status condition of this type, empty where there is none."""
    for found in (live.get("status") or {}).get("conditions") or ():
        if found.get("type") == type:
            return dict(found)
    return {}


def _waiting(reason: str, live: Json, explaining: Iterable[str] = ()) -> State:
    """Not ready; conditions of the types in `explaining` that are there say why."""
    said = [condition(live, type) for type in explaining]
    because = [str(c.get("message")) for c in said if c.get("message")]
    return State(False, "; ".join([reason, *because]))


def _observed(live: Json) -> bool:
    generation = live["metadata"].get("generation", 0)
    return bool((live.get("status") or {}).get("observedGeneration", 0) >= generation)


def _deployment(live: Json) -> State:
    spec, status = live["spec"], live.get("status") or {}
    if spec.get("paused"):
        return READY
    wanted = int(spec.get("replicas", 1))
    progressing = condition(live, "Progressing")
    if _observed(live) and progressing.get("reason") == "ProgressDeadlineExceeded":
        return State(False, f"{progressing.get('message')}", final=True)
    updated, available = int(status.get("updatedReplicas", 0)), int(status.get("availableReplicas", 0))
    total = int(status.get("replicas", 0))
    if _observed(live) and updated >= wanted and total <= updated and available >= wanted:
        return READY
    why = [] if condition(live, "Available").get("status") == "True" else ["Available"]
    return _waiting(f"{available} of {wanted} replicas are available", live, ["ReplicaFailure", *why])


def _stateful_set(live: Json) -> State:
    spec, status = live["spec"], live.get("status") or {}
    wanted, ready = int(spec.get("replicas", 1)), int(status.get("readyReplicas", 0))
    strategy = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate")
    updated = int(status.get("updatedReplicas", 0))
    partition = int(((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition", 0))
    rolled = strategy == "OnDelete" or updated >= wanted - partition
    return READY if _observed(live) and ready >= wanted and rolled else State(False, f"{ready} of {wanted} are ready")


def _daemon_set(live: Json) -> State:
    status = live.get("status") or {}
    wanted, available = int(status.get("desiredNumberScheduled", 0)), int(status.get("numberAvailable", 0))
    rolled = live["spec"].get("updateStrategy", {}).get("type") == "OnDelete"
    rolled = rolled or int(status.get("updatedNumberScheduled", 0)) >= wanted
    if _observed(live) and rolled and available >= wanted:
        return READY
    return State(False, f"{available} of {wanted} are available")


def _replica_set(live: Json) -> State:
    wanted = int(live["spec"].get("replicas", 1))
    available = int((live.get("status") or {}).get("availableReplicas", 0))
    if _observed(live) and available >= wanted:
        return READY
    return _waiting(f"{available} of {wanted} replicas are available", live, ["ReplicaFailure"])


def _job(live: Json) -> State:
    failed = condition(live, "Failed")
    if failed.get("status") == "True":
        return State(False, f"the job failed: {failed.get('message') or failed.get('reason')}", final=True)
    if condition(live, "Complete").get("status") == "True":
        return READY
    if live["spec"].get("suspend"):  # the provider waits for it as for any other
        return State(False, "the job is suspended")
    status = live.get("status") or {}
    return State(False, f"{status.get('succeeded', 0)} of {live['spec'].get('completions', 1)} completions")


def _pod(live: Json) -> State:
    phase = (live.get("status") or {}).get("phase")
    if phase == "Succeeded" or condition(live, "Ready").get("status") == "True":
        return READY
    if phase == "Failed":
        return State(False, f"the pod failed: {(live['status']).get('message', 'see its containers')}", final=True)
    return _waiting(f"the pod is {phase or 'not scheduled'}", live, ["PodScheduled", "Ready"])


def _volume(live: Json) -> State:
    phase = (live.get("status") or {}).get("phase")
    return READY if phase in ("Available", "Bound") else State(False, f"the volume is {phase or 'not looked at yet'}")


def _namespace(live: Json) -> State:
    phase = (live.get("status") or {}).get("phase")
    return READY if phase == "Active" else State(False, f"the namespace is {phase or 'not looked at yet'}")


def _definition(live: Json) -> State:
    names = condition(live, "NamesAccepted")
    if names.get("status") == "False":
        return State(False, f"its names are refused: {names.get('message')}", final=True)
    return READY if condition(live, "Established").get("status") == "True" else State(False, "it is not established")


def _quota(live: Json) -> State:
    wanted, counted = live["spec"].get("hard") or {}, (live.get("status") or {}).get("hard") or {}
    return READY if set(wanted) <= set(counted) else State(False, "the quota is not counted yet")


def _secret(live: Json) -> State:
    if live.get("type") == "kubernetes.io/service-account-token" and not (live.get("data") or {}).get("token"):
        return State(False, "its token is not made yet")
    return READY


CHECKS: dict[tuple[str, str], Callable[[Json], State]] = {
    ("", "Namespace"): _namespace,
    ("", "PersistentVolume"): _volume,
    ("", "Pod"): _pod,
    ("", "ReplicationController"): _replica_set,
    ("", "ResourceQuota"): _quota,
    ("", "Secret"): _secret,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
}


SEEN_AGAIN = frozenset({"DaemonSet", "Deployment", "Ingress", "Job", "Pod", "Service", "StatefulSet"})
"""Kinds whose readiness a refresh looks at too: `awaitRead` in github.com/pulumi/pulumi-kubernetes,
provider/pkg/await/awaiters.go."""


def check(live: Json) -> State:
    """Whether an object is ready, by its own status alone; kinds without a rule are ready as soon as they exist."""
    group = str(live.get("apiVersion", "")).rpartition("/")[0]
    rule = CHECKS.get((group, str(live.get("kind", ""))))
    return READY if rule is None else rule(live)
