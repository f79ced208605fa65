"""A tenant suspended and resumed through the real engine, read back as its people, its programs and kubectl see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
import redis
from psycopg import sql

from fleet.cloud import client
from tests.rehearsal.freehold import Freehold, until
from tests.rehearsal.tenant_login import REGION, Tenant, log_in

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1500)]

Json = Any
TENANT = "acme-eu"


@pytest.fixture
def tenant(built: Freehold, tmp_path: Path) -> Iterator[Tenant]:
    """On plan pro, and so again at the end."""
    found = log_in(built, TENANT, tmp_path)
    yield found
    if built.json("tenant", "show", TENANT)["status"] != "active":
        built.ok("tenant", "plan", TENANT, "pro", "--yes", "--no-wait")
        built.ok("tenant", "resume", TENANT, "--yes")


def items(tenant: Tenant, kinds: str) -> list[Json]:
    return tenant.built.objects(kinds, tenant.namespace)


def names(tenant: Tenant, kinds: str) -> set[str]:
    return {f"{one['kind']}/{one['metadata']['name']}" for one in items(tenant, kinds)}


def what_runs(tenant: Tenant) -> set[str]:
    return names(tenant, "deployments,horizontalpodautoscalers,rolebindings,networkpolicies")


def quota(tenant: Tenant) -> Json:
    (found,) = items(tenant, "resourcequotas")
    return found["spec"]["hard"]


def role(tenant: Tenant) -> list[Json]:
    """Every statement of the role of its objects: of its trust, and of its policies."""
    iam = client("iam", REGION, tenant.built.variables)
    name = str(tenant.built.state(f"tenant.sandbox.{tenant.id}").outputs["tenant"]["role"]).rsplit("/", 1)[-1]
    documents = [iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]]
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        documents.append(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
    read = [json.loads(unquote(one)) if isinstance(one, str) else one for one in documents]
    return [statement for document in read for statement in document["Statement"]]


def keep_something(tenant: Tenant) -> None:
    with tenant.postgres() as connection:
        table = sql.Identifier(tenant.schema, "kept")
        connection.execute(sql.SQL("CREATE TABLE {} AS SELECT 'mine' AS word").format(table))
    with tenant.redis() as connection:
        connection.set(tenant.key, "mine")


def require_kept(tenant: Tenant) -> None:
    with tenant.postgres() as connection:
        table = sql.Identifier(tenant.schema, "kept")
        assert connection.execute(sql.SQL("SELECT word FROM {}").format(table)).fetchall() == [("mine",)]
        connection.execute(sql.SQL("DROP TABLE {}").format(table))
    with tenant.redis() as connection:
        assert connection.get(tenant.key) == "mine"
        connection.delete(tenant.key)


def be_in_the_way(session: psycopg.Connection) -> None:
    """A setting that the provider does not understand, and the locks that it takes of the database and of the role."""
    session.execute("ALTER ROLE CURRENT_USER SET statement_timeout = '30s'")
    session.execute("SELECT pg_advisory_lock(oid::bigint) FROM pg_database WHERE datname = current_database()")
    session.execute("SELECT pg_advisory_lock(oid::bigint) FROM pg_roles WHERE rolname = CURRENT_USER")


def require_closed(tenant: Tenant, opened_before: redis.Redis) -> None:
    assert what_runs(tenant) == {"NetworkPolicy/default-deny"}
    until(lambda: items(tenant, "pods") == [])
    assert (quota(tenant)["pods"], quota(tenant)["count/jobs.batch"]) == ("0", "0")
    run = tenant.kubectl("-n", tenant.namespace, "get", "pods")
    assert "Error from server (Forbidden)" in run.stderr
    with pytest.raises(psycopg.OperationalError, match="is not permitted to log in"):
        tenant.postgres()
    with tenant.redis() as connection, pytest.raises(redis.exceptions.AuthenticationError):
        connection.ping()
    # ElastiCache keeps it open, without rights; a server that reads its users from a file ends it.
    with pytest.raises((redis.exceptions.NoPermissionError, redis.exceptions.AuthenticationError)):
        opened_before.get(tenant.key)
    assert {one["Effect"] for one in role(tenant)} == {"Deny"}


def test_suspended_moved_to_another_plan_and_resumed(built: Freehold, tenant: Tenant) -> None:
    keep_something(tenant)
    ran, allowed = what_runs(tenant), quota(tenant)
    until(lambda: bool(items(tenant, "pods")))
    with tenant.redis() as cached, tenant.postgres() as session:
        cached.ping()
        be_in_the_way(session)
        shown = built.json("tenant", "suspend", TENANT, "--yes")
        assert (shown["status"], shown["suspended_for"]) == ("suspended", "operator")
        assert shown["operation"]["kind"] == "suspend"
        require_closed(tenant, cached)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert "every tenant is as it is wanted" in built.ok("fleet", "up", "--yes").stdout
    moved = built.json("tenant", "plan", TENANT, "starter", "--yes")
    assert (moved["status"], moved["plan"]) == ("suspended", "starter")
    assert quota(tenant)["pods"] == "0"
    assert quota(tenant)["limits.cpu"] != allowed["limits.cpu"]
    # What is asked one after the other is one run, and comes to what was asked last.
    built.ok("tenant", "plan", TENANT, "pro", "--yes", "--no-wait")
    resumed = built.json("tenant", "resume", TENANT, "--yes")
    assert (resumed["status"], resumed["plan"], resumed["suspended_for"]) == ("active", "pro", None)
    assert (what_runs(tenant), quota(tenant)) == (ran, allowed)
    until(lambda: bool(items(tenant, "pods")))
    assert tenant.kubectl("-n", tenant.namespace, "get", "pods").returncode == 0
    assert {one["Effect"] for one in role(tenant)} == {"Allow"}
    require_kept(tenant)
