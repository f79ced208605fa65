"""What the rules for tenants' namespaces refuse, whoever asks: the real API server judges it."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from components.kubernetes.tenant_rules import TENANT_LABEL, TenantRules
from tests.components.every_component import SAMPLES
from tests.components.recording import declare
from tests.conformance.kubernetes.conftest import Api

pytestmark = pytest.mark.sandbox

Json = Any

EVERYWHERE = {"labelSelector": {}, "namespaceSelector": {}, "topologyKey": "kubernetes.io/os"}
HOSTS = {"labelSelector": {}, "topologyKey": "kubernetes.io/hostname"}
ZONES = {"labelSelector": {}, "topologyKey": "topology.kubernetes.io/zone"}


def _required(kind: str, **term: Json) -> Json:
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def _preferred(kind: str, **term: Json) -> Json:
    preferred = [{"weight": 1, "podAffinityTerm": term}]
    return {"affinity": {kind: {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}}


def _spread(key: str, otherwise: str) -> Json:
    return {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": otherwise}]}


REFUSED: Mapping[str, tuple[Json, str]] = {
    "node": ({"nodeName": "any"}, "may not choose their node by nodeName"),
    "priority of the system": ({"priorityClassName": "system-node-critical"}, "may not have a priorityClassName"),
    "apart from everybody": (_required("podAntiAffinity", **EVERYWHERE), "namespace of their own alone"),
    "apart from one": (_required("podAntiAffinity", **ZONES, namespaces=["kube-system"]), "of their own alone"),
    "with everybody": (_required("podAffinity", **EVERYWHERE), "of their own alone"),
    "rather apart from everybody": (_preferred("podAntiAffinity", **EVERYWHERE), "of their own alone"),
    "rather with everybody": (_preferred("podAffinity", **EVERYWHERE), "of their own alone"),
    "a node each": (_required("podAntiAffinity", **HOSTS), "use preferredDuringSchedulingIgnoredDuringExecution"),
    "spread over nodes": (_spread("kubernetes.io/hostname", "DoNotSchedule"), "use ScheduleAnyway"),
    "on every node": ({"tolerations": [{"operator": "Exists"}]}, "may not tolerate every taint"),
    "on nodes that are emptied": (
        {"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}]},
        "may not tolerate every taint",
    ),
    "on its way": ({"tolerations": [{"key": "ToBeDeletedByClusterAutoscaler", "operator": "Exists"}]}, "every taint"),
    "no end": ({"terminationGracePeriodSeconds": 601}, "may take 600 seconds to end"),
}
ALLOWED: Mapping[str, Json] = {
    "nothing": {},
    "rather a node each": _preferred("podAntiAffinity", **HOSTS),
    "a zone each": _required("podAntiAffinity", **ZONES, namespaces=["OWN"]),
    "with its own": _required("podAffinity", **HOSTS),
    "rather spread over nodes": _spread("kubernetes.io/hostname", "ScheduleAnyway"),
    "spread over zones": _spread("topology.kubernetes.io/zone", "DoNotSchedule"),
    "on nodes of a kind": {"tolerations": [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]},
    "ten minutes to end": {"terminationGracePeriodSeconds": 600},
}


EXTERNAL = {"apiVersion": "v1", "kind": "Service", "spec": {"type": "ExternalName", "externalName": "other.example"}}
TOKEN = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "probe", "annotations": {"kubernetes.io/service-account.name": "workload"}},
    "type": "kubernetes.io/service-account-token",
}


def _claim(**more: Json) -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **more}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}


def _pod(more: Json) -> Json:
    return {"restartPolicy": "Never", "containers": [{"name": "c", "image": "pause"}], **more}


def _templates(pod: Json) -> Sequence[Json]:
    """The pod, and what makes such pods."""
    labels = {"app": "probe"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    always = {"metadata": {"labels": labels}, "spec": {**pod, "restartPolicy": "Always"}}
    selector = {"matchLabels": labels}
    job = {"template": template}
    return (
        {"apiVersion": "v1", "kind": "Pod", "spec": pod},
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"selector": selector, "template": always}},
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "spec": {"selector": selector, "serviceName": "s", "template": always},
        },
        {"apiVersion": "batch/v1", "kind": "Job", "spec": job},
        {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"schedule": "@daily", "jobTemplate": {"spec": job}}},
    )


class Somewhere:
    """kubectl as the cluster's administrator, in one namespace; nothing is kept of what is asked."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self.namespace = api, namespace

    def refusal(self, *manifests: Json, by: Sequence[str] = ()) -> str:
        """What was said of those that were not let through; `by` says who asks, if not the administrator."""
        named = [{"metadata": {"name": "probe"}, **manifest} for manifest in manifests]
        listed = {"apiVersion": "v1", "kind": "List", "items": named}
        try:
            self._api.kubectl(
                *("-n", self.namespace, *by, "create", "--dry-run=server", "-f", "-"),
                stdin=json.dumps(listed).replace('"OWN"', json.dumps(self.namespace)),
            )
        except subprocess.CalledProcessError as error:
            return str(error.stderr)
        return ""


