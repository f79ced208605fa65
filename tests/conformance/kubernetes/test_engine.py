"""The kubernetes stand-in under the real engine: whole programs, seen by kubectl and in the stored state."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.conformance.kubernetes.conftest import Api
from tests.rehearsal.engine import EngineProject

pytestmark = pytest.mark.sandbox

HEAD = """
import pulumi, pulumi_kubernetes as k8s
def deployment(name, namespace, replicas=1, **spec):
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "pause"}], **spec}}
    return k8s.apps.v1.Deployment(name, metadata={"name": name, "namespace": namespace}, spec={
        "replicas": replicas, "selector": {"matchLabels": labels}, "template": template})
"""


def program(namespace: str, body: str) -> str:
    return f"{HEAD}\nnamespace = {namespace!r}\n{body}"


def test_create_read_update_delete(api: Api, project: EngineProject, namespace: str) -> None:
    two = program(namespace, 'd = deployment("web", namespace, 2)\npulumi.export("ready", d.status.ready_replicas)')
    assert project.preview(two).expect_ok().changes == {"create": 2}
    assert api.get("deployment", "web", namespace) is None
    assert project.up().expect_ok().changes == {"create": 2}
    assert project.outputs() == {"ready": 2}, "up came back before the deployment was available"

    assert project.up().expect_ok().changes == {"same": 2}

    three = project.up(two.replace("namespace, 2)", "namespace, 3)")).expect_ok()
    assert three.changes == {"same": 1, "update": 1}
    assert three.detailed_diff("web") == {"spec.replicas": "update"}
    assert api.get("deployment", "web", namespace)["spec"]["replicas"] == 3

    assert project.up(program(namespace, "")).expect_ok().changes == {"delete": 1, "same": 1}
    assert api.get("deployment", "web", namespace) is None


def test_names_of_its_own_are_replaced_without_a_gap(api: Api, project: EngineProject, namespace: str) -> None:
    body = 'c = k8s.core.v1.ConfigMap("c", metadata={"namespace": namespace}, data={"a": "1"})\n'
    one = program(namespace, body + 'pulumi.export("name", c.metadata.name)')
    project.up(one).expect_ok()
    first = project.outputs()["name"]
    assert len(first) == len("c-") + 8
    assert project.up(one).expect_ok().changes == {"same": 2}
    run = project.up(one.replace('"1"', '"2"')).expect_ok()
    assert run.steps("c") == ("create-replacement", "replace", "delete-replaced")
    second = project.outputs()["name"]
    assert second != first
    assert api.get("configmap", first, namespace) is None
    assert api.get("configmap", second, namespace)["data"] == {"a": "2"}


def test_names_of_the_programs_are_deleted_first(api: Api, project: EngineProject, namespace: str) -> None:
    one = program(
        namespace, 'k8s.core.v1.ConfigMap("c", metadata={"name": "fixed", "namespace": namespace}, data={"a": "1"})'
    )
    project.up(one).expect_ok()
    before = api.get("configmap", "fixed", namespace)
    run = project.up(one.replace('"1"', '"2"')).expect_ok()
    assert run.steps("c") == ("delete-replaced", "replace", "create-replacement")
    after = api.get("configmap", "fixed", namespace)
    assert after["data"] == {"a": "2"} and after["metadata"]["uid"] != before["metadata"]["uid"]
    assert project.preview().expect_ok().changes == {"same": 2}


def test_drift_is_seen_and_repaired(api: Api, project: EngineProject, namespace: str) -> None:
    one = program(namespace, 'deployment("web", namespace, 2)')
    project.up(one).expect_ok()
    assert project.refresh().expect_ok().changes == {"same": 2}
    api.kubectl("scale", "deployment", "web", "-n", namespace, "--replicas=1")
    assert project.refresh().expect_ok().changes == {"same": 1, "update": 1}
    assert project.resources()["web"]["inputs"]["spec"]["replicas"] == 1

    refused = project.preview()
    assert refused.detailed_diff("web") == {"spec.replicas": "update"}
    assert not refused.ok and any("own .spec.replicas" in line for line in refused.diagnostics), refused.diagnostics

    forced = one.replace('"name": name, ', '"name": name, "annotations": {"pulumi.com/patchForce": "true"}, ')
    assert project.up(forced).expect_ok().changes == {"same": 1, "update": 1}
    assert api.get("deployment", "web", namespace)["spec"]["replicas"] == 2


def test_what_was_deleted_elsewhere_is_made_again(api: Api, project: EngineProject, namespace: str) -> None:
    one = program(
        namespace, 'k8s.core.v1.ConfigMap("c", metadata={"name": "c", "namespace": namespace}, data={"a": "1"})'
    )
    project.up(one).expect_ok()
    api.kubectl("delete", "configmap", "c", "-n", namespace)
    assert project.refresh().expect_ok().changes == {"delete": 1, "same": 1}
    assert project.up().expect_ok().changes == {"create": 1, "same": 1}
    assert api.get("configmap", "c", namespace)["data"] == {"a": "1"}


def test_import(api: Api, project: EngineProject, namespace: str) -> None:
    api.kubectl("create", "configmap", "found", "-n", namespace, "--from-literal=a=1")
    project.adopt("kubernetes:core/v1:ConfigMap", "c", f"{namespace}/found").expect_ok()
    assert project.resources()["c"]["inputs"]["data"] == {"a": "1"}
    body = 'k8s.core.v1.ConfigMap("c", metadata={"name": "found", "namespace": namespace}, data={"a": "1"})'
    assert project.up(program(namespace, body)).expect_ok().changes == {"same": 2}


def test_import_of_what_is_not_there(project: EngineProject, namespace: str) -> None:
    run = project.adopt("kubernetes:core/v1:ConfigMap", "c", f"{namespace}/missing")
    assert not run.ok and "does not exist" in run.stdout + run.stderr
    project.up(program(namespace, "")).expect_ok()


def test_secrets_are_secret_in_the_state(api: Api, project: EngineProject, namespace: str) -> None:
    body = """
