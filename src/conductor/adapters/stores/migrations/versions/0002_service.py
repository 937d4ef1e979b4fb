"""What a server has to remember: deliveries, announcements, the queue, who may do what, tests in quarantine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _time(name: str, *, required: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not required)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _or_empty(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _counted(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=True)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=False)


def upgrade() -> None:
    """Make the tables, and the indexes that history needs."""
    _letters()
    _duties()
    _queue()
    _access()
    _history()


def _letters() -> None:
    op.create_table(
        "deliveries",
        _counted("number"),
        _text("id"),
        _text("hosting"),
        _text("event"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _time("received_at", required=True),
        _text("status"),
        _number("tries"),
        _time("due_at"),
        _or_empty("note"),
        _or_empty("run"),
        _number("attempt"),
        sa.PrimaryKeyConstraint("number", name="pk_deliveries"),
        sa.UniqueConstraint("id", name="uq_deliveries_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_status", "deliveries", ["status", "number"])
    op.create_table(
        "announcements",
        _counted("number"),
        _text("run"),
        _number("attempt"),
        sa.Column("final", sa.Boolean, nullable=False),
        _time("due_at"),
        _json("announcement"),
        sa.PrimaryKeyConstraint("number", name="pk_announcements"),
        sa.UniqueConstraint("run", "attempt", name="uq_announcements_run"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_announcements_final", "announcements", ["final", "due_at"])


def _duties() -> None:
    op.create_table(
        "duties",
        _text("duty"),
        _text("holder"),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("duty", name="pk_duties"),
    )


def _queue() -> None:
    op.create_table(
        "queue",
        _counted("arrival"),
        _text("run"),
        _number("attempt"),
        _text("repository"),
        _or_empty("branch"),
        _or_empty("commit"),
        _time("enqueued_at", required=True),
        _number("priority"),
        _text("standing"),
        _time("admitted_at"),
        _or_empty("executor"),
        sa.PrimaryKeyConstraint("arrival", name="pk_queue"),
        sa.UniqueConstraint("run", "attempt", name="uq_queue_run"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "turns",
        _text("repository"),
        _number("turn"),
        sa.PrimaryKeyConstraint("repository", name="pk_turns"),
    )
    op.create_table(
        "commits",
        _text("repository"),
        _text("commit"),
        _text("run"),
        sa.PrimaryKeyConstraint("repository", "commit", name="pk_commits"),
    )
    op.create_table(
        "causes",
        _text("cause"),
        _text("run"),
        _number("attempt"),
        sa.PrimaryKeyConstraint("cause", name="pk_causes"),
    )
    op.create_table(
        "switches",
        _text("name"),
        sa.Column("is_on", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_switches"),
    )


def _access() -> None:
    op.create_table(
        "tokens",
        _text("id"),
        _time("created_at", required=True),
        _time("last_used_at"),
        _json("token"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    op.create_table(
        "deeds",
        _counted("number"),
        _time("at", required=True),
        _text("principal"),
        _text("what"),
        _or_empty("subject"),
        _or_empty("repository"),
        _or_empty("detail"),
        sa.PrimaryKeyConstraint("number", name="pk_deeds"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "answers",
        _text("principal"),
        _text("key"),
        _text("request"),
        _time("claimed_at", required=True),
        _number("status"),
        _or_empty("body"),
        sa.PrimaryKeyConstraint("principal", "key", name="pk_answers"),
    )
    op.create_index("ix_answers_claimed_at", "answers", ["claimed_at"])


def _history() -> None:
    op.create_table(
        "quarantine",
        _text("repository"),
        _text("suite"),
        _text("classname"),
        _text("name"),
        _json("entry"),
        sa.PrimaryKeyConstraint("repository", "suite", "classname", "name", name="pk_quarantine"),
    )
    op.create_index("ix_cases_name", "cases", ["name"])
    op.create_index("ix_runs_branch", "runs", ["repository", "branch", "requested_at"])
