"""What a workspace asks of Kubernetes."""

from __future__ import annotations

import base64
from typing import Any

import pulumi
import pytest

from catalog.blueprints import load
from catalog.plans import amount
from components import tags
from components.kubernetes.access import RULES
from components.kubernetes.autoscaling import Autoscaling, AutoscalingArgs
from components.kubernetes.default_storage import DefaultStorage
from components.kubernetes.node_autoscaler import IMAGES, NodeAutoscaler, image
from components.kubernetes.quota import CONTAINER_DEFAULT, hard_limits
from components.kubernetes.tenant_rules import TenantRules
from components.kubernetes.traffic import NOT_PUBLIC
from components.kubernetes.workspace import Workspace
from tests.components import samples
from tests.components.every_component import SAMPLES
from tests.components.recording import CANARY, Recording, Secret, declare, opened


@pytest.fixture(scope="module")
def workspace() -> Recording:
    return declare(lambda: SAMPLES[Workspace]("workspace", None))


def _spec(recording: Recording, type: str) -> Any:
    return recording.inputs(type)["spec"]


def test_namespace_enforces_the_restricted_standard(workspace: Recording) -> None:
    labels = workspace.inputs("kubernetes:core/v1:Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_quota_is_the_plans(workspace: Recording) -> None:
    size = load("chronos-cloud").plan("starter").size
    assert size is not None
    hard = _spec(workspace, "kubernetes:core/v1:ResourceQuota")["hard"]
    assert hard == hard_limits(size)
    assert hard["pods"] == "10" and hard["services.nodeports"] == hard["services.loadbalancers"] == "0"


def test_containers_get_defaults_so_that_the_quota_admits_them(workspace: Recording) -> None:
    container = _spec(workspace, "kubernetes:core/v1:LimitRange")["limits"][0]
    assert container["type"] == "Container"
    hard = _spec(workspace, "kubernetes:core/v1:ResourceQuota")["hard"]
    for default, kind in (("default", "limits"), ("defaultRequest", "requests")):
        asked = {name.removeprefix(f"{kind}.") for name in hard if name.startswith(f"{kind}.")} - {"storage"}
        assert asked == container[default].keys() == {"cpu", "memory", "ephemeral-storage"}


def test_a_quota_asks_for_nothing_before_there_are_defaults(workspace: Recording) -> None:
    limits = workspace.one("kubernetes:core/v1:LimitRange")
    assert limits.urn in workspace.one("kubernetes:core/v1:ResourceQuota").dependencies


def test_no_container_takes_more_of_a_nodes_disk_than_was_set_apart_for_it(workspace: Recording) -> None:
    container = _spec(workspace, "kubernetes:core/v1:LimitRange")["limits"][0]
    assert container["default"]["ephemeral-storage"] == container["defaultRequest"]["ephemeral-storage"]
    assert container["maxLimitRequestRatio"] == {"ephemeral-storage": "1"}
    assert container["max"]["ephemeral-storage"] == samples.SIZE.ephemeral_storage


def test_all_pods_of_a_plan_fit_their_default_of_a_nodes_disk() -> None:
    for plan in samples.BLUEPRINT.plans:
        if plan.size is not None:
            default = amount(CONTAINER_DEFAULT["ephemeral-storage"])
            assert plan.size.pods * default <= amount(plan.size.ephemeral_storage), plan.name


def test_whatever_the_operator_makes_is_counted(workspace: Recording) -> None:
    """With what controllers make of it: the cluster's store is one for all tenants."""
    hard = _spec(workspace, "kubernetes:core/v1:ResourceQuota")["hard"]
    core = {"services", "configmaps", "secrets", "persistentvolumeclaims"}
    made = {
        resource if resource in core else f"count/{resource}.{group}".rstrip(".")
        for group, resources, verbs in RULES["operator"]
        for resource in resources
        if "create" in verbs
    }
    of_controllers = {"count/pods", "count/replicasets.apps", "count/controllerrevisions.apps"}
    assert made | of_controllers <= hard.keys()


def test_counts_leave_room_for_what_is_kept_of_the_past(workspace: Recording) -> None:
    hard = {
        name: amount(figure) for name, figure in _spec(workspace, "kubernetes:core/v1:ResourceQuota")["hard"].items()
    }
    # A rollout: ten revisions of the past (Kubernetes' default), the present one and the next.
    assert hard["count/replicasets.apps"] >= 12 * hard["count/deployments.apps"]
    assert hard["count/controllerrevisions.apps"] >= 12 * hard["count/statefulsets.apps"]
    # Pods that have ended stay while their job does.
    assert hard["count/pods"] >= hard["pods"] + hard["count/jobs.batch"]
    assert hard["count/horizontalpodautoscalers.autoscaling"] >= hard["count/deployments.apps"] >= hard["pods"]


class TestTraffic:
    @staticmethod
    def _policies(recording: Recording) -> dict[str, Any]:
        found = recording.of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        return {policy.plain()["metadata"]["name"]: policy.plain()["spec"] for policy in found}

    def test_everything_is_denied_first(self, workspace: Recording) -> None:
        deny = self._policies(workspace)["default-deny"]
        assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def test_only_own_pods_come_in(self, workspace: Recording) -> None:
        rules = [rule for policy in self._policies(workspace).values() for rule in policy.get("ingress", [])]
        assert rules == [{"from": [{"podSelector": {}}]}]

    def test_no_other_namespace_is_reached_but_for_names(self, workspace: Recording) -> None:
        selected = [
            peer["namespaceSelector"]["matchLabels"]
            for policy in self._policies(workspace).values()
            for rule in policy.get("egress", [])
            for peer in rule["to"]
            if "namespaceSelector" in peer
        ]
        assert selected == [{"kubernetes.io/metadata.name": "kube-system"}]

    def test_public_addresses_leave_out_private_ones(self, workspace: Recording) -> None:
        (rule,) = self._policies(workspace)["allow-public-https"]["egress"]
        assert rule["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(NOT_PUBLIC)}}]
        assert "169.254.0.0/16" in NOT_PUBLIC
        assert rule["ports"] == [{"protocol": "TCP", "port": 443}]

    def test_the_kubernetes_api_at_its_services_address_only(self, workspace: Recording) -> None:
        (rule,) = self._policies(workspace)["allow-kubernetes-api"]["egress"]
        assert rule["to"] == [{"ipBlock": {"cidr": "172.20.0.1/32"}}]
        assert rule["ports"] == [{"protocol": "TCP", "port": 443}]

    def test_the_api_is_of_use_to_programs_that_ask(self, workspace: Recording) -> None:
        # Why it is reachable: the account of the workspace's programs carries a role, and its token is there on demand.
        bindings = workspace.of("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")
        roles = {
            b.plain()["roleRef"]["name"]
            for b in bindings
            for s in b.plain()["subjects"]
            if s["kind"] == "ServiceAccount"
        }
        assert roles == {"operator"}

    def test_every_way_out_is_to_named_ports(self, workspace: Recording) -> None:
        for name, policy in self._policies(workspace).items():
            for rule in policy.get("egress", []):
                assert name == "allow-own-pods" or rule["ports"], name

    def test_shared_data_on_its_ports_only(self, workspace: Recording) -> None:
        (rule,) = self._policies(workspace)["allow-data"]["egress"]
        assert rule["to"] == [{"ipBlock": {"cidr": "10.10.252.0/22"}}]
        assert [port["port"] for port in rule["ports"]] == [5432, 6379]


class TestAccess:
    GUARDS = frozenset({"resourcequotas", "limitranges", "networkpolicies", "rolebindings", "roles", "serviceaccounts"})

    @pytest.mark.parametrize("role", RULES)
    def test_no_role_changes_what_guards_the_workspace(self, role: str) -> None:
        for _, resources, verbs in RULES[role]:
            if self.GUARDS & set(resources):
                assert set(verbs) <= {"get", "list", "watch"}, resources

    @pytest.mark.parametrize("role", RULES)
    def test_no_wildcards_and_no_escalation(self, role: str) -> None:
        for groups, resources, verbs in RULES[role]:
            assert "*" not in (groups, *resources, *verbs)
            assert not {"escalate", "bind", "impersonate"} & set(verbs)
            assert not {"serviceaccounts/token", "pods/exec", "pods/attach", "nodes/proxy"} & set(resources)

    @pytest.mark.parametrize("role", RULES)
    def test_no_role_makes_or_changes_a_pod_that_no_controller_owns(self, role: str) -> None:
        """EKS holds network policies against the pods of controllers alone."""
        verbs = {verb for _, resources, verbs in RULES[role] if "pods" in resources for verb in verbs}
        assert not {"create", "update", "patch"} & verbs

    def test_viewers_see_no_secrets(self) -> None:
        assert not any("secrets" in resources for _, resources, _ in RULES["viewer"])

    def test_bindings_are_namespaced_and_name_the_own_account(self, workspace: Recording) -> None:
        assert not [resource for resource in workspace.resources if "ClusterRole" in resource.type]
        bindings = [b.plain() for b in workspace.of("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")]
        subjects = [s for binding in bindings for s in binding["subjects"] if s["kind"] == "ServiceAccount"]
        assert subjects == [{"kind": "ServiceAccount", "name": "workload", "namespace": "t-acme--default"}]

    def test_token_is_not_mounted_unasked(self, workspace: Recording) -> None:
        account = workspace.inputs("kubernetes:core/v1:ServiceAccount")
        assert account["automountServiceAccountToken"] is False
        assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]


def test_connection_details_are_secret(workspace: Recording) -> None:
    data = workspace.one("kubernetes:core/v1:Secret").inputs["data"]
    assert isinstance(data, Secret)
    assert CANARY in base64.b64decode(opened(data)["DATABASE_URL"]).decode()


def test_workload_meets_the_restricted_standard(workspace: Recording) -> None:
    spec = _spec(workspace, "kubernetes:apps/v1:Deployment")
    assert "replicas" not in spec  # the autoscaler's alone
    pod = spec["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["requests"] and container["resources"]["limits"]


def test_no_program_runs_before_its_limits_and_traffic_rules_are_there(workspace: Recording) -> None:
    rules = workspace.of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    needed = {one.urn for one in (*workspace.of("kubernetes:core/v1:ResourceQuota"), *rules)}
    assert len(rules) == 6
    # Whatever belongs to the component waits with it, and goes before what it waited for.
    assert needed <= workspace.one("freehold:kubernetes:Workload").dependencies


def test_what_no_tenant_may_ask_is_refused_in_tenants_namespaces() -> None:
    """What exactly is refused, a real API server says: tests/conformance/kubernetes/test_tenant_rules.py."""
    recording = declare(lambda: SAMPLES[TenantRules]("rules", None))
    kind = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
    policies = {policy.plain()["metadata"]["name"]: policy.plain()["spec"] for policy in recording.of(kind)}
    bindings = {
        binding.plain()["spec"]["policyName"]: binding.plain()["spec"] for binding in recording.of(f"{kind}Binding")
    }
    assert policies.keys() == bindings.keys()
    judged: set[str] = set()
    for name, policy in policies.items():
        assert policy["failurePolicy"] == "Fail" and bindings[name]["validationActions"] == ["Deny"]
        selected = bindings[name]["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert selected == [{"key": "freehold.dev/tenant", "operator": "Exists"}]
        judged |= {resource for rule in policy["matchConstraints"]["resourceRules"] for resource in rule["resources"]}
    assert judged >= {
        "services",
        "secrets",
        "pods",
        "deployments",
        "statefulsets",
        "jobs",
        "cronjobs",
        "persistentvolumeclaims",
        "horizontalpodautoscalers",
    }
    # The label that the binding selects is the one that tenants' namespaces carry.
    assert "freehold.dev/tenant" in tags.kubernetes(samples.tenant_ownership("acme"))


def test_autoscaling_says_its_pace_in_both_directions() -> None:
    args = AutoscalingArgs(samples.tenant_ownership("acme"), "t-acme--default", "api", "api", 3, 50)
    spec = _spec(declare(lambda: Autoscaling("api", args)), "kubernetes:autoscaling/v2:HorizontalPodAutoscaler")
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 50)
    assert {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"] for m in spec["metrics"]} == {
        "cpu": 70,
        "memory": 80,
    }
    assert spec["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 15},
                {"type": "Pods", "value": 4, "periodSeconds": 15},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Min",
            "policies": [
                {"type": "Percent", "value": 50, "periodSeconds": 60},
                {"type": "Pods", "value": 2, "periodSeconds": 60},
            ],
        },
    }


@pytest.fixture(scope="module")
def autoscaler() -> Recording:
    return declare(lambda: SAMPLES[NodeAutoscaler]("autoscaler", None))


class TestNodeAutoscaler:
    def test_it_survives_a_node_and_runs_of_the_clusters_version(self, autoscaler: Recording) -> None:
        spec = _spec(autoscaler, "kubernetes:apps/v1:Deployment")
        assert spec["replicas"] == 2
        budget = _spec(autoscaler, "kubernetes:policy/v1:PodDisruptionBudget")
        assert budget["maxUnavailable"] == 1 and budget["selector"] == spec["selector"]
        # Two pods that crash would hold their nodes back, and every upgrade of nodes.
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        (container,) = spec["template"]["spec"]["containers"]
        assert container["image"].startswith("registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.")
        assert "--leader-elect=true" in container["args"] and "--cloud-provider=example" in container["args"]
        assert container["env"] == [{"name": "REGION", "value": "here"}]

    def test_it_meets_the_restricted_standard(self, autoscaler: Recording) -> None:
        pod = _spec(autoscaler, "kubernetes:apps/v1:Deployment")["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"] and container["resources"]["limits"]
        assert "volumes" not in pod and "hostNetwork" not in pod

    def test_it_reads_no_secret_and_takes_no_wildcard(self, autoscaler: Recording) -> None:
        kinds = ("ClusterRole", "Role")
        rules = [
            rule
            for kind in kinds
            for rule in autoscaler.inputs(f"kubernetes:rbac.authorization.k8s.io/v1:{kind}")["rules"]
        ]
        assert not any("*" in entries for rule in rules for entries in rule.values())
        assert not any("secrets" in rule["resources"] for rule in rules)
        # What it changes cluster-wide; its lease and its status are in its namespace only.
        writes = {
            (resource, verb)
            for rule in autoscaler.inputs("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")["rules"]
            for resource in rule["resources"]
            for verb in set(rule["verbs"]) - {"get", "list", "watch"}
        }
        assert writes == {
            ("events", "create"), ("events", "patch"), ("pods/eviction", "create"), ("pods/status", "update"),
            ("nodes", "update"), ("jobs", "patch"),
        }  # fmt: skip

    def test_it_starts_with_its_rights(self, autoscaler: Recording) -> None:
        needed = {"autoscaler-account", "autoscaler-cluster-role-binding", "autoscaler-role-binding"}
        urns = {autoscaler.named(name).urn for name in needed}
        assert urns <= autoscaler.named("autoscaler-deployment").dependencies

    def test_each_known_kubernetes_has_its_image(self) -> None:
        assert all(f":v{version}." in image for version, image in IMAGES.items())
        with pytest.raises(pulumi.RunError, match=r"no cluster autoscaler is known for Kubernetes 1\.99"):
            image("1.99")


def test_a_claim_that_names_no_class_gets_an_encrypted_disk_where_its_pod_is() -> None:
    made = declare(lambda: SAMPLES[DefaultStorage]("storage", None)).one("kubernetes:storage.k8s.io/v1:StorageClass")
    inputs = made.plain()
    assert inputs["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert inputs["volumeBindingMode"] == "WaitForFirstConsumer" and inputs["allowVolumeExpansion"] is True
    assert (inputs["provisioner"], inputs["parameters"]) == ("disks.example.com", {"encrypted": "true"})
