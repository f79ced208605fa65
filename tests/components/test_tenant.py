"""Two tenants side by side share nothing, down to the last name and rule."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from components.aws.cache_user import access_string
from components.tenant import TenantWorkspace
from tests.components import samples
from tests.components.recording import CANARY, Recording, Secret, declare, opened


def _tenant(id: str, *workspaces: str, protect: bool = False) -> Recording:
    args = samples.tenant(id, workspaces or ("default",), protect=protect)
    return declare(lambda: TenantWorkspace(id, args))


@pytest.fixture(scope="module")
def acme() -> Recording:
    return _tenant("acme")


@pytest.fixture(scope="module")
def acme_eu() -> Recording:
    return _tenant("acme-eu")


def _owned(recording: Recording) -> dict[str, set[str]]:
    """Every physical identity that a tenant's resources claim, by kind."""
    policies = [policy.document() for policy in recording.of("aws:iam/rolePolicy:RolePolicy")]
    roles = [role.plain() for role in recording.of("aws:iam/role:Role")]
    users = [user.plain() for user in recording.of("aws:elasticache/user:User")]
    return {
        "namespaces": {n.plain()["metadata"]["name"] for n in recording.of("kubernetes:core/v1:Namespace")},
        "schemas": {s.plain()["name"] for s in recording.of("postgresql:index/schema:Schema")},
        "postgres roles": {r.plain()["name"] for r in recording.of("postgresql:index/role:Role")},
        "redis users": {user["userName"] for user in users},
        "redis user ids": {user["userId"] for user in users},
        "redis patterns": {rule for user in users for rule in user["accessString"].split() if rule[0] in "~&"},
        "iam roles": {role["name"] for role in roles},
        "subjects": {
            subject
            for role in roles
            for key, subjects in json.loads(role["assumeRolePolicy"])["Statement"][0]["Condition"][
                "StringEquals"
            ].items()
            if key.endswith(":sub")
            for subject in subjects
        },
        "object rules": {
            text
            for policy in policies
            for statement in policy["Statement"]
            if statement["Sid"] != "Encryption"
            for text in [
                statement["Resource"],
                *statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", []),
            ]
            if "tenants/" in text
        },
        "groups": {
            subject["name"]
            for binding in recording.of("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")
            for subject in binding.plain()["subjects"]
            if subject["kind"] == "Group"
        },
        "secrets": {s.plain()["name"] for s in recording.of("aws:secretsmanager/secret:Secret")},
    }


def test_neighbours_with_prefixed_names_share_nothing(acme: Recording, acme_eu: Recording) -> None:
    ours, theirs = _owned(acme), _owned(acme_eu)
    for kind, names in ours.items():
        assert names, f"acme has no {kind}"
        assert not names & theirs[kind], kind


def test_no_pattern_of_one_matches_a_name_of_the_other(acme: Recording, acme_eu: Recording) -> None:
    for one, other in ((acme, acme_eu), (acme_eu, acme)):
        for kind in ("redis patterns", "object rules"):
            stems = [pattern.rstrip("*") for pattern in _owned(one)[kind]]
            reached = [name for name in _owned(other)[kind] for stem in stems if name.startswith(stem)]
            assert not reached, f"{kind}: {reached}"


def test_postgres_role_is_no_administrator(acme: Recording) -> None:
    role = acme.inputs("postgresql:index/role:Role")
    for power in ("superuser", "createDatabase", "createRole", "replication", "bypassRowLevelSecurity"):
        assert role[power] is False
    assert role["login"] is True and role["connectionLimit"] == 10
    assert role["searchPaths"] == ["t_acme"]


def test_postgres_grants(acme: Recording) -> None:
    grants = {g.plain()["objectType"]: g.plain() for g in acme.of("postgresql:index/grant:Grant")}
    assert sorted(grants["schema"]["privileges"]) == ["CREATE", "USAGE"]
    assert grants["schema"]["schema"] == "t_acme"
    assert {g["role"] for g in grants.values()} == {"t_acme"}
    for default in acme.of("postgresql:index/defaultPrivileges:DefaultPrivileges"):
        inputs = default.plain()
        # A rule for one schema could only add to what PUBLIC has.
        assert inputs["role"] == "public" and inputs["privileges"] == [] and "schema" not in inputs
    assert "owner" not in acme.inputs("postgresql:index/schema:Schema")


@pytest.mark.parametrize("protect", [False, True])
def test_schema_is_guarded_where_asked(protect: bool) -> None:
    schema = _tenant("acme", protect=protect).one("postgresql:index/schema:Schema")
    assert schema.protect is protect
    assert schema.plain()["dropCascade"] is not protect


