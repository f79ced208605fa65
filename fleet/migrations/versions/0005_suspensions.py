"""That a tenant shall be suspended, and what for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("tenants", sa.Column("suspended_for", sa.Text))
    op.create_check_constraint("tenants_suspended_for", "tenants", "suspended_for IN ('operator', 'payment')")


def downgrade() -> None:
    op.drop_constraint("tenants_suspended_for", "tenants")
    op.drop_column("tenants", "suspended_for")
