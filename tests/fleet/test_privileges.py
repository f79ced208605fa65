"""What services may do in the control database: by their own logins, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from psycopg.errors import InsufficientPrivilege

from catalog.services import Service
from fleet import migrations, privileges, registry
from fleet.registry import METADATA, Registry
from services.notifier import alerts
from tests.service_logins import login, make_login
from tests.services.billing.bench import wanted

pytestmark = pytest.mark.sandbox

WITHOUT_MODELS = {"billing_inbox", "billing_subscriptions", "alembic_version"}
MAY_READ = {
    Service.BILLING: {"billing_inbox", "billing_subscriptions", "tenants", "operations"},
    Service.NOTIFIER: {"budget_alerts", "budget_alert_deliveries"},
    Service.RUNNER: {"tenants", "operations", "alembic_version"},
}
NEVER = (
    "DROP TABLE {table}",
    "ALTER TABLE {table} ADD COLUMN more text",
    "TRUNCATE {table}",
    "DELETE FROM {table}",
    "CREATE TRIGGER each AFTER INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
)
REFUSED = {
    Service.BILLING: (
        "UPDATE tenants SET status = 'deleted'",
        "UPDATE tenants SET cell = 'another'",
        "UPDATE tenants SET applied_hash = desired_hash",
        "INSERT INTO tenants (id) VALUES ('x')",
        "UPDATE operations SET state = 'cancelled'",
        "INSERT INTO operations (tenant, state) VALUES ('acme', 'succeeded')",
        "UPDATE billing_inbox SET payload = ''",
    ),
    Service.NOTIFIER: (
        "SELECT 1 FROM tenants FOR UPDATE",
        "UPDATE budget_alerts SET spent = '$0'",
        "INSERT INTO operations (tenant, kind) VALUES ('acme', 'delete')",
    ),
    Service.RUNNER: (
        "UPDATE tenants SET plan = 'pro'",
        "UPDATE tenants SET suspended_for = NULL",
        "INSERT INTO operations (tenant, kind) VALUES ('acme', 'delete')",
        "UPDATE operations SET kind = 'delete'",
        "UPDATE alembic_version SET version_num = '0001'",
    ),
}
NOT_FOR_ANY = (
    "CREATE TABLE mine (id text)",
    "CREATE TEMPORARY TABLE mine (id text)",
    "CREATE SCHEMA mine",
    "CREATE ROLE mine",
    "ALTER ROLE admin PASSWORD 'mine'",
    "SET ROLE admin",
    "SELECT * FROM pg_authid",
)

each_service = pytest.mark.parametrize("service", list(Service))


@pytest.fixture
def administrator(empty_database: sa.URL) -> Iterator[sa.Engine]:
    engine = sa.create_engine(empty_database)
    yield engine
    engine.dispose()


@pytest.fixture
def own(migrated_database: sa.URL, service: Service) -> Iterator[sa.Engine]:
    engine = sa.create_engine(login(migrated_database, service))
    yield engine
    engine.dispose()


def _refused(engine: sa.Engine, statement: str) -> bool:
    """For want of a right. Raises where it fails for another reason, or is carried out."""
    with engine.connect() as connection:
        try:
            connection.exec_driver_sql(statement)
        except sa.exc.ProgrammingError as error:
            assert isinstance(error.orig, InsufficientPrivilege), f"{statement}: {error.orig}"
            return True
    return False


@each_service
def test_each_reads_its_tables_and_no_other(service: Service, own: sa.Engine) -> None:
    tables = {*METADATA.tables, *WITHOUT_MODELS}
    with own.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) == tables
    assert {table for table in tables if not _refused(own, f"SELECT * FROM {table}")} == MAY_READ[service]


@each_service
def test_what_none_may_do_with_any_table(service: Service, own: sa.Engine) -> None:
    tables = sorted({*METADATA.tables, *WITHOUT_MODELS})
    done = [one for one in (form.format(table=table) for table in tables for form in NEVER) if not _refused(own, one)]
    assert done == []


@each_service
def test_what_a_service_must_not_write_is_refused(service: Service, own: sa.Engine) -> None:
    assert [one for one in (*REFUSED[service], *NOT_FOR_ANY) if not _refused(own, one)] == []


def test_rights_follow_whether_roles_or_tables_come_first(empty_database: sa.URL, administrator: sa.Engine) -> None:
    with administrator.begin() as connection:
        for service in Service:
            connection.exec_driver_sql(f"DROP ROLE IF EXISTS {service.role}")
    first = sa.create_engine(make_login(empty_database, Service.NOTIFIER))
    with administrator.begin() as connection:
        migrations.upgrade(connection)
    with first.connect() as connection:
        assert not alerts.usable(connection)
    with administrator.begin() as connection:
        assert privileges.grant(connection)
    with first.connect() as connection:
        assert alerts.usable(connection)
        assert alerts.backlog(connection) == 0
    # A role that comes later, as in a platform of an earlier release.
    later = sa.create_engine(make_login(empty_database, Service.RUNNER))
    assert _refused(later, "SELECT 1 FROM tenants")
    with administrator.begin() as connection:
        assert privileges.grant(connection)
    assert Registry(later).list() == []
    for engine in (first, later):
        engine.dispose()


def test_what_is_granted_is_granted_once_and_what_is_too_much_is_taken_away(
    empty_database: sa.URL, administrator: sa.Engine
) -> None:
    own = sa.create_engine(login(empty_database, Service.NOTIFIER))
    with administrator.begin() as connection:
        assert not privileges.grant(connection)
    for excess in ("SELECT", "UPDATE (plan)"):
        with administrator.begin() as connection:
            connection.exec_driver_sql(f"GRANT {excess} ON tenants TO {Service.NOTIFIER.role}")
            assert privileges.grant(connection)
            assert not privileges.grant(connection)
        assert _refused(own, "SELECT 1 FROM tenants") and _refused(own, "UPDATE tenants SET plan = 'pro'")
    with own.connect() as connection:
        assert alerts.usable(connection)
    own.dispose()


def test_many_at_once_grant_without_failing(empty_database: sa.URL, administrator: sa.Engine) -> None:
    with administrator.begin() as connection:
        migrations.upgrade(connection)
    for service in Service:
        make_login(empty_database, service)

    def open_it(_: int) -> bool:
        with administrator.begin() as connection:
            return privileges.grant(connection)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(open_it, range(16))).count(True) == 1


def test_the_webhook_changes_of_a_tenant_what_it_is_to_be_only(
    empty_database: sa.URL, administrator: sa.Engine
) -> None:
    own = sa.create_engine(login(empty_database, Service.BILLING))
    before = Registry(administrator).add(wanted("acme"))
    with own.begin() as connection:
        held = registry.lock_all(connection, ["acme"])["acme"]
        registry.change(connection, held, wanted("acme", "pro"))
    after = Registry(administrator).get("acme")
    assert after is not None and (after.plan, after.desired_hash) == ("pro", wanted("acme", "pro").desired_hash)
    assert after.limits == wanted("acme", "pro").limits != before.limits
    own.dispose()
