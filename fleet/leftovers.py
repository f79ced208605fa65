"""What a tenant made that is in no stack: its objects and its keys. They go when the tenant is deleted, after its own
ways to them and before its id may be used again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from catalog import identifiers
from errors import FreeholdError, TransientError
from fleet.cloud import client, code_may_pass, may_pass
from fleet.control_database import read_secret
from fleet.counting import counted
from stacks.contract import PlatformContract

if TYPE_CHECKING:
    import redis

AUTHORITY = "FREEHOLD_CACHE_AUTHORITY"
"""The file of the authority that signs the cache's certificate; unset where the system trusts it, as ElastiCache's:
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption.html"""

_BATCH = 1000
"""Of objects, the most that one request deletes:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""
_SECONDS = 30.0


def remove(
    contract: PlatformContract, environment: Mapping[str, str], tenant: str, *, tell: Callable[[str], None]
) -> None:
    """Remove all versions of the tenant's objects, and its keys. Can be repeated, and goes on where it was cut off.

    Raises TransientError where the bucket or the cache does not answer, FreeholdError where one refuses.
    """
    objects, keys = _objects(contract, environment, tenant), _keys(contract, environment, tenant, tell)
    if objects or keys:
        tell(f"tenant {tenant}: removed {counted(objects, 'version')} of objects and {counted(keys, 'key')}")


def _objects(contract: PlatformContract, environment: Mapping[str, str], tenant: str) -> int:
    from botocore.exceptions import BotoCoreError, ClientError

    store, name, removed = client("s3", contract.region, environment), contract.bucket.name, 0
    where = f"bucket {name}"
    prefix = identifiers.object_prefix(tenant)
    try:
        # Always the first page: what it listed is gone by the next time.
        while versions := [*_versions(store.list_object_versions(Bucket=name, Prefix=prefix, MaxKeys=_BATCH))]:
            answer = store.delete_objects(Bucket=name, Delete={"Objects": versions, "Quiet": True})
            if errors := answer.get("Errors"):
                raise _kept(errors, where)
            removed += len(versions)
    except (BotoCoreError, ClientError) as error:
        raise (TransientError if may_pass(error) else FreeholdError)(str(error), where=where) from None
    return removed


def _kept(errors: Sequence[Mapping[str, str]], where: str) -> FreeholdError:
    """Why S3 kept some of a batch, which it says in an answer that is good otherwise."""
    lasting = [one for one in errors if not code_may_pass(one["Code"])]
    first = (lasting or errors)[0]
    kind = FreeholdError if lasting else TransientError
    return kind(f"{first['Key']}: {first['Code']}: {first.get('Message', '')}", where=where)


def _versions(page: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
        yield {"Key": one["Key"], "VersionId": one["VersionId"]}


def _keys(contract: PlatformContract, environment: Mapping[str, str], tenant: str, tell: Callable[[str], None]) -> int:
    import redis

    from fleet.cache_retries import UnlessRefused

    if contract.cache.sweeper_secret is None:
        tell(f"tenant {tenant}: its keys stay in the cache: the platform is of a release that lets nobody remove them")
        return 0
    secret = read_secret(contract.cache.sweeper_secret, contract.region, environment)
    where, removed = f"cache {contract.cache.host}", 0
    try:
        with redis.Redis(
            host=str(secret["host"]),
            port=int(str(secret["port"])),
            username=str(secret["username"]),
            password=str(secret["password"]),
            ssl=True,
            ssl_ca_certs=environment.get(AUTHORITY),
            ssl_check_hostname=True,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=UnlessRefused(),
        ) as cache:
            batch: list[bytes] = []
            for key in cache.scan_iter(match=f"{identifiers.redis_prefix(tenant)}*", count=_BATCH):
                batch.append(key)
                if len(batch) == _BATCH:
                    removed += cache.unlink(*batch)
                    batch.clear()
            if batch:
                removed += cache.unlink(*batch)
    except redis.RedisError as error:
        raise (TransientError if _passes(error) else FreeholdError)(str(error), where=where) from None
    return removed


def _passes(error: redis.RedisError) -> bool:
    """Whether it may pass by itself: no way to the cache, or one that fails over, moves its keys or is at a script."""
    from redis import exceptions

    moving = (exceptions.ReadOnlyError, exceptions.TryAgainError, exceptions.ClusterDownError)
    # A cache that loads its keys is a ConnectionError; of the words below the client makes nothing of their own.
    if isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError, *moving)):
        return True
    return str(error).startswith(("BUSY ", "NOREPLICAS "))
