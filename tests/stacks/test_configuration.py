"""A configuration that is wrong is refused in one line, before anything is declared."""

from __future__ import annotations

import json
import runpy
from typing import Any, get_args, get_origin

import pulumi
import pytest
import yaml

from errors import UsageError
from stacks import configuration, platform
from stacks.settings.platform import PlatformSettings
from stacks.settings.tenant import TenantSettings
from tests.components.recording import declare
from tests.stacks.files import CHECKOUT, engine_environment, load, stack_file, tenant_config

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
ADMIN = "arn:aws:iam::123456789012:role/ops"
ENVIRONMENTS = ("sandbox", "dev", "staging", "prod")


def _changed(path: str, value: Any) -> dict[str, Any]:
    """The sandbox's configuration with one key set, or removed where `value` is None."""
    config: dict[str, Any] = stack_file("sandbox")["config"]
    key, *rest = path.split(".")
    target: dict[str, Any] = config
    for step in [f"freehold:{key}", *rest][:-1]:
        target = target[step]
    last = rest[-1] if rest else f"freehold:{key}"
    if value is None:
        del target[last]
    else:
        target[last] = value
    return config


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_committed_environment_is_valid(environment: str) -> None:
    settings = load(stack_file(environment)["config"], environment)
    assert isinstance(settings, PlatformSettings)
    assert settings.protect is (environment in ("staging", "prod"))


@pytest.mark.parametrize(
    ("value", "accounts"),
    [
        (["123456789012", "222222222222"], ("123456789012", "222222222222")),
        ([123456789012], ("123456789012",)),
        ("", ()),
        ([], ()),
    ],
)
def test_accounts_as_they_may_be_written(value: Any, accounts: tuple[str, ...]) -> None:
    assert configuration.allowed_accounts(engine_environment({"aws:allowedAccountIds": value})) == accounts


def test_no_accounts_are_named() -> None:
    assert configuration.allowed_accounts(engine_environment({})) == ()


@pytest.mark.parametrize("value", ["prod", "123456789012", ["1234"], {"prod": "123456789012"}, [None]])
def test_what_is_no_list_of_accounts_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^aws:allowedAccountIds: .* is no list of accounts; write a list"):
        configuration.allowed_accounts(engine_environment({"aws:allowedAccountIds": value}))


def test_environments_can_be_connected() -> None:
    networks = [stack_file(environment)["config"]["freehold:network"]["cidr"] for environment in ENVIRONMENTS]
    assert len(set(networks)) == len(networks)


def test_sizes_of_the_node_groups() -> None:
    nodes = {name: stack_file(name)["config"]["freehold:cluster"]["nodes"] for name in ("sandbox", "dev", "prod")}
    assert (nodes["dev"]["minimum"], nodes["dev"]["maximum"]) == (1, 3)
    assert (nodes["prod"]["minimum"], nodes["prod"]["maximum"]) == (3, 100)


def test_only_the_sandbox_has_a_passphrase() -> None:
    assert stack_file("sandbox")["encryptionsalt"]
    assert not [name for name in ENVIRONMENTS[1:] if "encryptionsalt" in stack_file(name)]


def test_the_schema_names_every_key_and_requires_none() -> None:
    project = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())
    keys = {
        f"freehold:{field.alias or name}"
        for model in (PlatformSettings, TenantSettings)
        for name, field in model.model_fields.items()
    }
    assert set(project["config"]) == keys
    assert all("default" in entry and "type" in entry for entry in project["config"].values())
    assert "plugins" not in project


