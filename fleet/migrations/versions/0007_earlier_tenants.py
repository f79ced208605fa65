"""Which tenant of an id a subscription is of, and whether its invoices are collected."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("tenants", sa.Column("predecessor_deleted_at", sa.DateTime(timezone=True)))
    # Of ids that were used again until now the operations tell.
    op.execute("""
        UPDATE tenants SET predecessor_deleted_at = deletion.at
        FROM (
            SELECT tenants.id, max(operations.finished_at) AS at
            FROM tenants JOIN operations ON operations.tenant = tenants.id
            WHERE operations.kind = 'delete' AND operations.state = 'succeeded'
                AND operations.finished_at <= tenants.created_at
            GROUP BY tenants.id
        ) AS deletion
        WHERE tenants.id = deletion.id
    """)
    # Seconds since the epoch, as in Stripe's events. NULL: not known, and then it is since the subscription began.
    op.add_column("billing_subscriptions", sa.Column("named", sa.BigInteger))
    op.add_column("billing_subscriptions", sa.Column("collection_paused", sa.Text))


def downgrade() -> None:
    op.drop_column("billing_subscriptions", "collection_paused")
    op.drop_column("billing_subscriptions", "named")
    op.drop_column("tenants", "predecessor_deleted_at")
