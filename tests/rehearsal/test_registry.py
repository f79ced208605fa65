"""The tenant registry against a real Postgres server, over verified TLS, as an administrator who is no superuser."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from catalog.plans import Tier
from errors import FreeholdError, UsageError
from fleet import migrations
from fleet.operations import OPERATIONS
from fleet.registry import TENANTS, Registry, Status, Wanted
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture
def engine(empty_database: sa.URL) -> Iterator[sa.Engine]:
    engine = sa.create_engine(empty_database)
    yield engine
    engine.dispose()


@pytest.fixture
def migrated(migrated_database: sa.URL) -> Iterator[sa.Engine]:
    engine = sa.create_engine(migrated_database)
    yield engine
    engine.dispose()


@pytest.fixture
def registry(migrated: sa.Engine) -> Registry:
    return Registry(migrated)


def wanted(tenant: str, **changes: object) -> Wanted:
    values = {
        "id": tenant, "product": "chronos-cloud", "name": tenant, "subdomain": tenant, "admin_email": None,
        "plan": "starter", "tier": Tier.BRIDGE, "cell": "sandbox", "region": "us-east-1",
        "limits": {"workspaces": 3, "members": None},
    }  # fmt: skip
    return Wanted.model_validate({**values, **changes})


def test_migrations_run_once_side_by_side_and_make_what_the_program_reads(engine: sa.Engine) -> None:
    def upgrade(_: int) -> bool:
        with engine.begin() as connection:
            return migrations.upgrade(connection)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(upgrade, range(4))) == [False, False, False, True]
    inspector = sa.inspect(engine)
    assert set(inspector.get_table_names()) == {
        "alembic_version",
        TENANTS.name,
        OPERATIONS.name,
        "billing_inbox",
        "billing_subscriptions",
        "budget_alerts",
        "budget_alert_deliveries",
    }
    for table in (TENANTS, OPERATIONS):
        made = {
            column["name"]: (str(column["type"]), column["nullable"]) for column in inspector.get_columns(table.name)
        }
        assert made == {
            column.name: (column.type.compile(engine.dialect).replace(" WITH TIME ZONE", ""), column.nullable)
            for column in table.columns
        }


def test_head_is_the_newest_revision() -> None:
    files = sorted(path.name for path in (Path(migrations.__file__).parent / "versions").glob("0*.py"))
    assert files[-1].startswith(f"{migrations.HEAD}_")


def test_life_of_a_tenant(registry: Registry) -> None:
    made = registry.add(wanted("acme", admin_email="a@example.com"))
    assert (made.status, made.applied_hash, made.settled) == (Status.PENDING, None, False)
    assert made.limits == {"workspaces": 3, "members": None}
    failed = registry.failed("acme", "stack tenant.sandbox.acme: no room")
    assert (failed.status, failed.last_error) == (Status.FAILED, "stack tenant.sandbox.acme: no room")
    active = registry.applied("acme", made.desired_hash, "0.1.0")
    assert active.settled
    assert (active.last_error, active.program_version) == (None, "0.1.0")
    assert active.applied_at is not None
    assert active.applied_at.utcoffset() is not None
    moved = registry.want(wanted("acme", plan="pro"))
    assert (moved.plan, moved.status, moved.settled) == ("pro", Status.ACTIVE, False)
    assert registry.deleting("acme").status is Status.DELETING
    assert registry.deleting("acme", "no answer").last_error == "no answer"
    gone = registry.deleted("acme")
    assert (gone.status, gone.last_error) == (Status.DELETED, None)
    assert gone.deleted_at is not None
    assert registry.list() == []
    assert [one.id for one in registry.list(deleted=True)] == ["acme"]
    again = registry.add(wanted("acme"))
    assert (again.status, again.applied_hash, again.deleted_at) == (Status.PENDING, None, None)
    assert again.created_at > made.created_at
    assert (made.predecessor_deleted_at, again.predecessor_deleted_at) == (None, gone.deleted_at)
    registry.want(wanted("acme", plan="pro"))
    registry.deleting("acme")
    assert registry.deleted("acme").predecessor_deleted_at == gone.deleted_at


def test_ids_that_were_used_again_before_that_was_kept(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier, engine.begin() as connection:
        earlier.setattr(migrations, "HEAD", "0006")
        migrations.upgrade(connection)
        names = ("again", "once", "gone")
        for name in names:
            connection.execute(
                sa.text(
                    "INSERT INTO tenants (id, product, name, subdomain, plan, tier, cell, region, limits, status,"
                    " desired_hash, created_at)"
                    " VALUES (:id, 'x', 'x', :id, 'x', 'bridge', 'x', 'x', '{}', 'active', '', to_timestamp(200))"
                ),
                {"id": name},
            )
        ended = [("again", "delete", "succeeded", 100), ("again", "delete", "succeeded", 150),
                 ("again", "delete", "failed", 160), ("once", "update", "succeeded", 100),
                 ("gone", "delete", "succeeded", 300)]  # fmt: skip
        for number, (name, kind, state, at) in enumerate(ended):
            connection.execute(
                sa.text(
                    "INSERT INTO operations (tenant, kind, idempotency_key, requester, payload, correlation_id, state,"
                    " finished_at) VALUES (:tenant, :kind, :key, 'x', '{}', 'x', :state, to_timestamp(:at))"
                ),
                {"tenant": name, "kind": kind, "key": str(number), "state": state, "at": at},
            )
    with engine.begin() as connection:
        assert migrations.upgrade(connection)
    known = {one.id: one.predecessor_deleted_at for one in Registry(engine).list()}
    assert known == {"again": datetime.fromtimestamp(150, UTC), "once": None, "gone": None}


def test_what_is_taken_is_refused(registry: Registry) -> None:
    registry.add(wanted("acme"))
    with pytest.raises(UsageError, match=r"^tenant acme: it exists already"):
        registry.add(wanted("acme"))
    with pytest.raises(UsageError, match=r"^tenant other: the subdomain acme is another tenant's; choose one by"):
        registry.add(wanted("other", subdomain="acme"))
    assert [one.id for one in registry.list()] == ["acme"]
    registry.deleted("acme")
    assert registry.add(wanted("other", subdomain="acme")).subdomain == "acme"


def test_ten_at_once_make_one(registry: Registry) -> None:
    def add(_: int) -> bool:
        try:
            registry.add(wanted("acme"))
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(add, range(10))) == 1


def test_only_of_one_cell(registry: Registry) -> None:
    registry.add(wanted("acme"))
    registry.add(wanted("zeta", cell="sandbox-eu1"))
    assert [one.id for one in registry.list(cell="sandbox-eu1")] == ["zeta"]
    with pytest.raises(FreeholdError, match="gone from the registry"):
        registry.applied("nobody", "one", "0.1.0")


@pytest.mark.parametrize("tenant", ["Acme", "a--b", "-a", "a-", "", "a" * 41, "a_b"])
def test_the_database_itself_refuses_a_bad_id(registry: Registry, migrated: sa.Engine, tenant: str) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="tenants_id"):
        registry.add(wanted(tenant))
    with migrated.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(TENANTS)) == 0


def test_an_unverified_server_is_not_spoken_to(empty_database: sa.URL, tmp_path: Path, sandbox: Sandbox) -> None:
    """The positive control is the `engine` of every other test."""
    other = sandbox.home.certificates
    wrong = next(path for path in other.rglob("*.crt") if str(path) != empty_database.query["sslrootcert"])
    engine = sa.create_engine(empty_database.update_query_dict({"sslrootcert": str(wrong)}))
    with pytest.raises(sa.exc.OperationalError, match="certificate verify failed"), engine.connect():
        pass
    engine.dispose()
