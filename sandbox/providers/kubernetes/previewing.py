"""What a preview shows as an object's outputs."""

from __future__ import annotations

from typing import Any

from sandbox.providers.interface import UNKNOWN
from sandbox.providers.kubernetes.connection import Json

_DECIDED_LATER = ("creationTimestamp", "generation", "resourceVersion", "uid")
# A dry run draws addresses from the pool and gives them back: they are not the ones that the object will get.
_SERVICE_DRAWN = ("clusterIP", "clusterIPs", "healthCheckNodePort")


def created(body: Json, dry: Json | None) -> Json:
    """Outputs of a create: the dry run's object, or the inputs where there could be none."""
    shown: dict[str, Any] = dict(body if dry is None else dry)
    shown["metadata"] = {**shown["metadata"], **dict.fromkeys(_DECIDED_LATER, UNKNOWN)}
    shown["metadata"].pop("managedFields", None)
    if dry is None or "status" in dry:
        shown["status"] = UNKNOWN
    if body.get("apiVersion") == "v1" and body.get("kind") == "Service":
        shown["spec"] = _service_spec(body.get("spec") or {}, shown.get("spec") or {})
    return shown


def _service_spec(asked: Any, shown: Any) -> Any:
    if not isinstance(asked, dict) or not isinstance(shown, dict):
        return shown
    spec = {**shown, **{key: UNKNOWN for key in _SERVICE_DRAWN if key not in asked}}
    if asked.get("type") in ("NodePort", "LoadBalancer") and isinstance(asked.get("ports"), list):
        given = [port.get("nodePort") if isinstance(port, dict) else None for port in asked["ports"]]
        pairs = zip(spec.get("ports") or (), given, strict=False)
        spec["ports"] = [{**port, "nodePort": UNKNOWN} if have is None else port for port, have in pairs]
    return spec


def updated(live: Json, body: Json, dry: Json | None) -> Json:
    """Outputs of an update: the dry run's object, or the last outputs with the new inputs over them."""
    shown: dict[str, Any] = dict(dry) if dry is not None else {**live, **body}
    base = {**(live.get("metadata") or {}), **(shown.get("metadata") or {})}
    base.pop("managedFields", None)
    shown["metadata"] = {**base, "generation": UNKNOWN, "resourceVersion": UNKNOWN}
    return shown
