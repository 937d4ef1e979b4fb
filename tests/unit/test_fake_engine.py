"""The fake engine keeps the laws of `ports.engine`, and its misfortunes look like the real ones."""

from __future__ import annotations

import asyncio
import io
import tarfile
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor.adapters.fake.clock import FakeClock
from conductor.adapters.fake.engine import FakeEngine
from conductor.adapters.fake.machine import Machine
from conductor.adapters.fake.misfortunes import parse_misfortunes
from conductor.domain.lease import Lease
from conductor.domain.stack import Condition, Dependency, Healthcheck, Job, Restart, Service, Stack
from conductor.domain.states import Health, Hopeless, Phase, Ready, States, readiness
from conductor.domain.verdict import Reason
from conductor.errors import NotFoundError, UnreachableError, UsageError
from conductor.ports.engine import Place

PLACE = Place(namespace="conductor-shop-k3v9qd", run="shop-k3v9qd")
BOUND = 10.0
CHECK = Healthcheck(test=("CMD", "redis-cli", "ping"), interval=timedelta(seconds=1))


class Stage:
    """An engine with one namespace, whose time passes by itself."""

    def __init__(self, fail: str = "", machine: Machine | None = None) -> None:
        self.clock = FakeClock()
        self.engine = FakeEngine(clock=self.clock, misfortunes=parse_misfortunes(fail), machine=machine)
        self.lease = Lease(
            namespace=PLACE.namespace,
            run=PLACE.run,
            repository="shop",
            created_at=self.clock.now(),
            expires_at=None,
        )

    async def up(self, *services: Service) -> Stack:
        stack = Stack(name="shop", services=services)
        await self.engine.create_namespace(PLACE, self.lease)
        for service in services:
            await self.engine.apply(PLACE, stack, service)
        return stack

    async def job(self, job: Job, *services: Service) -> None:
        await self.engine.start_job(PLACE, await self.up(*services), job)

    async def until(self, enough: Any) -> States:
        async with asyncio.timeout(BOUND), aclosing(self.engine.watch(PLACE)) as changes:
            async for states in changes:
                if enough(states):
                    return states
        raise AssertionError("the watch ended")

    async def verdict(self, stack: Stack) -> Any:
        states = await self.until(lambda states: isinstance(readiness(stack, states), Ready | Hopeless))
        return readiness(stack, states)


def shell(name: str, script: str, **more: Any) -> Service:
    return Service(name=name, image="busybox", command=("sh", "-c", script), **more)


def suite(script: str = "", **more: Any) -> Job:
    workload = shell("tests", script) if script else Service(name="tests", command=("yarn", "test"))
    return Job(workload=workload, time_limit=timedelta(minutes=1), reports=("reports/**/*.xml",), **more)


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


async def test_services_become_ready_and_one_shots_whose_end_is_awaited_end_well():
    stage = Stage()
    stack = await stage.up(
        Service(name="migrate", image="app"),
        Service(
            name="web",
            image="app",
            healthcheck=CHECK,
            depends_on=(Dependency(service="migrate", condition=Condition.COMPLETED),),
        ),
    )
    assert await stage.verdict(stack) == Ready()
    states = await stage.engine.states(PLACE)
    assert (states["migrate"].phase, states["migrate"].exit_code) == (Phase.ENDED, 0)
    assert states["web"].health is Health.HEALTHY


async def test_a_job_does_what_its_command_says():
    stage = Stage()
    await stage.job(suite("echo one; sleep 2; echo two > out.txt; echo bad >&2; exit 3"))
    ended = (await stage.until(lambda states: states["tests"].phase is Phase.ENDED))["tests"]
    assert (ended.exit_code, ended.ended_at - ended.started_at) == (3, timedelta(seconds=2))
    lines = [(line.stream, line.text) async for line in stage.engine.logs(PLACE, "tests")]
    assert lines == [("stdout", "one"), ("stderr", "bad")]


@pytest.mark.parametrize("script", ["", "yarn install && yarn test"])
async def test_a_job_of_a_real_program_passes_one_test_and_reports_it(script: str):
    stage = Stage()
    await stage.job(suite(script))
    await stage.until(lambda states: states["tests"].phase is Phase.ENDED)
    archive = b"".join([chunk async for chunk in stage.engine.collect(PLACE, suite())])
    [(name, text)] = unpacked(archive).items()
    assert name == "reports/junit.xml"
    assert b"<testcase" in text
    assert b"<failure" not in text


