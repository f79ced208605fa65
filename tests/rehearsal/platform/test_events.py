"""What `up` sends through the system: each event once, by the ways that AWS and Stripe use."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.rehearsal import PLAN, TENANT, TO
from sandbox.stripe_events import body_and_headers, plan_change
from tests import plain_http
from tests.rehearsal.freehold import Freehold

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(1500)]

EVENT = plan_change(TENANT, "chronos-cloud", PLAN, TO)


def rows(built: Freehold, query: str) -> list[dict[str, Any]]:
    """Of the control database, by psql."""
    run = built.by_hand(
        f'psql "$DATABASE_URL" -XAtc "SELECT coalesce(json_agg(found), \'[]\') FROM ({query}) AS found"'
    )
    run.check_returncode()
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def caught(built: Freehold) -> list[dict[str, Any]]:
    """What came to the sandbox's sinks."""
    found: list[dict[str, Any]] = built.json("sandbox", "caught")
    return found


def test_a_second_up_sends_nothing_again(built: Freehold) -> None:
    def sent() -> tuple[object, ...]:
        return (
            caught(built),
            rows(built, "SELECT * FROM billing_inbox"),
            rows(built, f"SELECT * FROM operations WHERE tenant = '{TENANT}'"),
            rows(built, "SELECT * FROM budget_alert_deliveries"),
        )

    before = sent()
    again = built.json("up")
    assert [line["what"] for line in again["events"]] == ["budget alert", "Stripe event"]
    alert, event = (line["value"] for line in again["events"])
    assert "nothing is sent again" in alert
    assert "nothing is sent again" in event
    assert sent() == before
    # What the first one sent came to every sink, once.
    budget = alert.split(":")[0].removeprefix("Budget ")
    sinks = sorted(one["sink"] for one in caught(built) if budget in f"{one['headers']}{one['body']}")
    assert sinks == ["mail", "slack", "webhook"]
    assert not any(
        count for changes in again["changes"].values() for operation, count in changes.items() if operation != "same"
    )


def test_the_stripe_event_moved_the_tenant_by_one_operation(built: Freehold) -> None:
    (stored,) = rows(built, f"SELECT state, tenant FROM billing_inbox WHERE id = '{EVENT['id']}'")
    assert stored == {"state": "applied", "tenant": TENANT}
    (asked,) = rows(
        built, f"SELECT kind, state, correlation_id FROM operations WHERE idempotency_key LIKE '%{EVENT['id']}%'"
    )
    assert asked == {"kind": "update", "state": "succeeded", "correlation_id": EVENT["id"]}
    # Anybody else who sends it changes nothing; who cannot sign is refused.
    variables = built.variables
    url, secret = variables["FREEHOLD_WEBHOOK_URL"], variables["STRIPE_WEBHOOK_SECRET"]
    body, headers = body_and_headers(EVENT, secret)
    answer = plain_http.post(url, body, headers)
    assert (answer.status_code, answer.json()["state"]) == (200, "duplicate")
    body, headers = body_and_headers(EVENT, "whsec_of_nobody")
    assert plain_http.post(url, body, headers).status_code == 400
    assert len(rows(built, f"SELECT 1 FROM operations WHERE correlation_id = '{EVENT['id']}'")) == 1


def test_each_service_is_logged_in_as_itself(built: Freehold) -> None:
    sessions = (
        "SELECT DISTINCT application_name, usename FROM pg_stat_activity WHERE application_name LIKE 'freehold-%'"
    )
    assert {one["application_name"]: one["usename"] for one in rows(built, sessions)} == {
        "freehold-billing": "freehold_billing",
        "freehold-notifier": "freehold_notifier",
        "freehold-runner": "freehold_runner",
    }
