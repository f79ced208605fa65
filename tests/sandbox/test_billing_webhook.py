"""The billing webhook as a process of the sandbox: signed events reach the control database."""

from __future__ import annotations

from functools import partial

import pytest
import sqlalchemy as sa

from catalog.services import Service
from errors import FreeholdError
from fleet.registry import Registry
from sandbox.stripe_events import deliver, plan_change
from sandbox.supervisor.messages import SupervisorError
from tests.service_logins import login
from tests.services.billing.bench import wanted
from tests.temporary_sandbox import temporary_sandbox

pytestmark = pytest.mark.sandbox


def test_started_exported_used_and_there_again_after_a_restart() -> None:
    with temporary_sandbox() as sandbox:
        assert "FREEHOLD_WEBHOOK_URL" not in sandbox.environment
        with pytest.raises(SupervisorError, match="does not exist"):
            sandbox.supervisor.start_webhook("control", "chronos-cloud", username="of-nobody", password="none")
        sandbox.supervisor.create_database("control", username="admin", password="right-and-long", database="control")
        database = sa.make_url(sandbox.environment["DATABASE_URL"]).set(drivername="postgresql+psycopg")
        own = login(database, Service.BILLING)
        assert own.username is not None and isinstance(own.password, str)
        start = partial(
            sandbox.supervisor.start_webhook,
            "control",
            "chronos-cloud",
            username=own.username,
            password=own.password,
        )
        engine = sa.create_engine(database)
        registry = Registry(engine)
        registry.add(wanted("acme"))
        started = start()
        assert start() == started
        url, secret = (sandbox.environment[name] for name in ("FREEHOLD_WEBHOOK_URL", "STRIPE_WEBHOOK_SECRET"))
        assert (url, secret) == (started.url, started.secret)
        with pytest.raises(FreeholdError, match="answered 400"):
            deliver(url, "whsec_another_secret", plan_change("acme", "chronos-cloud", "starter", "pro"))
        assert deliver(url, secret, plan_change("acme", "chronos-cloud", "starter", "pro")) == "applied"
        with engine.connect() as connection:
            users = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'freehold-billing'"
            assert list(connection.scalars(sa.text(users))) == [Service.BILLING.role]
        (process,) = (one for one in sandbox.supervisor.status().processes if one.name == "billing-webhook")
        sandbox.supervisor.stop_webhook()
        assert "FREEHOLD_WEBHOOK_URL" not in sandbox.environment
        assert process.state == "ready"
        renewed = start()
        assert renewed.secret != secret
        again = plan_change("acme", "chronos-cloud", "starter", "pro")
        assert deliver(renewed.url, renewed.secret, again) == "duplicate"
        tenant = registry.get("acme")
        assert tenant is not None
        assert tenant.plan == "pro"
        engine.dispose()
