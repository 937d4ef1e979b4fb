"""The tables: of runs and what came of them first, then what only a server needs.

A row is its key, what it is searched and ordered by, and the value itself as JSON: a new field of a value needs no migration.

Law: a change here needs a migration in `migrations/versions` and a new `HEAD` in `schema.py`; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, Table, UniqueConstraint

from conductor.adapters.stores.columns import Moment, Value, Words
from conductor.domain.access import Token
from conductor.domain.claim import Claim
from conductor.domain.delivery import Announcement
from conductor.domain.environment import Environment, EnvironmentState
from conductor.domain.event import StepRecord
from conductor.domain.lease import Lease
from conductor.domain.quarantine import Quarantined
from conductor.domain.report import BuiltImage, Report
from conductor.domain.results import Case, SuiteResult
from conductor.domain.run import Run
from conductor.domain.verdict import Outcome

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _key(name: str) -> Column[str]:
    return Column(name, Words, primary_key=True)


def _attempt() -> Column[int]:
    return Column("attempt", Integer, primary_key=True, autoincrement=False)


def _counted(name: str) -> Column[int]:
    """Count up over all rows that ever were: no number is given twice."""
    return Column(name, Integer, primary_key=True, autoincrement=True)


def _words(name: str) -> Column[str]:
    return Column(name, Words, nullable=False, server_default="")


runs = Table(
    "runs",
    metadata,
    _key("id"),
    _attempt(),
    Column("repository", Words, nullable=False),
    _words("branch"),
    _words("commit"),
    _words("principal"),
    Column("status", Words, nullable=False),
    Column("verdict", Words),
    Column("requested_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    _words("executor"),
    Column("run", Value(Run), nullable=False),
    Column("outcome", Value(Outcome)),
    Index("ix_runs_requested_at", "requested_at"),
    Index("ix_runs_repository", "repository", "requested_at"),
    Index("ix_runs_status", "status"),
    Index("ix_runs_branch", "repository", "branch", "requested_at"),
)

steps = Table(
    "steps",
    metadata,
    _key("run"),
    _attempt(),
    _key("name"),
    _key("subject"),
    Column("started_at", Moment, nullable=False),
    Column("step", Value(StepRecord), nullable=False),
)

events = Table(
    "events",
    metadata,
    _key("run"),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("key", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", Words, nullable=False),
    _words("subject"),
    Column("data", Value(Mapping[str, Any]), nullable=False),
    UniqueConstraint("run", "key"),
)

suites = Table(
    "suites",
    metadata,
    _key("run"),
    _attempt(),
    _key("suite"),
    _words("verdict"),
    Column("result", Value(SuiteResult), nullable=False),
)
"""Each result without its cases, which are rows of their own."""

cases = Table(
    "cases",
    metadata,
    _key("run"),
    _attempt(),
    _key("suite"),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _words("name"),
    _words("status"),
    Column("case", Value(Case), nullable=False),
    Index("ix_cases_name", "name"),
)

images = Table(
    "images",
    metadata,
    _key("run"),
    _attempt(),
    _key("name"),
    Column("image", Value(BuiltImage), nullable=False),
)

reports = Table(
    "reports",
    metadata,
    _key("run"),
    _attempt(),
    Column("report", Value(Report), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    _key("namespace"),
    _words("run"),
    Column("expires_at", Moment),
    Column("lease", Value(Lease), nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    _counted("number"),
    Column("id", Words, nullable=False),
    Column("hosting", Words, nullable=False),
    Column("event", Words, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("status", Words, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", Moment),
    _words("note"),
    _words("run"),
    Column("attempt", Integer, nullable=False),
    UniqueConstraint("id"),
    Index("ix_deliveries_status", "status", "number"),
    sqlite_autoincrement=True,
)

announcements = Table(
    "announcements",
    metadata,
    _counted("number"),
    Column("run", Words, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("due_at", Moment),
    Column("announcement", Value(Announcement), nullable=False),
    UniqueConstraint("run", "attempt"),
    Index("ix_announcements_final", "final", "due_at"),
    sqlite_autoincrement=True,
)

duties = Table(
    "duties",
    metadata,
    _key("duty"),
    Column("holder", Words, nullable=False),
    Column("until", Double, nullable=False),
)
"""`until` is in seconds since 1970, by the database's clock."""

queue = Table(
    "queue",
    metadata,
    _counted("arrival"),
    Column("run", Words, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("repository", Words, nullable=False),
    _words("branch"),
    _words("commit"),
    Column("enqueued_at", Moment, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("standing", Words, nullable=False),
    Column("admitted_at", Moment),
    _words("executor"),
    UniqueConstraint("run", "attempt"),
    sqlite_autoincrement=True,
)

turns = Table("turns", metadata, _key("repository"), Column("turn", Integer, nullable=False))
"""When each repository (in lower case) was served last, as a count of admissions over all."""

commits = Table("commits", metadata, _key("repository"), _key("commit"), Column("run", Words, nullable=False))
"""The one run of a commit. Repositories are in lower case, since a forge takes their names in any."""

causes = Table(
    "causes",
    metadata,
    _key("cause"),
    Column("run", Words, nullable=False),
    Column("attempt", Integer, nullable=False),
)
"""What each request came to."""

switches = Table("switches", metadata, _key("name"), Column("is_on", Boolean, nullable=False))

tokens = Table(
    "tokens",
    metadata,
    _key("id"),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment),
    Column("token", Value(Token), nullable=False),
)

deeds = Table(
    "deeds",
    metadata,
    _counted("number"),
    Column("at", Moment, nullable=False),
    Column("principal", Words, nullable=False),
    Column("what", Words, nullable=False),
    _words("subject"),
    _words("repository"),
    _words("detail"),
    sqlite_autoincrement=True,
)

answers = Table(
    "answers",
    metadata,
    _key("principal"),
    _key("key"),
    Column("request", Words, nullable=False),
    Column("claimed_at", Moment, nullable=False),
    Column("status", Integer, nullable=False),
    _words("body"),
    Index("ix_answers_claimed_at", "claimed_at"),
)
"""What requests with an idempotency key were answered; status 0: the first is still at work."""

quarantine = Table(
    "quarantine",
    metadata,
    _key("repository"),
    _key("suite"),
    _key("classname"),
    _key("name"),
    Column("entry", Value(Quarantined), nullable=False),
)

environments = Table(
    "environments",
    metadata,
    _key("id"),
    Column("active_key", Words),
    Column("repository", Words, nullable=False),
    _words("principal"),
    Column("status", Words, nullable=False),
    Column("requested_at", Moment, nullable=False),
    _words("executor"),
    Column("environment", Value(Environment), nullable=False),
    Column("state", Value(EnvironmentState), nullable=False),
    UniqueConstraint("active_key"),
    Index("ix_environments_requested_at", "requested_at"),
)
"""`active_key` is the environment's key as long as it is not over, and then nothing. Repositories are in lower case."""

claims = Table(
    "claims",
    metadata,
    _key("repository"),
    Column("issue", Integer, primary_key=True, autoincrement=False),
    Column("principal", Words, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("claim", Value(Claim), nullable=False),
    Index("ix_claims_expires_at", "expires_at"),
)
"""Repositories are in lower case."""
