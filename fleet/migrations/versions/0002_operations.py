"""What is to be done to tenants, in order, and what came of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "operations",
        sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.func.gen_random_uuid()),
        # The order of asking: two rows of one transaction have the same time.
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False, unique=True),
        sa.Column("tenant", sa.Text, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False, unique=True),
        sa.Column("requester", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="queued"),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("takeovers", sa.Integer, nullable=False, server_default="0"),
        sa.Column("not_before", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("lease_holder", sa.Text),
        sa.Column("lease_until", moment),
        sa.Column("progress", JSONB),
        sa.Column("result", JSONB),
        sa.Column("error", sa.Text),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("started_at", moment),
        sa.Column("finished_at", moment),
        sa.Column("seconds", sa.Double),
        sa.CheckConstraint(
            "kind IN ('create', 'update', 'suspend', 'resume', 'move', 'rotate', 'delete')", name="operations_kind"
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="operations_state"
        ),
        sa.CheckConstraint(
            "(state = 'running') = (lease_holder IS NOT NULL) AND (lease_holder IS NULL) = (lease_until IS NULL)",
            name="operations_lease",
        ),
        sa.CheckConstraint(
            "(state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="operations_finished"
        ),
    )
    # One at a time for each tenant, whatever a runner believes.
    op.create_index(
        "operations_one_running", "operations", ["tenant"], unique=True, postgresql_where="state = 'running'"
    )
    op.create_index(
        "operations_open", "operations", ["tenant", "number"], postgresql_where="state IN ('queued', 'running')"
    )
    # Who was served last, and what became of a tenant's last operation.
    op.create_index("operations_ended", "operations", ["tenant", "finished_at"])


def downgrade() -> None:
    op.drop_table("operations")
