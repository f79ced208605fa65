"""What keeps tenants apart in a shared cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from policies import network_policies
from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, Unknown, as_object, flag, joined

NAMESPACES: Final = frozenset({"kubernetes:core/v1:Namespace", "kubernetes:core/v1:NamespacePatch"})
QUOTA: Final = "kubernetes:core/v1:ResourceQuota"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
TENANT_LABEL: Final = "freehold.dev/tenant"
PREFIX: Final = "t-"
COUNTED: Final[tuple[frozenset[str], ...]] = (
    frozenset({"pods", "count/pods"}),
    frozenset({"limits.cpu"}),
    frozenset({"limits.memory"}),
)
"""What a quota limits, each by one of its names: https://kubernetes.io/docs/concepts/policy/resource-quotas/"""
_CLUSTER: Final = ("kubeconfig", "context", "cluster")
"""What in a provider's configuration says which cluster it is for: api-docs/kubernetes/provider"""


def tenant_namespace_has_quota_and_default_deny(resources: Sequence[Planned], settings: Settings) -> Findings:
    """Each tenant's namespace has a ResourceQuota over the number, processors and memory of all its pods, and
    NetworkPolicies that deny all in both directions, with none beside them that lets everybody through, namespaces
    that it does not name, or more private addresses than databases have.

    A tenant's namespace is one that is named `t-...` or labelled `freehold.dev/tenant`. One that is patched is judged
    like one that is made: it becomes a tenant's by a label. So is one that Helm makes for a Release. What else a
    Release makes is in no plan; of a Chart the plan holds each resource.
    """
    releases = [_placed(resource) for resource in resources if resource.type == RELEASE]
    quotas = [resource for resource in resources if resource.type == QUOTA]
    policies = [resource for resource in resources if resource.type == network_policies.POLICY]
    patches = [resource for resource in resources if resource.type == network_policies.PATCH]
    made = [resource for resource in resources if resource.type in NAMESPACES]
    made += [release for release in releases if flag(release.properties, "createNamespace", default=False) is True]
    namespaces = [(resource, _is_tenants(resource)) for resource in made]
    for namespace, tenants in namespaces:
        if tenants is UNKNOWN:
            yield Finding("", f"namespace {namespace.name} may be a tenant's", certain=False, urn=namespace.urn)
        elif tenants:
            yield from _quota(namespace, [quota for quota in quotas if _in(quota, namespace)])
            inside = [policy for policy in policies if _in(policy, namespace)]
            yield from _denial(namespace, inside, [patch for patch in patches if _in(patch, namespace)])
    for release in releases:
        if _lies_in_tenants(release, namespaces) is not False:
            reason = f"what the chart of {release.name} lets through in a tenant's namespace is in no plan"
            yield Finding("chart", reason, certain=False, urn=release.urn)
    most = int(settings["privateAddressesAtMost"])
    together: defaultdict[tuple[str, bool], list[Planned]] = defaultdict(list)
    for policy in (*policies, *patches):
        lies = _lies_in_tenants(policy, namespaces)
        if lies is not False:
            for finding in network_policies.too_wide(policy, most):
                yield replace(finding, certain=finding.certain and lies is True)
            where = _metadata(policy, "namespace")
            together[str(_link(policy)) if where is UNKNOWN else str(where), lies is True].append(policy)
    for (_, sure), beside in together.items():
        for finding in network_policies.too_wide_together(beside, most):
            yield replace(finding, certain=sure)


def _quota(namespace: Planned, quotas: Sequence[Planned]) -> Iterator[Finding]:
    found = [_limits(quota) for quota in quotas]
    known = frozenset[str]().union(*(names for names in found if not isinstance(names, Unknown)))
    missing = [" or ".join(f"`{name}`" for name in sorted(names)) for names in COUNTED if not names & known]
    if missing:
        reason = f"namespace {namespace.name} has no ResourceQuota over all pods that limits {', '.join(missing)}"
        yield Finding("", reason, certain=UNKNOWN not in found, urn=namespace.urn)


