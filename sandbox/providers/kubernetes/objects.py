"""Kubernetes objects as inputs, as request bodies and as outputs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.providers.interface import Properties, ProviderError, Resource, Unknown
from sandbox.providers.kubernetes.connection import Json

PREFIX = "pulumi.com/"
AUTONAMED = f"{PREFIX}autonamed"
SKIP_AWAIT = f"{PREFIX}skipAwait"
WAIT_FOR = f"{PREFIX}waitFor"
TIMEOUT = f"{PREFIX}timeoutSeconds"
PATCH_FORCE = f"{PREFIX}patchForce"
FIELD_MANAGER = f"{PREFIX}patchFieldManager"
DELETION_POLICY = f"{PREFIX}deletionPropagationPolicy"
REPLACE_UNREADY = f"{PREFIX}replaceUnready"

MANAGER_OUTPUT = "__fieldManager"
MANAGER_PREFIX = "pulumi-kubernetes-"
API_VERSION_OUTPUT = "__initialApiVersion"

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SERVERS_METADATA = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


@dataclass(frozen=True)
class Identity:
    """What an id and a type say about an object: enough to read it."""

    api_version: str
    kind: str
    namespace: str
    name: str


def identity(resource: Resource, id: str, inputs: Properties) -> Identity:
    """The object behind an id (`namespace/name`, or `name` alone)."""
    namespace, _, name = id.rpartition("/")
    token_version, kind = api_kind(resource.type)
    version = inputs.get("apiVersion")
    return Identity(version if isinstance(version, str) else token_version, kind, namespace, name)


def api_kind(type: str) -> tuple[str, str]:
    """`apiVersion` and kind of a type token: kubernetes:core/v1:Pod, kubernetes:stable.example.com/v1:CronTab."""
    _, version, kind = type.split(":", 2)
    return (version.removeprefix("core/") if version.startswith("core/") else version), kind


def annotation(inputs: Properties, name: str) -> str | None:
    """An annotation of the object, where it is known."""
    metadata = inputs.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    value = annotations.get(name) if isinstance(annotations, Mapping) else None
    return value if isinstance(value, str) else None


def flag(inputs: Properties, name: str) -> bool:
    """Whether an annotation says true."""
    return (annotation(inputs, name) or "").lower() == "true"


def metadata(inputs: Properties, key: str) -> str:
    """A text in the object's metadata; empty where it is missing or not known yet."""
    found = inputs.get("metadata")
    value = found.get(key) if isinstance(found, Mapping) else None
    return value if isinstance(value, str) else ""


def namespace(body: Properties, default: str) -> str:
    """Where a namespaced object goes."""
    return metadata(body, "namespace") or default


def normal(inputs: Properties) -> Json:
    """Inputs in the form the API keeps: no nulls, a Secret's stringData as data."""
    clean = _without_nulls(inputs)
    assert isinstance(clean, dict)
    for key in [key for key in clean if key.startswith("__")]:
        del clean[key]
    if clean.get("kind") == "Secret" and clean.get("apiVersion") == "v1" and isinstance(clean.get("stringData"), dict):
        texts = clean.pop("stringData")
        encoded = {k: v if isinstance(v, Unknown) else _base64(k, v) for k, v in texts.items()}
        clean["data"] = {**(clean.get("data") or {}), **encoded}
    return clean


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _base64(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ProviderError(f"stringData.{key} is no text")
    return base64.b64encode(value.encode()).decode()


def id_of(live: Json) -> str:
    """`namespace/name`, or `name` for what has no namespace."""
    found = live["metadata"]
    return f"{found['namespace']}/{found['name']}" if found.get("namespace") else str(found["name"])


def applied_by(live: Json) -> str:
    """The field manager of Pulumi's that applied the object; empty where none did, or several."""
    managers = {
        str(entry.get("manager"))
        for entry in live["metadata"].get("managedFields") or ()
        if entry.get("operation") == "Apply" and str(entry.get("manager")).startswith(MANAGER_PREFIX)
    }
    return managers.pop() if len(managers) == 1 else ""


def outputs_of(live: Json, manager: str) -> Json:
    """The live object as the resource's outputs.

    `managedFields` are left out: no program reads them, and they double the state that the engine writes.
    """
    kept = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return {**live, "metadata": kept, MANAGER_OUTPUT: manager, API_VERSION_OUTPUT: live.get("apiVersion")}


def adopted_inputs(live: Json) -> Json:
    """An object that no program wrote yet, as a program would write it."""
    found = {key: value for key, value in live.items() if key not in ("status", "metadata")}
    kept = {key: value for key, value in live["metadata"].items() if key not in _SERVERS_METADATA}
    annotations = {
        key: value
        for key, value in (kept.pop("annotations", None) or {}).items()
        if key not in (_LAST_APPLIED, "deployment.kubernetes.io/revision")
    }
    if annotations:
        kept["annotations"] = annotations
    return {**found, "metadata": kept}


def drifted_inputs(inputs: Any, known: Any, live: Any) -> Any:
    """`inputs` with what changed in the cluster since `known` (the last outputs) taken from `live`.

    A value that the API server only writes differently (1000m as 1) is the same in both, and stays as the
    program wrote it. What the program did not set is not its own, and is left out.
    """
    if isinstance(inputs, Mapping) and isinstance(live, Mapping):
        before = known if isinstance(known, Mapping) else {}
        kept = {key: drifted_inputs(value, before.get(key), live.get(key)) for key, value in inputs.items()}
        return {key: value for key, value in kept.items() if value is not None}
    if isinstance(inputs, list) and isinstance(live, list) and len(inputs) == len(live):
        last: list[Any] = known if isinstance(known, list) and len(known) == len(inputs) else [None] * len(inputs)
        return [drifted_inputs(value, old, now) for value, old, now in zip(inputs, last, live, strict=True)]
    return inputs if live == known else live