@pytest.fixture(scope="module")
def tenants(api: Api) -> Iterator[Somewhere]:
    """A namespace of a tenant, where the rules hold."""
    made = [
        one.plain()
        for one in declare(lambda: SAMPLES[TenantRules]("rules", None)).resources
        if one.type.startswith("kubernetes:")
    ]
    for manifest in made:
        api.apply(manifest)
    name = f"t-{uuid.uuid4().hex[:8]}--default"
    labels = {TENANT_LABEL: "acme"}
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    tenants = Somewhere(api, name)
    deadline = time.monotonic() + 30
    # The controllers make its account, without which no pod is taken, and the API server takes up each policy, a moment
    # after they are stored; one thing is asked of each policy.
    firsts = (_templates(_pod(REFUSED["node"][0]))[1], EXTERNAL, TOKEN, _claim(storageClassName="gp2"))
    account = ("get", "serviceaccount", "default", "-n", name, "--ignore-not-found")
    while not api.kubectl(*account) or tenants.refusal(*firsts).count("ValidatingAdmissionPolicy") < len(firsts):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield tenants
    for manifest in reversed(made):
        api.kubectl("delete", manifest["kind"], manifest["metadata"]["name"])
    api.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("case", REFUSED)
def test_pods_that_harm_others_are_refused_with_what_makes_them(tenants: Somewhere, case: str) -> None:
    more, told = REFUSED[case]
    manifests = _templates(_pod(more))
    refusals = tenants.refusal(*manifests)
    assert refusals.count(told) == len(manifests), refusals


@pytest.mark.parametrize("case", ALLOWED)
def test_ordinary_pods_are_let_through(tenants: Somewhere, case: str) -> None:
    assert tenants.refusal(*_templates(_pod(ALLOWED[case]))) == ""


def test_a_secret_cannot_ask_for_a_token_without_an_end(tenants: Somewhere) -> None:
    assert "may not be of type kubernetes.io/service-account-token" in tenants.refusal(TOKEN)
    assert tenants.refusal({"apiVersion": "v1", "kind": "Secret", "stringData": {"word": "mine"}}) == ""


def test_a_service_may_not_point_elsewhere(tenants: Somewhere) -> None:
    assert "may not be of type ExternalName" in tenants.refusal(EXTERNAL)
    own: Json = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
    assert tenants.refusal(own) == ""
    own["spec"]["externalIPs"] = ["192.0.2.1"]
    assert "may not have external IPs" in tenants.refusal(own)


def test_a_claim_takes_no_class_but_the_one_whose_disks_are_encrypted(tenants: Somewhere, api: Api) -> None:
    for name in ("gp2", ""):
        assert "leave storageClassName out" in tenants.refusal(_claim(storageClassName=name))
    assert tenants.refusal(_claim(), _claim(storageClassName="encrypted")) == ""
    # What waits for a class is given one later, by whoever makes the default one.
    api.apply({**_claim(), "metadata": {"name": "waits", "namespace": tenants.namespace}})
    with pytest.raises(subprocess.CalledProcessError) as refused:
        api.kubectl("-n", tenants.namespace, "patch", "pvc", "waits", "-p", '{"spec": {"storageClassName": "gp2"}}')
    assert "leave storageClassName out" in refused.value.stderr
    api.kubectl("-n", tenants.namespace, "patch", "pvc", "waits", "-p", '{"spec": {"storageClassName": "encrypted"}}')


def _said(api: Api, *arguments: str) -> str:
    """Why kubectl failed; nothing where it did not."""
    try:
        api.kubectl(*arguments)
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    return ""