@pytest.mark.parametrize("model", [PlatformSettings, TenantSettings])
def test_the_schema_says_what_the_models_say(model: type[PlatformSettings | TenantSettings]) -> None:
    """The same types and defaults, and in its description every key of an object."""
    schema = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())["config"]
    for name, field in model.model_fields.items():
        entry = schema[f"freehold:{field.alias or name}"]
        nested = [kind for kind in (field.annotation, *get_args(field.annotation)) if hasattr(kind, "model_fields")]
        is_object = bool(nested) or get_origin(field.annotation) is dict
        assert entry["type"] == ("object" if is_object else ("boolean" if field.annotation is bool else "string")), name
        if not is_object and not field.is_required() and model is PlatformSettings:
            assert entry["default"] == field.default, name
        if name == "control":
            continue  # "with the keys of freehold:postgres"
        for kind in nested:
            for key, inner in kind.model_fields.items():
                assert (inner.alias or key) in entry["description"], f"{name}.{key}"


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("colour", "red", "freehold:colour: unknown key"),
        ("network.colour", "red", "freehold:network.colour: unknown key"),
        ("region", None, "freehold:region: missing"),
        ("budget.monthlyUsd", None, "freehold:budget.monthlyUsd: missing"),
        ("protect", "maybe", "freehold:protect: Input should be a valid boolean, not 'maybe'"),
        ("redis.replicas", "three", "freehold:redis.replicas: Input should be a valid integer, not 'three'"),
        ("network", "10.0.0.0/16", "freehold:network: Input should be an object, not '10.0.0.0/16'"),
        ("cluster.nodes.maximum", 5000, "freehold:cluster.nodes.maximum: Input should be less than or equal to 450"),
        ("postgres.backupRetentionDays", 3, "freehold:postgres.backupRetentionDays: Input should be greater than"),
        ("redis.snapshotRetentionDays", 0, "freehold:redis.snapshotRetentionDays: Input should be greater than"),
        ("postgres.storageLimitGib", 21, "freehold:postgres: storageLimitGib 21 is less than a tenth above"),
        ("control.storageLimitGib", 20, "freehold:control: storageLimitGib 20 is less than a tenth above"),
        ("cluster.nodes.minimum", 4, "freehold:cluster.nodes: minimum 4 exceeds maximum 3"),
        ("network.cidr", "10.0.0.1/16", "freehold:network.cidr: '10.0.0.1/16' is not an IPv4 network"),
        ("network.cidr", "10.0.0.0/255.255.0.0", "freehold:network.cidr: '10.0.0.0/255.255.0.0' is not an IPv4"),
        ("cluster.publicCidrs", ["8.8.8.8"], "freehold:cluster.publicCidrs[0]: '8.8.8.8' is not an IPv4 network such"),
        ("network.operators", ["10.99.1.1"], "freehold:network.operators[0]: '10.99.1.1' is not an IPv4 network such"),
        ("network.cidr", "8.8.0.0/16", "freehold:network.cidr: 8.8.0.0/16 is not private"),
        ("network.cidr", "10.0.0.0/8", "freehold:network.cidr: 10.0.0.0/8 is out of range"),
        ("network.cidr", "172.16.0.0/15", "freehold:network.cidr: 172.16.0.0/15 is out of range"),
        ("network.cidr", "10.10.0.0/21", "freehold:network.cidr: 10.10.0.0/21 is out of range"),
        ("cluster.serviceCidr", "10.128.0.0/11", "freehold:cluster.serviceCidr: 10.128.0.0/11 is out of range"),
        ("cluster.serviceCidr", "172.20.0.0/25", "freehold:cluster.serviceCidr: 172.20.0.0/25 is out of range"),
        ("network.cidr", "172.20.0.0/16", "network.cidr 172.20.0.0/16 overlaps cluster.serviceCidr 172.20.0.0/16"),
        ("network.peers", ["10.10.128.0/17"], "network.cidr 10.10.0.0/16 overlaps network.peers[0] 10.10.128.0/17"),
        ("cluster.publicCidrs", ["0.0.0.0/0"], "freehold:cluster.publicCidrs: 0.0.0.0/0 would open the API server"),
        ("cluster.publicCidrs", ["128.0.0.0/1"], "freehold:cluster.publicCidrs: 128.0.0.0/1 would open the API server"),
        ("cluster.publicCidrs", ["10.99.0.0/22"], "freehold:cluster.publicCidrs: 10.99.0.0/22 is private"),
        ("cluster.publicCidrs", ["172.0.0.0/8"], "freehold:cluster.publicCidrs: 172.0.0.0/8 is private"),
        *(
            ("cluster.publicCidrs", [cidr], f"freehold:cluster.publicCidrs: {cidr} holds reserved addresses")
            for cidr in ("198.16.0.0/12", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8", "224.0.0.0/8")
        ),
        ("cluster.publicCidrs", ["8.0.0.0/8", "9.0.0.0/32"], "freehold:cluster.publicCidrs: together they would open"),
        (
            "cluster.publicCidrs",
            [f"8.8.{n}.0/32" for n in range(41)],
            "freehold:cluster.publicCidrs: there are 41; EKS takes 40 at most",
        ),
        ("network.zones", ZONES[:2], "freehold:network.zones: holds 2, at least 3 are wanted"),
        ("network.zones", [*ZONES[:2], "us-east-1b"], "freehold:network.zones: us-east-1b is named twice"),
        ("network.zones", [*ZONES[:2], "eu-west-1c"], "network.zones: eu-west-1c is no zone of us-east-1"),
        ("network.zones", [*ZONES[:2], "us-east-1-bos-1a"], "network.zones: us-east-1-bos-1a is no zone of us-east-1"),
        ("network.operators", ["203.0.113.0/24"], "freehold:network.operators[0]: 203.0.113.0/24 is not private"),
        (
            "network.operators",
            ["10.99.0.0/16", "10.99.0.0/16"],
            "freehold:network.operators: 10.99.0.0/16 is named twice",
        ),
        ("cluster.admins", [ADMIN, ADMIN], f"freehold:cluster.admins: {ADMIN} is named twice"),
        (
            "cluster.admins",
            ["arn:aws:sts::123456789012:assumed-role/ops/ada"],
            "freehold:cluster.admins[0]: 'arn:aws:sts::123456789012:assumed-role/ops/ada' is no ARN of an IAM role",
        ),
        (
            "cluster.admins",
            ["arn:aws:iam::123456789012:group/ops"],
            "freehold:cluster.admins[0]: 'arn:aws:iam::123456789012:group/ops' is no ARN of an IAM role",
        ),
        ("redis.usersMaximum", 3, "freehold:redis.usersMaximum: Input should be greater than or equal to 4"),
        ("cluster.version", 1.3, "freehold:cluster.version: Input should be a valid string, not 1.3; write it in"),
        ("postgres.version", 17, "freehold:postgres.version: Input should be a valid string, not 17; write it in"),
        ("cluster.nodes.machineTypes", ["db.t3.large"], "freehold:cluster.nodes.machineTypes[0]: 'db.t3.large' is no"),
        ("cluster.nodes.machineTypes", ["t3.large"] * 2, "freehold:cluster.nodes.machineTypes: t3.large is named"),
        ("postgres.machineType", "t4g.micro", "freehold:postgres.machineType: 't4g.micro' is no machine type of RDS"),
        ("redis.machineType", "", "freehold:redis.machineType: '' is no machine type of ElastiCache such as cache."),
        ("notifier.enabled", False, "freehold:notifier.enabled: what is not wanted is left out: take the whole key"),
        ("billing.enabled", False, "freehold:billing.enabled: what is not wanted is left out: take the whole key"),
        ("redis.version", "7.2", "freehold:redis.version: '7.2' is no version of Redis that ElastiCache has"),
        ("budget.emails", [], "freehold:budget: nobody would be told"),
        ("budget.emails", ["a@example.com", "a@example.com"], "freehold:budget: an address is named twice"),
        ("budget.emails", ["nobody"], "freehold:budget.emails[0]: 'nobody' is no e-mail address such as alerts@"),
        ("blueprint", "nope", "freehold:blueprint: there is no blueprint 'nope'; there are chronos-cloud"),
        ("cloud", "moon", "freehold:cloud: Input should be 'aws', not 'moon'"),
        ("program", "nope", "freehold:program is 'nope'; choose one of platform, tenant"),
        ("tenant", {"id": "acme"}, "freehold:tenant: unknown key"),
        ("workloads", {"nope": {"image": "a:1"}}, "chronos-cloud has no workload 'nope'; it has scheduler"),
        ("workloads", {"scheduler": {"image": "a:latest"}}, "freehold:workloads.scheduler.image: a:latest changes"),
    ],
)
def test_one_line_for_each_mistake(path: str, value: Any, line: str) -> None:
    with pytest.raises(UsageError) as error:
        load(_changed(path, value), "sandbox")
    assert error.value.line().startswith(f"Pulumi.sandbox.yaml: {line}")
    assert "\n" not in error.value.line()


