"""The queue at work: what waits, what begins, and what is begun again where a process died in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

from conductor import durable
from conductor.domain.queue import Limits, Standing
from conductor.domain.run import Status
from conductor.domain.verdict import Verdict
from conductor.operations import start_run
from tests.scenarios.service_stage import SHOP, TAG, Server, has_ended


async def standings(server: Server) -> list[Standing]:
    return [entry.standing for entry in await server.service.queue.entries()]


def several(server: Server, number: int) -> list[tuple[str, object]]:
    return [server.push(f"{TAG}-{one}", branch=f"branch-{one}") for one in range(number)]


async def test_no_more_runs_than_allowed_are_active_and_all_of_them_end(tmp_path: Path):
    async with Server(tmp_path, limits=Limits(runs=2)).launched() as server:
        await server.handle(*(delivery for _, delivery in several(server, 5)))
        await server.dispatch()
        assert (await standings(server)).count(Standing.ACTIVE) == 2
        await server.until_quiet()
        rows = await server.runs()
    assert len(rows) == 5
    assert all(row.outcome and row.outcome.verdict is Verdict.PASSED for row in rows)


async def test_a_drained_server_lets_its_runs_wait_until_it_goes_on(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await server.service.queue.drain(True)
        await server.handle(server.push()[1])
        await server.dispatch()
        assert await standings(server) == [Standing.WAITING]
        await server.service.queue.drain(False)
        await server.until_quiet()
        assert has_ended(await server.the_run())


async def test_a_run_that_was_admitted_and_never_begun_is_begun_by_another_process(tmp_path: Path):
    server = Server(tmp_path)
    async with server.launched():
        await server.handle(server.push()[1])
        await server.service.queue.admit(
            lambda entries, limits: entries,
            executor=durable.executor(),
            at=server.clock.now(),
            limits=Limits(),
        )
    async with server.launched():
        assert await standings(server) == [Standing.ACTIVE]
        await server.until_quiet()
        row = await server.the_run()
    assert row.outcome is not None
    assert row.outcome.verdict is Verdict.PASSED


async def test_a_run_that_was_cancelled_while_it_waited_is_never_begun(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await server.handle(server.push()[1])
        run = (await server.the_run()).run
        stopping = asyncio.create_task(start_run.cancel(server.service.world, run.id))
        await server.until_quiet()
        outcome = await stopping
        steps = [step.name for step in await server.service.world.store.steps(run.id, 1)]
        begun = await durable.status_of(run.workflow_id)
    assert outcome.verdict is Verdict.CANCELLED
    assert begun is None
    assert "start-run" not in steps
    assert server.stage.namespaces == {}


async def test_a_run_whose_workflow_was_started_after_somebody_stopped_it_does_nothing(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        await server.handle(server.push()[1])
        run = (await server.the_run()).run
        await start_run.cancel(server.service.world, run.id)
        handle = await durable.start(start_run.workflow_for(run), run, id=run.workflow_id)
        await asyncio.wait({asyncio.ensure_future(_ended(handle))}, timeout=30)
        row = await server.the_run()
        steps = [step.name for step in await server.service.world.store.steps(run.id, 1)]
    assert row.outcome is not None
    assert row.outcome.verdict is Verdict.CANCELLED
    assert "clone" not in steps
    assert server.stage.namespaces == {}


async def _ended(handle: durable.Handle[object]) -> None:
    try:
        await handle.result()
    except start_run.ConductorError:
        return


async def test_an_attempt_that_the_platform_was_at_fault_for_stays_active_until_its_second_has_ended(
    tmp_path: Path,
):
    async with Server(tmp_path, fail="deploy/redis:Evicted", limits=Limits(runs=1)).launched() as server:
        commit, first = server.push(branch="one")
        _, second = server.push(f"{TAG}-2", branch="two")
        await server.handle(first, second)
        await server.until_quiet()
        row = await server.of_commit(commit)
    assert (row.run.attempt, row.status) == (2, Status.ENDED)


async def test_a_tag_that_is_moved_while_its_run_waits_does_not_change_what_is_run(tmp_path: Path):
    async with Server(tmp_path).launched() as server:
        commit, delivery = server.push(branch="one")
        await server.handle(delivery)
        server.forge.push_tag(SHOP, TAG, server.shop.commit("two"))
        await server.until_quiet()
        assert (await server.the_run()).run.source.commit == commit
