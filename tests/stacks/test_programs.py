"""The two programs as a whole, against Pulumi's mocks."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pulumi
import pytest

from catalog.services import Service
from errors import FreeholdError
from policies.rules import Planned
from policies.table import POLICIES
from sandbox.providers.interface import UNKNOWN
from sandbox.providers.kubernetes.settings import same_cluster
from stacks import contract, platform, tenant
from stacks.settings.tenant import TenantSettings
from tests.components.recording import ACCOUNT, CANARY, Recording, Secret, declare, opened, outside_secrets
from tests.stacks.files import platform_settings

CALLER = f"arn:aws:iam::{ACCOUNT}:user/freehold-operator"
ZONES = "aws:index/getAvailabilityZones:getAvailabilityZones"
ANSWERS: dict[str, Any] = {
    "aws:index/getCallerIdentity:getCallerIdentity": {
        "accountId": ACCOUNT,
        "arn": CALLER,
        "userId": "AID",
        "id": ACCOUNT,
    },
    ZONES: {
        "names": ["us-east-1d", "us-east-1b", "us-east-1c", "us-east-1a"],
        "region": "us-east-1",
        "zoneIds": [],
        "groupNames": [],
        "id": "us-east-1",
    },
    "aws:eks/getClusters:getClusters": {"names": ["another"], "id": "us-east-1", "region": "us-east-1"},
    "aws:secretsmanager/getSecretVersion:getSecretVersion": {
        "secretString": json.dumps({"username": "freehold", "password": CANARY}),
        "arn": "arn",
        "id": "id",
    },
}


pytestmark = pytest.mark.usefixtures("no_archive")


@cache
def _platform(environment: str = "sandbox", preview: bool = False) -> Recording:
    return declare(
        lambda: platform.run(platform_settings(environment), environment),
        stack=environment,
        preview=preview,
        answers=ANSWERS,
    )


def tenant_program(id: str = "acme", **record: str) -> Recording:
    settings = TenantSettings.model_validate(
        {
            "program": "tenant",
            "protect": False,
            "tenant": {"id": id, "plan": "starter", "cell": "sandbox", **record},
        }
    )
    answers = ANSWERS | {"organization/freehold/sandbox": {"contract": _platform().exports["contract"]}}
    return declare(lambda: tenant.run(settings), stack=f"tenant.sandbox.{id}", answers=answers)


PROGRAMS: dict[str, Callable[[], Recording]] = {"platform": _platform, "tenant": tenant_program}


def test_platform_exports_one_typed_contract() -> None:
    exports = _platform().exports
    assert list(exports) == ["contract"]
    assert not isinstance(exports["contract"], Secret)
    read = contract.read("sandbox", exports["contract"])
    assert (read.product, read.environment, read.cell) == ("chronos-cloud", "sandbox", "sandbox")
    assert read.account == ACCOUNT and read.budget.limit == 290
    assert read.database.control is not None
    assert read.database.control.identifier != read.database.tenants.identifier
    assert len(read.network.data_cidrs) == 3
    assert contract.validated(read.model_dump()) == exports["contract"]


def test_the_contract_holds_no_secret() -> None:
    assert CANARY not in json.dumps(_platform().exports["contract"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_password_is_shown_anywhere(program: str) -> None:
    recording = PROGRAMS[program]()
    for resource in recording.resources:
        assert not [text for text in outside_secrets(resource.inputs) if CANARY in text], resource.name
    assert not [text for text in outside_secrets(recording.exports) if CANARY in text]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_provider_is_explicit(program: str) -> None:
    recording = PROGRAMS[program]()
    for resource in recording.resources:
        if resource.custom and not resource.type.startswith(("pulumi:", "random:")):
            assert resource.provider, f"{resource.type} {resource.name} uses a default provider"


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_policies_have_nothing_against_it(program: str) -> None:
    made = [resource for resource in PROGRAMS[program]().resources if resource.custom]
    planned = [Planned(resource.type, resource.urn, resource.name, resource.plain()) for resource in made]
    for row in POLICIES:
        settings = row.defaults()
        if row.stack:
            found = list(row.stack(planned, settings))
        else:
            assert row.resource is not None
            concerned = [resource for resource in planned if not row.types or resource.type in row.types]
            found = [finding for resource in concerned for finding in row.resource(resource, settings)]
        assert [(row.name, finding.urn, finding.text()) for finding in found] == []


def test_preview_of_a_new_platform_shows_every_resource() -> None:
    known = {(resource.type, resource.name) for resource in _platform().resources}
    assert {(resource.type, resource.name) for resource in _platform(preview=True).resources} == known


def test_two_databases_apart() -> None:
    instances = {i.plain()["dbName"]: i.plain() for i in _platform().of("aws:rds/instance:Instance")}
    assert set(instances) == {"tenants", "control"}
    assert instances["tenants"]["kmsKeyId"] != instances["control"]["kmsKeyId"]


def test_alarms_of_databases_and_cache_go_where_the_budget_s_alerts_go() -> None:
    recording = _platform("prod")
    (topic,) = {alarm.plain()["arn"] for alarm in recording.of("aws:sns/topicPolicy:TopicPolicy")}
    alarms = [alarm.plain() for alarm in recording.of("aws:cloudwatch/metricAlarm:MetricAlarm")]
    watching = [alarm for alarm in alarms if alarm["namespace"] in ("AWS/RDS", "AWS/ElastiCache")]
    # Two servers, and a cache of three members.
    assert len(watching) == len({alarm["name"] for alarm in watching}) == 5
    assert all(alarm["alarmActions"] == [topic] for alarm in watching)


def test_whoever_runs_the_program_administers_the_sandboxs_cluster() -> None:
    assert _platform().inputs("aws:eks/accessEntry:AccessEntry")["principalArn"] == CALLER


def test_the_example_of_an_administrator_is_refused_in_a_real_account() -> None:
    token = "aws:index/getCallerIdentity:getCallerIdentity"
    caller = {"accountId": "210987654321", "arn": CALLER, "userId": "AID", "id": "210987654321"}
    with pytest.raises(pulumi.RunError, match=r"^Pulumi\.dev\.yaml: freehold:cluster\.admins: .* is the example"):
        declare(lambda: platform.run(platform_settings("dev"), "dev"), stack="dev", answers=ANSWERS | {token: caller})


@pytest.mark.parametrize(("environment", "protect", "nats"), [("dev", False, 1), ("prod", True, 3)])
def test_environments_differ_in_size_and_protection(environment: str, protect: bool, nats: int) -> None:
    recording = _platform(environment)
    assert len(recording.of("aws:ec2/natGateway:NatGateway")) == nats
    guarded = ("aws:rds/instance:Instance", "aws:s3/bucket:Bucket", "aws:elasticache/replicationGroup:ReplicationGroup")
    assert {resource.protect for type in guarded for resource in recording.of(type)} == {protect}
    assert {i.plain()["multiAz"] for i in recording.of("aws:rds/instance:Instance")} == {environment == "prod"}


def test_credentials_of_another_account_are_refused_by_the_provider_itself() -> None:
    """Its inputs are in the state, by which a plain `pulumi refresh` works."""
    accounts = (ACCOUNT, "222222222222")
    recording = declare(lambda: platform.run(platform_settings("dev"), "dev", accounts), stack="dev", answers=ANSWERS)
    assert json.loads(recording.one("pulumi:providers:aws").plain()["allowedAccountIds"]) == list(accounts)
    assert json.loads(tenant_program().one("pulumi:providers:aws").plain()["allowedAccountIds"]) == [ACCOUNT]


def test_what_public_may_do_in_the_shared_database_is_taken_away() -> None:
    found = [grant.plain() for grant in _platform().of("postgresql:index/grant:Grant")]
    grants = [grant for grant in found if grant["role"] == "public"]
    # Each server has two databases beside the one that is ours.
    assert sorted((g["database"], g["objectType"]) for g in grants) == sorted(
        [(database, kind) for database in ("tenants", "control") for kind in ("database", "schema")]
        + [(database, "database") for database in ("postgres", "template1")] * 2
    )
    assert all(g["privileges"] == [] for g in grants)
    # Who is let in is let into the control database, and comes after.
    assert {(g["role"], g["database"]) for g in found if g not in grants} == {
        (service.role, "control") for service in Service
    }


def test_tenant_reads_the_contract_and_the_secret_behind_it() -> None:
    recording = tenant_program()
    provider = recording.one("pulumi:providers:postgresql")
    assert isinstance(provider.inputs["password"], Secret)
    assert provider.plain()["superuser"] == "false" and provider.plain()["sslmode"] == "require"
    cluster = recording.one("pulumi:providers:kubernetes")
    assert cluster.plain()["kubeconfig"] == _platform().exports["contract"]["cluster"]["kubeconfig"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_cluster_is_known_again_by_what_it_alone_has_and_keeps(program: str) -> None:
    """Not by its ARN, which one that is made anew has too, nor by an address or authority, which may change."""
    provider = PROGRAMS[program]().one("pulumi:providers:kubernetes").plain()
    assert provider["clusterIdentifier"] == _platform().exports["contract"]["cluster"]["oidc_issuer"]


@pytest.mark.parametrize(("program", "wins"), [("platform", None), ("tenant", "true")])
def test_what_a_tenants_people_changed_does_not_stop_its_operations(program: str, wins: str | None) -> None:
    assert PROGRAMS[program]().one("pulumi:providers:kubernetes").plain().get("enablePatchForce") == wins


def test_another_administrator_replaces_nothing_in_the_cluster() -> None:
    """Nor does another endpoint, which a preview may not know, and with it the kubeconfig."""
    before = _platform().one("pulumi:providers:kubernetes").plain()
    assert same_cluster(before, {**before, "kubeconfig": UNKNOWN})


def test_tenant_exports_where_its_things_are() -> None:
    exported = tenant_program().exports["tenant"]
    assert exported["namespaces"] == {"default": "t-acme--default"}
    assert (exported["postgres"], exported["redis_user"]) == ("t_acme", "t-acme")
    assert exported["object_prefix"] == "tenants/acme/"


@pytest.mark.parametrize(
    ("exported", "line"),
    [
        (None, "exports no contract; run `./freehold up` to its end first"),
        ({"version": 2}, "its contract has version 2, this program reads version 1"),
        ({"version": 1}, "its contract is malformed at product"),
        ("text", "its contract is no record; run `./freehold up` again"),
    ],
)
def test_a_contract_that_cannot_be_read_is_one_line(exported: Any, line: str) -> None:
    with pytest.raises(FreeholdError, match=r"^stack sandbox: ") as error:
        contract.read("sandbox", exported)
    assert line in error.value.line() and "\n" not in error.value.line()


def test_a_cell_of_another_product_is_refused() -> None:
    other = {**_platform().exports["contract"], "product": "spoke"}
    with pytest.raises(FreeholdError, match="runs spoke, the tenant is one of chronos-cloud"):
        contract.read("sandbox", other, product="chronos-cloud")


def test_a_tenant_whose_data_has_to_stay_in_another_region_is_refused() -> None:
    line = r"^freehold:tenant\.region: cell sandbox is in us-east-1, and the tenant's region is eu-west-1; give"
    with pytest.raises(pulumi.RunError, match=line):
        tenant_program(region="eu-west-1")
    assert tenant_program(region="us-east-1").exports["tenant"]["cell"] == "sandbox"


def test_no_tenant_before_the_shared_database_is_closed() -> None:
    early = {**_platform().exports["contract"], "admits_tenants": False}
    with pytest.raises(FreeholdError, match=r"shared database is not closed yet; run `./freehold up` from inside"):
        contract.read("sandbox", early, product="chronos-cloud")
    with pytest.raises(
        FreeholdError, match=r"closed yet; run `./freehold up prod --target cloud` \(or `sandbox`\) from inside"
    ):
        contract.read("prod", early, product="chronos-cloud")
    assert contract.read("sandbox", early).admits_tenants is False


def test_from_outside_the_network_nothing_inside_it_is_touched() -> None:
    settings = platform_settings("sandbox").model_copy(update={"inside_network": False})
    recording = declare(lambda: platform.run(settings, "sandbox"), answers=ANSWERS)
    assert not [r for r in recording.resources if r.type.startswith(("kubernetes:", "postgresql:"))]
    assert recording.exports["contract"]["admits_tenants"] is False


def test_the_nodes_of_a_cluster_follow_its_pods_and_claims_get_disks() -> None:
    recording = _platform()
    container = recording.inputs("kubernetes:apps/v1:Deployment")["spec"]["template"]["spec"]["containers"][0]
    discovery = [argument for argument in container["args"] if argument.startswith("--node-group-auto-discovery=")]
    assert discovery and discovery[0].endswith("/chronos-cloud-sandbox")
    account = recording.inputs("kubernetes:core/v1:ServiceAccount")["metadata"]
    assert account["annotations"]["eks.amazonaws.com/role-arn"]
    assert recording.inputs("kubernetes:storage.k8s.io/v1:StorageClass")["parameters"]["encrypted"] == "true"


def test_what_runs_pods_comes_after_the_nodes_and_goes_before_them() -> None:
    recording = _platform()
    nodes = recording.one("aws:eks/nodeGroup:NodeGroup").urn
    driver = next(a for a in recording.of("aws:eks/addon:Addon") if a.plain()["addonName"] == "aws-ebs-csi-driver")
    assert nodes in recording.named("cluster-addons").dependencies
    # Children come after their component, and go before it.
    for later in ("node-autoscaler", "default-storage"):
        assert driver.urn in recording.named(later).dependencies, later


def test_nothing_is_made_in_the_cluster_before_its_administrators_are_let_in() -> None:
    recording = _platform()
    (let_in,) = recording.of("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    assert let_in.urn in recording.one("pulumi:providers:kubernetes").dependencies


def test_unknown_fields_of_a_newer_contract_are_passed_over() -> None:
    newer = {**_platform().exports["contract"], "colour": "red"}
    assert contract.read("sandbox", newer).cell == "sandbox"


def test_the_control_database_alone_lets_the_billing_function_in() -> None:
    recording = _platform()
    (rule,) = (
        one
        for one in recording.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if "billing" in one.name
    )
    assert rule.name.startswith("control-")
    function = recording.inputs("aws:lambda/function:Function")
    assert function["vpcConfig"]["securityGroupIds"] == [rule.plain()["referencedSecurityGroupId"]]


def test_the_contract_tells_stripe_where_to_send() -> None:
    made = contract.read("sandbox", _platform().exports["contract"]).billing
    assert made is not None and made.url.endswith("webhooks/stripe")
    assert contract.read("dev", _platform("dev").exports["contract"]).billing is None


def _logins(recording: Recording) -> dict[str, str]:
    """The reference to each service's login in the control database."""
    control = contract.read("sandbox", recording.exports["contract"]).database.control
    assert control is not None
    return dict(control.logins)


