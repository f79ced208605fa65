"""What docs/connect-stripe.md says may be emptied."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fleet.registry import Suspension
from sandbox.home import CHECKOUT
from sandbox.stripe_events import customer_event, event, invoice_event, subscription_event
from tests.services.billing.bench import Books, Inside
from tests.services.billing.test_effects import PRO, UPGRADED

pytestmark = pytest.mark.sandbox


def test_what_the_docs_empty_is_needed_no_more(webhook: Inside, books: Books) -> None:
    docs = (CHECKOUT / "docs" / "connect-stripe.md").read_text(encoding="utf-8")
    (statement,) = re.findall(r"```sql\n(update .*?)```", docs, re.DOTALL)
    of_customer = replace(PRO, tenant=None)
    first = [
        event("radar.early_fraud_warning.created", {}, id="evt_other", created=1),
        {**UPGRADED, "id": "evt_connected", "account": "acct_1"},
        invoice_event("invoice.paid", PRO, id="evt_paid", created=1),
        customer_event("created", "cus_1", "acme", id="evt_customer", created=1),
        subscription_event("created", of_customer, id="evt_bought", created=2),
    ]
    assert [webhook.state(one) for one in first] == ["ignored", "ignored", "applied", "applied", "applied"]
    books.execute(statement)
    assert books.rows("SELECT 1 FROM billing_inbox WHERE payload = ''") == []
    books.execute("UPDATE billing_inbox SET received_at = received_at - interval '91 days'")
    books.execute(statement)
    emptied = {name for (name,) in books.rows("SELECT id FROM billing_inbox WHERE payload = ''")}
    assert emptied == {"evt_other", "evt_connected", "evt_paid"}
    assert [webhook.state(one) for one in first] == ["duplicate"] * 5
    ended = subscription_event("deleted", replace(of_customer, status="canceled"), id="evt_ended", created=3)
    assert webhook.state(ended) == "applied"
    assert books.suspended_for() is Suspension.PAYMENT
