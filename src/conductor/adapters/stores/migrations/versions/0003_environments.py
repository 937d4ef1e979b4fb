"""Development environments, and who works on which issue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "environments",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("active_key", sa.Text),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False, server_default=""),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("executor", sa.Text, nullable=False, server_default=""),
        sa.Column("environment", sa.JSON, nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_environments"),
        sa.UniqueConstraint("active_key", name="uq_environments_active_key"),
    )
    op.create_index("ix_environments_requested_at", "environments", ["requested_at"])
    op.create_table(
        "claims",
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("issue", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claim", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("repository", "issue", name="pk_claims"),
    )
    op.create_index("ix_claims_expires_at", "claims", ["expires_at"])
