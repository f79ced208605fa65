"""freehold:runner, and what the platform makes of it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from errors import UsageError
from stacks import contract, platform
from stacks.settings.platform import NotifierSettings, PlatformSettings, RunnerSettings
from tests.components.recording import ACCOUNT, Recording, declare
from tests.stacks.files import load, stack_file
from tests.stacks.test_programs import ANSWERS

KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0a1b2c3d-0000-1111-2222-333344445555"
IMAGE = "registry.example.com/freehold/runner@sha256:" + "0" * 64
CHOSEN = {"image": IMAGE, "backend": "s3://company-pulumi-state/team?region=us-east-1", "secretsKey": KEY}


def _load(*without: str) -> PlatformSettings:
    config = {**stack_file("dev")["config"], "freehold:runner": CHOSEN}
    settings = load({key: value for key, value in config.items() if key not in without}, "dev")
    assert isinstance(settings, PlatformSettings)
    return settings


def test_all_but_its_place_has_a_default() -> None:
    settings = RunnerSettings.model_validate(CHOSEN)
    assert (settings.concurrency, settings.replicas) == (4, 2)
    for key in CHOSEN:
        with pytest.raises(ValidationError, match="Field required"):
            RunnerSettings.model_validate({other: value for other, value in CHOSEN.items() if other != key})


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": "registry.example.com/freehold/runner:latest"},
        {"backend": "file:///var/lib/state"},
        {"backend": "company-pulumi-state"},
        {"backend": "s3://*"},
        {"backend": "s3://state/*"},
        {"secretsKey": "awskms://alias/freehold-secrets"},
        {"secretsKey": f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/freehold-secrets"},
        {"secretsKey": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/*"},
        {"concurrency": 0},
        {"concurrency": 9},
        {"replicas": 0},
        {"replicas": 6},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RunnerSettings.model_validate({**CHOSEN, **wrong})


def test_the_most_that_it_may_do_finds_a_node_and_a_small_control_database() -> None:
    most = RunnerSettings.model_validate({**CHOSEN, "concurrency": 8, "replicas": 5})
    settings = _load().model_copy(update={"runner": most})
    recording = declare(lambda: platform.run(settings, "dev"), stack="dev", answers=ANSWERS)
    pod = recording.named("runner-deployment").plain()["spec"]["template"]["spec"]
    (asked,) = (one["resources"]["requests"] for one in pod["containers"])
    # A node of 4 processors and 16 GiB, less what the node itself and its daemons take.
    assert int(asked["cpu"].removesuffix("m")) <= 3500
    assert int(asked["memory"].removesuffix("Mi")) <= 13 * 1024
    # A Postgres of 1 GiB lets 112 in (docs/limits.md); each operation takes two, each replica two more.
    assert most.replicas * (2 * most.concurrency + 2) <= 112 - 10


def test_it_is_refused_without_a_control_database() -> None:
    with pytest.raises(UsageError) as error:
        _load("freehold:control")
    assert error.value.line() == (
        "Pulumi.dev.yaml: runner finds its work in the control database: set control, or leave runner out"
    )


@pytest.mark.parametrize("stack", ["dev-t", "prod-t-eu1"])
def test_no_cell_is_called_as_anothers_tenants_begin(stack: str) -> None:
    with pytest.raises(UsageError, match="looks like tenants of another cell"):
        load(stack_file("dev")["config"], stack)


@cache
def _made(inside_network: bool = True, preview: bool = False) -> Recording:
    settings = _load().model_copy(update={"inside_network": inside_network})
    return declare(lambda: platform.run(settings, "dev"), stack="dev", preview=preview, answers=ANSWERS)


def _deployment() -> Any:
    (found,) = (one.plain() for one in _made().of("kubernetes:apps/v1:Deployment") if one.name == "runner-deployment")
    return found


def test_the_deployment_runs_the_cell_where_its_state_is() -> None:
    (container,) = _deployment()["spec"]["template"]["spec"]["containers"]
    assert container["image"] == IMAGE
    assert "--cell dev --target cloud --concurrency 4" in " ".join(container["args"])
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert variables["PULUMI_BACKEND_URL"] == CHOSEN["backend"]
    assert variables["AWS_REGION"] == "us-east-1"
    assert not [name for name in variables if "PASSPHRASE" in name or "SECRET" in name]


def test_its_account_takes_the_role_that_the_cluster_and_the_databases_know() -> None:
    recording = _made()
    account = recording.named("runner-account")
    role = account.plain()["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    entry = recording.named("runner-identity-entry")
    assert entry.plain()["principalArn"] == role
    assert entry.urn in account.dependencies
    binding = recording.named("runner-rights-binding").plain()
    assert [one["name"] for one in binding["subjects"]] == entry.plain()["kubernetesGroups"]
    policy = recording.named("runner-identity-role-policy").plain()["policy"]
    for secret in recording.of("aws:secretsmanager/secret:Secret"):
        assert (f'"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:{secret.name}"' in policy) == (
            secret.name.startswith(("postgres-", "control-runner-", "redis-sweeper-"))
        ), secret.name
    assert KEY in policy and "tenant.dev.*" in policy and "company-pulumi-state/team/.pulumi" in policy


def test_it_has_its_rights_and_its_nodes_before_it_runs() -> None:
    runner = _made().named("runner")
    assert _made().named("runner-rights-binding").urn in runner.dependencies
    assert [urn for urn in runner.dependencies if "aws:eks/addon:Addon" in urn]


def test_nothing_in_the_cluster_reaches_what_the_platform_runs_in_namespaces_of_its_own() -> None:
    notifier = NotifierSettings.model_validate({"enabled": True, "image": IMAGE})
    settings = _load().model_copy(update={"notifier": notifier})
    recording = declare(lambda: platform.run(settings, "dev"), stack="dev", answers=ANSWERS)
    namespaces = {one.plain()["metadata"]["name"] for one in recording.of("kubernetes:core/v1:Namespace")}
    policies = [one.plain() for one in recording.of("kubernetes:networking.k8s.io/v1:NetworkPolicy")]
    assert namespaces == {"freehold-runner", "freehold-notifier"}
    assert {policy["metadata"]["namespace"] for policy in policies} == namespaces
    for policy in policies:
        assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    # Children come after their component, and that after the namespaces.
    assert recording.named("runner-namespace").urn in recording.named("runner-closed").dependencies
    assert recording.named("notifier-deployment-namespace").urn in recording.named("notifier-closed").dependencies


def test_preview_shows_it_whole() -> None:
    known = {(one.type, one.name) for one in _made().resources}
    assert {(one.type, one.name) for one in _made(preview=True).resources} == known


def test_from_outside_the_network_it_is_left_out() -> None:
    assert not [one.name for one in _made(inside_network=False).resources if one.name.startswith("runner")]


def test_without_it_nothing_of_it_is_there() -> None:
    settings = _load("freehold:runner")
    recording = declare(lambda: platform.run(settings, "dev"), stack="dev", answers=ANSWERS)
    assert not [one.name for one in recording.resources if one.name.startswith("runner")]


def test_every_cell_tells_its_tenants_what_their_roles_keep_within() -> None:
    settings = _load("freehold:runner")
    recording = declare(lambda: platform.run(settings, "dev"), stack="dev", answers=ANSWERS)
    tenants = contract.read("dev", recording.exports["contract"]).tenants
    assert tenants is not None
    assert tenants.role_boundary == f"arn:aws:iam:us-east-1:{ACCOUNT}:tenant-boundary-policy"
    old = {key: value for key, value in recording.exports["contract"].items() if key != "tenants"}
    assert contract.read("dev", old).tenants is None


def test_providers_are_explicit() -> None:
    for one in _made().resources:
        if one.custom and not one.type.startswith(("pulumi:", "random:")):
            assert one.provider, f"{one.type} {one.name}"


def test_the_engines_project_is_the_states() -> None:
    policy = _made().named("runner-identity-role-policy").plain()["policy"]
    assert f"/stacks/{pulumi.get_project()}/dev.json" in policy
