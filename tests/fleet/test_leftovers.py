"""What a deleted tenant made goes from the bucket and the cache, and nothing of anybody else's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from redis import exceptions

from errors import FreeholdError, TransientError
from fleet import leftovers
from fleet.cache_retries import UnlessRefused
from fleet.cloud import client
from sandbox.environment import REGION
from sandbox.supervisor.messages import CacheUser
from stacks.contract import PlatformContract
from tests.fleet.contracts import contract
from tests.raw_answers import answering, head
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

SWEEPER = CacheUser(
    name="sweeper", passwords=("sweeper-and-long-enough",), access_string="on ~t:* -@all +ping +scan +unlink"
)
EVERYTHING = CacheUser(name="freehold", passwords=("freehold-and-long-enough",), access_string="on ~* &* +@all")


@dataclass
class Shared:
    """A bucket with versions and a cache, as tenants share them."""

    sandbox: Sandbox
    contract: PlatformContract
    store: Any
    cache: redis.Redis
    told: list[str] = field(default_factory=list)

    def put(self, *keys: str) -> None:
        for key in keys:
            self.store.put_object(Bucket=self.contract.bucket.name, Key=key, Body=b"x")

    def objects(self) -> list[str]:
        """With one entry for each version and each mark of a deletion."""
        found = self.store.list_object_versions(Bucket=self.contract.bucket.name)
        return sorted(one["Key"] for one in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())))

    def keys(self) -> list[str]:
        return sorted(key.decode() for key in self.cache.scan_iter())

    def remove(self, tenant: str) -> None:
        leftovers.remove(self.contract, self.sandbox.environment, tenant, tell=self.told.append)


def _xml(kind: str, content: str) -> bytes:
    """An answer of S3."""
    body = f'<{kind} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{content}</{kind}>'.encode()
    return head(len(body), "application/xml") + body


@pytest.fixture
def shared(sandbox: Sandbox) -> Iterator[Shared]:
    environment, name = sandbox.environment, f"leftovers-{uuid.uuid4().hex[:8]}"
    store = client("s3", REGION, environment)
    store.create_bucket(Bucket=name)
    store.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    server = sandbox.supervisor.create_cache(name)
    sandbox.supervisor.set_cache_users(name, [SWEEPER, EVERYTHING])
    record = {"host": server.host, "port": server.port, "username": SWEEPER.name, "password": SWEEPER.passwords[0]}
    secret = client("secretsmanager", REGION, environment).create_secret(Name=name, SecretString=json.dumps(record))
    cache = {"replication_group": name, "host": server.host, "port": server.port, "user_group": "", "admin_secret": ""}
    with redis.Redis(
        host=server.host,
        port=server.port,
        username=EVERYTHING.name,
        password=EVERYTHING.passwords[0],
        ssl=True,
        ssl_ca_certs=str(server.certificate_authority_path),
    ) as connection:
        yield Shared(
            sandbox,
            contract(
                cache={**cache, "sweeper_secret": secret["ARN"]}, bucket={"name": name, "arn": "", "kms_key_arn": ""}
            ),
            store,
            connection,
        )
    sandbox.supervisor.delete_cache(name)


def test_every_version_of_its_objects_and_its_keys_go(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_BATCH", 3)
    shared.put(*(f"tenants/acme/{number}" for number in range(5)), "tenants/acme/0")
    shared.store.delete_object(Bucket=shared.contract.bucket.name, Key="tenants/acme/1")
    shared.put("tenants/acme-eu/1", "tenants/acme", "invoices/acme/1")
    shared.cache.mset(
        {f"t:acme:{number}": "x" for number in range(10)} | {"t:acme-eu:1": "x", "t:acm:1": "x", "a": "x"}
    )
    shared.remove("acme")
    assert shared.objects() == ["invoices/acme/1", "tenants/acme", "tenants/acme-eu/1"]
    assert shared.keys() == ["a", "t:acm:1", "t:acme-eu:1"]
    assert shared.told == ["tenant acme: removed 7 versions of objects and 10 keys"]
    shared.remove("acme")
    assert len(shared.told) == 1


def test_a_platform_of_an_earlier_release_says_that_keys_stay(shared: Shared) -> None:
    shared.cache.set("t:acme:1", "x")
    earlier = shared.contract.cache.model_copy(update={"sweeper_secret": None})
    shared.contract = shared.contract.model_copy(update={"cache": earlier})
    shared.remove("acme")
    assert shared.keys() == ["t:acme:1"]
    (told,) = shared.told
    assert told.startswith("tenant acme: its keys stay in the cache")


def test_a_cache_that_does_not_answer_may_pass(shared: Shared) -> None:
    shared.sandbox.supervisor.set_cache_users(shared.contract.cache.replication_group, [EVERYTHING])
    with pytest.raises(TransientError, match=rf"^cache {shared.contract.cache.host}: "):
        shared.remove("acme")


def test_the_sweepers_password_goes_to_that_cache_alone(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def connect(**options: Any) -> None:
        asked.update(options)
        raise exceptions.ConnectionError("enough")

    monkeypatch.setattr(redis, "Redis", connect)
    with pytest.raises(TransientError, match="enough"):
        shared.remove("acme")
    # Whoever has another server's certificate is somebody else.
    assert asked["ssl"] is asked["ssl_check_hostname"] is True
    assert isinstance(asked["retry"], UnlessRefused)


def test_a_cache_that_fails_over_may_pass(shared: Shared) -> None:
    shared.cache.set("t:acme:1", "x")
    shared.cache.replicaof("127.0.0.1", 1)
    with pytest.raises(TransientError, match=rf"^cache {shared.contract.cache.host}: .*read only replica"):
        shared.remove("acme")
    shared.cache.replicaof("NO", "ONE")
    shared.remove("acme")
    assert shared.keys() == []


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        (exceptions.ReadOnlyError("You can't write against a read only replica."), True),
        (exceptions.TryAgainError("Multiple keys request during rehashing of slot"), True),
        (exceptions.ClusterDownError("The cluster is down"), True),
        (exceptions.MasterDownError("Link with MASTER is down"), True),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), True),
        (exceptions.TimeoutError("Timeout reading from socket"), True),
        (exceptions.ResponseError("BUSY Redis is busy running a script."), True),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (exceptions.NoPermissionError("this user has no permissions to run the 'unlink' command"), False),
        (exceptions.ResponseError("unknown command 'UNLINK'"), False),
    ],
    ids=repr,
)
def test_what_a_cache_says_passes_or_lasts(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, said: redis.RedisError, passes: bool
) -> None:
    def unlink(*keys: bytes) -> int:
        raise said

    shared.cache.set("t:acme:1", "x")
    monkeypatch.setattr(redis.Redis, "unlink", staticmethod(unlink))
    with pytest.raises(FreeholdError) as refused:
        shared.remove("acme")
    assert isinstance(refused.value, TransientError) is passes


@pytest.mark.parametrize(
    ("codes", "told", "passes"),
    [
        (["InternalError"], "tenants/acme/0: InternalError", True),
        (["SlowDown", "ServiceUnavailable"], "tenants/acme/0: SlowDown", True),
        (["AccessDenied"], "tenants/acme/0: AccessDenied", False),
        (["InternalError", "AccessDenied"], "tenants/acme/1: AccessDenied", False),
    ],
)
def test_a_bucket_that_keeps_some_objects_of_a_batch(shared: Shared, codes: list[str], told: str, passes: bool) -> None:
    keys = [f"tenants/acme/{number}" for number in range(len(codes))]
    versions = "".join(f"<Version><Key>{key}</Key><VersionId>1</VersionId></Version>" for key in keys)
    errors = "".join(
        f"<Error><Key>{key}</Key><Code>{code}</Code><Message>no</Message></Error>"
        for key, code in zip(keys, codes, strict=True)
    )
    with answering([_xml("ListVersionsResult", versions), _xml("DeleteResult", errors)]) as server:
        environment = {**shared.sandbox.environment, "AWS_ENDPOINT_URL": server.url}
        with pytest.raises(FreeholdError, match=f"^bucket {shared.contract.bucket.name}: {told}: no") as refused:
            leftovers.remove(shared.contract, environment, "acme", tell=shared.told.append)
    assert isinstance(refused.value, TransientError) is passes


def test_a_bucket_that_is_not_there_is_told(shared: Shared) -> None:
    gone = shared.contract.bucket.model_copy(update={"name": "nobodys"})
    shared.contract = shared.contract.model_copy(update={"bucket": gone})
    with pytest.raises(FreeholdError, match=r"^bucket nobodys: .*NoSuchBucket") as refused:
        shared.remove("acme")
    assert not isinstance(refused.value, TransientError)


def test_a_list_that_was_cut_off_is_no_empty_list(shared: Shared) -> None:
    """A tenant that comes under this id later would find the objects."""
    with answering([head(500, "application/xml")]) as server:
        environment = {**shared.sandbox.environment, "AWS_ENDPOINT_URL": server.url}
        with pytest.raises(TransientError, match=rf"^bucket {shared.contract.bucket.name}: .*ListObjectVersions"):
            leftovers.remove(shared.contract, environment, "acme", tell=shared.told.append)
    assert shared.told == []
