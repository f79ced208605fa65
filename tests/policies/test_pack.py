from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import ValidationError, validate
from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_BOOLEAN_VALUE, unknown_checking_proxy

from policies import cost, network_policies, pack, rules, storage, tenancy
from policies.levels import ENVIRONMENTS, environment_of, level_for
from policies.rules import UNKNOWN, Finding, Planned
from policies.table import POLICIES
from sandbox.home import CHECKOUT
from stacks import configuration
from tests.policies.plans import findings, planned

NAMES = [
    "bucket-public-access-blocked",
    "rds-encrypted",
    "rds-private",
    "redis-transit-encryption",
    "security-group-no-world-ingress",
    "tenant-namespace-has-quota-and-default-deny",
    "required-tags",
    "every-stack-has-a-budget-with-alerts",
]


def test_the_table_holds_the_policies() -> None:
    assert [row.name for row in POLICIES] == NAMES
    assert len({row.description for row in POLICIES}) == len(NAMES)


@pytest.mark.parametrize("level", ["advisory", "mandatory"])
def test_every_policy_takes_the_level_of_the_environment(level: Any) -> None:
    made = pack.policies(POLICIES, level)
    assert [policy.name for policy in made] == NAMES
    assert {policy.enforcement_level for policy in made} == {EnforcementLevel(level)}


def test_settings_are_declared_as_a_schema() -> None:
    schemas = {policy.name: policy.config_schema for policy in pack.policies(POLICIES, "mandatory")}
    ports = schemas["security-group-no-world-ingress"]
    assert isinstance(ports, PolicyConfigSchema)
    assert ports.properties["ports"]["default"] == [443]
    assert schemas["rds-private"] is None


def test_a_setting_that_is_misspelt_is_refused() -> None:
    rows = {row.name: row for row in POLICIES}
    row = rows["security-group-no-world-ingress"]
    assert pack.chosen(row, {"ports": [8443]}) == {"ports": [8443]}
    assert pack.chosen(row, {}) == {"ports": [443]}
    with pytest.raises(ValueError, match="security-group-no-world-ingress has no setting 'port'; it has ports"):
        pack.chosen(row, {"port": [8443]})
    with pytest.raises(ValueError, match="rds-private has no setting 'engines'; it has none"):
        pack.chosen(rows["rds-private"], {"engines": []})


@pytest.mark.parametrize(
    ("policy", "settings"),
    [
        ("required-tags", {"tags": []}),
        ("required-tags", {"tags": [""]}),
        ("every-stack-has-a-budget-with-alerts", {"actualAtMost": 1000}),
        ("every-stack-has-a-budget-with-alerts", {"forecastAtMost": 101}),
        ("security-group-no-world-ingress", {"ports": [0]}),
        ("tenant-namespace-has-quota-and-default-deny", {"privateAddressesAtMost": 65536}),
    ],
)
def test_no_setting_takes_a_policy_s_meaning_away(policy: str, settings: dict[str, Any]) -> None:
    """As the engine holds the configuration against the schema."""
    (row,) = [row for row in POLICIES if row.name == policy]
    schema = {"type": "object", "properties": row.settings}
    validate(row.defaults(), schema)
    with pytest.raises(ValidationError):
        validate(settings, schema)


@pytest.mark.parametrize(
    ("stack", "environment", "level"),
    [
        ("dev", "dev", "advisory"),
        ("dev-eu1", "dev", "advisory"),
        ("tenant.dev.acme", "dev", "advisory"),
        ("sandbox", "sandbox", "mandatory"),
        ("sandbox-gcp", "sandbox", "mandatory"),
        ("staging", "staging", "mandatory"),
        ("prod", "prod", "mandatory"),
        ("tenant.prod-eu1.dev", "prod", "mandatory"),
        ("development", "development", "mandatory"),
        ("", "", "mandatory"),
    ],
)
def test_levels_by_stack(stack: str, environment: str, level: str) -> None:
    assert environment_of(stack) == environment
    assert level_for(stack) == level


def test_the_environments_are_those_that_the_programs_take() -> None:
    assert set(configuration.ENVIRONMENTS) == ENVIRONMENTS


def test_unknown_values_come_out_of_the_proxies() -> None:
    raw = {"flag": UNKNOWN_BOOLEAN_VALUE, "rules": [{"port": 22, "on": UNKNOWN_BOOLEAN_VALUE}, "x"], "none": None}
    expected = {"flag": UNKNOWN, "rules": [{"port": 22, "on": UNKNOWN}, "x"], "none": None}
    assert pack.plain(unknown_checking_proxy(raw)) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_known_values_are_unchanged_by_the_proxies(raw: dict[str, Any]) -> None:
    assert pack.plain(unknown_checking_proxy(raw)) == raw


def test_violations_are_reported_before_what_cannot_be_told() -> None:
    row = rules.Policy("p", "d", "mend it", resource=lambda resource, settings: [])
    told: list[str] = []

    def tell(message: str, urn: str | None = None) -> None:
        told.append(message)

    found = [Finding("a", "unsure", certain=False), Finding("b", "is wrong")]
    with pytest.raises(pack.CannotTell) as raised:
        pack._report(row, found, tell)
    assert told == ["`b` is wrong; mend it"]
    assert raised.value.message == "`a` cannot be told before creation: unsure"


