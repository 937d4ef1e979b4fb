"""The laws of durable execution, in one process, on a real SQLite file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conductor import durable
from conductor.adapters.fake.clock import FakeClock
from conductor.adapters.fake.secrets import FakeSecrets
from conductor.adapters.fake.store import FakeStore
from conductor.domain.event import Kind
from conductor.domain.report import BuiltImage
from conductor.domain.run import Run, Source, Status
from conductor.errors import (
    CancelledRunError,
    ConductorError,
    ConflictError,
    NotFoundError,
    RunError,
    StateError,
    UnreachableError,
    UsageError,
)
from conductor.ports import world as ports_world

RUN = Run(
    id="shop-k3v9qd",
    repository="acme/shop",
    source=Source(location="/srv/shop"),
    principal="kim",
    requested_at=datetime(2026, 11, 23, tzinfo=UTC),
)
BOUND = 10.0


@dataclass
class Stage:
    """What the steps of these tests do and leave."""

    store: FakeStore = field(default_factory=FakeStore)
    clock: FakeClock = field(default_factory=FakeClock)
    secrets: FakeSecrets = field(default_factory=lambda: FakeSecrets({"KEY_QA": "hunter2hunter2"}))
    done: list[str] = field(default_factory=list)
    failures: list[ConductorError] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    threads: set[int] = field(default_factory=set)
    loops: set[int] = field(default_factory=set)


_stages: list[Stage] = []


def the_stage() -> Stage:
    return _stages[-1]


@pytest.fixture
def stage() -> Any:
    made = Stage()
    _stages.append(made)
    ports_world.install(SimpleNamespace(clock=made.clock, store=made.store, secrets=made.secrets))  # type: ignore[arg-type]
    yield made
    ports_world.install(None)
    _stages.pop()


@pytest.fixture
async def launched(stage: Stage, tmp_path: Path) -> AsyncIterator[Stage]:
    await durable.launch(tmp_path)
    yield stage
    await durable.shutdown()


async def relaunch(folder: Path) -> None:
    await durable.shutdown()
    await durable.launch(folder)


@durable.step("test-build", subject=lambda _run, name: name)
async def build(run: Run, name: str) -> BuiltImage:
    the_stage().done.append(f"build {name}")
    the_stage().threads.add(threading.get_ident())
    the_stage().loops.add(id(asyncio.get_running_loop()))
    return BuiltImage(name=name, reference=f"local/{name}", seconds=1.5)


@durable.step("test-gate")
async def gate(run: Run) -> str:
    the_stage().done.append("gate opened")
    the_stage().reached.set()
    await the_stage().released.wait()
    the_stage().done.append("gate passed")
    return "open"


@durable.step("test-fail")
async def fail(run: Run) -> None:
    the_stage().done.append("fail")
    if the_stage().failures:
        raise the_stage().failures.pop(0)


@durable.step("test-stumble")
async def stumble(run: Run) -> None:
    raise ZeroDivisionError("a mistake of ours")


@durable.step("test-await-build")
async def await_build(run: Run, build_id: str) -> BuiltImage:
    return await durable.outcome_of(build_id, image)


@durable.step("test-start-in-step")
async def start_in_step(run: Run) -> None:
    await durable.start(image, run, "base", id="base")


@durable.workflow("test-starting-in-step")
async def starting_in_step(run: Run) -> None:
    await start_in_step(run)


@durable.workflow("test-image")
async def image(run: Run, name: str) -> BuiltImage:
    return await build(run, name)


@durable.workflow("test-images")
async def images(run: Run, names: tuple[str, ...]) -> tuple[BuiltImage, ...]:
    handles = [await durable.start(image, run, name, id=f"{run.workflow_id}/{name}") for name in names]
    return tuple([await handle.result() for handle in handles])


@durable.workflow("test-gated")
async def gated(run: Run) -> str:
    await build(run, "first")
    word = await gate(run)
    await build(run, "last")
    return word


@durable.workflow("test-gated-family")
async def gated_family(run: Run) -> str:
    child = await durable.start(gated, run, id=f"{run.workflow_id}/child")
    return await child.result()


@durable.workflow("test-failing")
async def failing(run: Run) -> None:
    await fail(run)


@durable.workflow("test-stumbling")
async def stumbling(run: Run) -> None:
    await stumble(run)


@durable.workflow("test-mending")
async def mending(run: Run) -> str:
    try:
        await fail(run)
    except RunError as error:
        await build(run, "mended")
        return f"{error.reason}: {error.message}"
    return "well"


@durable.workflow("test-waiting-step")
async def waiting_step(run: Run) -> BuiltImage:
    child = await durable.start(image, run, "base", id="base")
    return await await_build(run, child.id)


async def finish(work: Any, *args: Any, under: str = "it") -> Any:
    return await asyncio.wait_for((await durable.start(work, RUN, *args, id=under)).result(), BOUND)


async def begin(work: Any, stage: Stage) -> durable.Handle[Any]:
    """Start it and wait until it stands at the gate."""
    handle = await durable.start(work, RUN, id="it")
    await asyncio.wait_for(stage.reached.wait(), BOUND)
    return handle


def ended(store: FakeStore) -> list[tuple[str, str]]:
    return [
        (event.subject, event.data.get("subject", ""))
        for event in store.log.get(RUN.id, [])
        if event.kind is Kind.STEP_ENDED
    ]


async def test_a_workflow_gives_the_value_that_its_function_returned(launched: Stage):
    built = await finish(image, "backend")
    assert built == BuiltImage(name="backend", reference="local/backend", seconds=1.5)


async def test_the_same_id_is_joined_and_nothing_is_done_twice(launched: Stage):
    both = await asyncio.gather(finish(image, "backend"), finish(image, "backend"))
    assert both[0] == both[1] == await finish(image, "backend")
    assert launched.done == ["build backend"]


async def test_an_id_that_is_another_workflow_is_a_conflict(launched: Stage):
    await finish(image, "backend")
    with pytest.raises(ConflictError, match="another workflow"):
        await finish(failing)


async def test_children_are_joined_by_their_parent_in_order(launched: Stage):
    built = await finish(images, ("backend", "frontend", "tests"))
    assert [one.name for one in built] == ["backend", "frontend", "tests"]


async def test_a_step_may_wait_for_another_workflow(launched: Stage):
    assert (await finish(waiting_step)).name == "base"


async def test_a_result_is_there_for_a_later_process(launched: Stage, tmp_path: Path):
    built = await finish(image, "backend")
    await relaunch(tmp_path)
    assert await durable.outcome_of("it", image) == built
    assert launched.done == ["build backend"]


async def test_a_failure_is_recorded_and_raised_again_as_it_was(launched: Stage, tmp_path: Path):
    launched.failures = [
        RunError("no such image", reason="ImagePullBackOff", fault="repository", remedy="Name another.")
    ]
    with pytest.raises(RunError) as first:
        await finish(failing)
    await relaunch(tmp_path)
    with pytest.raises(RunError) as second:
        await finish(failing)
    assert vars(first.value) == vars(second.value)
    assert second.value.reason == "ImagePullBackOff"
    assert launched.done == ["fail"]


async def test_a_workflow_can_mend_a_step_that_failed(launched: Stage):
    launched.failures = [RunError("gone", reason="WorkloadGone", fault="platform")]
    assert await finish(mending) == "WorkloadGone: gone"


async def test_a_mistake_of_ours_becomes_an_internal_error_that_names_it(launched: Stage):
    with pytest.raises(ConductorError, match="ZeroDivisionError: a mistake of ours") as caught:
        await finish(stumbling)
    assert caught.value.code == "internal"


async def test_what_may_go_well_later_is_tried_three_times_more_with_growing_pauses(launched: Stage):
    launched.failures = [UnreachableError("the engine is silent")] * 3
    began = launched.clock.now()
    await finish(failing)
    assert launched.done == ["fail"] * 4
    assert launched.clock.now() - began == timedelta(seconds=10.5)


async def test_after_that_it_has_failed(launched: Stage):
    launched.failures = [UnreachableError("the engine is silent")] * 9
    with pytest.raises(UnreachableError):
        await finish(failing)
    assert launched.done == ["fail"] * 4


async def test_what_cannot_go_well_later_is_tried_once(launched: Stage):
    launched.failures = [RunError("no", reason="Error", fault="repository")] * 2
    with pytest.raises(RunError):
        await finish(failing)
    assert launched.done == ["fail"]


async def test_a_step_starts_no_workflows(launched: Stage):
    with pytest.raises(ConductorError, match="children are started by workflows"):
        await finish(starting_in_step)
    assert await durable.status_of("base") is None


async def test_a_secret_in_an_error_is_written_nowhere(launched: Stage, tmp_path: Path):
    await launched.secrets.sync(RUN, {"tests": ["KEY"]})
    launched.failures = [RunError("cannot log in with hunter2hunter2", reason="Error", fault="repository")]
    with pytest.raises(RunError, match=r"cannot log in with \*\*\*"):
        await finish(failing)
    await durable.shutdown()
    written = b"".join(path.read_bytes() for path in tmp_path.glob("workflows.db*"))  # noqa: ASYNC240
    assert b"cannot log in with" in written
    assert b"hunter2" not in written
    assert "hunter2" not in repr(launched.store.log)


async def test_each_step_is_shown_with_its_subject_from_start_to_end(launched: Stage):
    await finish(images, ("backend", "frontend"))
    steps = await launched.store.steps(RUN.id, 1)
    assert {(step.name, step.subject) for step in steps} == {
        ("test-build", "backend"),
        ("test-build", "frontend"),
    }
    assert all(step.ended_at and not step.error for step in steps)
    assert sorted(event.key for event in launched.store.log[RUN.id]) == [
        "step/1/test-build/backend/ended",
        "step/1/test-build/backend/started",
        "step/1/test-build/frontend/ended",
        "step/1/test-build/frontend/started",
    ]


async def test_a_step_that_failed_is_shown_with_its_error(launched: Stage):
    launched.failures = [RunError("no such image", reason="ImagePullBackOff", fault="repository")]
    with pytest.raises(RunError):
        await finish(failing)
    [step] = await launched.store.steps(RUN.id, 1)
    assert step.error == "no such image"
    [*_, last] = launched.store.log[RUN.id]
    assert (last.kind, last.data["error"]) == (Kind.STEP_ENDED, "no such image")


async def test_a_step_outside_of_a_workflow_is_done_and_shown(stage: Stage):
    assert (await build(RUN, "alone")).name == "alone"
    assert ended(stage.store) == [("test-build", "alone")]


async def test_a_shutdown_is_no_ending_and_the_next_process_goes_on(launched: Stage, tmp_path: Path):
    await begin(gated, launched)
    await relaunch(tmp_path)
    assert (await durable.status_of("it")).status is Status.INTERRUPTED
    assert ended(launched.store) == [("test-build", "first")]
    assert await durable.orphans() == ["it"]
    launched.released.set()
    await durable.resume("it")
    assert await asyncio.wait_for(durable.outcome_of("it", gated), BOUND) == "open"
    assert launched.done == ["build first", "gate opened", "gate opened", "gate passed", "build last"]
    assert await durable.orphans() == []


async def test_a_replayed_step_writes_nothing_new(launched: Stage, tmp_path: Path):
    await begin(gated, launched)
    before = (await launched.store.steps(RUN.id, 1))[0]
    await relaunch(tmp_path)
    launched.clock.advance(timedelta(hours=1))
    launched.released.set()
    await durable.resume("it")
    await asyncio.wait_for(durable.outcome_of("it", gated), BOUND)
    assert (await launched.store.steps(RUN.id, 1))[0] == before
    assert ended(launched.store) == [("test-build", "first"), ("test-gate", ""), ("test-build", "last")]


async def test_children_of_a_dead_process_are_resumed_with_their_parent(launched: Stage, tmp_path: Path):
    await begin(gated_family, launched)
    await relaunch(tmp_path)
    assert await durable.orphans() == ["it"]
    launched.released.set()
    await durable.resume("it")
    assert await asyncio.wait_for(durable.outcome_of("it", gated_family), BOUND) == "open"
    assert launched.done.count("gate passed") == 1


async def test_a_takeover_that_is_cut_off_before_it_began_is_taken_over_again(
    launched: Stage, tmp_path: Path
):
    await begin(gated, launched)
    await relaunch(tmp_path)
    await durable.resume("it")
    await relaunch(tmp_path)
    assert await durable.orphans() == ["it"]
    launched.released.set()
    assert await finish(gated) == "open"


async def test_what_this_process_is_at_is_not_resumed_twice(launched: Stage):
    handle = await begin(gated, launched)
    await durable.resume("it")
    launched.released.set()
    assert await asyncio.wait_for(handle.result(), BOUND) == "open"
    assert launched.done.count("gate opened") == 1


async def test_starting_an_orphan_again_goes_on_with_it(launched: Stage, tmp_path: Path):
    await begin(gated, launched)
    await relaunch(tmp_path)
    launched.released.set()
    assert await finish(gated) == "open"
    assert launched.done.count("build first") == 1


async def test_everything_runs_on_the_loop_that_launched_also_what_was_resumed(
    launched: Stage, tmp_path: Path
):
    await begin(gated_family, launched)
    await relaunch(tmp_path)
    launched.released.set()
    await durable.resume("it")
    await asyncio.wait_for(durable.outcome_of("it", gated_family), BOUND)
    assert launched.threads == {threading.get_ident()}
    assert launched.loops == {id(asyncio.get_running_loop())}


async def test_cancelling_cuts_a_waiting_step_short_and_its_children_with_it(launched: Stage):
    handle = await begin(gated_family, launched)
    await durable.cancel("it")
    with pytest.raises(CancelledRunError):
        await asyncio.wait_for(handle.result(), BOUND)
    for one in ("it", f"{RUN.workflow_id}/child"):
        standing = await durable.status_of(one)
        assert (standing.status, standing.cancelled) == (Status.ENDED, True)
    assert "gate passed" not in launched.done


async def test_the_step_that_a_cancellation_cut_off_is_shown_as_cancelled(launched: Stage):
    await begin(gated, launched)
    await durable.cancel("it")
    [_, cut] = await launched.store.steps(RUN.id, 1)
    assert (cut.name, cut.error) == ("test-gate", "cancelled")
    assert cut.ended_at


async def test_cancelling_what_has_ended_changes_nothing(launched: Stage):
    built = await finish(image, "backend")
    await durable.cancel("it")
    assert await durable.outcome_of("it", image) == built


async def test_what_was_cancelled_is_not_resumed(launched: Stage):
    await begin(gated, launched)
    await durable.cancel("it")
    with pytest.raises(CancelledRunError, match="was cancelled"):
        await durable.resume("it")


async def test_a_waiter_that_leaves_leaves_the_workflow_alone(launched: Stage):
    handle = await begin(gated, launched)
    waiter = asyncio.create_task(handle.result())
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    launched.released.set()
    assert await asyncio.wait_for(handle.result(), BOUND) == "open"


@pytest.mark.parametrize("ask", [durable.resume, durable.cancel, lambda name: durable.retrieve(name, image)])
async def test_what_does_not_exist_is_not_found(launched: Stage, ask: Callable[[str], Any]):
    with pytest.raises(NotFoundError):
        await ask("run/none/1")


async def test_there_is_no_status_of_what_does_not_exist(launched: Stage):
    assert await durable.status_of("run/none/1") is None


async def test_a_database_of_another_kind_is_refused_with_what_to_do(stage: Stage, tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        await durable.launch(tmp_path, database="mysql://db/conductor")
    assert "postgresql://" in caught.value.remedy


async def test_a_database_that_does_not_answer_is_told_without_its_password(stage: Stage, tmp_path: Path):
    with pytest.raises(UnreachableError) as caught:
        await durable.launch(tmp_path, database="postgresql://ada:hunter2@127.0.0.1:1/conductor")
    assert "hunter2" not in str(caught.value)


async def test_a_damaged_database_is_told_as_such(stage: Stage, tmp_path: Path):
    (tmp_path / "workflows.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StateError, match=r"workflows\.db"):
        await durable.launch(tmp_path)
    (tmp_path / "workflows.db").unlink()
    await durable.launch(tmp_path)
    await durable.shutdown()


def test_two_workflows_of_one_name_are_refused():
    async def another(run: Run) -> None: ...

    with pytest.raises(ValueError, match="two workflows are named test-image"):
        durable.workflow("test-image")(another)
