"""The store's contract, over a real SQLite file and a real Postgres."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from conductor.adapters.stores import SqlStore
from conductor.domain.event import Event, Kind, StepRecord
from conductor.domain.lease import Lease, NamespaceStatus
from conductor.domain.report import BuiltImage, Failure, LogLine, Report
from conductor.domain.results import Case, CaseStatus, Counts, ReportProblem, SuiteResult
from conductor.domain.run import Cleanup, Run, Source, Status
from conductor.domain.verdict import Fault, Outcome, Reason, Verdict
from conductor.errors import UsageError
from conductor.ports.store import Position

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
PASSED = Outcome(verdict=Verdict.PASSED)
RED = Outcome(
    verdict=Verdict.FAILED,
    reason=Reason.TESTS_FAILED,
    fault=Fault.REPOSITORY,
    subject="tests",
    message="2 of 5",
)


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "state" / "conductor.db"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
async def store(where: Path | str) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(where)
    yield opened
    await opened.aclose()


def a_run(run_id: str = "", **changes: Any) -> Run:
    made = Run(
        id=run_id or f"shop-{uuid.uuid4().hex[:6]}",
        repository="acme/shop",
        source=Source(location="/src/shop", ref="v1", commit="c" * 40, branch="main"),
        principal="ada",
        requested_at=NOON,
    )
    return replace(made, **changes)


def an_event(run: Run, key: str, **changes: Any) -> Event:
    return replace(Event(run=run.id, key=key, at=NOON, kind=Kind.NOTE, data={"text": "hello"}), **changes)


async def test_a_run_comes_back_as_it_was(store: SqlStore):
    run = a_run(
        cleanup=Cleanup.ON_SUCCESS,
        keep_for=timedelta(hours=36, seconds=1),
        env_files=("/etc/qa.env",),
        variables=(("TAG", "1"), ("EMPTY", "")),
        publish=("web:80",),
    )
    await store.save_run(run)
    row = await store.find_run(run.id)
    assert row.run == run
    assert (row.status, row.outcome, row.started_at) == (Status.QUEUED, None, None)


async def test_a_run_that_is_saved_again_keeps_its_status(store: SqlStore):
    run = a_run()
    await store.save_run(run)
    await store.set_status(run, Status.RUNNING, at=NOON, executor="one")
    await store.save_run(run)
    assert (await store.find_run(run.id)).status is Status.RUNNING


async def test_a_run_starts_once_and_ends_with_its_outcome(store: SqlStore):
    run = a_run()
    for minute in (1, 2):
        await store.set_status(run, Status.RUNNING, at=NOON + timedelta(minutes=minute), executor="one")
    await store.set_status(run, Status.ENDED, at=NOON + timedelta(minutes=3), outcome=RED)
    row = await store.find_run(run.id)
    assert (row.status, row.outcome, row.executor) == (Status.ENDED, RED, "one")
    assert (row.started_at, row.ended_at) == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=3))


async def test_an_attempt_that_has_ended_stays_ended(store: SqlStore):
    run = a_run()
    await store.set_status(run, Status.ENDED, at=NOON, outcome=PASSED)
    await store.set_status(run, Status.RUNNING, at=NOON + timedelta(minutes=1))
    row = await store.find_run(run.id)
    assert (row.status, row.outcome, row.ended_at) == (Status.ENDED, PASSED, NOON)


async def test_a_run_is_found_by_the_beginning_of_its_id(store: SqlStore):
    beginning = f"x{uuid.uuid4().hex[:8]}"
    await store.save_run(a_run(f"{beginning}-abc"))
    await store.save_run(a_run(f"{beginning}-abd"))
    assert (await store.find_run(f"{beginning}-abc")).run.id == f"{beginning}-abc"
    assert (await store.find_run(f"{beginning}-abd")).run.id == f"{beginning}-abd"
    with pytest.raises(UsageError, match=r"-abc.*-abd"):
        await store.find_run(f"{beginning}-ab")


async def test_a_whole_id_is_never_ambiguous(store: SqlStore):
    name = f"y{uuid.uuid4().hex[:8]}"
    await store.save_run(a_run(name))
    await store.save_run(a_run(f"{name}2"))
    assert (await store.find_run(name)).run.id == name


@pytest.mark.parametrize("beginning", ["", "%", "_", "nothing-like-it", "\\", "\x00"])
async def test_what_is_no_beginning_of_an_id_finds_nothing(store: SqlStore, beginning: str):
    await store.save_run(a_run())
    assert await store.find_run(beginning) is None


async def test_the_latest_attempt_is_found_unless_one_is_named(store: SqlStore):
    run = a_run()
    for attempt in (1, 2, 10):
        await store.save_run(replace(run, attempt=attempt))
    assert (await store.find_run(run.id)).run.attempt == 10
    assert (await store.find_run(run.id, attempt=2)).run.attempt == 2
    assert await store.find_run(run.id, attempt=3) is None


async def test_runs_are_listed_latest_first_and_by_what_is_asked(store: SqlStore):
    repository = f"acme/{uuid.uuid4().hex}"
    listed = [a_run(repository=repository, requested_at=NOON + timedelta(minutes=n)) for n in range(4)]
    for run in (listed[2], listed[0], listed[3], listed[1]):
        await store.save_run(run)
    await store.set_status(listed[0], Status.ENDED, at=NOON, outcome=RED)
    await store.set_status(listed[1], Status.ENDED, at=NOON, outcome=PASSED)

    async def ids(**wanted: Any) -> list[str]:
        return [row.run.id for row in await store.list_runs(repository=repository, **wanted)]

    assert await ids() == [run.id for run in reversed(listed)]
    assert await ids(limit=2) == [listed[3].id, listed[2].id]
    assert await ids(status=Status.QUEUED) == [listed[3].id, listed[2].id]
    assert await ids(verdict=Verdict.FAILED) == [listed[0].id]
    assert await ids(status=Status.RUNNING) == []


async def test_events_are_numbered_from_one_in_the_order_of_arrival(store: SqlStore):
    run, other = a_run(), a_run()
    appended = [await store.append(an_event(run, key)) for key in ("a", "b")]
    appended += [await store.append(an_event(other, "a")), await store.append(an_event(run, "c"))]
    assert [event.seq for event in appended] == [1, 2, 1, 3]
    assert [event.key for event in await store.events(run.id)] == ["a", "b", "c"]
    assert [event.key for event in await store.events(run.id, after=1, limit=1)] == ["b"]


async def test_an_event_comes_back_as_it_was(store: SqlStore):
    data = {"seconds": 1.5, "nested": [{"ü": None}], "flag": True, "text": "a\nb\u202e"}
    event = an_event(a_run(), "k", kind=Kind.BUILD_ENDED, subject="tests/api", data=data)
    stored = await store.append(event)
    assert stored == replace(event, seq=1)
    assert await store.events(event.run) == [stored]


async def test_an_event_that_is_appended_again_is_left_as_it_was(store: SqlStore):
    run = a_run()
    first = await store.append(an_event(run, "k"))
    again = await store.append(an_event(run, "k", at=NOON + timedelta(hours=1), data={"text": "other"}))
    assert again == first
    assert await store.events(run.id) == [first]


async def test_appends_at_once_from_two_connections_give_every_key_one_number(
    where: Path | str, store: SqlStore
):
    run = a_run()
    other = await SqlStore.open(where)
    writers = [one.append(an_event(run, f"k{n}")) for n in range(20) for one in (store, other)]
    appended = await asyncio.gather(*writers)
    await other.aclose()
    assert sorted({event.seq for event in appended}) == list(range(1, 21))
    assert [event.seq for event in await store.events(run.id)] == list(range(1, 21))


async def test_steps_come_in_the_order_of_their_start_and_are_overwritten_by_a_replay(store: SqlStore):
    run = a_run()

    def step(name: str, minute: int, **changes: Any) -> StepRecord:
        started = NOON + timedelta(minutes=minute)
        return StepRecord(run=run.id, attempt=1, name=name, started_at=started, **changes)

    ended = step("clone", 0, ended_at=NOON + timedelta(minutes=2), error="no such ref")
    for record in (step("build", 1, subject="web"), step("build", 1, subject="api"), step("clone", 0), ended):
        await store.save_step(record)
    found = await store.steps(run.id, 1)
    assert [(one.name, one.subject) for one in found] == [("clone", ""), ("build", "api"), ("build", "web")]
    assert found[0] == ended
    assert await store.steps(run.id, 2) == []


async def test_a_step_is_shown_with_its_event_once(store: SqlStore):
    run = a_run()
    step = StepRecord(run=run.id, attempt=1, name="clone", started_at=NOON)
    event = Event(run=run.id, key="step/1/clone", at=NOON, kind=Kind.STEP_STARTED, subject="clone")
    for _ in range(2):
        await store.show_step(step, event)
    assert await store.steps(run.id, 1) == [step]
    assert await store.events(run.id) == [replace(event, seq=1)]


async def test_a_result_comes_back_with_its_cases_in_order(store: SqlStore):
    cases = (
        Case(name="z", classname="Cart", file="cart.test.js", line=3, status=CaseStatus.FAILED, message="no"),
        Case(name="a", status=CaseStatus.PASSED, seconds=0.25, output="ok\n"),
    )
    result = SuiteResult(
        suite="tests",
        outcome=RED,
        exit_code=1,
        seconds=3.5,
        counts=Counts(passed=1, failed=1),
        cases=cases,
        problems=(ReportProblem(file="broken.xml", why="line 1"),),
        artifacts=("artifacts/coverage",),
        partial=True,
    )
    run = a_run()
    await store.save_result(run, result)
    await store.save_result(run, SuiteResult(suite="api", outcome=PASSED))
    assert await store.results(run.id, 1) == [SuiteResult(suite="api", outcome=PASSED), result]


async def test_a_result_that_is_saved_again_takes_the_place_of_the_first(store: SqlStore):
    run = a_run()
    many = tuple(Case(name=str(n), status=CaseStatus.PASSED) for n in range(3))
    await store.save_result(run, SuiteResult(suite="tests", outcome=RED, cases=many))
    fewer = SuiteResult(suite="tests", outcome=PASSED, cases=many[:1])
    await store.save_result(run, fewer)
    assert await store.results(run.id, 1) == [fewer]


async def test_images_are_kept_by_name(store: SqlStore):
    run = a_run()
    made = BuiltImage(name="web", reference="conductor/web:1", digest="sha256:1", seconds=2.5)
    for image in (
        made,
        BuiltImage(name="tests/tests", reference="r", cached=True),
        replace(made, cached=True),
    ):
        await store.save_image(run, image)
    found = await store.images(run.id, 1)
    assert [(image.name, image.cached) for image in found] == [("tests/tests", True), ("web", True)]


async def test_a_report_comes_back_whole(store: SqlStore):
    run = a_run()
    line = LogLine(workload="api", at=NOON, text="\x1b[31mred\x1b[0m")
    failure = Failure(suite="tests", case=Case(name="a", status=CaseStatus.ERROR), around=(line,))
    lease = Lease(namespace=run.namespace, run=run.id, repository="shop", created_at=NOON, expires_at=None)
    report = Report(
        run=run,
        outcome=RED,
        started_at=NOON,
        ended_at=NOON + timedelta(seconds=1),
        failures=(failure,),
        lease=lease,
        links={"logs": "conductor runs logs"},
        notes=("one",),
    )
    await store.save_report(report)
    assert await store.find_report(run.id) == report
    assert await store.find_report(run.id, 1) == report
    assert await store.find_report(run.id, 2) is None


async def test_leases_are_listed_first_to_end_first_and_pinned_ones_last(store: SqlStore):
    unique = uuid.uuid4().hex[:6]

    def lease(name: str, hours: int | None) -> Lease:
        until = None if hours is None else NOON + timedelta(hours=hours)
        return Lease(namespace=f"{name}-{unique}", run="r", repository="s", created_at=NOON, expires_at=until)

    for one in (lease("pinned", None), lease("late", 9), lease("soon", 1), lease("gone", 2)):
        await store.save_lease(one)
    asleep = replace(lease("late", 10), status=NamespaceStatus.SLEEPING)
    await store.save_lease(asleep)
    await store.delete_lease(f"gone-{unique}")
    mine = [one for one in await store.leases() if one.namespace.endswith(unique)]
    assert mine == [lease("soon", 1), asleep, lease("pinned", None)]


async def test_times_are_the_same_moment_whatever_zone_they_were_written_in(store: SqlStore):
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    run = a_run(requested_at=tokyo)
    await store.set_status(run, Status.RUNNING, at=tokyo)
    row = await store.find_run(run.id)
    assert (row.started_at, row.run.requested_at) == (NOON, NOON)
    assert row.started_at.utcoffset() == timedelta(0)


async def test_text_that_no_database_holds_is_replaced_and_loses_nothing_else(store: SqlStore):
    run = a_run()
    event = await store.append(an_event(run, "k\x00", data={"text": "a\x00b\udc80", "nan": float("nan")}))
    assert event.data == {"text": "a\ufffdb\ufffd", "nan": None}
    case = Case(name="\udc80", status=CaseStatus.PASSED, seconds=float("inf"), output="x\x00")
    await store.save_result(run, SuiteResult(suite="tests", outcome=PASSED, cases=(case,)))
    (result,) = await store.results(run.id, 1)
    assert result.cases == (replace(case, name="\ufffd", seconds=0.0, output="x\ufffd"),)


async def test_a_list_goes_on_after_a_place_and_never_shows_a_run_twice(store: SqlStore):
    at = datetime(2026, 11, 23, tzinfo=UTC)
    made = [
        a_run(f"shop-{letter}", attempt=attempt, requested_at=at) for letter in "abc" for attempt in (1, 2)
    ]
    for run in made:
        await store.save_run(run)
    seen: list[tuple[str, int]] = []
    before = None
    while rows := await store.list_runs(before=before, limit=1):
        last = rows[-1].run
        before = Position(requested_at=last.requested_at, id=last.id, attempt=last.attempt)
        seen += [(row.run.id, row.run.attempt) for row in rows]
    assert seen == [(f"shop-{letter}", attempt) for letter in "abc" for attempt in (2, 1)]


async def test_a_list_is_of_a_branch_of_some_repositories_in_any_case_and_since_a_time(store: SqlStore):
    early, late = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)
    main = Source(location="/src/shop", branch="main")
    await store.save_run(a_run("a", repository="Acme/Shop", source=main, requested_at=early))
    await store.save_run(a_run("b", repository="acme/web", source=main, requested_at=late))
    await store.save_run(
        a_run("c", repository="acme/shop", source=Source(location="/x", branch="b"), requested_at=late)
    )

    async def listed(**wanted: Any) -> list[str]:
        return [row.run.id for row in await store.list_runs(**wanted)]

    assert await listed(repositories=["acme/SHOP"]) == ["c", "a"]
    assert await listed(branch="main") == ["b", "a"]
    assert await listed(since=late) == ["b", "c"]
    assert await listed(repositories=[]) == []
    assert [(one.name, one.runs) for one in await store.repositories()] == [
        ("Acme/Shop", 1),
        ("acme/shop", 1),
        ("acme/web", 1),
    ]