async def test_asked_to_fail_the_tests_say_no_in_their_report():
    stage = Stage("tests:fails")
    await stage.job(suite())
    ended = await stage.until(lambda states: states["tests"].phase is Phase.ENDED)
    archive = b"".join([chunk async for chunk in stage.engine.collect(PLACE, suite())])
    assert ended["tests"].exit_code == 1
    assert b"<failure" in unpacked(archive)["reports/junit.xml"]


async def test_a_followed_log_has_every_line_once_and_ends_with_the_workload():
    stage = Stage()
    await stage.job(suite("echo 1; sleep 1; echo 2; sleep 1; echo 3"))
    async with asyncio.timeout(BOUND):
        followed = [line async for line in stage.engine.logs(PLACE, "tests", follow=True)]
    assert [line.text for line in followed] == ["1", "2", "3"]
    rest = [line.text async for line in stage.engine.logs(PLACE, "tests", since=followed[0].at)]
    assert rest == ["2", "3"]


async def test_what_exists_is_adopted():
    stage = Stage()
    stack = await stage.up(shell("web", "sleep infinity"))
    before = await stage.engine.states(PLACE)
    stage.clock.advance(timedelta(hours=1))
    await stage.engine.create_namespace(PLACE, stage.lease)
    await stage.engine.apply(PLACE, stack, stack.services[0])
    assert await stage.engine.states(PLACE) == before


async def test_a_restarted_conductor_finds_everything_again(tmp_path: Path):
    clock = FakeClock()
    first = FakeEngine(tmp_path, clock=clock, misfortunes=())
    stage = Stage()
    stage.engine = first
    await stage.job(suite(), Service(name="web", healthcheck=CHECK))
    second = FakeEngine(tmp_path, clock=clock, misfortunes=())
    assert await second.states(PLACE) == await first.states(PLACE)
    assert await second.namespaces() == await first.namespaces()


async def test_namespaces_of_another_instance_are_never_seen_and_never_deleted():
    machine = Machine()
    stage = Stage(machine=machine)
    await stage.up()
    other = FakeEngine(instance="other", machine=machine, clock=stage.clock, misfortunes=())
    assert await other.namespaces() == []
    assert await other.delete_namespace(PLACE.namespace) == 0
    assert len(await stage.engine.namespaces()) == 1


async def test_a_deleted_namespace_is_gone_and_deleting_it_again_counts_nothing():
    stage = Stage()
    await stage.up(Service(name="web"))
    assert await stage.engine.delete_namespace(PLACE.namespace) == 2
    assert await stage.engine.namespaces() == []
    assert await stage.engine.delete_namespace(PLACE.namespace) == 0


async def test_what_is_stopped_ends_and_stays_so():
    stage = Stage()
    await stage.up(shell("web", "sleep infinity", restart=Restart.ALWAYS))
    for _ in range(2):
        await stage.engine.stop(PLACE, "web", grace=timedelta(seconds=1))
        stage.clock.advance(timedelta(minutes=1))
    state = (await stage.engine.states(PLACE))["web"]
    assert (state.phase, state.exit_code) == (Phase.ENDED, 143)


async def test_what_sleeps_wakes_with_its_files_and_what_had_ended_stays_ended():
    stage = Stage()
    await stage.up(shell("web", "sleep infinity"), shell("once", "exit 0"))
    await stage.engine.exec(PLACE, "web", ("sh", "-c", "echo kept > /data/note"))
    await stage.engine.sleep(PLACE)
    asleep = await stage.engine.states(PLACE)
    assert (asleep["web"].phase, asleep["once"].phase) == (Phase.SLEEPING, Phase.ENDED)
    await stage.engine.wake(PLACE, "web")
    assert (await stage.engine.exec(PLACE, "web", ("cat", "/data/note"))).stdout == b"kept\n"


async def test_a_command_in_a_workload_answers_with_code_and_streams():
    stage = Stage()
    await stage.up(shell("web", "sleep infinity", environment={"COLOUR": "red"}))
    answer = await stage.engine.exec(PLACE, "web", ("sh", "-c", "echo $COLOUR; echo no >&2; exit 7"))
    assert (answer.exit_code, answer.stdout, answer.stderr) == (7, b"red\n", b"no\n")
    assert (await stage.engine.exec(PLACE, "web", ("cat",), stdin=b"in\n")).stdout == b"in\n"