@pytest.mark.parametrize("path", ["network.cidr", "cluster.nodes.minimum", "billing.livemode", "budget.emails"])
def test_a_key_without_a_value_is_told_to_be_empty(path: str) -> None:
    config = _changed(path, "")
    *above, last = path.split(".")
    target: Any = config[f"freehold:{above[0]}"]
    for step in above[1:]:
        target = target[step]
    target[last] = None
    with pytest.raises(UsageError) as error:
        load(config, "sandbox")
    assert error.value.line() == f"Pulumi.sandbox.yaml: freehold:{path}: it is empty: give it a value"


@pytest.mark.parametrize("key", ["freehold:costCentre", "freehold:budget"])
def test_a_secret_is_refused_because_it_would_lie_in_the_state_in_clear(key: str) -> None:
    environment = engine_environment(stack_file("sandbox")["config"])
    with pytest.raises(UsageError, match=rf"^{key}: holds a secret, which would lie in the state in clear"):
        configuration.from_engine(environment | {"PULUMI_CONFIG_SECRET_KEYS": json.dumps(["aws:token", key])})
    configuration.from_engine(environment | {"PULUMI_CONFIG_SECRET_KEYS": '["aws:token"]'})


SECRET = "T0/B0/unmistakable"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (f"https://hooks.slack.com/services/{SECRET}", "hooks.slack.com does not confirm SNS' subscriptions"),
        (f"https://discord.com/api/webhooks/{SECRET}", "discord.com does not confirm"),
        (f"https://example.webhook.office.com/{SECRET}", "does not confirm"),
        (f"https://hooks.slack.com./services/{SECRET}", "hooks.slack.com does not confirm"),
        (f"https://{SECRET.replace('/', '')}@alerts.example.com/", "it holds a password"),
        (f"https://ada:{SECRET.replace('/', '')}@alerts.example.com/", "it holds a password"),
        (f"http://alerts.example.com/{SECRET}", "it is not an address such as https://"),
        (f"https:///{SECRET}", "it is not an address"),
        (f"https://[::1/{SECRET}", "it is not an address"),
        (f"https://a:b:c/{SECRET}", "it is not an address"),
        (f"https://alerts.example.com/{SECRET} x", "it is not an address"),
    ],
)
def test_a_webhook_that_would_never_be_told_is_refused_and_not_shown(address: str, why: str) -> None:
    with pytest.raises(UsageError) as error:
        load(_changed("budget.webhooks", [address]), "sandbox")
    line = error.value.line()
    assert line.startswith("Pulumi.sandbox.yaml: freehold:budget.webhooks[0]: ") and why in line
    assert "unmistakable" not in line


