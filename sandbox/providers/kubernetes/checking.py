"""Check: what the provider can say of an object before the API server sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.providers.autonaming import autoname
from sandbox.providers.interface import CheckFailure, Properties, Resource, Unknown
from sandbox.providers.kubernetes import conditions, objects

_NAME_LIMIT = 63
"""The strictest of the API's limits on names (a DNS label), so that a generated name suits every kind."""

_REFUSED_GROUPS = {
    "helm.sh": "Helm releases and charts need Helm",
    "yaml": "YAML files and groups need the official provider's decoder",
    "kustomize": "Kustomize directories need Kustomize",
}
# A custom kind may be called as it likes, an AllowList too: its group has a domain of its own.
_BUILT_IN = re.compile(r"[a-z]+|.+\.k8s\.io")
_POLICIES = ("background", "foreground", "orphan")


def refused(type: str, inputs: Properties) -> str | None:
    """Why a type is not served at all; None where it is an object of the API.

    Source: IsListURN and IsPatchResource in github.com/pulumi/pulumi-kubernetes, provider/pkg/kinds.
    """
    _, module, kind = type.split(":", 2)
    group = module.split("/", 1)[0]
    if group in _REFUSED_GROUPS:
        return f"{type}: the sandbox's kubernetes stand-in does not serve this; {_REFUSED_GROUPS[group]}"
    if kind.endswith("List") and kind != "List" and _BUILT_IN.fullmatch(group):
        return f"{type}: a list is only for reading; declare its items"
    if kind == f"{inputs.get('kind')}Patch":
        return (
            f"{type}: the sandbox's kubernetes stand-in patches nothing that others made; declare the {inputs['kind']} "
            "itself, or use FREEHOLD_PROVIDERS=official"
        )
    return None


def object_of(resource: Resource, inputs: Properties) -> dict[str, Any]:
    """The inputs with the apiVersion and kind that the type says, where the program does not."""
    version, kind = objects.api_kind(resource.type)
    kept = {key: value for key, value in inputs.items() if value is not None}
    return {"apiVersion": version, "kind": kind, **kept}


def failures(inputs: Properties, *, server_side: bool) -> list[CheckFailure]:
    """What no API server would take, and annotations of Pulumi's that cannot be followed."""
    found = []
    metadata = inputs.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping | Unknown):
        return [CheckFailure("metadata", f"expected a map; got {type(metadata).__name__}")]
    for key in ("name", "namespace"):
        value = metadata.get(key) if isinstance(metadata, Mapping) else None
        if value is not None and not isinstance(value, str | Unknown):
            found.append(CheckFailure(f"metadata.{key}", f"expected a text; got {type(value).__name__}"))
    if server_side and isinstance(metadata, Mapping) and metadata.get("generateName") and not metadata.get("name"):
        found.append(CheckFailure("metadata.generateName", "is not supported in server-side apply mode"))
    wanted = objects.annotation(inputs, objects.WAIT_FOR)
    if wanted is not None:
        try:
            conditions.parse(wanted)
        except ValueError as error:
            found.append(CheckFailure(f'metadata.annotations["{objects.WAIT_FOR}"]', str(error)))
    timeout = objects.annotation(inputs, objects.TIMEOUT)
    if timeout is not None and not (timeout.isdecimal() and int(timeout) > 0):
        text = f"expected a whole number of seconds above 0; got {timeout!r}"
        found.append(CheckFailure(f'metadata.annotations["{objects.TIMEOUT}"]', text))
    policy = objects.annotation(inputs, objects.DELETION_POLICY)
    if policy is not None and policy.lower() not in _POLICIES:
        text = f"expected one of {', '.join(_POLICIES)}; got {policy!r}"
        found.append(CheckFailure(f'metadata.annotations["{objects.DELETION_POLICY}"]', text))
    return found


def named(resource: Resource, inputs: dict[str, Any], old: Properties | None, seed: bytes) -> dict[str, Any]:
    """The inputs with a name: the program's, the generated one that it had, or a new one."""
    metadata = inputs.get("metadata") or {}
    if isinstance(metadata, Unknown) or metadata.get("name") is not None or metadata.get("generateName") is not None:
        return inputs
    before = objects.metadata(old or {}, "name")
    generated = objects.flag(old or {}, objects.AUTONAMED)
    name = before if before and generated else autoname(resource, seed, digits=8, limit=_NAME_LIMIT)
    annotations = metadata.get("annotations") or {}
    if not isinstance(annotations, Unknown):
        annotations = {**annotations, objects.AUTONAMED: "true"}
    return {**inputs, "metadata": {**metadata, "name": name, "annotations": annotations}}
