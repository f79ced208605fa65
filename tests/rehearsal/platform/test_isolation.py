"""`acme` and `acme-eu` share nothing: each is refused what is the other's, for the right reason, and may do the same
with its own. Names that are prefixes of each other are the case that goes wrong first."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
import redis
from psycopg import sql

from fleet.cloud import client
from tests.rehearsal.freehold import Freehold
from tests.rehearsal.tenant_login import ONCE, REGION, Tenant, log_in

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1500)]

Json = Any


@pytest.fixture(scope="module")
def tenants(built: Freehold, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tenant]:
    folder = tmp_path_factory.mktemp("tenants")
    return {name: log_in(built, name, folder) for name in ("acme", "acme-eu")}


@pytest.fixture(params=[("acme", "acme-eu"), ("acme-eu", "acme")], ids=" on ".join)
def pair(request: pytest.FixtureRequest, tenants: dict[str, Tenant]) -> Iterator[tuple[Tenant, Tenant]]:
    """One tenant and the other, both ways round."""
    one, other = request.param
    yield tenants[one], tenants[other]


MANIFEST = '{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "probe", "namespace": "{}"}}}}'

KUBERNETES = (
    ("get", "secret", "connections"),
    ("get", "secrets"),
    ("get", "secrets", "--watch-only", "--request-timeout=1s"),
    ("get", "pods"),
    ("get", "resourcequota", "plan"),
    ("auth", "can-i", "delete", "deployments.apps"),
    ("delete", "configmap", "probe", "--ignore-not-found"),
)


@pytest.mark.parametrize("call", KUBERNETES, ids=" ".join)
def test_kubernetes(pair: tuple[Tenant, Tenant], call: tuple[str, ...]) -> None:
    one, other = pair
    own = one.kubectl("-n", one.namespace, *call)
    denied = one.kubectl("-n", other.namespace, *call)
    if "--watch-only" in call:  # allowed, it ends by its timeout, without a complaint about rights
        assert "forbidden" not in own.stderr.lower()
    else:
        assert own.returncode == 0, own.stderr
    assert denied.returncode != 0
    if call[0] == "auth":
        assert denied.stdout.strip() == "no"
    else:
        assert "Error from server (Forbidden)" in denied.stderr
        assert f'in the namespace "{other.namespace}"' in denied.stderr


def test_kubernetes_create(pair: tuple[Tenant, Tenant]) -> None:
    one, other = pair
    own = one.kubectl("create", "-f", "-", given=MANIFEST.format(one.namespace))
    try:
        assert own.returncode == 0, own.stderr
        denied = one.kubectl("create", "-f", "-", given=MANIFEST.format(other.namespace))
        assert "Error from server (Forbidden)" in denied.stderr
        assert (
            f'cannot create resource "configmaps" in API group "" in the namespace "{other.namespace}"' in denied.stderr
        )
    finally:
        one.kubectl("-n", one.namespace, "delete", "configmap", "probe", "--ignore-not-found")


@pytest.mark.parametrize(
    "call",
    [
        ("get", "namespaces"),
        ("get", "nodes"),
        ("get", "clusterroles"),
        ("get", "secrets", "--all-namespaces"),
        ("auth", "can-i", "impersonate", "serviceaccounts"),
    ],
    ids=" ".join,
)
def test_nothing_of_the_cluster(tenants: dict[str, Tenant], call: tuple[str, ...]) -> None:
    for tenant in tenants.values():
        run = tenant.kubectl(*call)
        assert run.returncode != 0
        assert "Forbidden" in run.stderr or run.stdout.strip() == "no"


def test_own_fences_stay_up(pair: tuple[Tenant, Tenant]) -> None:
    one, _ = pair
    for resource in ("resourcequota/plan", "limitrange/plan", "networkpolicy/default-deny", "rolebinding/operator"):
        run = one.kubectl("-n", one.namespace, "delete", resource)
        assert "Error from server (Forbidden)" in run.stderr, resource
    relabel = one.kubectl("label", "namespace", one.namespace, "freehold.dev/tenant=other", "--overwrite")
    assert "Error from server (Forbidden)" in relabel.stderr


def _job(tenant: Tenant, name: str, **pod: Json) -> str:
    allowed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "c", "image": "registry.k8s.io/pause:3.10.1", "securityContext": allowed}
    who = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "securityContext": who, "containers": [container], **pod}
    metadata = {"name": name, "namespace": tenant.namespace}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {"spec": spec}}}
    return json.dumps(job)


def test_no_program_harms_those_of_others(tenants: dict[str, Tenant]) -> None:
    tenant = tenants["acme"]
    everywhere = {"labelSelector": {}, "namespaceSelector": {}, "topologyKey": "kubernetes.io/os"}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [everywhere]}}
    for pod, told in (
        ({"affinity": apart}, "pods of tenants may have affinity to pods in the namespace of their own alone"),
        ({"nodeName": "any"}, "pods of tenants may not choose their node"),
        ({"priorityClassName": "system-node-critical"}, "pods of tenants may not have a priorityClassName"),
    ):
        run = tenant.kubectl("create", "-f", "-", given=_job(tenant, "probe", **pod))
        assert told in run.stderr
    alone = tenant.kubectl("-n", tenant.namespace, "run", "probe", "--image=registry.k8s.io/pause:3.10.1")
    assert 'cannot create resource "pods"' in alone.stderr


def test_an_ordinary_job_runs_within_its_share_of_a_nodes_disk(tenants: dict[str, Tenant]) -> None:
    tenant = tenants["acme"]
    here = ("-n", tenant.namespace)
    try:
        made = tenant.kubectl("create", "-f", "-", given=_job(tenant, "probe"))
        assert made.returncode == 0, made.stderr
        done = tenant.kubectl(*here, "wait", "--for=condition=complete", "job/probe", "--timeout=50s")
        assert done.returncode == 0, done.stderr
        (pod,) = json.loads(tenant.kubectl(*here, "get", "pods", "-l", "job-name=probe", "-o", "json").stdout)["items"]
        asked = pod["spec"]["containers"][0]["resources"]
        assert asked["limits"]["ephemeral-storage"] == asked["requests"]["ephemeral-storage"] == "512Mi"
    finally:
        tenant.kubectl(*here, "delete", "job", "probe", "--ignore-not-found")
    spent = json.loads(tenant.kubectl(*here, "get", "resourcequota", "plan", "-o", "json").stdout)["status"]
    assert spent["hard"].keys() == spent["used"].keys()
    # The product's own program is among what is counted.
    for kind in ("pods", "deployments.apps", "replicasets.apps", "horizontalpodautoscalers.autoscaling"):
        assert int(spent["used"][f"count/{kind}"]) >= 1, kind


def test_a_secret_is_no_way_to_a_token_without_an_end(tenants: dict[str, Tenant]) -> None:
    tenant = tenants["acme"]
    annotations = {"kubernetes.io/service-account.name": "workload"}
    metadata = {"name": "probe", "namespace": tenant.namespace, "annotations": annotations}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/service-account-token"}
    run = tenant.kubectl("create", "-f", "-", given=json.dumps(secret))
    assert "secrets of tenants may not be of type kubernetes.io/service-account-token" in run.stderr


def test_postgres(pair: tuple[Tenant, Tenant]) -> None:
    one, other = pair
    table = sql.Identifier(one.schema, "probe")
    with one.postgres() as mine, other.postgres() as theirs:
        mine.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
        mine.execute(sql.SQL("CREATE TABLE {} (word text)").format(table))
        mine.execute(sql.SQL("INSERT INTO {} VALUES ('mine')").format(table))
        assert mine.execute(sql.SQL("SELECT word FROM {}").format(table)).fetchall() == [("mine",)]
        schema = rf"permission denied for schema {one.schema}$"
        for statement in (
            sql.SQL("SELECT word FROM {}").format(table),
            sql.SQL("INSERT INTO {} VALUES ('theirs')").format(table),
            sql.SQL("CREATE TABLE {} (word text)").format(sql.Identifier(one.schema, "intruder")),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as denied:
                theirs.execute(statement)
            denied.match(schema.replace("$", ""))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f'permission denied to set role "{one.schema}"'):
            theirs.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(one.schema)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for schema public"):
            theirs.execute("CREATE TABLE public.probe (word text)")
        flags = "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        assert theirs.execute(flags).fetchone() == (False, False, False, False)
        mine.execute(sql.SQL("DROP TABLE {}").format(table))


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_no_other_database(tenants: dict[str, Tenant], database: str) -> None:
    for tenant in tenants.values():
        with tenant.postgres() as own:
            assert own.execute("SELECT current_database()").fetchone() == ("tenants",)
        with pytest.raises(psycopg.OperationalError, match=f'permission denied for database "{database}"'):
            tenant.postgres(dbname=database)


def test_the_control_database_knows_no_tenant(built: Freehold, tenants: dict[str, Tenant]) -> None:
    """It is an instance of its own, which answers: it has no such login."""
    databases = built.state().outputs["contract"]["database"]
    control = databases["control"]
    assert (control["host"], control["port"]) != (databases["tenants"]["host"], databases["tenants"]["port"])
    there = {"host": control["host"], "port": control["port"], "dbname": control["database"]}
    for tenant in tenants.values():
        refused = f'password authentication failed for user "{tenant.schema}"'
        with pytest.raises(psycopg.OperationalError, match=refused):
            tenant.postgres(**there)


def test_redis(pair: tuple[Tenant, Tenant]) -> None:
    one, other = pair
    with one.redis() as mine, other.redis() as theirs:
        mine.set(one.key, "mine")
        assert mine.get(one.key) == "mine"
        for command in (["GET", one.key], ["SET", one.key, "theirs"], ["DEL", one.key]):
            with pytest.raises(redis.exceptions.NoPermissionError, match="key"):
                theirs.execute_command(*command)
        with pytest.raises(redis.exceptions.NoPermissionError, match="channel"):
            theirs.publish(one.key, "hello")
        for command in (["KEYS", "*"], ["SCAN", "0"], ["RANDOMKEY"], ["FLUSHALL"], ["FLUSHDB"], ["SWAPDB", "0", "1"],
                        ["CONFIG", "GET", "*"], ["ACL", "LIST"], ["MONITOR"], ["CLIENT", "TRACKING", "ON", "BCAST"],
                        ["CLIENT", "LIST"], ["CLIENT", "KILL", "TYPE", "normal"], ["CLIENT", "PAUSE", "1"],
                        ["CLIENT", "UNBLOCK", "1"], ["CLIENT", "NO-EVICT", "ON"]):  # fmt: skip
            with pytest.raises(redis.exceptions.NoPermissionError, match="no permissions to run"):
                theirs.execute_command(*command)
        # Of what holds the whole server up, with keys of its own.
        for command in (["EVAL", "return 1", "0"], ["EVAL_RO", "return 1", "0"],
                        ["EVALSHA", "0" * 40, "0"], ["SCRIPT", "LOAD", "return 1"], ["SCRIPT", "FLUSH"],
                        ["FCALL", "f", "0"], ["FCALL_RO", "f", "0"], ["FUNCTION", "LIST"],
                        ["SORT", other.key], ["SORT_RO", other.key], ["LCS", other.key, other.key]):  # fmt: skip
            with pytest.raises(redis.exceptions.NoPermissionError, match="no permissions to run"):
                theirs.execute_command(*command)
        # What libraries ask about their own connection.
        theirs.client_setname("probe")
        assert theirs.client_id()
        assert theirs.client_info()["name"] == "probe"
        assert mine.get(one.key) == "mine"
        mine.delete(one.key)


def test_redis_lets_nobody_in_without_a_user(tenants: dict[str, Tenant]) -> None:
    url = tenants["acme"].connections["REDIS_URL"]
    address = url.rpartition("@")[2]
    authority = tenants["acme"].built.variables["PGSSLROOTCERT"]
    refused = pytest.raises(redis.exceptions.AuthenticationError, match="Authentication required")
    anybody = redis.Redis.from_url(f"rediss://{address}", ssl_ca_certs=authority, protocol=2, retry=ONCE)
    with anybody, refused:
        anybody.ping()


def test_objects(pair: tuple[Tenant, Tenant]) -> None:
    """By the role's policies: moto enforces IAM without resources, so a call could not show it."""
    one, other = pair
    bucket = one.connections["OBJECTS_BUCKET"]
    allowed = list(_allowed(one))
    assert _may(allowed, "s3:GetObject", f"arn:aws:s3:::{bucket}/{one.objects}report.csv")
    assert _may(allowed, "s3:PutObject", f"arn:aws:s3:::{bucket}/{one.objects}report.csv")
    for name in (f"{other.objects}report.csv", "tenants/", "report.csv", f"{one.objects.rstrip('/')}x/report.csv"):
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
            assert not _may(allowed, action, f"arn:aws:s3:::{bucket}/{name}"), (action, name)
    (lists,) = (statement for statement in allowed if _matches(statement["Action"], "s3:ListBucket"))
    prefixes = [p for test in lists["Condition"].values() for p in _listed(test["s3:prefix"])]
    assert prefixes
    assert all(prefix.startswith(one.objects) for prefix in prefixes)