s = k8s.core.v1.Secret("s", metadata={"name": "s", "namespace": namespace}, string_data={"password": "correct-horse"})
c = k8s.core.v1.ConfigMap("c", metadata={"name": "c", "namespace": namespace},
    data={"open": "in-the-clear", "hidden": pulumi.Output.secret("battery-staple")})
d = k8s.core.v1.ConfigMap("d", metadata={"name": "d", "namespace": namespace}, data={"copied": c.data["hidden"]})
pulumi.export("copy", s.data["password"])
"""
    project.up(program(namespace, body)).expect_ok()
    project.refresh().expect_ok()
    state = json.dumps(project.state())
    for hidden in ("correct-horse", "battery-staple", base64.b64encode(b"correct-horse").decode()):
        assert hidden not in state
    assert "in-the-clear" in state
    assert api.get("configmap", "d", namespace)["data"] == {"copied": "battery-staple"}
    assert base64.b64decode(project.outputs()["copy"]) == b"correct-horse"
    run = project.up(program(namespace, body.replace("correct-horse", "wrong-horse"))).expect_ok()
    assert "horse" not in run.stdout + json.dumps(run.events)


def test_unknowns_in_preview(api: Api, project: EngineProject, namespace: str) -> None:
    body = """
s = k8s.core.v1.Service("s", metadata={"namespace": namespace}, spec={"ports": [{"port": 80}]})
k8s.core.v1.ConfigMap("c", metadata={"name": "c", "namespace": namespace},
    data={"address": s.spec.cluster_ip, "uid": s.metadata.uid})
