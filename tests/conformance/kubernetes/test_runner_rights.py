"""What the runner's group may do, asked of a real API server: all of a tenant's workspace, and nothing beside."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from components.kubernetes.runner_rights import GROUP, RunnerRights
from components.tenant import TenantWorkspace
from tests.components import samples
from tests.components.every_component import SAMPLES
from tests.components.recording import Recording, declare
from tests.conformance.kubernetes.conftest import Api

pytestmark = pytest.mark.sandbox

Manifest = Mapping[str, Any]


def _listed(manifests: Sequence[Manifest]) -> Manifest:
    """For one kubectl, which does with each as it would alone, and fails where one was refused."""
    return {"apiVersion": "v1", "kind": "List", "items": manifests}


def _objects(recording: Recording) -> list[dict[str, Any]]:
    """What was declared of Kubernetes, in the order in which it can be made."""
    found = [one.plain() for one in recording.resources if one.type.startswith("kubernetes:")]
    return sorted(found, key=lambda manifest: manifest["kind"] != "Namespace")


class AsRunner:
    """kubectl as somebody of the runner's group."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self, *arguments: str, manifest: Manifest | None = None) -> str:
        """Its output; raises AssertionError with what it said where it was refused."""
        who = ("--as", "runner", "--as-group", GROUP, "--as-group", "system:authenticated")
        try:
            return self._api.kubectl(*who, *arguments, stdin=None if manifest is None else json.dumps(manifest))
        except subprocess.CalledProcessError as error:
            raise AssertionError(str(error.stderr)) from error

    def apply(self, *manifests: Manifest) -> None:
        self("apply", "--server-side", "--force-conflicts", "-f", "-", manifest=_listed(manifests))

    def refused(self, *arguments: str, manifest: Manifest | None = None) -> str:
        """Why; raises where it was not."""
        try:
            said = self(*arguments, manifest=manifest)
        except AssertionError as error:
            return str(error)
        raise RuntimeError(f"{arguments} was let through: {said}")


@pytest.fixture(scope="module")
def runner(api: Api) -> Iterator[AsRunner]:
    made = _objects(declare(lambda: SAMPLES[RunnerRights]("rights", None)))
    for manifest in made:
        api.apply(manifest)
    runner = AsRunner(api)
    deadline = time.monotonic() + 30
    while True:  # the API server takes up a policy a moment after it is stored
        try:
            runner.refused("create", "namespace", "elsewhere", "--dry-run=server")
            break
        except RuntimeError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    yield runner
    for manifest in reversed(made):
        api.kubectl("delete", manifest["kind"], manifest["metadata"]["name"])


def _config_map(namespace: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": namespace}}


def _namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def test_it_makes_changes_and_deletes_a_tenants_workspace(runner: AsRunner, api: Api) -> None:
    tenant = f"rights-{uuid.uuid4().hex[:8]}"
    args = samples.tenant(tenant)
    made = _objects(declare(lambda: TenantWorkspace(tenant, args)))
    assert {manifest["kind"] for manifest in made} >= {
        "Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "ServiceAccount", "Role", "RoleBinding", "Secret",
        "Deployment", "HorizontalPodAutoscaler",
    }  # fmt: skip
    runner.apply(*made)
    changed = {"changed": "yes", **RESTRICTED}
    runner.apply(*({**one, "metadata": {**one["metadata"], "labels": changed}} for one in made))
    within = _listed([one for one in made if one["kind"] != "Namespace"])
    deleted = runner("delete", "--wait=false", "-f", "-", manifest=within).splitlines()
    assert len(deleted) == len(made) - 1
    runner("delete", "namespace", made[0]["metadata"]["name"], "--wait=false")


@pytest.mark.parametrize("namespace", ["kube-system", "default", "t-acme", "not-t-acme--default"])
def test_it_writes_in_no_other_namespace(runner: AsRunner, api: Api, namespace: str) -> None:
    if api.get("namespace", namespace) is None:
        api.kubectl("create", "namespace", namespace)
    said = runner.refused("apply", "--server-side", "-f", "-", manifest=_config_map(namespace))
    assert "namespaces of tenants only" in said
    assert "namespaces of tenants only" in runner.refused("label", "namespace", namespace, "colour=red")
    # Some are also held by the API server itself, with other words.
    runner.refused("delete", "namespace", namespace, "--wait=false")


def test_it_makes_no_namespace_of_another_name_or_standard(runner: AsRunner) -> None:
    other = _namespace("elsewhere", **RESTRICTED)
    assert "namespaces of tenants only" in runner.refused("create", "-f", "-", manifest=other)
    for labels in ({}, {"pod-security.kubernetes.io/enforce": "privileged"}):
        loose = _namespace("t-loose--default", **labels)
        assert "carry pod-security.kubernetes.io/enforce" in runner.refused("create", "-f", "-", manifest=loose)


def test_it_gives_nobody_more_than_a_workspaces_roles_hold(runner: AsRunner) -> None:
    name = f"t-{uuid.uuid4().hex[:8]}--default"
    runner.apply(_namespace(name, **RESTRICTED))
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "more", "namespace": name},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    }
    assert "attempting to grant RBAC permissions not currently held" in runner.refused(
        "create", "-f", "-", manifest=role
    )
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "more", "namespace": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "Group", "name": GROUP, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    assert "not currently held" in runner.refused("create", "-f", "-", manifest=binding)
    runner("delete", "namespace", name, "--wait=false")


def test_what_is_the_clusters_is_out_of_its_reach(runner: AsRunner) -> None:
    for words in (
        ("get", "nodes"),
        ("get", "clusterroles"),
        ("delete", "validatingadmissionpolicy", "freehold-runner"),
    ):
        assert "forbidden" in runner.refused(*words).lower()


def test_others_are_not_held_by_it(runner: AsRunner, api: Api, namespace: str) -> None:
    api.apply(_config_map(namespace))
    assert api.get("configmap", "mine", namespace)
