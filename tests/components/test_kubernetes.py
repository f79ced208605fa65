"""What a workspace asks of Kubernetes."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from catalog.blueprints import load
from components import tags
from components.kubernetes.access import RULES
from components.kubernetes.autoscaling import Autoscaling, AutoscalingArgs
from components.kubernetes.quota import hard_limits
from components.kubernetes.runner import Runner
from components.kubernetes.tenant_rules import TenantRules
from components.kubernetes.traffic import NOT_PUBLIC
from components.kubernetes.workspace import Workspace
from tests.components import samples
from tests.components.recording import CANARY, Recording, Secret, declare, opened


@pytest.fixture(scope="module")
def workspace() -> Recording:
    return declare(lambda: samples.SAMPLES[Workspace]("workspace", None))


def _spec(recording: Recording, type: str) -> Any:
    return recording.one(type).plain()["spec"]


def test_namespace_enforces_the_restricted_standard(workspace: Recording) -> None:
    labels = workspace.one("kubernetes:core/v1:Namespace").plain()["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_quota_is_the_plans(workspace: Recording) -> None:
    size = load("chronos-cloud").plan("starter").size
    assert size is not None
    hard = _spec(workspace, "kubernetes:core/v1:ResourceQuota")["hard"]
    assert hard == hard_limits(size)
    assert hard["pods"] == "10" and hard["services.nodeports"] == hard["services.loadbalancers"] == "0"


def test_containers_get_defaults_so_that_the_quota_admits_them(workspace: Recording) -> None:
    container = _spec(workspace, "kubernetes:core/v1:LimitRange")["limits"][0]
    assert container["type"] == "Container" and container["default"] and container["defaultRequest"]


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

    def test_viewers_see_no_secrets(self) -> None:
        assert not any("secrets" in resources for _, resources, _ in RULES["viewer"])

    def test_bindings_are_namespaced_and_name_the_own_account(self, workspace: Recording) -> None:
        assert not [resource for resource in workspace.resources if "ClusterRole" in resource.type]
        bindings = [b.plain() for b in workspace.of("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")]
        subjects = [s for binding in bindings for s in binding["subjects"] if s["kind"] == "ServiceAccount"]
        assert subjects == [{"kind": "ServiceAccount", "name": "workload", "namespace": "t-acme--default"}]

    def test_token_is_not_mounted_unasked(self, workspace: Recording) -> None:
        account = workspace.one("kubernetes:core/v1:ServiceAccount").plain()
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
        assert container["resources"]["requests"] and container["resources"]["limits"]


def test_services_of_tenants_may_not_draw_traffic_from_elsewhere() -> None:
    recording = declare(lambda: samples.SAMPLES[TenantRules]("rules", None))
    kind = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
    policy, binding = _spec(recording, kind), _spec(recording, f"{kind}Binding")
    assert policy["failurePolicy"] == "Fail" and binding["validationActions"] == ["Deny"]
    assert len(policy["validations"]) == 2
    selected = binding["matchResources"]["namespaceSelector"]["matchExpressions"]
    assert selected == [{"key": "freehold.dev/tenant", "operator": "Exists"}]
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


def test_the_runner_has_time_to_stop_and_no_rights_in_kubernetes() -> None:
    recording = declare(lambda: samples.SAMPLES[Runner]("runner", None))
    assert not recording.of("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")
    assert not recording.of("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding")
    account = recording.one("kubernetes:core/v1:ServiceAccount").plain()
    assert account["automountServiceAccountToken"] is False
    assert set(account["metadata"]["annotations"]) == {"eks.amazonaws.com/role-arn"}
    pod = _spec(recording, "kubernetes:apps/v1:Deployment")["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    arguments = dict(zip(container["args"][::2], container["args"][1::2], strict=True))
    assert arguments["--cell"] == "sandbox"
    assert float(arguments["--drain"]) < pod["terminationGracePeriodSeconds"]
    writable = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert any(arguments["--alive"].startswith(f"{path}/") for path in writable)
    assert arguments["--alive"] in container["livenessProbe"]["exec"]["command"][-1]
