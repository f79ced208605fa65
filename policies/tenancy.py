"""What keeps tenants apart in a shared cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, Unknown, joined

NAMESPACE: Final = "kubernetes:core/v1:Namespace"
QUOTA: Final = "kubernetes:core/v1:ResourceQuota"
NETWORK_POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
TENANT_LABEL: Final = "freehold.dev/tenant"
PREFIX: Final = "t-"
DIRECTIONS: Final = ("Ingress", "Egress")


def tenant_namespace_has_quota_and_default_deny(resources: Sequence[Planned], settings: Settings) -> Findings:
    """Each tenant's namespace has a ResourceQuota with limits, and NetworkPolicies that deny all in both directions.

    A tenant's namespace is one that is named `t-...` or labelled `freehold.dev/tenant`.
    """
    quotas = [resource for resource in resources if resource.type == QUOTA]
    policies = [resource for resource in resources if resource.type == NETWORK_POLICY]
    for namespace in (resource for resource in resources if resource.type == NAMESPACE):
        tenants = _is_tenants(namespace)
        if tenants is False:
            continue
        if tenants is UNKNOWN:
            yield Finding("", f"namespace {namespace.name} may be a tenant's", certain=False, urn=namespace.urn)
            continue
        limits = [_limits(quota) for quota in quotas if _in(quota, namespace)]
        yield from _needs(namespace, limits, "ResourceQuota with `spec.hard`")
        denied = [_denies(policy) for policy in policies if _in(policy, namespace)]
        for direction in DIRECTIONS:
            verdicts = [UNKNOWN if each is UNKNOWN else direction in each for each in denied]
            yield from _needs(namespace, verdicts, f"NetworkPolicy that denies all {direction.lower()}")


def _needs(namespace: Planned, verdicts: Sequence[bool | Unknown], what: str) -> Iterator[Finding]:
    if True in verdicts:
        return
    certain = UNKNOWN not in verdicts
    yield Finding("", f"namespace {namespace.name} has no {what}", certain=certain, urn=namespace.urn)


def _is_tenants(namespace: Planned) -> bool | Unknown:
    name, labels = _metadata(namespace, "name"), _metadata(namespace, "labels")
    if labels is not UNKNOWN and TENANT_LABEL in (labels or {}):
        return True
    if name is not UNKNOWN and str(name or "").startswith(PREFIX):
        return True
    return UNKNOWN if UNKNOWN in (name, labels) else False


def _metadata(resource: Planned, name: str) -> Any:
    metadata = resource.properties.get("metadata")
    return metadata.get(name) if isinstance(metadata, Mapping) else metadata


def _in(resource: Planned, namespace: Planned) -> bool:
    link = resource.links.get("metadata", ())
    return joined(_metadata(resource, "namespace"), link, namespace, _metadata(namespace, "name"))


def _limits(quota: Planned) -> bool | Unknown:
    spec = quota.properties.get("spec")
    hard = spec.get("hard") if isinstance(spec, Mapping) else spec
    return UNKNOWN if hard is UNKNOWN else bool(hard)


def _denies(policy: Planned) -> frozenset[str] | Unknown:
    """The directions in which it denies everything: it selects every pod and allows nothing.

    Absent `policyTypes` mean Ingress, and Egress too where there are egress rules (API reference, NetworkPolicySpec).
    """
    spec = policy.properties.get("spec")
    if isinstance(spec, Unknown):
        return spec
    spec = spec or {}
    selector = spec.get("podSelector") or {}
    types = spec.get("policyTypes") or ["Ingress"]
    if UNKNOWN in (selector, types) or UNKNOWN in types:
        return UNKNOWN
    if any(selector.get(part) for part in ("matchLabels", "matchExpressions")):
        return frozenset()
    return frozenset(direction for direction in types if not spec.get(direction.lower()))
