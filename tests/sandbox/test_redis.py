"""The Redis instances: TLS only, users by access strings, default off, crashes."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sandbox.supervisor.messages import Cache, CacheUser, SupervisorError
from tests.sandbox.conftest import kill_and_wait
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

ACME = CacheUser(
    name="t-acme",
    passwords=("acme-secret-acme-secret",),
    access_string="resetkeys ~t:acme:* resetchannels &t:acme:* +@all -@admin -@dangerous",
)
OTHER = CacheUser(
    name="t-acme-eu", passwords=("other-secret-other-secret",), access_string="~t:acme-eu:* +@all -@dangerous"
)
THIRD = ACME.model_copy(update={"name": "t-third"})


def connect(cache: Cache, user: CacheUser | None = None, **changes: Any) -> redis.Redis:
    options: dict[str, Any] = {
        "host": cache.host,
        "port": cache.port,
        "ssl": True,
        "ssl_ca_certs": str(cache.certificate_authority_path),
        "ssl_check_hostname": True,
        "socket_timeout": 10,
        "retry": Retry(NoBackoff(), 0),
        **changes,
    }
    if user is not None:
        options |= {"username": user.name, "password": user.passwords[0]}
    return redis.Redis(**options)


def test_a_user_can_reach_its_own_keys_and_no_others(sandbox: Sandbox, cache: Cache) -> None:
    told = sandbox.supervisor.set_cache_users("processes", [ACME, OTHER])
    assert told.users == ("t-acme", "t-acme-eu")
    with connect(cache, ACME) as acme, connect(cache, OTHER) as other:
        assert acme.set("t:acme:one", "1")
        assert other.set("t:acme-eu:one", "2")
        for refused in (
            lambda: acme.get("t:acme-eu:one"),
            lambda: other.get("t:acme:one"),
            acme.flushall,
            lambda: acme.config_get("*"),
            acme.acl_list,
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                refused()


def test_the_default_user_is_off_and_tls_is_the_only_way(sandbox: Sandbox, cache: Cache) -> None:
    sandbox.supervisor.set_cache_users("processes", [ACME])
    with connect(cache) as nobody, pytest.raises(redis.exceptions.AuthenticationError):
        nobody.ping()
    with connect(cache, ssl=False) as plain, pytest.raises(redis.exceptions.ConnectionError):
        plain.ping()
    untrusting = connect(cache, ssl_ca_certs=None, ssl_cert_reqs="required")
    with untrusting, pytest.raises(redis.exceptions.ConnectionError, match="certificate verify failed"):
        untrusting.ping()


def test_the_set_is_complete_a_user_left_out_is_gone_at_once(sandbox: Sandbox, cache: Cache) -> None:
    sandbox.supervisor.set_cache_users("processes", [ACME, OTHER])
    with connect(cache, ACME) as open_connection:
        open_connection.ping()
        sandbox.supervisor.set_cache_users("processes", [OTHER])
        with pytest.raises(redis.exceptions.RedisError):
            open_connection.set("t:acme:one", "1")
            open_connection.ping()
    with connect(cache, ACME) as gone, pytest.raises(redis.exceptions.AuthenticationError):
        gone.ping()
    disabled = OTHER.model_copy(update={"enabled": False})
    sandbox.supervisor.set_cache_users("processes", [disabled])
    with connect(cache, OTHER) as off, pytest.raises(redis.exceptions.AuthenticationError):
        off.ping()


@pytest.mark.parametrize(
    ("user", "told"),
    [
        (THIRD.model_copy(update={"access_string": "~t:acme:* +@everything"}), "Redis refuses an access string"),
        (THIRD.model_copy(update={"access_string": "~* +@all >another-password"}), "is not for an access string"),
        (THIRD.model_copy(update={"access_string": "~* nopass"}), "is not for an access string"),
        (THIRD.model_copy(update={"name": "freehold-supervisor"}), "is the sandbox's own user"),
        (THIRD.model_copy(update={"name": "a b"}), "name"),
        (THIRD.model_copy(update={"access_string": "~*\nuser evil on nopass ~* +@all"}), ""),
    ],
)
def test_a_bad_user_is_refused_and_the_others_stay(sandbox: Sandbox, cache: Cache, user: CacheUser, told: str) -> None:
    sandbox.supervisor.set_cache_users("processes", [OTHER])
    with pytest.raises(SupervisorError) as caught:
        sandbox.supervisor.set_cache_users("processes", [ACME, user])
    assert caught.value.reason == "invalid"
    assert told in caught.value.line()
    assert "\n" not in caught.value.line()
    with connect(cache, OTHER) as other:
        assert other.ping()
    with connect(cache, ACME) as acme, pytest.raises(redis.exceptions.AuthenticationError):
        acme.ping()


def test_kill_9_loses_neither_keys_nor_users(sandbox: Sandbox, cache: Cache) -> None:
    sandbox.supervisor.set_cache_users("processes", [ACME])
    with connect(cache, ACME) as acme:
        for number in range(100):
            acme.set(f"t:acme:{number}", number)
    kill_and_wait(sandbox.supervisor, "redis-processes")
    with connect(cache, ACME) as acme:
        kept = [acme.get(f"t:acme:{number}") for number in range(100)]
    assert kept == [str(number).encode() for number in range(100)]


def test_parameters_are_applied_and_wrong_ones_leave_the_cache_as_it_was(sandbox: Sandbox) -> None:
    supervisor = sandbox.supervisor
    parameters = {"maxmemory-policy": "allkeys-lru", "reserved-memory-percent": "25"}
    cache = supervisor.create_cache("tuned", parameters=parameters)
    supervisor.set_cache_users("tuned", [CacheUser(name="root", passwords=ACME.passwords, access_string="~* +@all")])
    root = CacheUser(name="root", passwords=ACME.passwords)
    with connect(cache, root) as connection:
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
    supervisor.update_cache("tuned", parameters={"maxmemory-policy": "noeviction"})
    with pytest.raises(SupervisorError):
        supervisor.update_cache("tuned", parameters={"no-such-parameter": "1"})
    with pytest.raises(SupervisorError, match="is not for a cache to set"):
        supervisor.update_cache("tuned", parameters={"port": "6379"})
    with connect(cache, root) as connection:
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    supervisor.delete_cache("tuned")
    assert supervisor.cache("tuned") is None


def test_creating_what_exists_is_an_error(sandbox: Sandbox, cache: Cache) -> None:
    with pytest.raises(SupervisorError) as caught:
        sandbox.supervisor.create_cache("processes")
    assert caught.value.reason == "exists"