def _secrets_read(recording: Recording, policy: str) -> list[str]:
    """What the IAM policy of that name lets somebody read from the secret manager, or decrypt for it."""
    statements = json.loads(recording.named(policy).plain()["policy"])["Statement"]
    found: list[str] = []
    for one in statements:
        if "secretsmanager:GetSecretValue" in one["Action"]:
            found += one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
        found += [one.get("Condition", {}).get("StringEquals", {}).get("kms:EncryptionContext:SecretARN", [])]
    return [name for one in found for name in ([one] if isinstance(one, str) else one)]


def test_only_the_server_that_is_to_be_upgraded_may_take_a_new_major_version() -> None:
    settings = platform_settings("sandbox")
    upgraded = settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"major_upgrade": True})})
    recording = declare(lambda: platform.run(upgraded, "sandbox"), stack="sandbox", answers=ANSWERS)
    servers = [one.plain() for one in recording.of("aws:rds/instance:Instance")]
    assert {one["dbName"]: one["allowMajorVersionUpgrade"] for one in servers} == {"tenants": True, "control": False}


def test_each_service_has_a_login_of_its_own_in_the_control_database() -> None:
    recording = _platform()
    roles = {one.plain()["name"]: one for one in recording.of("postgresql:index/role:Role")}
    assert set(roles) == {service.role for service in Service}
    made = _logins(recording)
    assert set(made) == set(Service)
    control = contract.read("sandbox", recording.exports["contract"]).database.control
    assert control is not None
    assert len({control.admin_secret, *made.values()}) == len(made) + 1
    for service in Service:
        record = json.loads(opened(recording.named(f"control-{service}-value").inputs["secretString"]))
        assert record["username"] == service.role
        assert record["database"] == "control"


