"""What the official provider does otherwise than one would think: replacement by its own list, waiting, ignored fields.

Source: github.com/pulumi/pulumi-kubernetes, provider/pkg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sandbox.providers.interface import Checked, Created, Diff, PartialFailure, ProviderError
from sandbox.providers.kubernetes import surroundings
from tests.conformance.kubernetes.conftest import Api, resource

pytestmark = pytest.mark.sandbox

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
JOB = "kubernetes:batch/v1:Job"
POD = "kubernetes:core/v1:Pod"
SERVICE = "kubernetes:core/v1:Service"
LABELS = {"app": "example"}
_CONTAINERS = [{"name": "main", "image": "pause"}]


class Bench:
    """One provider, and what it makes in one namespace under the name `subject`."""

    def __init__(self, api: Api, namespace: str, **config: str) -> None:
        self.provider, self.namespace = api.provider(**config), namespace

    def inputs(self, type: str, annotations: Mapping[str, str] | None = None, **properties: Any) -> dict[str, Any]:
        metadata = {"name": "subject", "namespace": self.namespace, "annotations": dict(annotations or {})}
        return dict(self.check(type, {"metadata": metadata, **properties}).inputs)

    def check(self, type: str, inputs: dict[str, Any]) -> Checked:
        return self.provider.check(resource(type), inputs, None, b"seed")

    def make(self, type: str, inputs: dict[str, Any], timeout: float = 60) -> Created:
        return self.provider.create(resource(type), inputs, preview=False, timeout=timeout)

    def diff(self, type: str, made: Created, old: dict[str, Any], new: dict[str, Any]) -> Diff:
        return self.provider.diff(resource(type), made.id, old, made.outputs, new)


@pytest.fixture
def bench(api: Api, namespace: str) -> Bench:
    return Bench(api, namespace)


def _deployment(bench: Bench, **labels: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {**LABELS, **labels}}, "spec": {"containers": _CONTAINERS}}
    return bench.inputs(DEPLOYMENT, spec={"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template})


def test_an_ignored_field_that_another_manager_has_is_left_to_it(api: Api, bench: Bench) -> None:
    """As with an autoscaler: the engine keeps the program's own old number, which nobody wants back."""
    old, new = _deployment(bench), _deployment(bench, tier="b")
    made = bench.make(DEPLOYMENT, old)
    api.kubectl("scale", "deployment", "subject", "-n", bench.namespace, "--replicas=2")
    subject = replace(resource(DEPLOYMENT), ignored=("spec.replicas",))
    with pytest.raises(ProviderError, match=r"own \.spec\.replicas"):
        bench.provider.update(resource(DEPLOYMENT), made.id, old, made.outputs, new, preview=True, timeout=0)
    bench.provider.update(subject, made.id, old, made.outputs, new, preview=True, timeout=0)
    outputs = bench.provider.update(subject, made.id, old, made.outputs, new, preview=False, timeout=60)
    assert outputs["spec"]["replicas"] == 2  # type: ignore[index,call-overload]
    live = api.get("deployment", "subject", bench.namespace)
    assert live["spec"]["replicas"] == 2
    assert live["spec"]["template"]["metadata"]["labels"] == {**LABELS, "tier": "b"}


def test_an_ignored_field_of_ones_own_stays_as_it_is(api: Api, bench: Bench) -> None:
    old, new = _deployment(bench), _deployment(bench, tier="b")
    made = bench.make(DEPLOYMENT, old)
    subject = replace(resource(DEPLOYMENT), ignored=("spec.replicas", "spec.paused", 'metadata.annotations["a.b"]'))
    bench.provider.update(subject, made.id, old, made.outputs, new, preview=False, timeout=60)
    live = api.get("deployment", "subject", bench.namespace)
    assert live["spec"]["replicas"] == 1 and "paused" not in live["spec"]


@pytest.mark.parametrize(
    ("type", "old", "new", "replaced"),
    [
        (POD, {"containers": _CONTAINERS}, {"containers": [{**_CONTAINERS[0], "image": "other"}]}, True),
        (POD, {"activeDeadlineSeconds": 9}, {"activeDeadlineSeconds": 8}, False),
        (JOB, {"parallelism": 1}, {"parallelism": 2}, True),
        (JOB, {"backoffLimit": 1}, {"backoffLimit": 2}, False),
        ("kubernetes:apps/v1:StatefulSet", {"revisionHistoryLimit": 2}, {"revisionHistoryLimit": 3}, True),
        ("kubernetes:core/v1:PersistentVolumeClaim", {"volumeMode": "Block"}, {"volumeMode": "Filesystem"}, False),
    ],
)
def test_the_providers_own_list_says_what_replaces(
    bench: Bench, type: str, old: dict[str, Any], new: dict[str, Any], replaced: bool
) -> None:
    first, second = bench.inputs(type, spec=old), bench.inputs(type, spec=new)
    found = bench.diff(type, Created("x/subject", {}), first, second)
    assert {kind.replaces for kind in found.changes.values()} == {replaced}


