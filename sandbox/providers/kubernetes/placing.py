"""The namespace of an object whose program names none, or names one where the kind has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.providers.kubernetes.connection import Json


def filled(body: Json, namespace: str, namespaced: Callable[[], bool]) -> Json:
    """In the provider's own namespace, where that is set, the program names none and the kind has one."""
    found = body.get("metadata")
    if not namespace or not isinstance(found, Mapping) or found.get("namespace") is not None or not namespaced():
        return body
    return {**body, "metadata": {**found, "namespace": namespace}}


def canonical(body: Json, default: str, namespaced: Callable[[], bool]) -> Json:
    """As the cluster understands it: to name the default namespace, or one that the kind has not, changes nothing.

    Source: Diff and canonicalNamespace in github.com/pulumi/pulumi-kubernetes, provider/pkg/provider/provider.go.
    """
    found = body.get("metadata")
    if not isinstance(found, Mapping):
        return body
    if not namespaced():
        return {**body, "metadata": {key: value for key, value in found.items() if key != "namespace"}}
    return {**body, "metadata": {**found, "namespace": found.get("namespace") or default}}
