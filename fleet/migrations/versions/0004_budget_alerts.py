"""Budget alerts that arrived, each once, and how far each sink is with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "budget_alerts",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("budget", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("threshold", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("budgeted", sa.Text, nullable=False),
        sa.Column("spent", sa.Text, nullable=False),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("repeats", sa.Integer, nullable=False, server_default="0"),
        sa.Column("received_at", moment, nullable=False, server_default=sa.func.now()),
        sa.UniqueConstraint("account", "budget", "type", "threshold", "period", name="budget_alerts_once"),
        sa.CheckConstraint("type IN ('ACTUAL', 'FORECASTED')", name="budget_alerts_type"),
    )
    op.create_table(
        "budget_alert_deliveries",
        sa.Column("alert", sa.Uuid, sa.ForeignKey("budget_alerts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("sink", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False, server_default="pending"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("not_before", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("last_error", sa.Text),
        sa.Column("attempted_at", moment),
        sa.Column("settled_at", moment),
        sa.CheckConstraint("state IN ('pending', 'sent', 'dead')", name="budget_alert_deliveries_state"),
        sa.CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="budget_alert_deliveries_settled"),
    )
    op.create_index(
        "budget_alert_deliveries_due",
        "budget_alert_deliveries",
        ["sink", "not_before"],
        postgresql_where="state = 'pending'",
    )


def downgrade() -> None:
    op.drop_table("budget_alert_deliveries")
    op.drop_table("budget_alerts")
