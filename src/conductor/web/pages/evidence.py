"""What a run's page shows of its evidence: services, tests with their past, images, files, and what became of the compose file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from conductor.domain.account import Entry, Treatment
from conductor.domain.event import Event, Kind
from conductor.domain.history import RED, Sighting, TestName, in_one_run, name_of
from conductor.domain.report import Failure, Report
from conductor.domain.results import Case, SuiteResult
from conductor.ports.store import RunRow
from conductor.reports import words
from conductor.steps.place import find_blueprint
from conductor.web.site import Site

SPARK_RUNS = 20
MOST_SPARKED = 30
MOST_CASES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceLine:
    """How a service stands, or stood. `state` is a word that a colour goes by."""

    name: str
    state: str
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RedCase:
    """A failed case with what is known of it: what the services wrote around it, and how it went in the runs before."""

    failure: Failure
    past: Sequence[Sighting] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The keys of the compose files by what became of them."""

    refused: Sequence[Entry] = ()
    noted: Sequence[Entry] = ()
    converted: int = 0


def services(events: Sequence[Event], report: Report | None) -> Sequence[ServiceLine]:
    """Tell how services stood at the end; before that how they stand now, by the latest event of each."""
    if report and report.services:
        return [
            ServiceLine(
                name=one.name,
                state=one.health if one.health not in ("", "none") else one.phase,
                words=words.how_it_stood(one),
            )
            for one in report.services
        ]
    latest = {one.subject: one.data for one in events if one.kind is Kind.SERVICE_CHANGED}
    return [_now(name, data) for name, data in sorted(latest.items())]


def _now(name: str, data: Mapping[str, object]) -> ServiceLine:
    phase, health = str(data.get("phase") or ""), str(data.get("health") or "none")
    state = phase if health == "none" else health
    said = [state, *(str(data[key]) for key in ("reason", "message") if data.get(key))]
    restarts = data.get("restarts")
    return ServiceLine(
        name=name,
        state=state,
        words=", ".join([*said, *([f"restarted {restarts} times"] if restarts else [])]),
    )


async def red_cases(
    site: Site, row: RunRow, results: Sequence[SuiteResult], report: Report | None
) -> Sequence[RedCase]:
    """Gather the failed cases with their past on the branch, the earliest run first."""
    failures = _failures(results, report)
    if not failures or site.world.history is None:
        return [RedCase(failure=one) for one in failures]
    seen = await site.world.history.sightings(
        row.run.repository, branch=row.run.source.branch, runs=SPARK_RUNS
    )
    by_test: dict[TestName, list[Sighting]] = {}
    for one in sorted(in_one_run(seen), key=lambda one: one.tested.at):
        by_test.setdefault(one.test, []).append(one)
    return [RedCase(failure=one, past=by_test.get(name_of(one.suite, one.case), ())) for one in failures]


def _failures(results: Sequence[SuiteResult], report: Report | None) -> Sequence[Failure]:
    if report and report.failures:
        return report.failures[:MOST_SPARKED]
    return [
        Failure(suite=one.suite, case=case) for one in results for case in one.cases if case.status in RED
    ][:MOST_SPARKED]


def by_class(result: SuiteResult) -> Sequence[tuple[str, Sequence[Case]]]:
    """Group the cases of a suite by their class, in their order."""
    return [
        (name, list(cases))
        for name, cases in groupby(result.cases[:MOST_CASES], key=lambda one: one.classname)
    ]


async def account(row: RunRow) -> Account:
    """Return what became of the compose files' keys; empty where the run never came so far."""
    blueprint = await find_blueprint(row.run)
    entries = blueprint.account if blueprint else ()
    refused = [one for one in entries if one.treatment is Treatment.REFUSED or one.refused_by]
    noted = [
        one for one in entries if one.treatment is Treatment.CONVERTED and one.note and not one.refused_by
    ]
    return Account(refused=refused, noted=noted, converted=len(entries) - len(refused))
