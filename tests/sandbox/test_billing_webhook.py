"""The billing webhook as a process of the sandbox: signed events reach the control database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from errors import FreeholdError
from fleet import migrations
from fleet.registry import Registry
from sandbox.stripe_events import deliver, plan_change
from sandbox.supervisor.messages import SupervisorError
from tests.services.billing.bench import wanted
from tests.temporary_sandbox import temporary_sandbox

pytestmark = pytest.mark.sandbox


def test_started_exported_used_and_there_again_after_a_restart() -> None:
    with temporary_sandbox() as sandbox:
        assert "FREEHOLD_WEBHOOK_URL" not in sandbox.environment
        with pytest.raises(SupervisorError, match="does not exist"):
            sandbox.supervisor.start_webhook("control", "chronos-cloud")
        sandbox.supervisor.create_database("control", username="admin", password="right-and-long", database="control")
        engine = sa.create_engine(sandbox.environment["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            migrations.upgrade(connection)
        registry = Registry(engine)
        registry.add(wanted("acme"))
        started = sandbox.supervisor.start_webhook("control", "chronos-cloud")
        assert sandbox.supervisor.start_webhook("control", "chronos-cloud") == started
        url, secret = (sandbox.environment[name] for name in ("FREEHOLD_WEBHOOK_URL", "STRIPE_WEBHOOK_SECRET"))
        assert (url, secret) == (started.url, started.secret)
        with pytest.raises(FreeholdError, match="answered 400"):
            deliver(url, "whsec_another_secret", plan_change("acme", "chronos-cloud", "starter", "pro"))
        assert deliver(url, secret, plan_change("acme", "chronos-cloud", "starter", "pro")) == "applied"
        (process,) = (one for one in sandbox.supervisor.status().processes if one.name == "billing-webhook")
        sandbox.supervisor.stop_webhook()
        assert "FREEHOLD_WEBHOOK_URL" not in sandbox.environment
        assert process.state == "ready"
        renewed = sandbox.supervisor.start_webhook("control", "chronos-cloud")
        assert renewed.secret != secret
        again = plan_change("acme", "chronos-cloud", "starter", "pro")
        assert deliver(renewed.url, renewed.secret, again) == "duplicate"
        tenant = registry.get("acme")
        assert tenant is not None
        assert tenant.plan == "pro"
        engine.dispose()