def test_an_endpoint_that_takes_the_topics_messages_is_a_subscriber() -> None:
    load(_changed("budget.webhooks", ["https://alerts.example.com:8443/aws?team=ops"]), "sandbox")


@pytest.mark.parametrize("centre", ["4711", "3m", "production", "a" * 63])
def test_a_cost_centre_is_what_a_tag_can_hold(centre: str) -> None:
    load(_changed("costCentre", centre), "sandbox")
    load(tenant_config(costCentre=centre), "tenant.sandbox.acme")
    with pytest.raises(UsageError, match=r"freehold:costCentre: cost_centre .* cannot be a tag"):
        load(_changed("costCentre", centre + "-"), "sandbox")


@pytest.mark.parametrize(
    "image",
    [
        f"registry.example.com:5000/team/program:1.4.2@sha256:{'0' * 64}",
        f"program:latest@sha256:{'0' * 64}",
        f"team/my-program@sha256:{'0' * 64}",
        "program:1",
    ],
)
def test_an_image_is_pinned_by_a_tag_a_digest_or_both(image: str) -> None:
    load(_changed("workloads", {"scheduler": {"image": image}}), "sandbox")


@pytest.mark.parametrize(
    "image", ["Program:1", "team/Program:1", "a//b:1", "a:1:2", f"a@sha256:{'0' * 63}", "a b:1", "a:", "a:1é"]
)
def test_an_image_that_kubernetes_refuses_is_refused(image: str) -> None:
    with pytest.raises(UsageError, match=r"workloads\.scheduler\.image: .* is no image with a tag or a digest"):
        load(_changed("workloads", {"scheduler": {"image": image}}), "sandbox")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("network.cidr", "10.10.0.0/20"),
        ("network.operators", ["10.0.0.0/8"]),
        ("cluster.serviceCidr", "172.16.0.0/12"),
        ("cluster.serviceCidr", "172.20.0.0/24"),
        ("cluster.publicCidrs", ["8.0.0.0/8"]),
        ("cluster.nodes.minimum", 3),
        ("redis.snapshotRetentionDays", 1),
    ],
)
def test_what_just_fits_is_taken(path: str, value: Any) -> None:
    load(_changed(path, value), "sandbox")