pulumi.export("address", s.spec.cluster_ip)
pulumi.export("port", s.spec.ports[0].port)
pulumi.export("protocol", s.spec.ports[0].protocol)
"""
    seen = project.preview(program(namespace, body)).expect_ok()
    outputs = _stack_outputs(seen.events)
    assert outputs["port"] == 80
    assert outputs["protocol"] == "TCP", "the dry run tells the API server's defaults"
    assert outputs["address"] == "04da6b54-80e4-46f7-96ec-b56ff0331ba9", "a preview does not know the address"
    project.up().expect_ok()
    made = api.get("configmap", "c", namespace)["data"]
    assert made["address"] == project.outputs()["address"]


def _stack_outputs(events: tuple[Any, ...]) -> Any:
    found = [e["resOutputsEvent"]["metadata"] for e in events if "resOutputsEvent" in e]
    return [step["new"]["outputs"] for step in found if step["type"] == "pulumi:pulumi:Stack"][-1]


def test_a_deployment_that_never_becomes_available_stays_in_the_state(
    api: Api, project: EngineProject, namespace: str
) -> None:
    stuck = program(namespace, 'deployment("web", namespace, node_selector={"no": "such-node"})')
    stuck = stuck.replace(
        '"name": name, "namespace"', '"name": name, "annotations": {"pulumi.com/timeoutSeconds": "2"}, "namespace"'
    )
    run = project.up(stuck)
    assert not run.ok
    assert any("not ready after 2 s: 0 of 1 replicas are available" in line for line in run.diagnostics), (
        run.diagnostics
    )
    entry = project.resources()["web"]
    assert entry["id"] == f"{namespace}/web" and entry["initErrors"]

    again = project.up()
    assert not again.ok and again.steps("web") == ("update",), "the engine repairs it, and does not make a second one"

    mended = project.up(stuck.replace("such-node", "such-node-at-all").replace('node_selector={"no"', 'labels={"no"'))
    assert not mended.ok, "labels is no field of a pod"
    assert "labels" in "".join(mended.diagnostics)
    assert project.up(program(namespace, 'deployment("web", namespace)')).expect_ok().changes["update"] == 1
    assert "initErrors" not in project.resources()["web"]


def test_a_name_that_is_taken_is_refused(api: Api, project: EngineProject, namespace: str) -> None:
    api.kubectl("create", "configmap", "taken", "-n", namespace, "--from-literal=whose=theirs")
    body = 'k8s.core.v1.ConfigMap("c", metadata={"name": "taken", "namespace": namespace}, data={"whose": "ours"})'
    run = project.up(program(namespace, body))
    assert not run.ok
    assert any("ConfigMap taken exists already" in line for line in run.diagnostics)
    assert api.get("configmap", "taken", namespace)["data"] == {"whose": "theirs"}
    assert "c" not in project.resources()


CUSTOM = """
schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
crd = k8s.apiextensions.v1.CustomResourceDefinition("crd", metadata={"name": f"things.{namespace}.example.com"}, spec={
    "group": f"{namespace}.example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]})
thing = k8s.apiextensions.CustomResource("thing", api_version=f"{namespace}.example.com/v1", kind="Thing",
    metadata={"name": "thing", "namespace": namespace}, spec={"size": 1}, opts=pulumi.ResourceOptions(depends_on=[crd]))
"""


def test_a_definition_and_its_resource_in_one_stack(api: Api, project: EngineProject, namespace: str) -> None:
    assert project.preview(program(namespace, CUSTOM)).expect_ok().changes == {"create": 3}
    project.up().expect_ok()
    kind = f"things.{namespace}.example.com"
    assert api.get(kind, "thing", namespace)["spec"] == {"size": 1}
    run = project.up(program(namespace, CUSTOM.replace('{"size": 1}', '{"size": 2}'))).expect_ok()
    assert run.detailed_diff("thing") == {"spec.size": "update"}
    assert api.get(kind, "thing", namespace)["spec"] == {"size": 2}
    wrong = project.up(program(namespace, CUSTOM.replace('{"size": 1}', '{"siez": 2}')))
    assert not wrong.ok and any("siez" in line for line in wrong.diagnostics)
    project.refresh().expect_ok()


def test_skip_await(api: Api, project: EngineProject, namespace: str) -> None:
    body = program(namespace, 'deployment("web", namespace, node_selector={"no": "such-node"})')
    annotation = '"name": name, "annotations": {"pulumi.com/skipAwait": "true"}, "namespace"'
    run = project.up(body.replace('"name": name, "namespace"', annotation)).expect_ok()
    assert run.seconds < 60
    assert api.get("deployment", "web", namespace)["status"].get("availableReplicas") is None


def test_wait_for(api: Api, project: EngineProject, namespace: str) -> None:
    wait = json.dumps(["jsonpath={.status.phase}=Running", "condition=Ready"])
    body = f"""
annotations = {{"pulumi.com/waitFor": {wait!r}}}
p = k8s.core.v1.Pod("p", metadata={{"name": "p", "namespace": namespace, "annotations": annotations}},
    spec={{"containers": [{{"name": "main", "image": "pause"}}]}})
pulumi.export("phase", p.status.phase)
"""
    project.up(program(namespace, body)).expect_ok()
    assert project.outputs() == {"phase": "Running"}


def test_ignored_changes_are_left_alone(api: Api, project: EngineProject, namespace: str) -> None:
    body = """
k8s.core.v1.Service("s", metadata={"name": "s", "namespace": namespace, "labels": {"kept": "1"}},
    spec={"ports": [{"port": 80}]}, opts=pulumi.ResourceOptions(ignore_changes=["metadata.labels.kept"]))
"""
    project.up(program(namespace, body)).expect_ok()
    assert project.up(program(namespace, body.replace('"1"', '"2"'))).expect_ok().changes == {"same": 2}
    run = project.up(program(namespace, body.replace('"1"', '"2"').replace("80", "81"))).expect_ok()
    assert run.detailed_diff("s") == {"spec.ports[0].port": "update"}
    assert api.get("service", "s", namespace)["metadata"]["labels"] == {"kept": "1"}


def test_a_provider_of_its_own_with_a_kubeconfig_that_is_not_known_yet(
    api: Api, project: EngineProject, namespace: str
) -> None:
    body = f"""
text = open({str(api.kubeconfig)!r}).read()
early = k8s.core.v1.ConfigMap("early", metadata={{"name": "early", "namespace": namespace}}, data={{"k": text}})
provider = k8s.Provider("provider", kubeconfig=early.metadata.uid.apply(lambda _: text), namespace=namespace)
late = k8s.core.v1.ConfigMap("late", data={{"a": "1"}}, opts=pulumi.ResourceOptions(provider=provider))
pulumi.export("where", late.metadata.namespace)
"""
    project.preview(program(namespace, body)).expect_ok()
    project.up().expect_ok()
    assert project.outputs() == {"where": namespace}
    assert project.preview().expect_ok().changes == {"same": 4}
