"""What a NetworkPolicy of Kubernetes lets through.

Policies add up: traffic passes where one of them lets it, so a policy that denies all is worth nothing beside one that
is too wide (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policies.addresses import Network, more_than, private_part
from policies.rules import UNKNOWN, Finding, Findings, Planned, Unknown, as_list, as_object

POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
PATCH: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicyPatch"
PEERS: Final = {"ingress": "from", "egress": "to"}
"""Direction -> where its rules name the other side."""
_SELECTORS: Final = ("matchLabels", "matchExpressions")
SHARED_LABELS: Final = (
    "freehold.dev/product",
    "freehold.dev/environment",
    "freehold.dev/cost-centre",
    "app.kubernetes.io/managed-by",
    "pod-security.kubernetes.io/",
)
"""Labels, or how they begin, that the namespaces of all tenants of a cell carry, mostly with the same value."""


def denied(spec: Any) -> frozenset[str] | Unknown:
    """The directions (`ingress`, `egress`) in which it denies everything: it selects every pod and allows nothing.

    Absent `policyTypes` mean Ingress, and Egress too where there are egress rules (API reference, NetworkPolicySpec).
    """
    spec = as_object(spec)
    if isinstance(spec, Unknown):
        return UNKNOWN
    types, some = as_list(spec.get("policyTypes")), _selects_some(spec.get("podSelector"))
    if isinstance(types, Unknown) or UNKNOWN in types or some is UNKNOWN:
        return UNKNOWN
    if some:
        return frozenset()
    named = {str(each).lower() for each in types or ("Ingress",)}
    return frozenset(direction for direction in PEERS if direction in named and not spec.get(direction))


def patched(policy: Planned, patch: Planned) -> Mapping[str, Any] | Unknown:
    """The `spec` of a policy once a patch has been put over it: server-side apply replaces each list as a whole."""
    below, above = as_object(policy.properties.get("spec")), as_object(patch.properties.get("spec"))
    if isinstance(below, Unknown) or isinstance(above, Unknown):
        return UNKNOWN
    return {**below, **above}


def too_wide(policy: Planned, most: int) -> Findings:
    """The rules that let more through than someone named: everybody, namespaces that are not named, more than `most`
    private addresses."""
    spec = as_object(policy.properties.get("spec"))
    if isinstance(spec, Unknown):
        yield _unsure(policy, "spec")
        return
    for direction in PEERS:
        rules = as_list(spec.get(direction))
        if isinstance(rules, Unknown):
            yield _unsure(policy, f"spec.{direction}")
            continue
        for index, rule in enumerate(rules):
            path, peers = f"spec.{direction}[{index}]", _peers(rule, direction)
            reason = UNKNOWN if isinstance(peers, Unknown) else _width(peers, most)
            if isinstance(reason, Unknown):
                yield _unsure(policy, path)
            elif reason:
                yield Finding(path, f"of {policy.name} {reason}", urn=policy.urn)


def too_wide_together(policies: Sequence[Planned], most: int) -> Findings:
    """Directions in which policies of one namespace let more than `most` private addresses through, though none of
    their rules does."""
    for direction in PEERS:
        parts = [part for policy in policies for part in _private_parts(policy, direction)]
        if more_than((network for part in parts for network in part), most) and not any(
            more_than(part, most) for part in parts
        ):
            names = ", ".join(sorted({policy.name for policy in policies if _private_parts(policy, direction)}))
            yield Finding(f"spec.{direction}", f"of {names} together {_TOO_MANY}", urn=policies[-1].urn)


_TOO_MANY: Final = "lets more private addresses through than databases have, other tenants' pods among them"


def _private_parts(policy: Planned, direction: str) -> list[list[Network]]:
    """Of each rule, what is known of its private addresses. What is malformed is told of the rule itself."""
    spec = as_object(policy.properties.get("spec"))
    rules: Sequence[Any] | Unknown = () if isinstance(spec, Unknown) else as_list(spec.get(direction))
    found = []
    for rule in () if isinstance(rules, Unknown) else rules:
        peers = _peers(rule, direction)
        try:
            found.append([] if isinstance(peers, Unknown) else _private(peers)[0])
        except ValueError:
            continue
    return [part for part in found if part]


def _unsure(policy: Planned, path: str) -> Finding:
    return Finding(path, f"of {policy.name} may let everybody through", certain=False, urn=policy.urn)


def _peers(rule: Any, direction: str) -> Sequence[Any] | Unknown:
    parts = as_object(rule)
    return UNKNOWN if isinstance(parts, Unknown) else as_list(parts.get(PEERS[direction]))


def _width(peers: Sequence[Any], most: int) -> str | Unknown | None:
    """What makes a rule with these peers too wide; None where nothing does."""
    if not peers:
        return "names nobody, which means everybody"
    unsure = False
    for peer in peers:
        parts = as_object(peer)
        if isinstance(parts, Unknown):
            unsure = True
        elif parts.get("ipBlock") is not None:
            continue
        elif parts.get("namespaceSelector") is not None:
            some = _names_some(parts["namespaceSelector"])
            unsure = unsure or some is UNKNOWN
            if some is False:
                return (
                    "lets namespaces through that it does not name: matchLabels, or an expression with In, does by a "
                    "label that not every tenant's namespace has"
                )
        elif parts.get("podSelector") is None:
            return "has a peer that is nobody, which means everybody"
    try:
        networks, incomplete = _private(peers)
    except ValueError:
        return "holds something that is no CIDR block"
    if more_than(networks, most):
        return _TOO_MANY
    return UNKNOWN if unsure or incomplete else None


def _private(peers: Sequence[Any]) -> tuple[list[Network], bool]:
    """The private addresses of the blocks among these peers, and whether some are not known yet."""
    networks: list[Network] = []
    incomplete = False
    for peer in peers:
        parts = as_object(peer)
        if isinstance(parts, Unknown) or parts.get("ipBlock") is None:
            continue
        block = as_object(parts["ipBlock"])
        cidr, outside = (UNKNOWN, UNKNOWN) if isinstance(block, Unknown) else _block(block)
        if isinstance(cidr, Unknown) or isinstance(outside, Unknown):
            incomplete = True
        else:
            networks += private_part(cidr, outside)
    return networks, incomplete


def _block(block: Mapping[str, Any]) -> tuple[str | Unknown, Sequence[str] | Unknown]:
    cidr, outside = block.get("cidr"), as_list(block.get("except"))
    known = cidr if isinstance(cidr, Unknown) else str(cidr)
    if isinstance(outside, Unknown) or UNKNOWN in outside:
        return known, UNKNOWN
    return known, [str(each) for each in outside]


def _selects_some(selector: Any) -> bool | Unknown:
    """Whether a label selector leaves anything out; an empty one, or an absent one, selects all."""
    parts = as_object(selector)
    if isinstance(parts, Unknown):
        return UNKNOWN
    found = [parts.get(part) for part in _SELECTORS]
    if any(each is not UNKNOWN and each for each in found):
        return True
    return UNKNOWN if UNKNOWN in found else False


def _names_some(selector: Any) -> bool | Unknown:
    """Whether a selector of namespaces takes those alone that carry a label of a given value, and not one that all
    tenants share. `Exists` may hold of every namespace, and `NotIn` and `DoesNotExist` hold of all that lack the
    label."""
    parts = as_object(selector)
    if isinstance(parts, Unknown):
        return UNKNOWN
    labels, expressions = as_object(parts.get("matchLabels")), as_list(parts.get("matchExpressions"))
    keys: list[Any] = [UNKNOWN] if isinstance(labels, Unknown) else list(labels)
    for each in [UNKNOWN] if isinstance(expressions, Unknown) else map(as_object, expressions):
        operator = each if isinstance(each, Unknown) else each.get("operator")
        if isinstance(each, Unknown) or operator is UNKNOWN:
            keys.append(UNKNOWN)
        elif operator == "In":
            keys.append(each.get("key"))
    if any(key is not UNKNOWN and not str(key).startswith(SHARED_LABELS) for key in keys):
        return True
    return UNKNOWN if UNKNOWN in keys else False
