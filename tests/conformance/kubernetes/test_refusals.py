"""Bad input, collisions and unreachable clusters: each is one line that names what is wrong."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from sandbox.home import Home
from sandbox.providers.interface import UNKNOWN, Properties, ProviderError
from sandbox.providers.kubernetes import objects
from sandbox.providers.kubernetes.connection import Connection
from tests.conformance.kubernetes.conftest import Api, resource
from tests.cut_off import cut_off, sent_again

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"

pytestmark = pytest.mark.sandbox


def _object(type: str, namespace: str, **properties: object) -> Properties:
    _, version, kind = type.split(":", 2)
    metadata = {"name": "subject", "namespace": namespace}
    return {"apiVersion": version.removeprefix("core/"), "kind": kind, "metadata": metadata, **properties}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("type", "properties", "named"),
    [
        (CONFIG_MAP, {"dat": {"a": "b"}}, "dat"),
        (CONFIG_MAP, {"data": {"a": 1}}, "data.a"),
        (DEPLOYMENT, {"spec": {"replicas": "two"}}, "spec.replicas"),
        (DEPLOYMENT, {"spec": {"replicas": 1}}, "spec.selector"),
    ],
    ids=["unknown property", "wrong type in a map", "wrong type", "missing property"],
)
@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
def test_bad_properties_are_named(
    api: Api, namespace: str, type: str, properties: dict[str, object], named: str, preview: bool
) -> None:
    with pytest.raises(ProviderError, match=named.replace(".", r"\.")):
        api.provider().create(resource(type), _object(type, namespace, **properties), preview=preview, timeout=5)
    assert api.get("configmap", "subject", namespace) is None
    assert api.get("deployment", "subject", namespace) is None


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("pulumi.com/waitFor", "ready"),
        ("pulumi.com/waitFor", "jsonpath={.items[?(@.a)]}"),
        ("pulumi.com/waitFor", "[]"),
        ("pulumi.com/timeoutSeconds", "soon"),
        ("pulumi.com/timeoutSeconds", "0"),
        ("pulumi.com/deletionPropagationPolicy", "gently"),
    ],
)
def test_annotations_that_cannot_be_followed(api: Api, annotation: str, value: str) -> None:
    inputs: Properties = {"metadata": {"name": "subject", "annotations": {annotation: value}}}
    found = api.provider().check(resource(CONFIG_MAP), inputs, None, b"")
    assert [failure.property for failure in found.failures] == [f'metadata.annotations["{annotation}"]']


@pytest.mark.parametrize(
    "type",
    ["kubernetes:helm.sh/v3:Release", "kubernetes:yaml/v2:ConfigFile", "kubernetes:core/v1:PodList"],
)
def test_types_that_are_not_served_say_so(api: Api, type: str) -> None:
    with pytest.raises(ProviderError, match=type):
        api.provider().check(resource(type), {}, None, b"")


@pytest.mark.parametrize(
    ("type", "version", "kind"),
    [(f"{CONFIG_MAP}Patch", "v1", "ConfigMap"), ("kubernetes:example.com/v1:ThingPatch", "example.com/v1", "Thing")],
)
def test_a_patch_of_what_others_made_says_that_it_is_not_served(api: Api, type: str, version: str, kind: str) -> None:
    """By its type the SDKs tell it, and by the kind of what it patches."""
    inputs: Properties = {"apiVersion": version, "kind": kind, "metadata": {"name": "theirs"}}
    with pytest.raises(ProviderError, match=f"^{type}: .* patches .* FREEHOLD_PROVIDERS=official"):
        api.provider().check(resource(type), inputs, None, b"")


@pytest.mark.parametrize("kind", ["AllowList", "EnvoyPatch"])
def test_a_custom_kind_may_be_called_as_it_likes(api: Api, kind: str) -> None:
    type, inputs = f"kubernetes:example.com/v1:{kind}", {"apiVersion": "example.com/v1", "kind": kind}
    assert not api.provider().check(resource(type), inputs, None, b"").failures


def test_a_kind_that_nobody_defined(api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.providers.kubernetes.provider._DEFINED", 0.5)  # seconds that it may be about to be
    type = "kubernetes:nobody.example.com/v1:Thing"
    with pytest.raises(ProviderError, match=r"serves no Thing in nobody\.example\.com/v1"):
        api.provider().read(resource(type), f"{namespace}/x", {}, {}) or api.provider().create(
            resource(type), _object(type, namespace), preview=False, timeout=1
        )


def test_another_managers_field_is_not_taken_over_unasked(api: Api, namespace: str) -> None:
    provider, subject = api.provider(enableConfigMapMutable="true"), resource(CONFIG_MAP)
    asked = _object(CONFIG_MAP, namespace, data={"a": "1"})
    made = provider.create(subject, asked, preview=False, timeout=5)
    api.apply({**asked, "data": {"a": "theirs"}})
    wanted = _object(CONFIG_MAP, namespace, data={"a": "2"})
    with pytest.raises(ProviderError, match=r"data\.a.*kubectl.*pulumi\.com/patchForce"):
        provider.update(subject, made.id, asked, made.outputs, wanted, preview=False, timeout=5)
    assert api.get("configmap", "subject", namespace)["data"] == {"a": "theirs"}
    forced = {**wanted, "metadata": {**wanted["metadata"], "annotations": {"pulumi.com/patchForce": "true"}}}  # type: ignore[dict-item]
    provider.update(subject, made.id, asked, made.outputs, forced, preview=False, timeout=5)
    assert api.get("configmap", "subject", namespace)["data"] == {"a": "2"}


def test_a_provider_that_takes_fields_back_is_not_stopped_by_what_others_changed(api: Api, namespace: str) -> None:
    """A change of plan, where the tenant's people have set the autoscaler's maximum themselves."""
    provider, subject = api.provider(enablePatchForce="true"), resource(SCALER)

    def scaler(maximum: int) -> Properties:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "subject"}
        spec: Properties = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": maximum}
        return _object(SCALER, namespace, spec=spec)

    made = provider.create(subject, scaler(2), preview=False, timeout=5)
    api.apply(scaler(3))
    for preview in (True, False):
        provider.update(subject, made.id, scaler(2), made.outputs, scaler(5), preview=preview, timeout=5)
    assert api.get("horizontalpodautoscaler", "subject", namespace)["spec"]["maxReplicas"] == 5


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "update"])
@pytest.mark.parametrize("server_side", ["true", "false"], ids=["server-side", "client-side"])
def test_what_is_gone_is_not_made_anew_by_an_update(api: Api, namespace: str, server_side: str, preview: bool) -> None:
    provider = api.provider(enableConfigMapMutable="true", enableServerSideApply=server_side)
    subject, asked = resource(CONFIG_MAP), _object(CONFIG_MAP, namespace, data={"a": "1"})
    made = provider.create(subject, asked, preview=False, timeout=5)
    api.kubectl("delete", "configmap", "subject", "-n", namespace)
    wanted = _object(CONFIG_MAP, namespace, data={"a": "2"})
    with pytest.raises(ProviderError, match=rf"ConfigMap subject in {namespace} is gone.*refresh the stack"):
        provider.update(subject, made.id, asked, made.outputs, wanted, preview=preview, timeout=5)
    assert api.get("configmap", "subject", namespace) is None


@pytest.mark.parametrize("again", [True, False], ids=["made again", "gone"])
def test_what_goes_while_it_is_updated_is_not_made_anew(
    api: Api, namespace: str, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, subject = api.provider(enableConfigMapMutable="true"), resource(CONFIG_MAP)
    asked = _object(CONFIG_MAP, namespace, data={"a": "1"})
    made = provider.create(subject, asked, preview=False, timeout=5)
    request = Connection.request

    def interrupted(self: Connection, method: str, path: str, *rest: Any, **named: Any) -> Any:
        if method == "PATCH":
            api.kubectl("delete", "configmap", "subject", "-n", namespace)
            if again:
                api.kubectl("create", "configmap", "subject", "-n", namespace, "--from-literal=b=theirs")
        return request(self, method, path, *rest, **named)

    monkeypatch.setattr(Connection, "request", interrupted)
    wanted = _object(CONFIG_MAP, namespace, data={"a": "2"})
    with pytest.raises(ProviderError, match="is gone"):
        provider.update(subject, made.id, asked, made.outputs, wanted, preview=False, timeout=5)
    left = api.get("configmap", "subject", namespace)
    assert left["data"] == {"b": "theirs"} if again else left is None


def test_a_create_whose_answer_was_lost_goes_on_under_its_manager(api: Api, namespace: str) -> None:
    provider, subject = api.provider(enableConfigMapMutable="true"), resource(CONFIG_MAP)
    asked = _object(CONFIG_MAP, namespace, data={"a": "1"})
    made = provider.create(subject, asked, preview=False, timeout=5)
    found = provider.read(subject, made.id, asked, asked)  # what the state holds once a pending create was brought in
    assert found is not None
    wanted = _object(CONFIG_MAP, namespace, data={"a": "2"})
    provider.update(subject, made.id, asked, found.outputs, wanted, preview=False, timeout=5)
    assert api.get("configmap", "subject", namespace)["data"] == {"a": "2"}


def test_an_object_of_another_stack_is_imported_and_not_taken_over(api: Api, namespace: str) -> None:
    provider, subject = api.provider(enableConfigMapMutable="true"), resource(CONFIG_MAP)
    asked = _object(CONFIG_MAP, namespace, data={"a": "1"})
    made = provider.create(subject, asked, preview=False, timeout=5)
    found = provider.read(subject, made.id, {}, {})
    assert found is not None
    wanted = _object(CONFIG_MAP, namespace, data={"a": "2"})
    with pytest.raises(ProviderError, match=r"other field managers own \.data\.a"):
        provider.update(subject, made.id, found.inputs, found.outputs, wanted, preview=False, timeout=5)


def test_delete_spares_another_object_of_the_name(api: Api, namespace: str) -> None:
    provider, subject = api.provider(), resource(CONFIG_MAP)
    asked = _object(CONFIG_MAP, namespace, data={"a": "1"})
    made = provider.create(subject, asked, preview=False, timeout=5)
    api.kubectl("delete", "configmap", "subject", "-n", namespace)
    api.apply({**asked, "data": {"whose": "someone else's"}})
    provider.delete(subject, made.id, asked, made.outputs, timeout=5)
    assert api.get("configmap", "subject", namespace)["data"] == {"whose": "someone else's"}


UNREACHABLE = """
{"apiVersion": "v1", "kind": "Config", "current-context": "c",
 "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
 "contexts": [{"name": "c", "context": {"cluster": "c"}}]}
