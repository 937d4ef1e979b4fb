"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _time(name: str, *, required: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not required)


def _text(name: str, *, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=optional)


def _or_empty(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _json(name: str, *, optional: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=optional)


def upgrade() -> None:
    """Make all tables."""
    _runs()
    _progress()
    _tests()
    _outputs()


def _runs() -> None:
    op.create_table(
        "runs",
        _text("id"),
        _number("attempt"),
        _text("repository"),
        _or_empty("branch"),
        _or_empty("commit"),
        _or_empty("principal"),
        _text("status"),
        _text("verdict", optional=True),
        _time("requested_at", required=True),
        _time("started_at"),
        _time("ended_at"),
        _or_empty("executor"),
        _json("run"),
        _json("outcome", optional=True),
        sa.PrimaryKeyConstraint("id", "attempt", name="pk_runs"),
    )
    op.create_index("ix_runs_requested_at", "runs", ["requested_at"])
    op.create_index("ix_runs_repository", "runs", ["repository", "requested_at"])
    op.create_index("ix_runs_status", "runs", ["status"])


def _progress() -> None:
    op.create_table(
        "steps",
        _text("run"),
        _number("attempt"),
        _text("name"),
        _text("subject"),
        _time("started_at", required=True),
        _json("step"),
        sa.PrimaryKeyConstraint("run", "attempt", "name", "subject", name="pk_steps"),
    )
    op.create_table(
        "events",
        _text("run"),
        _number("seq"),
        _text("key"),
        _time("at", required=True),
        _text("kind"),
        _or_empty("subject"),
        _json("data"),
        sa.PrimaryKeyConstraint("run", "seq", name="pk_events"),
        sa.UniqueConstraint("run", "key", name="uq_events_run"),
    )


def _tests() -> None:
    op.create_table(
        "suites",
        _text("run"),
        _number("attempt"),
        _text("suite"),
        _or_empty("verdict"),
        _json("result"),
        sa.PrimaryKeyConstraint("run", "attempt", "suite", name="pk_suites"),
    )
    op.create_table(
        "cases",
        _text("run"),
        _number("attempt"),
        _text("suite"),
        _number("position"),
        _or_empty("name"),
        _or_empty("status"),
        _json("case"),
        sa.PrimaryKeyConstraint("run", "attempt", "suite", "position", name="pk_cases"),
    )


def _outputs() -> None:
    op.create_table(
        "images",
        _text("run"),
        _number("attempt"),
        _text("name"),
        _json("image"),
        sa.PrimaryKeyConstraint("run", "attempt", "name", name="pk_images"),
    )
    op.create_table(
        "reports",
        _text("run"),
        _number("attempt"),
        _json("report"),
        sa.PrimaryKeyConstraint("run", "attempt", name="pk_reports"),
    )
    op.create_table(
        "leases",
        _text("namespace"),
        _or_empty("run"),
        _time("expires_at"),
        _json("lease"),
        sa.PrimaryKeyConstraint("namespace", name="pk_leases"),
    )