def test_a_policy_over_the_stack_is_told_of_the_provider_of_each_resource() -> None:
    seen: list[Planned] = []

    def look(resources: Sequence[Planned], settings: rules.Settings) -> list[Finding]:
        seen.extend(resources)
        return []

    def tell(message: str, urn: str | None = None) -> None:
        raise AssertionError(message)

    made = pack._stack_policy(rules.Policy("p", "d", "mend it", stack=look), "mandatory")
    assert isinstance(made, StackValidationPolicy)
    options = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    own = PolicyProviderResource("pulumi:providers:aws", unknown_checking_proxy({"region": "eu-west-1"}), "urn:p", "p")
    told = [
        PolicyResource("aws:ec2/vpc:Vpc", unknown_checking_proxy({}), "urn:v", "v", options, provider, None, [], {})
        for provider in (own, None)
    ]
    made.validate(StackValidationArgs(told, {}), tell)
    assert [resource.provider for resource in seen] == [{"region": "eu-west-1"}, {}]


SECRET = "hunter2-0.0.0.0/0"


def secretive(value: Any) -> Any:
    """Every text replaced by a secret, at every depth."""
    if isinstance(value, dict):
        return {key: secretive(item) for key, item in value.items()}
    return [secretive(item) for item in value] if isinstance(value, list) else SECRET


@pytest.mark.parametrize("row", POLICIES, ids=lambda row: row.name)
def test_no_value_of_a_property_is_ever_printed(row: rules.Policy) -> None:
    names = {
        "bucket": "", "blockPublicAcls": "", "storageEncrypted": "", "publiclyAccessible": "", "engine": "",
        "engineMode": "", "transitEncryptionEnabled": "", "transitEncryptionMode": "", "type": "ingress",
        "ingress": [{"protocol": "", "fromPort": "", "toPort": "", "cidrBlocks": [""]}], "cidrIpv4": "",
        "cidrBlocks": [""], "ipv6CidrBlocks": [""], "entries": [{"cidr": ""}], "cidr": "", "tags": {"product": ""},
        "metadata": {"labels": {"freehold.dev/tenant": ""}, "namespace": ""}, "budgetType": "",
        "spec": {"hard": {"": ""}, "ingress": [{"from": [{"ipBlock": {"cidr": ""}}]}]},
        "notifications": [{"notificationType": "", "thresholdType": "", "subscriberEmailAddresses": [""]}],
    }  # fmt: skip
    types = row.types or {
        "aws:s3/bucket:Bucket",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "kubernetes:core/v1:Namespace",
        "aws:budgets/budget:Budget",
    }
    # What is a secret text is no violation of `rds-private`, a flag is.
    properties = secretive(names) | {"type": "ingress", "publiclyAccessible": True}
    resources = [planned(type, **properties) for type in types]
    settings = row.defaults()
    if row.stack:
        found = list(row.stack(resources, settings))
    else:
        assert row.resource is not None
        found = [finding for resource in resources for finding in row.resource(resource, settings)]
    assert found
    assert not any(SECRET in finding.text() for finding in found)


MEMBERS = sorted(
    {
        "metadata", "name", "namespace", "labels", "spec", "hard", "scopes", "scopeSelector", "podSelector",
        "policyTypes", "matchLabels", "matchExpressions", "namespaceSelector", "ipBlock", "cidr", "except", "ingress",
        "egress", "from", "to", "type", "protocol", "ipProtocol", "fromPort", "toPort", "cidrBlocks", "cidrIpv4",
        "prefixListIds", "prefixListId", "entries", "tags", "key", "value", "notifications", "threshold", "bucket",
        "notificationType", "budgetType", "subscriberEmailAddresses", "storageEncrypted", "snapshotIdentifier",
        "engineMode", "defaultTags", "costFilters", "filterExpression", "timePeriodStart", "timePeriodEnd", "values",
        "operator", "billingViewArn", "subscriberSnsTopicArns", "arn", "topic", "kubeconfig", "createNamespace",
        "generateName", "templateBody", "templateUrl", "typeName", "tlsEnabled", "replicationGroupId",
        "ands", "ors", "not", "dimensions", "matchOptions",
    }
)  # fmt: skip
TEXTS = ("ingress", "t-acme--main", "10.0.0.0/8", "0.0.0.0/0", "COST", "TagKeyValue", "In", "Egress", "{", "x")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(TEXTS) | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=12,
)
ALL_TYPES = sorted(
    frozenset[str]().union(*(row.types for row in POLICIES))
    | tenancy.NAMESPACES
    | {tenancy.QUOTA, tenancy.RELEASE, network_policies.POLICY, network_policies.PATCH}
    | {storage.BLOCK, storage.ACCOUNT_BLOCK, cost.BUDGET, cost.TOPIC, cost.SUBSCRIPTION}
    | storage.BUCKETS
)


@given(
    st.lists(
        st.builds(
            lambda type, provider, properties: planned(type, provider=provider, **properties),
            st.sampled_from(ALL_TYPES),
            st.dictionaries(st.sampled_from(MEMBERS), anything, max_size=3),
            st.dictionaries(st.sampled_from(MEMBERS), anything, max_size=4),
        ),
        max_size=4,
    )
)
def test_nothing_that_a_program_declares_makes_a_policy_crash(resources: list[Planned]) -> None:
    for row in POLICIES:
        found = findings(row.name, *resources)
        assert all(finding.text() for finding in found)


@pytest.mark.parametrize("type", ALL_TYPES)
def test_no_malformed_member_makes_a_policy_crash(type: str) -> None:
    values: tuple[Any, ...] = (None, "x", 5, [], {}, [None], ["x"], [{}], [[5]], {"x": None}, {"labels": "x"})
    for member, value, row in itertools.product(MEMBERS, values, POLICIES):
        # A rule of a security group is looked at where its type is `ingress`.
        findings(row.name, planned(type, **({"type": "ingress"} | {member: value})))


def test_the_policies_import_no_cloud_sdk_and_no_pulumi() -> None:
    code = (
        "import sys, policies.table; "
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('pulumi', 'pulumi_aws', 'grpc', 'sandbox')))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