def test_a_schema_that_is_there_is_nobody_elses_to_take_over(acme: Recording) -> None:
    assert acme.inputs("postgresql:index/schema:Schema")["ifNotExists"] is False


def test_the_schema_goes_before_its_role_and_takes_along_what_the_role_owns(acme: Recording) -> None:
    role = acme.one("postgresql:index/role:Role").urn
    assert role in acme.one("postgresql:index/schema:Schema").dependencies


def test_who_takes_the_connections_can_log_in_by_then(acme: Recording) -> None:
    ways = {
        acme.one("aws:elasticache/userGroupAssociation:UserGroupAssociation").urn,
        *(grant.urn for grant in acme.of("postgresql:index/grant:Grant")),
    }
    for holder in ("kubernetes:core/v1:Secret", "aws:secretsmanager/secretVersion:SecretVersion"):
        assert ways <= acme.one(holder).dependencies


def test_redis_access_is_by_prefix_and_without_the_commands_that_ignore_it() -> None:
    rules = access_string("t:acme:").split()
    assert rules[0] == "on"
    assert {rule for rule in rules if rule[0] in "~&"} == {"~t:acme:*", "&t:acme:*"}
    assert rules.index("resetchannels") < rules.index("&t:acme:*")
    assert rules.index("-@all") < min(rules.index(rule) for rule in rules if rule.startswith("+"))
    allowed, denied = rules.index("+@read"), rules[rules.index("-@admin") :]
    assert all(rules.index(rule) > allowed for rule in denied)
    assert {"-@admin", "-@dangerous", "-@scripting", "-scan", "-randomkey", "-dbsize", "-pubsub", "-lcs"} <= set(denied)
    assert "+@scripting" not in rules
    # Of CLIENT only what is about one's own connection: one that comes with a later engine is closed.
    own = {f"+client|{name}" for name in ("id", "info", "getname", "setname", "reply")}
    assert {rule for rule in rules if "client" in rule} == own | {"-client"}
    assert rules.index("-client") < min(rules.index(rule) for rule in own)
    # What ElastiCache forbids may not be named in an access string.
    assert not {"-config", "-debug", "-acl", "-replicaof", "-migrate", "-shutdown"} & set(rules)


def test_each_workspace_has_its_namespace_and_all_share_the_data(acme: Recording) -> None:
    both = _tenant("acme", "prod", "dev")
    assert _owned(both)["namespaces"] == {"t-acme--prod", "t-acme--dev"}
    assert _owned(both)["subjects"] == {
        "system:serviceaccount:t-acme--prod:workload",
        "system:serviceaccount:t-acme--dev:workload",
    }
    assert len(both.of("postgresql:index/schema:Schema")) == 1


def test_connections_reach_programs_and_the_secret_manager_as_secrets(acme: Recording) -> None:
    stored = acme.one("aws:secretsmanager/secretVersion:SecretVersion").inputs["secretString"]
    assert isinstance(stored, Secret)
    connections: dict[str, Any] = json.loads(stored.value)
    assert connections["DATABASE_URL"].startswith(f"postgresql://t_acme:{CANARY}")
    assert connections["REDIS_URL"].startswith(f"rediss://t-acme:{CANARY}")
    assert connections["OBJECTS_PREFIX"] == "tenants/acme/"
    data = opened(acme.one("kubernetes:core/v1:Secret").inputs["data"])
    assert {key: base64.b64decode(value).decode() for key, value in data.items()} == connections


def test_a_workspace_without_a_tenant_is_refused() -> None:
    args = replace(samples.tenant("acme"), ownership=samples.PLATFORM)
    with pytest.raises(ValueError, match="names no tenant"):
        declare(lambda: TenantWorkspace("acme", args))


def test_a_tenant_waits_for_its_turn_in_the_user_group_that_it_shares(acme: Recording) -> None:
    membership = acme.one("aws:elasticache/userGroupAssociation:UserGroupAssociation")
    assert membership.timeouts == {"create": "60m", "delete": "60m"}
    assert acme.one("aws:elasticache/user:User").timeouts == dict.fromkeys(("create", "update", "delete"), "20m")


def test_a_namespace_may_take_longer_to_go_than_the_slowest_pod_in_it(acme: Recording) -> None:
    # The provider's own ten minutes are all that a pod may take.
    assert {namespace.timeouts["delete"] for namespace in acme.of("kubernetes:core/v1:Namespace")} == {"1200s"}
