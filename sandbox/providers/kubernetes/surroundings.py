"""Readiness that an object's own status does not tell: what stands around it in the cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from sandbox.providers.kubernetes.connection import ApiError, Json
from sandbox.providers.kubernetes.readiness import READY, State

Get = Callable[[str, str], Json]
"""Reads a path with a query."""

_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


def check(live: Json, get: Get) -> State:
    """Whether what the object needs around it is there. A `reason` beside `ready` says what was not waited for."""
    version, kind = str(live.get("apiVersion", "")), str(live.get("kind", ""))
    if (version, kind) == ("v1", "Service"):
        return _service(live, get)
    if (version, kind) == ("networking.k8s.io/v1", "Ingress"):
        return _ingress(live, get)
    if (version, kind) == ("v1", "PersistentVolumeClaim"):
        return _claim(live, get)
    return READY


def _has_address(live: Json) -> bool:
    return bool(((live.get("status") or {}).get("loadBalancer") or {}).get("ingress"))


def _service(live: Json, get: Get) -> State:
    spec = live["spec"]
    if spec.get("type") == "ExternalName" or not spec.get("selector") or spec.get("clusterIP") == "None":
        return READY
    namespace, name = live["metadata"]["namespace"], live["metadata"]["name"]
    slices = get(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        "labelSelector=" + quote(f"kubernetes.io/service-name={name}"),
    )
    if not slices.get("items"):
        return State(False, "its pods are not looked for yet")
    ends = [end for part in slices["items"] for end in part.get("endpoints") or ()]
    # A service that no pod matches is ready, one with pods that are not is not: checkAndLogStatus in
    # github.com/pulumi/pulumi-kubernetes, provider/pkg/await/service.go.
    pending = sum((end.get("conditions") or {}).get("ready", True) is False for end in ends)
    if pending:
        return State(False, f"{pending} of {len(ends)} pods that match its selector are not ready")
    if spec.get("type") != "LoadBalancer" or _has_address(live):
        return READY
    # Load balancers are assigned by a cloud's controller, which is there where the nodes are a cloud's.
    nodes = get("/api/v1/nodes", "").get("items", ())
    if any(node["spec"].get("providerID") for node in nodes):
        return State(False, "it has no load balancer address yet")
    return State(True, "nothing in this cluster assigns load balancer addresses: not waited for")


def _ingress(live: Json, get: Get) -> State:
    if _has_address(live):
        return READY
    wanted = live["spec"].get("ingressClassName") or _annotations(live).get("kubernetes.io/ingress.class")
    classes = get("/apis/networking.k8s.io/v1/ingressclasses", "").get("items", ())
    if any(c["metadata"]["name"] == wanted or (not wanted and _is_default(c)) for c in classes):
        return State(False, "its controller assigned no address yet")
    return State(True, "nothing in this cluster serves this ingress class: its address is not waited for")


def _annotations(live: Json) -> dict[str, Any]:
    return live["metadata"].get("annotations") or {}


def _is_default(ingress_class: Json) -> bool:
    return _annotations(ingress_class).get(_DEFAULT_CLASS) == "true"


def _claim(live: Json, get: Get) -> State:
    phase = (live.get("status") or {}).get("phase")
    if phase == "Bound":
        return READY
    waiting = State(False, f"the claim is {phase or 'not looked at yet'}")
    name = live["spec"].get("storageClassName")
    if not name:
        return waiting
    try:
        mode = get(f"/apis/storage.k8s.io/v1/storageclasses/{quote(name)}", "").get("volumeBindingMode")
    except ApiError as error:
        if error.code == 404:
            return State(False, f"there is no storage class {name}")
        raise
    if mode == "WaitForFirstConsumer":
        return State(True, "it is bound when the first pod uses it: not waited for")
    return waiting