"""


def test_preview_of_an_unreachable_cluster_does_not_fail(api: Api) -> None:
    provider, subject = api.provider(kubeconfig=UNREACHABLE), resource(CONFIG_MAP)
    checked = provider.check(subject, {"data": {"a": "1"}}, None, b"seed")
    seen = provider.create(subject, checked.inputs, preview=True, timeout=0)
    assert seen.outputs["data"] == {"a": "1"}
    assert seen.outputs["metadata"]["uid"] is UNKNOWN  # type: ignore[index,call-overload]
    provider.update(subject, "default/x", checked.inputs, checked.inputs, checked.inputs, preview=True, timeout=0)


@pytest.mark.parametrize(
    "kubeconfig", ["/nowhere/kubeconfig", "clusters: [", "{}"], ids=["no file", "no YAML", "empty"]
)
def test_a_kubeconfig_that_is_no_use_fails_what_needs_it(api: Api, kubeconfig: str) -> None:
    provider, subject = api.provider(kubeconfig=kubeconfig), resource(CONFIG_MAP)
    asked = _object(CONFIG_MAP, "default", data={"a": "1"})
    provider.create(subject, asked, preview=True, timeout=0)
    with pytest.raises(ProviderError, match="kubeconfig"):
        provider.create(subject, asked, preview=False, timeout=0)


def test_what_to_do_with_an_unreachable_cluster_can_be_set(api: Api) -> None:
    subject = resource(CONFIG_MAP)
    asked = _object(CONFIG_MAP, "default", data={"a": "1"})
    forgetting = api.provider(kubeconfig=UNREACHABLE, deleteUnreachable="true")
    assert forgetting.read(subject, "default/subject", asked, asked) is None
    forgetting.delete(subject, "default/subject", asked, asked, timeout=0)
    skipping = api.provider(kubeconfig=UNREACHABLE, skipUpdateUnreachable="true")
    kept = skipping.read(subject, "default/subject", asked, asked)
    assert kept is not None and kept.inputs == asked
    assert skipping.check(subject, {**asked, "data": {"a": "2"}}, asked, b"").inputs == asked


def test_provider_properties_are_checked(api: Api) -> None:
    provider = api.provider()
    assert [f.property for f in provider.check_config({"kubeconfg": "x"}).failures] == ["kubeconfg"]
    assert [f.property for f in provider.check_config({"deleteUnreachable": "maybe"}).failures] == ["deleteUnreachable"]
    assert [f.property for f in provider.check_config({"renderYamlToDirectory": "x"}).failures]
    assert not provider.check_config({"kubeconfig": UNKNOWN, "enableServerSideApply": "false"}).failures


@pytest.mark.parametrize("server_side", ["true", "false"])
def test_a_create_that_was_cut_off_is_sent_again_and_takes_nobody_elses(
    api: Api, namespace: str, tmp_path: Path, server_side: str
) -> None:
    home, provider = Home(tmp_path), api.provider(enableServerSideApply=server_side)
    subject = resource(CONFIG_MAP, f"cut-off-{server_side}")
    with cut_off(home, subject.urn):
        provider.create(subject, _object(CONFIG_MAP, namespace, data={"a": "then"}), preview=False, timeout=0)
    # Another create of that name, and this one without its journal, are refused.
    for again in (sent_again(home, f"{subject.urn}-other"), nullcontext()):
        with again, pytest.raises(ProviderError, match="exists already"):
            provider.create(subject, _object(CONFIG_MAP, namespace, data={"a": "another's"}), preview=False, timeout=0)
    with sent_again(home, subject.urn):  # as it is wanted by now
        made = provider.create(subject, _object(CONFIG_MAP, namespace, data={"a": "now"}), preview=False, timeout=0)
    live = api.get("configmap", "subject", namespace)
    assert live["data"] == {"a": "now"}
    assert objects.metadata(made.outputs, "uid") == live["metadata"]["uid"]