@pytest.mark.parametrize(
    ("type", "old", "new", "said"),
    [
        ("kubernetes:scheduling.k8s.io/v1:PriorityClass", {"value": 7}, {"value": 8}, "value"),
        (
            "kubernetes:storage.k8s.io/v1:StorageClass",
            {"provisioner": "example.com/none", "volumeBindingMode": "Immediate"},
            {"provisioner": "example.com/none", "volumeBindingMode": "WaitForFirstConsumer"},
            "volumeBindingMode|updates to",
        ),
    ],
)
def test_what_is_not_on_it_and_cannot_change_fails_the_preview(
    api: Api, bench: Bench, type: str, old: dict[str, Any], new: dict[str, Any], said: str
) -> None:
    name = f"{bench.namespace}-fixed"
    first, second = (dict(bench.check(type, {"metadata": {"name": name}, **each}).inputs) for each in (old, new))
    made = bench.make(type, first)
    found = bench.diff(type, made, first, second)
    assert found.changes and not any(kind.replaces for kind in found.changes.values())
    with pytest.raises(ProviderError, match=said):
        bench.provider.update(resource(type), made.id, first, made.outputs, second, preview=True, timeout=0)
    bench.provider.delete(resource(type), made.id, first, made.outputs, timeout=60)


def test_to_name_the_default_namespace_changes_nothing(bench: Bench) -> None:
    old: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "subject"}}
    new = {**old, "metadata": {"name": "subject", "namespace": "default"}}
    assert not bench.diff(CONFIG_MAP, Created("default/subject", {}), old, new).changes
    role: dict[str, Any] = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    old, new = (
        {**role, "metadata": {"name": "subject", "namespace": "default"}},
        {**role, "metadata": {"name": "subject"}},
    )
    token = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"
    assert not bench.diff(token, Created("subject", {}), old, new).changes, "the kind has no namespace"


def test_names_that_the_server_makes_are_for_client_side_apply(api: Api, bench: Bench) -> None:
    inputs = {"metadata": {"generateName": "made-", "namespace": bench.namespace}}
    assert [failure.property for failure in bench.check(CONFIG_MAP, inputs).failures] == ["metadata.generateName"]
    other = Bench(api, bench.namespace, enableServerSideApply="false")
    checked = other.check(CONFIG_MAP, inputs)
    assert not checked.failures
    assert other.make(CONFIG_MAP, dict(checked.inputs)).id.startswith(f"{bench.namespace}/made-")


def test_a_service_that_no_pod_matches_is_ready(bench: Bench) -> None:
    bench.make(SERVICE, bench.inputs(SERVICE, spec={"selector": LABELS, "ports": [{"port": 80}]}), timeout=20)


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        ([], "its pods are not looked for yet"),
        ([{"endpoints": [{"conditions": {"ready": True}}, {"conditions": {}}]}], ""),
        (
            [{"endpoints": [{"conditions": {"ready": True}}, {"conditions": {"ready": False}}]}],
            "1 of 2 pods that match its selector are not ready",
        ),
    ],
)
def test_a_service_waits_for_every_pod_that_it_matches(slices: list[dict[str, Any]], reason: str) -> None:
    live = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "n"},
        "spec": {"selector": LABELS},
    }
    assert surroundings.check(live, lambda *_: {"items": slices}).reason == reason


def _job(bench: Bench, suspend: bool) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never", "containers": _CONTAINERS}}
    return bench.inputs(JOB, {"pulumi.com/replaceUnready": "true"}, spec={"suspend": suspend, "template": template})


def test_a_suspended_job_is_waited_for_and_an_unready_one_replaced(bench: Bench) -> None:
    asked = _job(bench, True)
    with pytest.raises(PartialFailure, match="the job is suspended") as failure:
        bench.make(JOB, asked, timeout=2)
    made = Created(failure.value.id, failure.value.outputs)
    found = bench.diff(JOB, made, asked, asked)
    assert any(kind.replaces for kind in found.changes.values()) and found.delete_before_replace
    bench.provider.delete(resource(JOB), made.id, asked, made.outputs, timeout=60)
    done = _job(bench, False)
    made = bench.make(JOB, done)
    assert not bench.diff(JOB, made, done, done).changes


def test_a_deletion_is_waited_for_whatever_skip_await_says(api: Api, bench: Bench) -> None:
    held = {"name": "subject", "namespace": bench.namespace, "finalizers": ["example.com/held"]}
    asked = bench.check(CONFIG_MAP, {"metadata": {**held, "annotations": {"pulumi.com/skipAwait": "true"}}}).inputs
    made = bench.make(CONFIG_MAP, dict(asked))
    with pytest.raises(ProviderError, match=r"still there after 1 s; finalizers example\.com/held"):
        bench.provider.delete(resource(CONFIG_MAP), made.id, asked, made.outputs, timeout=1)
    api.kubectl(
        "patch", "configmap", "subject", "-n", bench.namespace, "--type=merge", '-p={"metadata":{"finalizers":null}}'
    )
    bench.provider.delete(resource(CONFIG_MAP), made.id, asked, made.outputs, timeout=10)


def test_a_refresh_does_not_ask_again_what_the_program_waited_for(api: Api, bench: Bench) -> None:
    waits = {"pulumi.com/waitFor": "jsonpath={.data.done}=yes"}
    asked = bench.inputs(CONFIG_MAP, waits, data={"done": "yes"})
    made = bench.make(CONFIG_MAP, asked)
    api.apply({**asked, "data": {"done": "no"}})
    found = bench.provider.read(resource(CONFIG_MAP), made.id, asked, made.outputs)
    assert found is not None and found.inputs["data"] == {"done": "no"}
