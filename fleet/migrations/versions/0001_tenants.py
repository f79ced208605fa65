"""The tenant registry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("product", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("subdomain", sa.Text, nullable=False),
        sa.Column("admin_email", sa.Text),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("tier", sa.Text, nullable=False),
        sa.Column("cell", sa.Text, nullable=False),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("limits", JSONB, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("desired_hash", sa.Text, nullable=False),
        sa.Column("applied_hash", sa.Text),
        sa.Column("program_version", sa.Text),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("updated_at", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("applied_at", moment),
        sa.Column("deleted_at", moment),
        sa.CheckConstraint(
            "id ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' AND length(id) <= 40 AND strpos(id, '--') = 0", name="tenants_id"
        ),
        sa.CheckConstraint("tier IN ('pool', 'bridge', 'silo')", name="tenants_tier"),
        sa.CheckConstraint(
            "status IN ('pending', 'active', 'suspended', 'deleting', 'deleted', 'failed')", name="tenants_status"
        ),
        sa.CheckConstraint("(status = 'deleted') = (deleted_at IS NOT NULL)", name="tenants_deleted"),
    )
    op.create_index("tenants_cell", "tenants", ["cell", "status"])
    # A deleted tenant's subdomain is free again.
    op.create_index(
        "tenants_subdomain", "tenants", ["product", "subdomain"], unique=True, postgresql_where="status <> 'deleted'"
    )


def downgrade() -> None:
    op.drop_table("tenants")
