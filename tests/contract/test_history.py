"""History's contract, over a real SQLite file, over Postgres and over the fake that ships: all are told the same and answer the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor.adapters.fake.history import FakeHistory
from conductor.adapters.fake.store import FakeStore
from conductor.adapters.stores import SqlStore
from conductor.adapters.stores.history import SqlHistory
from conductor.domain.history import TestName
from conductor.domain.quarantine import Quarantined
from conductor.domain.results import Case, CaseStatus, SuiteResult
from conductor.domain.run import Rerun, Run, Source, Stage, Status
from conductor.domain.verdict import Outcome, Reason, Verdict
from conductor.ports.history import History
from conductor.ports.store import Store

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHOP = "acme/shop"
PASSED, FAILED = CaseStatus.PASSED, CaseStatus.FAILED
CART = TestName(suite="api", classname="cart", name="adds")
ENTRY = Quarantined(repository=SHOP, test=CART, reason="flaky since the move", added_by="ada", added_at=NOON)


@dataclass
class Memory:
    """A store and the history over it."""

    store: Store
    history: History

    async def ran(
        self, run_id: str, minute: int = 0, *, cases: tuple[Case, ...] = (), red: bool = False, **changes: Any
    ) -> Run:
        """Put a run on record that ended, with the cases of one suite."""
        run = Run(
            id=run_id,
            repository=SHOP,
            source=Source(location="/src/shop", commit=run_id * 8, branch="main"),
            principal="ada",
            requested_at=NOON + timedelta(minutes=minute),
        )
        run = replace(run, **changes)
        outcome = Outcome(verdict=Verdict.FAILED if red else Verdict.PASSED)
        await self.store.save_run(run)
        await self.store.save_result(run, SuiteResult(suite="api", outcome=outcome, cases=cases))
        await self.store.set_status(run, Status.ENDED, at=run.requested_at, outcome=outcome)
        return run


@pytest.fixture(params=["sqlite", "postgres", "fake"])
async def memory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Memory]:
    if request.param == "fake":
        fake = FakeStore()
        yield Memory(fake, FakeHistory(fake))
        return
    is_postgres = request.param == "postgres"
    store = await SqlStore.open(
        str(request.getfixturevalue("postgres")) if is_postgres else tmp_path / "conductor.db"
    )
    yield Memory(store, SqlHistory(store.database))
    await store.aclose()


def case(status: CaseStatus = PASSED, **changes: Any) -> Case:
    return replace(Case(name="adds", classname="cart", status=status, seconds=0.5), **changes)


async def statuses(memory: Memory, **wanted: Any) -> list[tuple[str, CaseStatus]]:
    return [(one.tested.run, one.status) for one in await memory.history.sightings(SHOP, **wanted)]


async def test_tests_are_told_with_their_runs_the_earliest_first(memory: Memory):
    await memory.ran("b", 2, cases=(case(FAILED),), red=True)
    await memory.ran("a", 1, cases=(case(flaky=True),))
    first, second = await memory.history.sightings(SHOP)
    assert (first.test, first.status, first.flaky, first.seconds) == (CART, PASSED, True, 0.5)
    assert (first.tested.run, first.tested.passed, first.tested.code) == ("a", True, "a" * 8)
    assert (second.tested.run, second.tested.passed, second.is_red) == ("b", False, True)


async def test_only_the_latest_runs_are_looked_back_upon(memory: Memory):
    for minute, name in enumerate("abc"):
        await memory.ran(name, minute, cases=(case(),))
    assert await statuses(memory, runs=2) == [("b", PASSED), ("c", PASSED)]


async def test_a_branch_and_a_test_can_be_asked_for(memory: Memory):
    other = Source(location="/src/shop", branch="12-orders")
    await memory.ran("a", 1, cases=(case(),), source=other)
    await memory.ran("b", 2, cases=(case(), case(name="removes"), case(classname="till")))
    assert await statuses(memory, branch="12-orders") == [("a", PASSED)]
    assert await statuses(memory, branch="main", test=CART) == [("b", PASSED)]


async def test_another_repositorys_runs_are_not_told(memory: Memory):
    await memory.ran("a", cases=(case(),), repository="acme/other")
    assert await statuses(memory) == []


async def test_a_run_without_a_fair_test_is_no_history(memory: Memory):
    run = await memory.ran("a", cases=(case(FAILED),))
    broken = Outcome(verdict=Verdict.BROKEN, reason=Reason.CRASHED)
    await memory.store.set_status(run, Status.ENDED, at=NOON + timedelta(minutes=1), outcome=broken)
    assert await statuses(memory) == []


async def test_one_attempt_is_told_whatever_became_of_it(memory: Memory):
    run = await memory.ran("a", cases=(case(FAILED),))
    await memory.store.save_result(
        replace(run, attempt=2), SuiteResult(suite="api", outcome=Outcome(verdict=Verdict.PASSED))
    )
    assert [one.status for one in await memory.history.of_run("a", 1)] == [FAILED]


async def test_the_last_green_run_of_a_branch_is_the_latest_before(memory: Memory):
    await memory.ran("a", 1)
    await memory.ran("b", 2)
    await memory.ran("c", 3, red=True)
    await memory.ran("d", 4, source=Source(location="/src/shop", branch="12-orders"))
    found = await memory.history.last_green(SHOP, branch="main", before=NOON + timedelta(minutes=9))
    assert found.run == "b"
    assert (await memory.history.last_green(SHOP, branch="main", before=found.at)).run == "a"
    assert await memory.history.last_green(SHOP, branch="else", before=NOON + timedelta(days=1)) is None


async def test_a_green_rerun_of_failed_tests_alone_says_nothing_of_the_others(memory: Memory):
    await memory.ran("a", 1)
    failed_only = Rerun(of=1, stage=Stage.TESTS, failed_only=True)
    await memory.ran("b", 2, attempt=2, rerun=failed_only)
    found = await memory.history.last_green(SHOP, branch="main", before=NOON + timedelta(hours=1))
    assert found.run == "a"


async def test_a_test_is_put_in_quarantine_once_and_taken_out_once(memory: Memory):
    await memory.history.quarantine(ENTRY)
    again = replace(ENTRY, reason="still", until=NOON + timedelta(days=7))
    await memory.history.quarantine(again)
    assert await memory.history.quarantined(SHOP) == [again]
    assert await memory.history.release(SHOP, CART)
    assert not await memory.history.release(SHOP, CART)
    assert await memory.history.quarantined(SHOP) == []


async def test_each_repository_has_a_list_of_its_own_by_name_of_the_test(memory: Memory):
    other = replace(ENTRY, repository="acme/other")
    earlier = replace(ENTRY, test=replace(CART, name="a first one"))
    for entry in (ENTRY, other, earlier):
        await memory.history.quarantine(entry)
    assert await memory.history.quarantined(SHOP) == [earlier, ENTRY]


@pytest.mark.parametrize("name", ["ünïcödé ✓", "a\x00b", 'it\'s "quoted" %_', "x" * 5000])
async def test_whatever_a_test_is_called_it_is_found_again(memory: Memory, name: str):
    await memory.ran("a", cases=(case(name=name),))
    (seen,) = await memory.history.sightings(SHOP)
    await memory.history.quarantine(replace(ENTRY, test=seen.test))
    (entry,) = await memory.history.quarantined(SHOP)
    assert entry.test == seen.test
    assert [one.test for one in await memory.history.sightings(SHOP, test=seen.test)] == [seen.test]