def test_the_role_is_the_workload_s_alone(pair: tuple[Tenant, Tenant]) -> None:
    one, other = pair
    role = _iam(one).get_role(RoleName=_role(one))["Role"]
    conditions = [statement["Condition"] for statement in _document(role["AssumeRolePolicyDocument"])["Statement"]]
    subjects = [
        value
        for condition in conditions
        for test in condition.values()
        for key, values in test.items()
        if key.endswith(":sub")
        for value in _listed(values)
    ]
    assert subjects == [f"system:serviceaccount:{one.namespace}:workload"]
    assert other.namespace not in json.dumps(conditions)


def _iam(tenant: Tenant) -> Any:
    return client("iam", REGION, tenant.built.variables)


def _role(tenant: Tenant) -> str:
    return str(tenant.built.state(f"tenant.sandbox.{tenant.id}").outputs["tenant"]["role"]).rsplit("/", 1)[-1]


def _allowed(tenant: Tenant) -> Iterator[Json]:
    """Every statement of every policy of the tenant's role; none but inline ones are expected."""
    iam, role = _iam(tenant), _role(tenant)
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = _document(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
        yield from (statement for statement in document["Statement"] if statement["Effect"] == "Allow")


def _document(policy: Json) -> Json:
    return json.loads(unquote(policy)) if isinstance(policy, str) else policy


def _listed(value: Json) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _matches(patterns: Json, text: str) -> bool:
    """IAM's wildcards are * and ?; brackets mean nothing there and are not in our names."""
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in _listed(patterns))


def _may(statements: list[Json], action: str, resource: str) -> bool:
    """Conditions are left aside, they only allow less; a statement with `NotAction` or `NotResource` is a KeyError."""
    return any(_matches(one["Action"], action) and _matches(one["Resource"], resource) for one in statements)
