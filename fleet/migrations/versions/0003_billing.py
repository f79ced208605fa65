"""What Stripe sent, once each, and what is known of subscriptions from it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "billing_inbox",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        # The subscription, or the customer, that it is about.
        sa.Column("subject", sa.Text),
        sa.Column("livemode", sa.Boolean, nullable=False),
        sa.Column("api_version", sa.Text),
        sa.Column("created", moment, nullable=False),
        sa.Column("received_at", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("tenant", sa.Text),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.CheckConstraint(
            "state IN ('received', 'applied', 'ignored', 'unmatched', 'stale')", name="billing_inbox_state"
        ),
    )
    op.create_index(
        "billing_inbox_subject", "billing_inbox", ["subject", "created"], postgresql_where="subject IS NOT NULL"
    )
    # What a person should look at, the oldest first.
    op.create_index(
        "billing_inbox_open", "billing_inbox", ["received_at"], postgresql_where="state IN ('received', 'unmatched')"
    )
    op.create_table(
        "billing_subscriptions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        # No foreign key: an event may come before the tenant that it names.
        sa.Column("tenant", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("plan", sa.Text),
        sa.Column("problem", sa.Text),
        sa.Column("latest", sa.Text, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("updated_at", moment, nullable=False, server_default=sa.func.now()),
    )
    op.create_index("billing_subscriptions_tenant", "billing_subscriptions", ["tenant"])
    op.create_index("billing_subscriptions_customer", "billing_subscriptions", ["customer"])


def downgrade() -> None:
    op.drop_table("billing_subscriptions")
    op.drop_table("billing_inbox")
