"""Readiness, with the meaning that Compose gives it: the same on every engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conductor.domain.stack import Condition, Dependency, Healthcheck, Restart, Service, Stack
from conductor.domain.states import (
    REMEDIES,
    Health,
    Hopeless,
    Phase,
    Ready,
    Waiting,
    WorkloadState,
    fault_of,
    is_met,
    readiness,
    startable,
)
from conductor.domain.verdict import Fault, Reason

CHECK = Healthcheck(test=("CMD", "true"), retries=5)
START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RUNNING, ENDED, PENDING = Phase.RUNNING, Phase.ENDED, Phase.PENDING


def state(phase: Phase, exit_code: int | None = None, **more: object) -> WorkloadState:
    return replace(WorkloadState(name="any", phase=phase, exit_code=exit_code), **more)


def on(name: str, condition: Condition = Condition.STARTED, *, required: bool = True) -> Dependency:
    return Dependency(service=name, condition=condition, required=required)


def service(name: str, *depends_on: Dependency, **more: object) -> Service:
    return replace(Service(name=name, image="i", depends_on=depends_on), **more)


def read(*services: Service, **states: WorkloadState) -> Ready | Waiting | Hopeless:
    return readiness(
        Stack(name="s", services=services), {name: replace(s, name=name) for name, s in states.items()}
    )


@pytest.mark.parametrize(
    ("condition", "found", "met"),
    [
        (Condition.STARTED, None, False),
        (Condition.STARTED, state(PENDING), False),
        (Condition.STARTED, state(RUNNING), True),
        (Condition.STARTED, state(ENDED, 1), True),
        (Condition.STARTED, state(Phase.SLEEPING), False),
        (Condition.HEALTHY, state(RUNNING), False),
        (Condition.HEALTHY, state(RUNNING, health=Health.STARTING), False),
        (Condition.HEALTHY, state(RUNNING, health=Health.UNHEALTHY), False),
        (Condition.HEALTHY, state(RUNNING, health=Health.HEALTHY), True),
        (Condition.HEALTHY, state(ENDED, 0, health=Health.HEALTHY), False),
        (Condition.COMPLETED, state(RUNNING), False),
        (Condition.COMPLETED, state(ENDED, 0), True),
        (Condition.COMPLETED, state(ENDED, 1), False),
        (Condition.COMPLETED, state(ENDED), False),
    ],
)
def test_a_condition_is_met_as_in_compose(condition: Condition, found: WorkloadState | None, met: bool):  # noqa: FBT001
    assert is_met(condition, found) is met


def test_a_service_starts_when_all_that_it_depends_on_is_so_far():
    web = service("web", on("db", Condition.HEALTHY), on("migrate", Condition.COMPLETED))
    healthy = state(RUNNING, health=Health.HEALTHY)
    assert not startable(web, {})
    assert not startable(web, {"db": healthy, "migrate": state(RUNNING)})
    assert startable(web, {"db": healthy, "migrate": state(ENDED, 0)})


def test_what_will_never_run_holds_nobody_up():
    web = service("web", on("cache", required=False), on("worker", Condition.HEALTHY))
    stack = Stack(name="s", services=(web, service("worker", replicas=0)))
    assert startable(web, {}, stack=stack)
    assert readiness(stack, {"web": state(RUNNING)}) == Ready()


def test_an_empty_stack_is_ready():
    assert read() == Ready()


@pytest.mark.parametrize(
    "found",
    [state(RUNNING), state(ENDED, 0), state(RUNNING, health=Health.HEALTHY)],
)
def test_a_service_without_a_check_is_ready_when_it_runs_or_has_ended_well(found: WorkloadState):
    assert read(service("a"), a=found) == Ready()


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "its start"),
        (state(PENDING), "its container"),
        (state(PENDING, message="pulling image"), "pulling image"),
        (state(Phase.SLEEPING), "being woken"),
        (state(RUNNING, health=Health.STARTING), "its health check"),
        (state(RUNNING), "its health check"),
    ],
)
def test_a_service_with_a_check_waits_in_words(found: WorkloadState | None, why: str):
    states = {"a": found} if found else {}
    assert read(service("a", healthcheck=CHECK), **states) == Waiting(on={"a": why})


def test_a_disabled_check_is_not_waited_for():
    assert read(service("a", healthcheck=CHECK, healthcheck_disabled=True), a=state(RUNNING)) == Ready()


def test_a_check_of_the_image_is_waited_for_too():
    assert read(service("a"), a=state(RUNNING, health=Health.STARTING)) == Waiting(
        on={"a": "its health check"}
    )


def test_what_is_not_started_names_what_it_waits_for():
    made = read(
        service("db", healthcheck=CHECK), service("web", on("db", Condition.HEALTHY)), db=state(RUNNING)
    )
    assert made == Waiting(on={"db": "its health check", "web": "db (service_healthy)"})


def test_what_others_await_to_complete_must_complete():
    pair = (service("migrate"), service("web", on("migrate", Condition.COMPLETED)))
    assert read(*pair, migrate=state(RUNNING)) == Waiting(
        on={"migrate": "its end", "web": "migrate (service_completed_successfully)"}
    )
    assert read(*pair, migrate=state(ENDED, 0), web=state(RUNNING)) == Ready()
    never = read(*pair, migrate=state(ENDED, 3))
    assert isinstance(never, Hopeless)
    assert (never.service, never.reason, never.message) == ("migrate", Reason.ERROR, "migrate exited with 3")


def test_a_one_shot_service_that_inherited_a_check_may_end_or_be_unhealthy_while_it_runs():
    pair = (service("migrate", healthcheck=CHECK), service("web", on("migrate", Condition.COMPLETED)))
    assert read(*pair, migrate=state(ENDED, 0), web=state(RUNNING)) == Ready()
    assert isinstance(read(*pair, migrate=state(RUNNING, health=Health.UNHEALTHY)), Waiting)


@pytest.mark.parametrize(
    ("found", "reason", "fault"),
    [
        (state(PENDING, reason=Reason.IMAGE_PULL), Reason.IMAGE_PULL, Fault.REPOSITORY),
        (state(PENDING, reason=Reason.IMAGE_PULL, fault=Fault.PLATFORM), Reason.IMAGE_PULL, Fault.PLATFORM),
        (state(ENDED, 127, reason=Reason.COMMAND_NOT_FOUND), Reason.COMMAND_NOT_FOUND, Fault.REPOSITORY),
        (state(PENDING, reason=Reason.UNSCHEDULABLE), Reason.UNSCHEDULABLE, Fault.PLATFORM),
        (state(PENDING, reason=Reason.PORT_IN_USE), Reason.PORT_IN_USE, Fault.REPOSITORY),
        (state(PENDING, reason=Reason.ERROR, fault=Fault.PLATFORM), Reason.ERROR, Fault.PLATFORM),
        (state(ENDED, 0, reason=Reason.EVICTED), Reason.EVICTED, Fault.PLATFORM),
        (state(ENDED, 1), Reason.ERROR, Fault.REPOSITORY),
        (state(ENDED, 137, reason=Reason.OOM_KILLED), Reason.OOM_KILLED, Fault.REPOSITORY),
        (state(ENDED), Reason.GONE, Fault.PLATFORM),
        (state(RUNNING, health=Health.UNHEALTHY), Reason.UNHEALTHY, Fault.REPOSITORY),
        (state(ENDED, 0), Reason.ERROR, Fault.REPOSITORY),
    ],
)
def test_what_will_never_be_ready_is_hopeless_at_once(found: WorkloadState, reason: Reason, fault: Fault):
    made = read(service("a", healthcheck=CHECK), service("b"), a=found)
    assert isinstance(made, Hopeless)
    assert (made.service, made.reason, made.fault) == ("a", reason, fault)
    assert made.message
    assert made.remedy


def test_waiting_for_the_health_of_a_service_without_a_check_is_hopeless():
    made = read(service("db"), service("web", on("db", Condition.HEALTHY)), db=state(RUNNING))
    assert isinstance(made, Hopeless)
    assert made.message == "web waits for db to be healthy, but db has no health check"


def test_ending_well_is_not_enough_for_what_others_await_to_be_healthy():
    made = read(service("db"), service("web", on("db", Condition.HEALTHY)), db=state(ENDED, 0))
    assert isinstance(made, Hopeless)
    assert made.message == "db exited with 0, but was to become healthy"


@pytest.mark.parametrize("restart", [Restart.ALWAYS, Restart.UNLESS_STOPPED, Restart.ON_FAILURE])
def test_a_service_that_restarts_by_itself_is_given_up_after_three_failed_starts(restart: Restart):
    a = service("a", restart=restart)
    for phase in (ENDED, PENDING):
        assert read(a, a=state(phase, 1, restarts=1)).__class__ is Waiting
        made = read(a, a=state(phase, 1, restarts=2))
        assert isinstance(made, Hopeless)
        assert (made.reason, made.message) == (Reason.CRASHED, "a exited with 1 3 times")


def test_a_service_that_runs_at_last_after_many_restarts_is_ready():
    assert read(service("a", restart=Restart.ALWAYS), a=state(RUNNING, 1, restarts=9)) == Ready()


def test_restarts_end_after_the_attempts_that_the_file_allows():
    a = service("a", restart=Restart.ON_FAILURE, restart_attempts=1)
    assert isinstance(read(a, a=state(ENDED, 1, restarts=0)), Waiting)
    made = read(a, a=state(ENDED, 1, restarts=1))
    assert isinstance(made, Hopeless)


def test_a_crash_loop_is_borne_while_something_that_it_may_need_is_still_to_come():
    web, db = service("web", restart=Restart.ALWAYS), service("db", healthcheck=CHECK)
    crashing = state(ENDED, 1, restarts=7)
    assert isinstance(read(web, db, web=crashing, db=state(RUNNING, health=Health.STARTING)), Waiting)
    assert isinstance(read(web, db, web=crashing), Waiting)
    assert isinstance(read(web, db, web=crashing, db=state(RUNNING, health=Health.HEALTHY)), Hopeless)


def test_a_crash_loop_gets_time_after_the_last_of_the_others_has_started():
    web, db = service("web", restart=Restart.ALWAYS), service("db")
    at = START + timedelta(minutes=1)
    up = state(RUNNING, started_at=at)
    assert isinstance(
        read(web, db, db=up, web=state(ENDED, 1, restarts=7, ended_at=at + timedelta(seconds=2))), Waiting
    )
    late = state(ENDED, 1, restarts=7, ended_at=at + timedelta(seconds=20))
    assert isinstance(read(web, db, db=up, web=late), Hopeless)


def test_services_that_wait_for_the_crashing_one_do_not_save_it():
    db = service("db", restart=Restart.ALWAYS, healthcheck=CHECK)
    web = service("web", on("db", Condition.HEALTHY))
    other = service("other", restart=Restart.ALWAYS)
    crashing = state(PENDING, 1, restarts=4)
    made = read(web, db, other, db=crashing, other=crashing)
    assert isinstance(made, Hopeless)
    assert made.service == "db"


def test_memory_is_named_as_the_cause_of_a_crash_loop():
    made = read(
        service("a", restart=Restart.ALWAYS), a=state(ENDED, 137, restarts=4, reason=Reason.OOM_KILLED)
    )
    assert isinstance(made, Hopeless)
    assert made.reason is Reason.OOM_KILLED


def test_every_reason_has_a_remedy_and_a_fault():
    assert set(REMEDIES) == set(Reason)
    assert {fault_of(reason) for reason in Reason} == set(Fault)


def test_what_is_not_required_may_fail_and_what_depends_on_it_goes_on_without_it() -> None:
    seed = service("seed")
    cache = service("cache", healthcheck=CHECK)
    web = service(
        "web", on("seed", Condition.COMPLETED, required=False), on("cache", Condition.HEALTHY, required=False)
    )
    stack = Stack(name="s", services=(seed, cache, web))
    at_work = {"seed": state(RUNNING), "cache": state(RUNNING, health=Health.STARTING)}
    assert not startable(web, at_work, stack=stack), "it is waited for as long as it may still get there"
    over = {"seed": state(ENDED, 3), "cache": state(RUNNING, health=Health.UNHEALTHY)}
    assert startable(web, over, stack=stack)
    assert readiness(stack, over) == Waiting(on={"web": "its start"})
    assert readiness(stack, over | {"web": state(RUNNING)}) == Ready()


def test_what_one_service_requires_may_not_fail_although_another_does_not_require_it() -> None:
    seed = service("seed")
    web = service("web", on("seed", Condition.COMPLETED, required=False))
    shop = service("shop", on("seed", Condition.COMPLETED))
    found = read(seed, web, shop, seed=state(ENDED, 3))
    assert isinstance(found, Hopeless)
    assert found.service == "seed"


def test_what_is_not_required_may_go_on_crashing() -> None:
    seed = service("seed", restart=Restart.ALWAYS)
    web = service("web", on("seed", required=False))
    crashing = state(PENDING, 1, restarts=9, ended_at=START + timedelta(hours=1))
    assert read(seed, web, seed=crashing, web=state(RUNNING, started_at=START)) == Ready()


@pytest.mark.parametrize("condition", list(Condition))
def test_what_is_not_required_and_crashes_again_and_again_holds_nobody_up_for_ever(
    condition: Condition,
) -> None:
    seed, web = service("seed", restart=Restart.ALWAYS), service("web", on("seed", condition, required=False))
    stack = Stack(name="s", services=(seed, web))
    crashing = state(PENDING, 1, restarts=2, ended_at=START)
    assert not startable(web, {"seed": replace(crashing, restarts=1)}, stack=stack), "it may still get there"
    assert startable(web, {"seed": crashing}, stack=stack)
    required = Stack(name="s", services=(seed, service("web", on("seed", condition))))
    assert not startable(required.services[1], {"seed": crashing}, stack=required)


@pytest.mark.parametrize("condition", list(Condition))
def test_a_command_after_the_start_that_fails_ends_the_raising_whoever_requires_its_service(
    condition: Condition,
) -> None:
    """As `docker-compose up` does. Who wakes the stack later goes on without it."""
    seed, web = service("seed"), service("web", on("seed", condition, required=False))
    failed = state(PENDING, reason=Reason.ERROR, fault=Fault.REPOSITORY, message="post_start: it failed")
    never = read(seed, web, seed=failed)
    assert isinstance(never, Hopeless)
    assert (never.service, never.message) == ("seed", "post_start: it failed")
    assert startable(web, {"seed": failed}, stack=Stack(name="s", services=(seed, web)))