@pytest.mark.parametrize(
    ("service", "policy"), [(Service.BILLING, "billing-may"), (Service.NOTIFIER, "notifier-role-policy")]
)
def test_no_service_may_read_the_administrator_s_password_or_another_s(service: Service, policy: str) -> None:
    recording = _platform()
    control = contract.read("sandbox", recording.exports["contract"]).database.control
    assert control is not None
    read = _secrets_read(recording, policy)
    assert control.login(service) in read
    assert not {control.admin_secret, *(control.login(other) for other in Service if other is not service)} & {*read}


def test_what_services_are_told_is_the_same_before_a_run_from_inside_has_made_their_roles() -> None:
    settings = platform_settings("sandbox").model_copy(update={"inside_network": False})
    early = declare(lambda: platform.run(settings, "sandbox"), answers=ANSWERS)
    assert _logins(early) == _logins(_platform())
    for service in Service:
        name = f"control-{service}-password"
        assert early.named(name).urn == _platform().named(name).urn


def test_in_a_platform_of_an_earlier_release_services_log_in_as_before() -> None:
    exported = _platform().exports["contract"]
    database = {**exported["database"], "control": {**exported["database"]["control"]}}
    del database["control"]["logins"]
    control = contract.read("sandbox", {**exported, "database": database}).database.control
    assert control is not None and control.login(Service.RUNNER) == control.admin_secret