@pytest.mark.parametrize("who", ["person", "program"])
def test_what_the_program_made_is_not_deleted_by_the_tenant(tenants: Somewhere, api: Api, who: str) -> None:
    inside = ("-n", tenants.namespace)
    accounts = f"system:serviceaccounts:{tenants.namespace}"
    asked = {
        "person": ("--as=alice", "--as-group=freehold:t:acme:owner", "--as-group=system:authenticated"),
        "program": (f"--as=system:serviceaccount:{tenants.namespace}:workload", f"--as-group={accounts}"),
    }[who]
    api.kubectl(
        *(*inside, "create", "rolebinding", f"edit-{who}", "--clusterrole=edit"),
        *("--group=freehold:t:acme:owner", f"--group={accounts}"),
    )
    pod = _templates(_pod({}))[1]
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}, "maxReplicas": 2},
    }
    kinds = (pod, scaler, {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"})
    for manifest in kinds:
        for name, labels in (("freeholds", {"app.kubernetes.io/managed-by": "freehold"}), ("own", {"a": "b"})):
            api.apply({**manifest, "metadata": {"name": name, "namespace": tenants.namespace, "labels": labels}})
    told, named = "what freehold made is not deleted by tenants", "deployments,horizontalpodautoscalers,secrets"
    deadline = time.monotonic() + 30
    while told not in _said(api, *inside, *asked, "delete", "deployment", "freeholds", "--dry-run=server"):
        assert time.monotonic() < deadline, "the API server has not taken the rule up"
        time.sleep(0.2)
    for group, kind in (("apis/apps", "deployments"), ("api", "secrets")):
        collection = f"/{group}/v1/namespaces/{tenants.namespace}/{kind}?labelSelector=app.kubernetes.io/managed-by"
        assert told in _said(api, *asked, "delete", f"--raw={collection}")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        api.kubectl(*inside, *asked, "delete", named, "--all", "--wait=false")
    assert refused.value.stderr.count(told) == len(kinds)
    left = api.kubectl(*inside, "get", named, "-o", "name").split()
    assert sorted(name.split("/")[1] for name in left) == ["freeholds"] * len(kinds)
    # Whoever runs the program does.
    api.kubectl(*inside, "delete", named, "--all", "--wait=false")
    assert api.kubectl(*inside, "get", named, "-o", "name") == ""


def test_what_the_tenant_makes_can_always_be_deleted(tenants: Somewhere, api: Api) -> None:
    """A finalizer of its own would hold the tenant's suspension, its end and the nodes that are emptied."""
    group, inside = "freehold:t:acme:member", ("-n", tenants.namespace)
    by = ("--as=bob", f"--as-group={group}", "--as-group=system:authenticated")
    api.kubectl(*inside, "create", "rolebinding", "edit-member", "--clusterrole=edit", f"--group={group}")
    held, told = {"finalizers": ["example.com/held"]}, "objects of tenants may have no finalizers"
    plain = {"apiVersion": "v1", "kind": "ConfigMap"}
    bare = (plain, {"apiVersion": "v1", "kind": "Secret"}, _claim(), *_templates(_pod({}))[1:])
    deadline = time.monotonic() + 30
    objects = [{**manifest, "metadata": {"name": "held", **held}} for manifest in bare]
    # What the API server itself puts on a claim is let through.
    while (said := tenants.refusal(*bare, by=by)) or told not in tenants.refusal(objects[0], by=by):
        assert time.monotonic() < deadline, said or "the API server has not taken the rule up"
        time.sleep(0.2)
    makers = json.loads(json.dumps(_templates(_pod({}))[1:]))
    for made in makers:
        made["spec"].get("jobTemplate", made)["spec"]["template"]["metadata"].update(held)
    claims = _templates(_pod({}))[2]
    claims["spec"]["volumeClaimTemplates"] = [{**_claim(), "metadata": {"name": "data", **held}}]
    for manifest in (*objects, *makers, claims):
        assert told in tenants.refusal(manifest, by=by), manifest
    # What others put on it the tenant keeps or takes away, and adds nothing.
    theirs = {"name": "theirs", "namespace": tenants.namespace, "finalizers": ["example.com/theirs"]}
    api.apply({**plain, "metadata": theirs})
    patch = (*inside, *by, "patch", "configmap", "theirs", "--type=merge", "-p")
    more = json.dumps({"metadata": {"finalizers": [*theirs["finalizers"], *held["finalizers"]]}})
    assert told in _said(api, *patch, more)
    assert _said(api, *patch, '{"data": {"word": "mine"}}') == ""
    assert _said(api, *patch, '{"metadata": {"finalizers": null}}') == ""


def test_other_namespaces_are_not_held_by_them(tenants: Somewhere, api: Api, namespace: str) -> None:
    elsewhere = Somewhere(api, namespace)
    assert elsewhere.refusal(_templates(_pod(REFUSED["a node each"][0]))[1]) == ""


def test_what_was_there_before_can_still_be_deleted(tenants: Somewhere, api: Api, namespace: str) -> None:
    """A finalizer is taken away by an update, which the rules would refuse a Deployment of before their time."""
    deployment = _templates(_pod(REFUSED["a node each"][0]))[1]
    api.apply({**deployment, "metadata": {"name": "old", "namespace": namespace}})
    api.kubectl("label", "namespace", namespace, f"{TENANT_LABEL}=acme")
    patch = json.dumps({"spec": {"template": {"spec": {"priorityClassName": "system-node-critical"}}}})
    deadline = time.monotonic() + 30
    while True:  # the rules see a namespace's new label after a moment
        try:
            api.kubectl("-n", namespace, "patch", "deployment", "old", "-p", patch, "--dry-run=server")
        except subprocess.CalledProcessError as error:
            assert "may not have a priorityClassName" in error.stderr
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    api.kubectl("-n", namespace, "annotate", "deployment", "old", "colour=red")
    api.kubectl("-n", namespace, "delete", "deployment", "old", "--cascade=foreground", "--timeout=30s")
    assert api.get("deployment", "old", namespace) is None