async def test_a_command_that_takes_too_long_is_124():
    stage = Stage()
    await stage.up(shell("web", "sleep infinity"))
    assert (
        await stage.engine.exec(PLACE, "web", ("sleep", "60"), timeout=timedelta(seconds=1))
    ).exit_code == 124


async def test_files_go_in_and_come_out():
    stage = Stage()
    await stage.up(shell("web", "sleep infinity"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("etc/app.conf")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"\x00\xff\n\x01"))
    await stage.engine.copy_in(PLACE, "web", "/srv", packed.getvalue())
    out = b"".join([chunk async for chunk in stage.engine.copy_out(PLACE, "web", "/srv/etc")])
    assert unpacked(out) == {"etc/app.conf": b"\x00\xff\n\x01"}


async def test_what_is_not_there_is_not_found():
    stage = Stage()
    with pytest.raises(NotFoundError):
        await stage.engine.apply(PLACE, Stack(name="s", services=()), Service(name="web"))
    with pytest.raises(NotFoundError):
        await stage.engine.mark(stage.lease)
    await stage.up(shell("once", "exit 0"))
    for ask in (
        stage.engine.exec(PLACE, "none", ("true",)),
        stage.engine.exec(PLACE, "once", ("true",)),
        stage.engine.url_of(PLACE, "once", 80),
        anext(stage.engine.copy_out(PLACE, "once", "/none")),
    ):
        with pytest.raises(NotFoundError):
            await ask


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        ("deploy:ImagePullBackOff", Reason.IMAGE_PULL),
        ("deploy/web:CommandNotFound", Reason.COMMAND_NOT_FOUND),
        ("deploy/web:Unschedulable", Reason.UNSCHEDULABLE),
        ("deploy/web:OOMKilled", Reason.OOM_KILLED),
        ("deploy/web:Error", Reason.ERROR),
        ("deploy/web:never-ready", Reason.UNHEALTHY),
    ],
)
async def test_a_misfortune_makes_the_stack_hopeless_for_its_reason(fail: str, reason: Reason):
    stage = Stage(fail)
    verdict = await stage.verdict(await stage.up(Service(name="web", healthcheck=CHECK)))
    assert isinstance(verdict, Hopeless)
    assert (verdict.service, verdict.reason) == ("web", reason)


async def test_a_service_that_crashes_again_and_again_is_given_up():
    stage = Stage("deploy/web:CrashLoopBackOff")
    verdict = await stage.verdict(
        await stage.up(Service(name="web", restart=Restart.ALWAYS, healthcheck=CHECK))
    )
    assert isinstance(verdict, Hopeless)
    assert verdict.reason is Reason.CRASHED


async def test_a_misfortune_befalls_whom_it_names_only():
    stage = Stage("deploy/redis:ImagePullBackOff")
    await stage.up(Service(name="web"), Service(name="redis"))
    states = await stage.engine.states(PLACE)
    assert (states["web"].phase, states["redis"].reason) == (Phase.RUNNING, Reason.IMAGE_PULL)


async def test_a_slow_image_only_takes_longer():
    stage = Stage("deploy/web:slow=90")
    began = stage.clock.now()
    assert await stage.verdict(await stage.up(Service(name="web"))) == Ready()
    assert stage.clock.now() - began >= timedelta(seconds=90)


async def test_an_engine_that_is_gone_for_a_while_is_outlived_by_a_watch():
    stage = Stage()
    await stage.up(shell("web", "sleep 5; exit 0"))
    stage.engine.leave(timedelta(seconds=10))
    with pytest.raises(UnreachableError):
        await stage.engine.states(PLACE)
    assert (await stage.until(lambda states: states["web"].phase is Phase.ENDED))["web"].exit_code == 0


async def test_an_engine_that_stays_away_is_told_to_who_watches():
    stage = Stage()
    await stage.up(Service(name="web"))
    stage.engine.leave(timedelta(hours=1))
    with pytest.raises(UnreachableError):
        await stage.until(lambda _states: False)


@pytest.mark.parametrize("text", ["deploy", "deploy:NoSuchWord", "nowhere:hangs", "deploy:slow=soon"])
def test_a_misfortune_that_is_none_is_refused_with_those_there_are(text: str):
    with pytest.raises(UsageError) as caught:
        parse_misfortunes(text)
    assert "ImagePullBackOff" in caught.value.remedy
