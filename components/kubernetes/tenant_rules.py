"""What no tenant may ask of a cluster, whatever its roles allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pulumi
from pulumi_kubernetes.admissionregistration import v1

from catalog import identifiers
from catalog.limits import POD_SECONDS_TO_END
from components import tags
from components.kubernetes import default_storage
from components.tags import Ownership

TENANT_LABEL: Final = "freehold.dev/tenant"
_ZONE: Final = "topology.kubernetes.io/zone"
_CREATE, _UPDATE, _DELETE = "CREATE", "UPDATE", "DELETE"
_LEAVING: Final = ("node.kubernetes.io/unschedulable", "ToBeDeletedByClusterAutoscaler")
"""The taints of nodes that are being emptied, by EKS or people, and by the autoscaler."""
_BY_THE_TENANT: Final = {
    "by-the-tenant": (
        "request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':') || "
        f"request.userInfo.groups.exists(group, group.startsWith('{identifiers.ACCESS_GROUPS}'))"
    )
}


@dataclass(frozen=True)
class _Rules:
    """One admission policy, in CEL (https://kubernetes.io/docs/reference/using-api/cel/)."""

    on: tuple[v1.NamedRuleWithOperationsArgsDict, ...]
    validations: Mapping[str, str]
    """Expressions that must hold, and what is said otherwise."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """When it is judged at all."""
    variables: Mapping[str, str] = field(default_factory=dict)


def _rule(group: str, operations: tuple[str, ...], *resources: str) -> v1.NamedRuleWithOperationsArgsDict:
    return {
        "api_groups": [group],
        "api_versions": ["v1"],
        "operations": list(operations),
        "resources": list(resources),
    }


_SERVICES = _Rules(
    on=(_rule("", (_CREATE, _UPDATE), "services"),),
    validations={
        "!has(object.spec.type) || object.spec.type != 'ExternalName'": (
            "services of tenants may not be of type ExternalName"
        ),
        "!has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0": (
            "services of tenants may not have external IPs"
        ),
    },
)
_SECRETS = _Rules(
    # The type of a secret that is there cannot be changed.
    on=(_rule("", (_CREATE,), "secrets"),),
    validations={
        "!has(object.type) || object.type != 'kubernetes.io/service-account-token'": (
            "secrets of tenants may not be of type kubernetes.io/service-account-token, whose tokens never end; "
            "a pod gets a token that does by automountServiceAccountToken: true"
        ),
    },
)
_TERMS = "DuringSchedulingIgnoredDuringExecution"
_PODS = _Rules(
    on=(
        # What places a pod cannot be changed once it is there, and by binding it the scheduler sets nodeName.
        _rule("", (_CREATE,), "pods"),
        # Their pods would be refused as well, but only the event of a controller would say so.
        _rule("apps", (_CREATE, _UPDATE), "deployments", "statefulsets"),
        _rule("batch", (_CREATE, _UPDATE), "jobs", "cronjobs"),
    ),
    # One from before these rules can still be labelled and deleted: to take a finalizer away is an update.
    conditions={"new-or-changed": f"request.operation == '{_CREATE}' || object.spec != oldObject.spec"},
    variables={
        "pod": (
            "request.kind.kind == 'Pod' ? dyn(object).spec : request.kind.kind == 'CronJob' ? "
            "dyn(object).spec.jobTemplate.spec.template.spec : dyn(object).spec.template.spec"
        ),
        "apart": f"variables.pod.?affinity.?podAntiAffinity.?required{_TERMS}.orValue([])",
        "terms": " + ".join(
            [
                "variables.apart",
                f"variables.pod.?affinity.?podAffinity.?required{_TERMS}.orValue([])",
                *(
                    f"variables.pod.?affinity.?{kind}.?preferred{_TERMS}.orValue([]).map(one, one.podAffinityTerm)"
                    for kind in ("podAffinity", "podAntiAffinity")
                ),
            ]
        ),
    },
    validations={
        "variables.pod.?nodeName.orValue('') == ''": (
            "pods of tenants may not choose their node by nodeName: the scheduler does; use nodeSelector"
        ),
        "variables.pod.?priorityClassName.orValue('') == ''": (
            "pods of tenants may not have a priorityClassName: they would push other tenants' pods off their nodes"
        ),
        "variables.terms.all(term, !has(term.namespaceSelector) && "
        "term.?namespaces.orValue([]).all(name, name == request.namespace))": (
            "pods of tenants may have affinity to pods in the namespace of their own alone: leave out "
            "namespaceSelector and namespaces"
        ),
        f"variables.apart.all(term, term.topologyKey == '{_ZONE}')": (
            f"required podAntiAffinity of tenants' pods may be over {_ZONE} alone, or each would take a node; "
            f"use preferred{_TERMS}"
        ),
        "variables.pod.?topologySpreadConstraints.orValue([]).all(one, one.whenUnsatisfiable != 'DoNotSchedule' || "
        f"one.topologyKey == '{_ZONE}')": (
            f"DoNotSchedule in topologySpreadConstraints of tenants' pods may be over {_ZONE} alone, or each could "
            "take a node; use ScheduleAnyway"
        ),
        "variables.pod.?tolerations.orValue([]).all(one, one.?key.orValue('') != '' && "
        f"!(one.key in {list(_LEAVING)}))": (
            f"pods of tenants may not tolerate every taint, nor {' or '.join(_LEAVING)}: they would come back to nodes "
            "that are being emptied; name the taint of the nodes that are meant"
        ),
        f"variables.pod.?terminationGracePeriodSeconds.orValue(30) <= {POD_SECONDS_TO_END}": (
            f"pods of tenants may take {POD_SECONDS_TO_END} seconds to end at most (terminationGracePeriodSeconds): "
            "the update of a node does not wait for longer"
        ),
    },
)
_CLASS = "spec.?storageClassName.orValue('')"
_CLAIMS = _Rules(
    # One that waits without a class is given the default one by an update. One of another class, from before these
    # rules, may still grow.
    on=(_rule("", (_CREATE, _UPDATE), "persistentvolumeclaims"),),
    conditions={"new-or-changed": f"request.operation == '{_CREATE}' || object.{_CLASS} != oldObject.{_CLASS}"},
    validations={
        f"!has(object.spec.storageClassName) || object.spec.storageClassName == '{default_storage.NAME}'": (
            f"claims of tenants are of the class {default_storage.NAME} alone: leave storageClassName out"
        ),
    },
)
_OBJECTS = _Rules(
    # Of what they may delete, the kinds that the program makes as well. Pods and replica sets have its label too.
    on=(
        _rule("", (_DELETE,), "secrets"),
        _rule("apps", (_DELETE,), "deployments"),
        _rule("autoscaling", (_DELETE,), "horizontalpodautoscalers"),
    ),
    conditions=_BY_THE_TENANT,
    validations={
        f"oldObject.metadata.?labels[?'{tags.MANAGER_LABEL}'].orValue('') != '{tags.MANAGER}'": (
            f"what {tags.MANAGER} made is not deleted by tenants: its next change would fail on it; to delete all of "
            f"the own, select -l {tags.MANAGER_LABEL}!={tags.MANAGER}"
        ),
    },
)
_TEMPLATE = "?template.?metadata.?finalizers.orValue([])"
_FINALIZERS = _Rules(
    on=(
        _rule("", (_CREATE, _UPDATE), "services", "configmaps", "secrets", "persistentvolumeclaims"),
        _rule("apps", (_CREATE, _UPDATE), "deployments", "statefulsets"),
        _rule("batch", (_CREATE, _UPDATE), "jobs", "cronjobs"),
        _rule("autoscaling", (_CREATE, _UPDATE), "horizontalpodautoscalers"),
    ),
    conditions=_BY_THE_TENANT,
    variables={
        # What others put on it stays, and the API server itself puts one on each new claim.
        "others": (
            "['kubernetes.io/pvc-protection'] + "
            f"(request.operation == '{_CREATE}' ? [] : dyn(oldObject).metadata.?finalizers.orValue([]))"
        ),
        # Controllers copy those of a template to what they make of it.
        "templates": (
            f"[dyn(object).?spec.{_TEMPLATE}, dyn(object).?spec.?jobTemplate.?spec.{_TEMPLATE}] + "
            "dyn(object).?spec.?volumeClaimTemplates.orValue([]).map(one, one.?metadata.?finalizers.orValue([]))"
        ),
    },
    validations={
        "object.metadata.?finalizers.orValue([]).all(one, one in variables.others) && "
        "variables.templates.all(one, size(one) == 0)": (
            "objects of tenants may have no finalizers: what has one stays for ever when it is deleted, and with it "
            "the tenant, or the node that is being emptied"
        ),
    },
)
_ALL: Final = {
    "services": _SERVICES,
    "secrets": _SECRETS,
    "pods": _PODS,
    "claims": _CLAIMS,
    "objects": _OBJECTS,
    "finalizers": _FINALIZERS,
}


@dataclass(frozen=True)
class TenantRulesArgs:
    ownership: Ownership


class TenantRules(pulumi.ComponentResource):
    """Admission policies for what is made in tenants' namespaces, by whomever. Quotas and roles cannot express them.

    - services have neither external names nor external addresses: with either a tenant can draw other tenants' traffic
      to itself (CVE-2020-8554)
    - secrets are no tokens of a service account: such a token has no end, and roles would let everybody make one who
      may make secrets (https://kubernetes.io/docs/concepts/security/rbac-good-practices/#listing-secrets)
    - pods, and what makes pods: no priority over others, no way past the scheduler, no affinity to other namespaces'
      pods (the scheduler heeds the anti-affinity of the pods that run: one could keep all others off every node,
      https://kubernetes.io/docs/concepts/policy/resource-quotas/#cross-namespace-pod-affinity-quota), and no node for
      each pod, which a quota of pods and processors would not stop and the autoscaler would answer with machines; no
      return to nodes that are being emptied, and no end that takes longer than EKS waits for a node (a quarter of an
      hour): either makes the update of the nodes fail
      (https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html)
    - claims are of the class whose disks are encrypted and marked: a cluster can have others that nobody here declares
      (EKS makes `gp2`: https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions-standard.html)

    - what the program made stays until the program deletes it: an update of what is gone fails, and with it each later
      operation on the tenant (`kubectl delete all --all` would do)
    - what a tenant makes has no finalizers, nor has what is made of it: its namespace could never be deleted

    A quota of the scope CrossNamespacePodAffinity would do so for the affinity alone, by an object in each namespace.
    """

    def __init__(self, name: str, args: TenantRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:TenantRules", name, None, opts)
        labels = tags.kubernetes(args.ownership)
        for what, rules in _ALL.items():
            policy = v1.ValidatingAdmissionPolicy(
                f"{name}-{what}",
                metadata={"name": f"freehold-tenant-{what}", "labels": labels},
                spec=_spec(rules),
                opts=pulumi.ResourceOptions(parent=self),
            )
            v1.ValidatingAdmissionPolicyBinding(
                f"{name}-{what}-in-tenants",
                metadata={"name": f"freehold-tenant-{what}", "labels": labels},
                spec={
                    "policy_name": policy.metadata.apply(lambda metadata: str(metadata["name"])),
                    "validation_actions": ["Deny"],
                    "match_resources": {
                        "namespace_selector": {"match_expressions": [{"key": TENANT_LABEL, "operator": "Exists"}]}
                    },
                },
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def _spec(rules: _Rules) -> v1.ValidatingAdmissionPolicySpecArgsDict:
    spec: v1.ValidatingAdmissionPolicySpecArgsDict = {
        "failure_policy": "Fail",
        "match_constraints": {"resource_rules": list(rules.on)},
        "validations": [
            {"expression": expression, "message": message} for expression, message in rules.validations.items()
        ],
    }
    if rules.conditions:
        spec["match_conditions"] = [
            {"name": name, "expression": expression} for name, expression in rules.conditions.items()
        ]
    if rules.variables:
        spec["variables"] = [{"name": name, "expression": expression} for name, expression in rules.variables.items()]
    return spec
