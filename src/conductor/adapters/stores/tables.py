"""The tables: runs, steps, events, tests (suites and cases), images, reports, leases.

A row is its key, what it is searched and ordered by, and the value itself as JSON: a new field of a value needs no migration.

Law: a change here needs a migration in `migrations/versions` and a new `HEAD` in `schema.py`; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, Table, UniqueConstraint

from conductor.adapters.stores.columns import Moment, Value, Words
from conductor.domain.event import StepRecord
from conductor.domain.lease import Lease
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
