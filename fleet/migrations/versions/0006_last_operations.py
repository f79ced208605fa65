"""The last operation of each tenant, and those that were given up: counted often, and few of all that ever were."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # A tenant's last operation.
    op.create_index("operations_tenant", "operations", ["tenant", "number"])
    op.create_index("operations_given_up", "operations", ["tenant", "number"], postgresql_where="state = 'failed'")


def downgrade() -> None:
    op.drop_index("operations_given_up")
    op.drop_index("operations_tenant")
