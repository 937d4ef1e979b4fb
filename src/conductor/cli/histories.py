"""Tests over runs, as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from conductor.cli.columns import Column, table_of
from conductor.cli.output import plain
from conductor.cli.reporting import VERDICT_STYLES
from conductor.cli.tables import ago
from conductor.domain.history import Record, Sighting, Tested
from conductor.domain.quarantine import Quarantined
from conductor.operations.history import Listed, Row, in_words
from conductor.reports.readable import on_one_line
from conductor.reports.words import duration, plural

NOTHING_LISTED = "Nothing is in quarantine."
_RECORDS = (
    Column("test", 20),
    Column("passed"),
    Column("failed"),
    Column("flaky"),
    Column("mean"),
    Column("longest"),
    Column("red since", 12),
)
_SIGHTINGS = (
    Column("run"),
    Column("branch", 6),
    Column("commit"),
    Column("result"),
    Column("took"),
    Column("age"),
)
_QUARANTINE = (Column("test", 20), Column("reason", 10), Column("by", 6), Column("ends"))


def records_table(records: Sequence[Record], *, now: datetime, width: int) -> Table:
    """List tests with what is known of them."""
    return table_of(_RECORDS, [_record_cells(record, now) for record in records], width=width)


def row_lines(row: Row) -> Iterator[str]:
    """Say in a few lines what the history of one test amounts to."""
    record = row.record
    rate = f"{record.pass_rate:.0%} passed" if record.pass_rate is not None else "only skipped"
    yield f"{on_one_line(in_words(record.test))} of {on_one_line(row.repository)}\n"
    yield f"  {rate} of {plural(record.passed + record.failed, 'run')}; {duration(record.mean_seconds)} at the mean\n"
    if record.flaky:
        yield f"  flaky: both results on the same commit, or passed only when tried again, {record.flaky}x\n"
    if record.first_red:
        yield f"  red since {_where(record.first_red)}\n"


def sightings_table(sightings: Sequence[Sighting], *, now: datetime, width: int) -> Table:
    """List the runs of one test."""
    return table_of(_SIGHTINGS, [_sighting_cells(one, now) for one in sightings], width=width)


def quarantine_table(listed: Sequence[Quarantined], *, now: datetime, width: int) -> Table | Text:
    """List a repository's quarantine."""
    if not listed:
        return Text(NOTHING_LISTED)
    return table_of(_QUARANTINE, [_entry_cells(entry, now) for entry in listed], width=width)


def listed_data(listed: Listed, shown: Sequence[Record]) -> dict[str, Any]:
    """Make data of a list of tests."""
    return {
        "repository": listed.repository,
        "runs": listed.runs,
        "tests": [{**plain(record), "pass_rate": record.pass_rate} for record in shown],
    }


def _record_cells(record: Record, now: datetime) -> list[Text]:
    red = record.first_red
    since = f"{_where(red)}, {ago(now - red.at)}" if red else ""
    return [
        Text(on_one_line(in_words(record.test))),
        Text(str(record.passed)),
        Text(str(record.failed), VERDICT_STYLES["failed"] if red else ""),
        Text(str(record.flaky or "")),
        Text(duration(record.mean_seconds)),
        Text(duration(record.longest_seconds)),
        Text(since),
    ]


def _sighting_cells(one: Sighting, now: datetime) -> list[Text]:
    seen = one.tested
    word = f"{one.status}, tried again" if one.flaky else str(one.status)
    return [
        Text(seen.run if seen.attempt == 1 else f"{seen.run} ({seen.attempt})"),
        Text(on_one_line(seen.branch)),
        Text(seen.commit[:7]),
        Text(word, VERDICT_STYLES.get("failed" if one.is_red else str(one.status), "dim")),
        Text(duration(one.seconds)),
        Text(ago(now - seen.at)),
    ]


def _entry_cells(entry: Quarantined, now: datetime) -> list[Text]:
    ends = f"in {ago(entry.until - now)}" if entry.until else "when it is removed"
    return [
        Text(on_one_line(in_words(entry.test))),
        Text(on_one_line(entry.reason)),
        Text(on_one_line(entry.added_by)),
        Text(ends if entry.counts(now) else "over", "" if entry.counts(now) else "yellow"),
    ]


def _where(seen: Tested) -> str:
    return f"{seen.run} at {seen.commit[:7]}" if seen.commit else seen.run
