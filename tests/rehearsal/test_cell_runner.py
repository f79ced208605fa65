"""The runner as a cell runs it: the sources and packages of its image, `--target cloud`, with what its Deployment gives
it, under its own role, with the state in a bucket and a cloud key for secrets. What is not a cell's are the provider
stand-ins, and that no pod runs it."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
import redis
import sqlalchemy as sa
import yaml

from catalog.services import Service
from fleet.control_database import control_database
from fleet.registry import Registry, Status
from fleet.tenant_requests import Asker, Requests
from fleet.wishes import Request, Wishes
from sandbox.home import CHECKOUT
from sandbox.processes.aws.journal import Entry, Journal
from sandbox.toolchain import bin_directory
from stacks.contract import OUTPUT, PlatformContract, read
from tests.components.iam_policies import Request as Asked
from tests.components.iam_policies import allows
from tests.images import containerfile
from tests.images.laid_out import Image, lay_out
from tests.rehearsal.freehold import until
from tests.temporary_sandbox import Sandbox, temporary_sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(900)]

CELL, TENANT = "dev", "acme"
_TEMPORARY = re.compile(r"Credential=ASIA\w+/\d+/[\w-]+/(?P<service>\w+)/aws4_request")
_KEYS = re.compile(r"<Key>([^<]+)</Key>")
BUCKET = "company-state"


@dataclass(frozen=True)
class Cell:
    """A platform with `freehold:runner`, and the checkout that it was made from."""

    sandbox: Sandbox
    checkout: Path
    variables: Mapping[str, str]
    """An operator's."""
    contract: PlatformContract
    image: Image
    """The runner's, made from the checkout."""

    def client(self, service: str, **session: str) -> Any:
        return _client(self.variables, service, **session)

    def kubectl(self, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
        """Its output, as the cluster's administrator, or as whom these `variables` make it. Raises CalledProcessError
        where it fails."""
        if variables is None:
            cluster = self.sandbox.supervisor.cluster(self.contract.cluster.name)
            assert cluster is not None
            path = cluster.admin_kubeconfig  # an operator's login is not what these tests are about
        else:
            path = self.sandbox.home.root / "cell.json"
            path.write_text(self.contract.cluster.kubeconfig)
        environment = {**(variables or self.variables), "KUBECONFIG": str(path)}
        return subprocess.run(
            ["kubectl", *arguments], env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def of_the_pod(self) -> dict[str, str]:
        """What the runner's container gets: of its Deployment, its image, and of the cloud for its service account."""
        account = json.loads(self.kubectl("get", "serviceaccount", "runner", "-n", "freehold-runner", "-o", "json"))
        role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        lent = self.client("sts").assume_role(RoleArn=role, RoleSessionName="pod")["Credentials"]
        container = self.container
        declared = {one["name"]: one["value"] for one in container["env"]}
        here = self.variables
        return {
            **self.image.variables,
            **declared,
            "PATH": os.pathsep.join((str(self.image.binaries), str(bin_directory()), os.defpath)),
            "PULUMI_HOME": here["PULUMI_HOME"],
            "AWS_ACCESS_KEY_ID": lent["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": lent["SecretAccessKey"],
            "AWS_SESSION_TOKEN": lent["SessionToken"],
            # Where the sandbox is.
            "AWS_ENDPOINT_URL": here["AWS_ENDPOINT_URL"],
            "PGSSLROOTCERT": here["PGSSLROOTCERT"],
            "FREEHOLD_CACHE_AUTHORITY": here["FREEHOLD_CACHE_AUTHORITY"],
            "FREEHOLD_HOME": here["FREEHOLD_HOME"],
            "HOME": here["FREEHOLD_HOME"],
        }

    @functools.cached_property
    def container(self) -> Any:
        deployment = json.loads(self.kubectl("get", "deployment", "runner", "-n", "freehold-runner", "-o", "json"))
        return deployment["spec"]["template"]["spec"]["containers"][0]

    @contextmanager
    def runner(self) -> Iterator[None]:
        """A pod's process, without what an earlier one has left in its home. It ends by itself when it is told to."""
        shutil.rmtree(self.sandbox.home.tenants, ignore_errors=True)
        alive = str(self.sandbox.home.run / "alive")
        words = dict(zip(self.container["args"][::2], self.container["args"][1::2], strict=True))
        options = {**words, "--alive": alive, "--host": "127.0.0.1", "--port": "0", "--drain": "60"}
        before = self.image.files()
        command = [*self.container["command"], *(part for option in options.items() for part in option)]
        with (self.sandbox.home.logs / "cell-runner.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.image.home, env=self.of_the_pod(), stdout=log, stderr=log)
        try:
            yield
            process.send_signal(signal.SIGTERM)
            assert process.wait(90) == 0
            assert self.image.files() == before
        finally:
            process.kill()
            process.wait()


def _client(variables: Mapping[str, str], service: str, **session: str) -> Any:
    keys = {
        "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
    }
    return boto3.client(
        service, endpoint_url=variables["AWS_ENDPOINT_URL"], region_name="us-east-1", **{**keys, **session}
    )


def _pulumi(checkout: Path, variables: Mapping[str, str], *arguments: str) -> str:
    run = _run(checkout, variables, *arguments)
    # The engine's client for KMS at times hangs up on a quick answer (https://github.com/aws/aws-sdk-go-v2/issues/1825).
    # The runner tries such a run again, and so would whoever typed this.
    if "operation error KMS: " in run.stderr and "use of closed network connection" in run.stderr:
        run = _run(checkout, variables, *arguments)
    assert run.returncode == 0, f"{arguments}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def _run(checkout: Path, variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["pulumi", "--non-interactive", *arguments],
        cwd=checkout,
        env=dict(variables),
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    checkout = containerfile.checkout(tmp_path_factory.mktemp("cell"))
    (checkout / ".venv").symlink_to(CHECKOUT / ".venv")
    with temporary_sandbox() as sandbox:
        variables = {name: value for name, value in sandbox.environment.items() if "PASSPHRASE" not in name}
        host = variables["AWS_ENDPOINT_URL"].removeprefix("http://")
        # The engine's client for S3 takes an endpoint from the address only.
        place = f"endpoint={host}&disableSSL=true&s3ForcePathStyle=true"
        variables["PULUMI_BACKEND_URL"] = f"s3://{BUCKET}/team?region=us-east-1&{place}"
        _client(variables, "s3").create_bucket(Bucket=BUCKET)
        key = _client(variables, "kms").create_key()["KeyMetadata"]["Arn"]
        file = checkout / f"Pulumi.{CELL}.yaml"
        content = yaml.safe_load(file.read_text())
        content["config"]["freehold:runner"] = {
            "image": f"registry.example.com/freehold/runner@sha256:{'0' * 64}",
            "backend": variables["PULUMI_BACKEND_URL"],
            "secretsKey": key,
            "concurrency": 2,
        }
        content["config"]["freehold:protect"] = True  # as in production, where a deletion takes it off first
        file.write_text(yaml.safe_dump(content))
        provider = f"awskms:///{key}?region=us-east-1&awssdk=v2"
        _pulumi(checkout, variables, "stack", "init", CELL, "--no-select", "--secrets-provider", provider)
        # Nothing cuts this one off: the state is written once, and not to the bucket at each of two hundred resources.
        at_the_end = {**variables, "PULUMI_SKIP_CHECKPOINTS": "true"}
        _pulumi(checkout, at_the_end, "up", "--yes", "--skip-preview", "-s", CELL, "--policy-pack", "policies")
        exported = json.loads(_pulumi(checkout, variables, "stack", "output", "--json", "-s", CELL))[OUTPUT]
        image = lay_out("runner", checkout, tmp_path_factory.mktemp("image"))
        yield Cell(sandbox, checkout, variables, read(CELL, exported), image)


@pytest.fixture
def database(cell: Cell) -> Iterator[sa.Engine]:
    opened = control_database(cell.contract, cell.variables)
    yield opened
    opened.dispose()


def test_it_builds_suspends_and_destroys_a_tenant(cell: Cell, database: sa.Engine) -> None:
    requests = Requests(database, Wishes(CELL, cell.contract.product, cell.contract.region))
    registry = Registry(database)

    def reached(status: Status) -> bool:
        found = registry.get(TENANT)
        assert found is not None and found.status is not Status.FAILED, found
        return found.status is status

    requests.create(Request(TENANT, "starter"), Asker("test"))
    with cell.runner():
        until(lambda: reached(Status.ACTIVE))
        with database.connect() as connection:
            users = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'freehold-runner'"
            assert list(connection.scalars(sa.text(users))) == [Service.RUNNER.role]
    store, bucket = cell.client("s3"), cell.contract.bucket.name
    store.delete_bucket_policy(Bucket=bucket)  # it takes TLS only, which the sandbox's endpoint does not speak
    store.put_object(Bucket=bucket, Key=f"tenants/{TENANT}/invoice", Body=b"x")
    with redis.Redis.from_url(cell.sandbox.environment["REDIS_URL"]) as cache:
        cache.set(f"t:{TENANT}:session", "x")
    # Another pod knows nothing of the first one's files.
    with cell.runner():
        requests.suspend(TENANT, Asker("test"))
        until(lambda: reached(Status.SUSPENDED))
        assert "Versions" in store.list_object_versions(Bucket=bucket)
        requests.delete(TENANT, Asker("test"))
        until(lambda: reached(Status.DELETED))
    assert "Versions" not in store.list_object_versions(Bucket=bucket)
    with redis.Redis.from_url(cell.sandbox.environment["REDIS_URL"]) as cache:
        assert not list(cache.scan_iter("t:*"))
    left = [one["Key"] for one in cell.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert f"team/.pulumi/stacks/freehold/tenant.{CELL}.{TENANT}.json" not in left
    assert not [key for key in left if "/locks/" in key]
    _require_allowed(cell)


def _require_allowed(cell: Cell) -> None:
    """All that was changed under the role, from the AWS endpoint's journal, against the role's own policy: what of the
    bucket, by whole requests; of the rest, which is the stand-ins' doing, by action."""
    iam, role = cell.client("iam"), f"{cell.contract.product}-{CELL}-runner"
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    statements = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    named = {action for one in statements for action in one["Action"]}
    seen: set[str] = set()
    for entry, _ in Journal(cell.sandbox.home.data / "aws" / "journal.jsonl").entries():
        signed = _TEMPORARY.search(str(entry.environ.get("HTTP_AUTHORIZATION", "")))
        if signed is None:
            continue
        action = f"{signed['service']}:{_operation(entry)}"
        seen.add(action)
        assert action in named
        if signed["service"] == "s3":
            path = entry.environ["PATH_INFO"].strip("/")
            for key in _KEYS.findall(entry.body.decode()) if "delete" in entry.environ["QUERY_STRING"] else ("",):
                assert allows(statements, Asked(action, f"arn:aws:s3:::{path}{key and f'/{key}'}"))
    assert {"iam:CreateRole", "elasticache:CreateUser", "secretsmanager:CreateSecret", "s3:PutObject"} <= seen
    assert "s3:DeleteObjectVersion" in seen


def _operation(entry: Entry) -> str:
    if target := entry.environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    if action := parse_qs(entry.body.decode(errors="replace")).get("Action"):
        return action[0]
    # A request that deletes several gives their versions.
    return {"PUT": "PutObject", "DELETE": "DeleteObject", "POST": "DeleteObjectVersion"}[
        entry.environ["REQUEST_METHOD"]
    ]


def test_its_role_is_nobody_else_in_the_cluster(cell: Cell) -> None:
    pod = cell.of_the_pod()
    who = json.loads(cell.kubectl("auth", "whoami", "-o", "json", variables=pod))["status"]["userInfo"]
    assert sorted(who["groups"]) == ["freehold:runner", "system:authenticated"]
    for words in (("create", "configmap", f"x-{uuid.uuid4().hex[:6]}", "-n", "kube-system"), ("get", "nodes")):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            cell.kubectl(*words, variables=pod)
        assert "forbidden" in refused.value.stderr.lower()