def _limits(quota: Planned) -> frozenset[str] | Unknown:
    """What it limits, of all pods: one with scopes counts some of them only."""
    spec = as_object(quota.properties.get("spec"))
    if isinstance(spec, Unknown):
        return UNKNOWN
    hard, scopes = as_object(spec.get("hard")), (spec.get("scopes"), spec.get("scopeSelector"))
    if any(scope is not UNKNOWN and scope for scope in scopes):
        return frozenset()
    if isinstance(hard, Unknown) or UNKNOWN in scopes:
        return UNKNOWN
    return frozenset(name for name, most in hard.items() if most is not None)


def _denial(namespace: Planned, policies: Sequence[Planned], patches: Sequence[Planned]) -> Iterator[Finding]:
    denied = [_denied(policy, patches) for policy in policies]
    for direction in network_policies.PEERS:
        if any(directions is not UNKNOWN and direction in directions for directions in denied):
            continue
        reason = f"namespace {namespace.name} has no NetworkPolicy that denies all {direction}"
        yield Finding("", reason, certain=UNKNOWN not in denied, urn=namespace.urn)


def _denied(policy: Planned, patches: Sequence[Planned]) -> frozenset[str] | Unknown:
    """What it denies, and still denies under each patch of it."""
    name = _metadata(policy, "name")
    own = [patch for patch in patches if joined(_metadata(patch, "name"), _link(patch), policy, name)]
    found = [network_policies.denied(policy.properties.get("spec"))]
    found += [network_policies.denied(network_policies.patched(policy, patch)) for patch in own]
    known = [directions for directions in found if not isinstance(directions, Unknown)]
    if len(known) < len(found):
        return UNKNOWN
    return frozenset.intersection(*known)


def _lies_in_tenants(policy: Planned, namespaces: Sequence[tuple[Planned, bool | Unknown]]) -> bool | Unknown:
    """Whether it is in a tenant's namespace, which need not be in the plan itself."""
    verdicts = [tenants for namespace, tenants in namespaces if _in(policy, namespace)]
    if verdicts:
        return True if True in verdicts else verdicts[0]
    name = _metadata(policy, "namespace")
    return UNKNOWN if name is UNKNOWN else str(name or "").startswith(PREFIX)


def _is_tenants(namespace: Planned) -> bool | Unknown:
    names = [_metadata(namespace, part) for part in ("name", "generateName")]
    labels = as_object(_metadata(namespace, "labels"))
    if not isinstance(labels, Unknown) and TENANT_LABEL in labels:
        return True
    if any(name is not UNKNOWN and str(name or "").startswith(PREFIX) for name in names):
        return True
    return UNKNOWN if UNKNOWN in (*names, labels) else False


def _placed(release: Planned) -> Planned:
    """A release as something that lies in its namespace, and is named like it."""
    name = release.properties.get("namespace")
    link = {"metadata": release.links.get("namespace", ())}
    return replace(
        release, properties={**release.properties, "metadata": {"name": name, "namespace": name}}, links=link
    )


def _metadata(resource: Planned, name: str) -> Any:
    metadata = as_object(resource.properties.get("metadata"))
    return UNKNOWN if isinstance(metadata, Unknown) else metadata.get(name)


def _link(resource: Planned) -> Sequence[str]:
    return resource.links.get("metadata", ())


def _in(resource: Planned, namespace: Planned) -> bool:
    """By the name, and in the same cluster: without its `provider` a resource goes wherever `kubectl` would."""
    return _same_cluster(resource, namespace) and joined(
        _metadata(resource, "namespace"), _link(resource), namespace, _metadata(namespace, "name")
    )


def _same_cluster(one: Planned, other: Planned) -> bool:
    pairs = [(one.provider.get(name), other.provider.get(name)) for name in _CLUSTER]
    return all(own == others or UNKNOWN in (own, others) for own, others in pairs)
