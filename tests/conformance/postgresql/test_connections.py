"""How many connections the provider holds, and what it does when they break."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from sandbox.providers.interface import ProviderError
from sandbox.providers.postgresql.server import LOCK, Server
from sandbox.providers.postgresql.settings import read_settings
from sandbox.providers.postgresql.table import DATABASE, GRANT, ROLE, SCHEMA
from tests.conformance.postgresql.bench import Bench
from tests.rehearsal.freehold import until
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox

HELD = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freehold postgresql stand-in'"


def limited(sandbox: Sandbox, postgres: Mapping[str, str | int | bool], connections: int) -> Bench:
    return Bench({**postgres, "maxConnections": connections}, sandbox.environment)


def test_the_limit_holds_over_all_databases(sandbox: Sandbox, postgres: Mapping[str, str | int | bool]) -> None:
    bench = limited(sandbox, postgres, 2)
    databases = [bench.make(DATABASE, name=bench.name("limit")).id for _ in range(3)]

    def one(number: int) -> int:
        bench.make(SCHEMA, name=f"s{number}", database=databases[number % 3])
        return int(bench.value(HELD))

    with ThreadPoolExecutor(9) as pool:
        held = list(pool.map(one, range(18)))
    bench.provider.close()
    # A server's process outlives its client by a moment, so one may be seen beside each that took its place.
    assert statistics.median(held) <= 2
    assert max(held) <= 4
    until(lambda: bench.value(HELD) == 0, 30)


def test_broken_connections_are_replaced(bench: Bench) -> None:
    made = bench.make(ROLE, name=bench.name("lasting"))
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'freehold p%%'"
    assert bench.value(ended) >= 1
    assert bench.read(made) is not None


def test_nothing_is_left_of_a_change_that_fails(sandbox: Sandbox, postgres: Mapping[str, str | int | bool]) -> None:
    server = Server(read_settings(postgres, sandbox.environment))

    def work(connection: psycopg.Connection[tuple[object, ...]]) -> None:
        connection.execute("CREATE SCHEMA half_made")
        connection.execute("SELECT 1 / 0")

    with pytest.raises(ProviderError, match=r"^division by zero$"):
        server.change(work)
    assert server.read(lambda connection: connection.execute("SELECT to_regnamespace('half_made')").fetchone()) == (
        None,
    )
    server.close()


def test_a_lock_that_another_session_keeps_is_waited_for_no_longer_than_the_engine_s_environment_says(
    bench: Bench, sandbox: Sandbox, postgres: Mapping[str, str | int | bool]
) -> None:
    role = bench.role()
    grant = {"role": role, "database": bench.database, "objectType": "database", "privileges": ["TEMPORARY"]}
    hurried = Bench(postgres, {**sandbox.environment, "PGOPTIONS": "-c lock_timeout=300ms"})
    with bench.client(role) as session:
        session.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        with pytest.raises(ProviderError, match=r"^canceling statement due to lock timeout$"):
            hurried.make(GRANT, **grant)
        session.execute("SELECT pg_advisory_unlock_all()")
        assert hurried.make(GRANT, **grant).id
    hurried.provider.close()
