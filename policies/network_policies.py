"""What a NetworkPolicy of Kubernetes lets through.

Policies add up: traffic passes where one of them lets it, so a policy that denies all is worth nothing beside one that
is too wide (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from policies.addresses import holds_private_network
from policies.rules import UNKNOWN, Finding, Findings, Planned, Unknown, as_list, as_object

POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
PATCH: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicyPatch"
PEERS: Final = {"ingress": "from", "egress": "to"}
"""Direction -> where its rules name the other side."""
_SELECTORS: Final = ("matchLabels", "matchExpressions")


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


def too_wide(policy: Planned) -> Findings:
    """The rules that let more through than someone named: everybody, every namespace, a whole private network."""
    spec = as_object(policy.properties.get("spec"))
    if isinstance(spec, Unknown):
        yield _unsure(policy, "spec")
        return
    for direction, peers in PEERS.items():
        rules = as_list(spec.get(direction))
        if isinstance(rules, Unknown):
            yield _unsure(policy, f"spec.{direction}")
            continue
        for index, rule in enumerate(rules):
            path, parts = f"spec.{direction}[{index}]", as_object(rule)
            reason = UNKNOWN if isinstance(parts, Unknown) else _width(as_list(parts.get(peers)))
            if isinstance(reason, Unknown):
                yield _unsure(policy, path)
            elif reason:
                yield Finding(path, f"of {policy.name} {reason}", urn=policy.urn)


def _unsure(policy: Planned, path: str) -> Finding:
    return Finding(path, f"of {policy.name} may let everybody through", certain=False, urn=policy.urn)


def _width(peers: Sequence[Any] | Unknown) -> str | Unknown | None:
    """What makes a rule with these peers too wide; None where nothing does."""
    if isinstance(peers, Unknown):
        return UNKNOWN
    if not peers:
        return "names nobody, which means everybody"
    unsure = False
    whole: list[str] = []
    """Blocks without exceptions, which add up."""
    blocks: list[tuple[Sequence[str], Sequence[str]]] = [(whole, ())]
    for peer in peers:
        parts = as_object(peer)
        if isinstance(parts, Unknown):
            unsure = True
        elif parts.get("ipBlock") is not None:
            block = as_object(parts["ipBlock"])
            cidr, outside = (UNKNOWN, UNKNOWN) if isinstance(block, Unknown) else _block(block)
            if isinstance(cidr, Unknown) or isinstance(outside, Unknown):
                unsure = True
            elif outside:
                blocks.append(([cidr], outside))
            else:
                whole.append(cidr)
        elif parts.get("namespaceSelector") is not None:
            some = _selects_some(parts["namespaceSelector"])
            unsure = unsure or some is UNKNOWN
            if some is False:
                return "lets every namespace through"
        elif parts.get("podSelector") is None:
            return "has a peer that is nobody, which means everybody"
    try:
        if any(holds_private_network(inside, outside) for inside, outside in blocks):
            return "lets a whole private network through, other tenants' pods with it"
    except ValueError:
        return "holds something that is no CIDR block"
    return UNKNOWN if unsure else None


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