def test_who_says_nothing_is_protected() -> None:
    assert load(_changed("protect", None), "sandbox").protect is True
    assert load(tenant_config(), "tenant.sandbox.acme").protect is True


def test_networks_of_offices_may_reach_the_api_server() -> None:
    load(_changed("cluster.publicCidrs", ["8.0.0.0/9", *(f"9.9.{n}.0/24" for n in range(39))]), "sandbox")


def test_storage_that_may_grow_by_a_tenth() -> None:
    load(_changed("postgres.storageLimitGib", 22), "sandbox")


@pytest.mark.parametrize("stack", ["dev", "prod", "prod-eu1"])
def test_outside_the_sandbox_somebody_is_named_to_administer_the_cluster(stack: str) -> None:
    config = stack_file(stack.split("-")[0])["config"]
    del config["freehold:cluster"]["admins"]
    with pytest.raises(UsageError) as error:
        load(config, stack)
    assert error.value.line().startswith(f"Pulumi.{stack}.yaml: freehold:cluster.admins: missing; name the IAM roles")


@pytest.mark.parametrize("stack", ["dev", "staging", "prod-eu1"])
def test_outside_the_sandbox_the_zones_are_named(stack: str) -> None:
    config = stack_file(stack.split("-")[0])["config"]
    del config["freehold:network"]["zones"]
    with pytest.raises(UsageError) as error:
        load(config, stack)
    assert error.value.line().startswith(f"Pulumi.{stack}.yaml: freehold:network.zones: missing; name three")


def test_several_mistakes_are_told_at_once() -> None:
    config = _changed("region", None)
    config["freehold:colour"] = "red"
    with pytest.raises(UsageError) as error:
        load(config, "sandbox")
    assert "freehold:region: missing" in error.value.line() and "freehold:colour: unknown key" in error.value.line()


def test_an_empty_file_says_where_to_begin() -> None:
    with pytest.raises(UsageError, match=r"copy Pulumi\.dev\.yaml"):
        configuration.load({}, "dev")


@pytest.mark.parametrize("stack", ["dev-t", "dev-t-acme"])
def test_no_cell_is_called_what_tenants_of_another_are(stack: str) -> None:
    """A runner's rights go by the beginning of names."""
    with pytest.raises(UsageError, match=f"{stack} looks like tenants of another cell"):
        load(stack_file("dev")["config"], stack)


@pytest.mark.parametrize(
    ("cell", "environment"), [("prod", "prod"), ("prod-eu1", "prod"), ("sandbox-gcp", "sandbox"), ("dev", "dev")]
)
def test_a_cell_belongs_to_an_environment(cell: str, environment: str) -> None:
    assert configuration.environment_of(cell) == environment


@pytest.mark.parametrize("cell", ["production", "eu1-prod", ""])
def test_an_unknown_environment_is_refused(cell: str) -> None:
    with pytest.raises(UsageError, match="belongs to no environment"):
        configuration.environment_of(cell)


@pytest.mark.usefixtures("sdk_as_it_is", "no_archive")
def test_the_program_tells_its_provider_the_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    config = engine_environment(stack_file("sandbox")["config"] | {"aws:allowedAccountIds": ["123456789012"]})
    monkeypatch.setenv("PULUMI_CONFIG", config["PULUMI_CONFIG"])
    monkeypatch.chdir(CHECKOUT)
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(pulumi, "get_stack", lambda: "sandbox")
    monkeypatch.setattr(platform, "run", lambda settings, cell, accounts: told.append(accounts))
    runpy.run_path(str(CHECKOUT / "__main__.py"), run_name="__main__")
    assert told == [("123456789012",)]


@pytest.mark.usefixtures("sdk_as_it_is")
def test_the_program_ends_in_one_line_and_declares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    config = engine_environment(_changed("network.cidr", "172.20.0.0/16"))
    monkeypatch.setenv("PULUMI_CONFIG", config["PULUMI_CONFIG"])
    monkeypatch.chdir(CHECKOUT)
    declared: list[str] = []

    def program() -> None:
        try:
            runpy.run_path(str(CHECKOUT / "__main__.py"), run_name="__main__")
        except pulumi.RunError as error:
            declared.append(str(error))

    recording = declare(program)
    (line,) = declared
    assert line.startswith("Pulumi.sandbox.yaml: ") and "overlaps" in line and "\n" not in line
    assert recording.resources == []
