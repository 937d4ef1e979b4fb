"""The queue's contract: one run for each commit, and no more admitted than one decision allows, whoever asks at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.contract.stores import NOON, a_run, replicas

from conductor.adapters.stores import SqlStore
from conductor.adapters.stores.queue import SqlQueue
from conductor.domain.event import Event, Kind
from conductor.domain.queue import Entry, Limits, Standing, decide
from conductor.domain.run import Run, Status
from conductor.domain.trigger import Priority, Trigger
from conductor.domain.verdict import Outcome, Verdict

PASSED = Outcome(verdict=Verdict.PASSED)
UNLIMITED = Limits()


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return request.getfixturevalue("postgres") if request.param == "postgres" else tmp_path / "conductor.db"


@pytest.fixture
async def store(where: Path | str) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(where)
    yield opened
    await opened.aclose()


@pytest.fixture
def queue(store: SqlStore) -> SqlQueue:
    return SqlQueue(store.database)


def the_next(latest: Run) -> Run:
    return replace(latest, attempt=latest.attempt + 1)


async def admit(queue: SqlQueue, limits: Limits = UNLIMITED, executor: str = "one") -> Sequence[Entry]:
    return await queue.admit(decide, executor=executor, at=NOON, limits=limits)


async def end(store: SqlStore, run: Run) -> None:
    await store.set_status(run, Status.RUNNING, at=NOON)
    await store.set_status(run, Status.ENDED, at=NOON + timedelta(minutes=5), outcome=PASSED)


async def test_an_accepted_run_is_on_record_in_the_queue_and_in_the_log(store: SqlStore, queue: SqlQueue):
    run = a_run("shop-a", trigger=Trigger(priority=Priority.HIGH))
    accepted = await queue.accept(run, cause="d1")
    assert (accepted.run, accepted.is_new) == (run, True)
    assert (await store.find_run("shop-a")).status is Status.QUEUED
    (entry,) = await queue.entries()
    assert (entry.run, entry.branch, entry.commit, entry.priority) == (
        "shop-a",
        "main",
        "c" * 40,
        Priority.HIGH,
    )
    assert (entry.standing, entry.enqueued_at, entry.last_turn) == (Standing.WAITING, NOON, 0)
    assert [(one.key, one.kind) for one in await store.events("shop-a")] == [
        ("requested", Kind.RUN_REQUESTED)
    ]


async def test_the_same_cause_again_gets_the_run_that_it_got_the_first_time(store: SqlStore, queue: SqlQueue):
    first = (await queue.accept(a_run("shop-a"), cause="d1")).run
    await end(store, first)
    assert (await queue.accept(a_run("shop-a2"), cause="d2", again=the_next)).run.attempt == 2
    repeated = await queue.accept(a_run("shop-b"), cause="d1", again=the_next)
    assert (repeated.run, repeated.is_new) == (first, False)


async def test_what_stood_at_the_first_look_stays_known_and_can_be_run_all_the_same(queue: SqlQueue):
    ran = a_run("shop-a")
    await queue.accept(ran, cause="d1")
    assert ran.source.commit
    assert await queue.stood_before("acme/shop", {ran.source.commit, "b" * 40}) == {"b" * 40}
    assert await queue.stood_before("ACME/Shop", {"c" * 40}) == {"b" * 40}
    asked = a_run("shop-b")
    asked = replace(asked, source=replace(asked.source, commit="b" * 40))
    assert (await queue.accept(asked, cause="d2")).is_new
    assert await queue.stood_before("acme/shop", ()) == frozenset()


async def test_what_asked_for_a_run_is_forgotten_long_after_its_end_and_its_commit_is_not(
    store: SqlStore, queue: SqlQueue
):
    first = (await queue.accept(a_run("shop-a"), cause="d1")).run
    assert await queue.forget(before=NOON + timedelta(days=90)) == 0
    await end(store, first)
    assert await queue.forget(before=NOON) == 0
    assert await queue.forget(before=NOON + timedelta(days=90)) == 1
    joined = await queue.accept(a_run("shop-b"), cause="d1")
    assert (joined.run, joined.is_new) == (first, False)


async def test_a_commit_that_is_at_work_is_joined_in_whatever_case_its_repository_is_written(queue: SqlQueue):
    first = (await queue.accept(a_run("shop-a"), cause="d1")).run
    other = a_run("shop-b", repository="ACME/Shop")
    joined = await queue.accept(other, cause="d2", again=the_next)
    assert (joined.run, joined.is_new) == (first, False)
    assert len(await queue.entries()) == 1


async def test_a_commit_whose_run_has_ended_gets_an_attempt_only_where_one_is_asked_for(
    store: SqlStore, queue: SqlQueue
):
    first = (await queue.accept(a_run("shop-a"), cause="d1")).run
    await end(store, first)
    assert (await queue.accept(a_run("shop-b"), cause="reconciled")).run == first
    assert await queue.entries() == []
    second = await queue.accept(a_run("shop-c"), cause="button", again=the_next)
    assert (second.run.id, second.run.attempt, second.is_new) == ("shop-a", 2, True)
    assert [(one.run, one.attempt) for one in await queue.entries()] == [("shop-a", 2)]
    assert [one.key for one in await store.events("shop-a")] == ["requested", "2/requested"]


async def test_runs_without_a_commit_never_meet_another(queue: SqlQueue):
    for name in ("shop-a", "shop-b"):
        assert (await queue.accept(a_run(name, commit=None), cause=name)).is_new
    assert len(await queue.entries()) == 2


async def test_a_run_that_is_refused_half_way_leaves_no_trace(store: SqlStore, queue: SqlQueue):
    first = (await queue.accept(a_run("shop-a"), cause="d1")).run
    await end(store, first)

    def refuse(_latest: Run) -> Run:
        raise LookupError

    with pytest.raises(LookupError):
        await queue.accept(a_run("shop-b"), cause="d2", again=refuse)
    assert (await queue.accept(a_run("shop-c"), cause="d2", again=the_next)).is_new


async def test_many_that_ask_for_the_same_commits_at_once_get_one_run_for_each(where: Path | str):
    async with replicas(where, 3) as stores:
        queues = [SqlQueue(store.database) for store in stores]
        asked = [
            queues[n % 3].accept(
                a_run(f"shop-{n:03}", commit=f"{n % 10:040x}", branch=f"b{n % 10}"), cause=f"d{n % 45}"
            )
            for n in range(90)
        ]
        accepted = await asyncio.wait_for(asyncio.gather(*asked), 60)
        assert sum(one.is_new for one in accepted) == 10
        assert len({(one.run.source.commit, one.run.id) for one in accepted}) == 10
        entries = await queues[0].entries()
        assert [one.arrival for one in entries] == sorted(one.arrival for one in entries)
        assert len({one.commit for one in entries}) == len(entries) == 10
        assert len(await stores[0].list_runs(limit=100)) == 10


async def test_replicas_that_admit_at_once_stay_within_the_limits_and_admit_each_run_once(where: Path | str):
    async with replicas(where, 3) as stores:
        queues = [SqlQueue(store.database) for store in stores]
        for n in range(24):
            await queues[0].accept(
                a_run(f"shop-{n:03}", commit=f"{n:040x}", branch=f"b{n % 6}"), cause=f"d{n}"
            )
        begun: list[str] = []
        limits = Limits(runs=4)

        async def replica(number: int) -> None:
            for _ in range(30):
                mine = await admit(queues[number], limits, str(number))
                begun.extend(one.run for one in mine)
                entries = await queues[number].entries()
                active = [one for one in entries if one.standing is Standing.ACTIVE]
                assert len(active) <= 4
                assert len({one.branch for one in active}) == len(active)
                for one in mine:
                    await end(stores[number], (await stores[number].find_run(one.run)).run)

        await asyncio.wait_for(asyncio.gather(*(replica(number) for number in range(3))), 90)
        assert sorted(begun) == [f"shop-{n:03}" for n in range(24)]


async def test_what_is_admitted_is_marked_with_who_did_it_and_repositories_have_had_their_turn(
    queue: SqlQueue,
):
    for n, repository in enumerate(("acme/shop", "acme/api", "Acme/Shop")):
        await queue.accept(
            a_run(f"r-{n}", commit=f"{n:040x}", branch="", repository=repository), cause=str(n)
        )
    (first,) = await admit(queue, Limits(runs=1))
    assert (first.run, first.standing, first.executor, first.admitted_at) == (
        "r-0",
        Standing.ACTIVE,
        "one",
        NOON,
    )
    await queue.leave("r-0", 1)
    assert [(one.run, one.last_turn) for one in await queue.entries()] == [("r-1", 0), ("r-2", 1)]
    assert [one.run for one in await admit(queue, Limits(runs=1))] == ["r-1"]


async def test_a_run_that_has_ended_is_gone_though_nobody_took_it_out(store: SqlStore, queue: SqlQueue):
    first = (await queue.accept(a_run("shop-a"), cause="d1")).run
    await admit(queue)
    await queue.accept(a_run("shop-b", commit="d" * 40), cause="d2")
    assert await admit(queue) == []
    await end(store, first)
    assert [one.run for one in await queue.entries()] == ["shop-b"]
    assert [one.run for one in await admit(queue)] == ["shop-b"]


async def test_a_run_whose_platform_failed_stays_active_while_its_second_attempt_runs(
    store: SqlStore, queue: SqlQueue
):
    first = (await queue.accept(a_run("shop-a"), cause="d1")).run
    await admit(queue)
    again = replace(first, attempt=2)
    await store.set_status(again, Status.RUNNING, at=NOON)
    await end(store, first)
    assert [(one.run, one.attempt) for one in await queue.entries()] == [("shop-a", 1)]
    joined = await queue.accept(a_run("shop-b"), cause="d2", again=the_next)
    assert joined.run == again
    await end(store, again)
    assert await queue.entries() == []


async def test_an_attempt_on_record_is_put_into_the_queue_once(store: SqlStore, queue: SqlQueue):
    run = a_run("shop-a")
    await store.save_run(run)
    await queue.put(run)
    await admit(queue)
    await queue.put(run)
    (entry,) = await queue.entries()
    assert entry.standing is Standing.ACTIVE


async def test_draining_admits_nothing_on_any_replica_and_outlives_them(where: Path | str):
    async with replicas(where, 2) as stores:
        queues = [SqlQueue(store.database) for store in stores]
        await queues[0].accept(a_run("shop-a"), cause="d1")
        await queues[0].drain(on=True)
        assert await admit(queues[1]) == []
    async with replicas(where, 1) as (store,):
        queue = SqlQueue(store.database)
        assert await queue.is_draining()
        await queue.drain(on=False)
        assert [one.run for one in await admit(queue)] == ["shop-a"]


async def test_a_decision_that_fails_admits_nobody(queue: SqlQueue):
    await queue.accept(a_run("shop-a"), cause="d1")

    def fail(_entries: Sequence[Entry], _limits: Limits) -> Sequence[Entry]:
        raise LookupError

    with suppress(LookupError):
        await queue.admit(fail, executor="one", at=NOON, limits=UNLIMITED)
    assert [one.standing for one in await queue.entries()] == [Standing.WAITING]


async def test_durations_are_those_of_the_latest_ended_runs_of_the_repository(
    store: SqlStore, queue: SqlQueue
):
    for n in range(3):
        run = a_run(f"shop-{n}", requested_at=NOON + timedelta(hours=n))
        await store.set_status(run, Status.RUNNING, at=NOON)
        await store.set_status(run, Status.ENDED, at=NOON + timedelta(seconds=100 + n), outcome=PASSED)
    await store.set_status(a_run("shop-running"), Status.RUNNING, at=NOON)
    await end(store, a_run("api-a", repository="acme/api"))
    assert await queue.durations("acme/shop", limit=2) == [102.0, 101.0]


async def test_an_event_of_an_earlier_attempt_that_comes_late_disturbs_no_new_one(where: Path | str):
    async with replicas(where, 2) as (store, other):
        queue = SqlQueue(store.database)
        first = (await queue.accept(a_run("shop-a"), cause="d1")).run
        await end(store, first)
        late = [
            other.append(Event(run="shop-a", key=f"late-{n}", at=NOON, kind=Kind.NOTE)) for n in range(20)
        ]
        accepting = queue.accept(a_run("shop-b"), cause="d2", again=the_next)
        await asyncio.wait_for(asyncio.gather(*late, accepting), 60)
        assert [one.seq for one in await store.events("shop-a")] == list(range(1, 23))
