"""The runner in a cell's cluster: its Deployment, and the rights of its group."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.kubernetes.runner import Runner
from components.kubernetes.runner_rights import CLUSTER_RULES, GROUP, RunnerRights
from fleet.runner import __main__ as process
from tests.components import samples
from tests.components.every_component import SAMPLES
from tests.components.recording import Recording, declare


def _pod(recording: Recording) -> Any:
    return recording.inputs("kubernetes:apps/v1:Deployment")["spec"]["template"]["spec"]


def _arguments(recording: Recording) -> dict[str, str]:
    parts = _pod(recording)["containers"][0]["args"]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture(scope="module")
def runner() -> Recording:
    return declare(lambda: SAMPLES[Runner]("runner", None))


def test_its_account_has_no_rights_of_its_own(runner: Recording) -> None:
    assert not [one.name for one in runner.resources if "rbac" in one.type]
    account = runner.inputs("kubernetes:core/v1:ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert set(account["metadata"]["annotations"]) == {"eks.amazonaws.com/role-arn"}
    assert _pod(runner)["automountServiceAccountToken"] is False


def test_it_meets_the_restricted_standard_of_its_namespace(runner: Recording) -> None:
    namespace = runner.inputs("kubernetes:core/v1:Namespace")["metadata"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for kind in ("core/v1:ServiceAccount", "apps/v1:Deployment"):
        assert runner.inputs(f"kubernetes:{kind}")["metadata"]["namespace"] == namespace["name"]
    pod = _pod(runner)
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_what_runs_gets_time_to_end_and_then_to_stop_before_it_is_killed(runner: Recording) -> None:
    arguments = _arguments(runner)
    left = _pod(runner)["terminationGracePeriodSeconds"] - sum(
        float(arguments[option]) for option in ("--drain", "--grace")
    )
    assert left >= 10
    assert float(arguments["--grace"]) >= 30


def test_it_starts_with_options_that_it_knows(
    runner: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(process.Process, "run", lambda self: started.append(self))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    arguments = {**_arguments(runner), "--alive": str(tmp_path / "alive"), "--port": "0"}
    words = [word for pair in arguments.items() for word in pair]
    monkeypatch.setattr(sys, "argv", ["fleet.runner", *words])
    assert process.main() == 0
    (one,) = started
    assert (one._cell, one._target) == ("sandbox", "cloud")
    assert (one._pace.concurrency, one._pace.drain, one._pace.grace) == (4, 540, 45)


def test_a_deployment_is_not_waited_for_that_waits_for_the_end_of_the_program(runner: Recording) -> None:
    # Its pods are ready when they have read the contract, which the program exports at its end.
    annotations = runner.inputs("kubernetes:apps/v1:Deployment")["metadata"]["annotations"]
    assert annotations == {"pulumi.com/skipAwait": "true"}


def test_its_probes_ask_what_it_serves_and_touches(runner: Recording) -> None:
    arguments = _arguments(runner)
    (container,) = _pod(runner)["containers"]
    writable = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert any(arguments["--alive"].startswith(f"{path}/") for path in writable)
    assert arguments["--alive"] in container["livenessProbe"]["exec"]["command"][-1]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert [str(port["containerPort"]) for port in container["ports"]] == [arguments["--port"]]
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert variables["FREEHOLD_HOME"] in writable and variables["HOME"] in writable
    assert variables["USER"], "the engine refuses to lock a stack for a user without a name"
    assert variables["PULUMI_BACKEND_URL"] == "s3://state" and variables["PGSSLROOTCERT"]


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_one_replica_at_a_time_is_sent_away_and_none_holds_its_node_for_ever(replicas: int) -> None:
    recording = declare(lambda: Runner("runner", replace(samples.runner(), replicas=replicas)))
    deployment = recording.inputs("kubernetes:apps/v1:Deployment")
    budget = recording.inputs("kubernetes:policy/v1:PodDisruptionBudget")
    assert budget["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert budget["spec"] == {
        "maxUnavailable": 1,
        "selector": deployment["spec"]["selector"],
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


@pytest.mark.parametrize(("concurrency", "memory"), [(1, "1024Mi"), (8, "8192Mi")])
def test_it_is_as_large_as_what_it_does_at_a_time(concurrency: int, memory: str) -> None:
    recording = declare(lambda: Runner("runner", samples.runner(concurrency=concurrency)))
    (container,) = _pod(recording)["containers"]
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"] == memory


def test_its_group_is_confined_before_it_is_given_rights() -> None:
    recording = declare(lambda: SAMPLES[RunnerRights]("rights", None))
    binding = recording.one("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding")
    confined = recording.one("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding")
    assert confined.urn in binding.dependencies
    assert [subject["name"] for subject in binding.plain()["subjects"]] == [GROUP]
    policy = recording.inputs("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy")["spec"]
    (rule,) = policy["matchConstraints"]["resourceRules"]
    assert set(rule["apiGroups"]) == {group for group, _, _ in CLUSTER_RULES}


def test_it_neither_escalates_nor_binds_nor_holds_everything() -> None:
    for group, resources, verbs in CLUSTER_RULES:
        assert not {"*", "escalate", "bind", "impersonate"} & {group, *resources, *verbs}
